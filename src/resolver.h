/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver.h - name servers that can be reached from a network namespace of one's own.
 *
 * The host's resolv.conf(5) often names a server on the host's loopback, as systemd-resolved's 127.0.0.53, which is
 * nobody inside. What resolved itself asks is in a file of its own.
 */
#ifndef SHUNT_RESOLVER_H
#define SHUNT_RESOLVER_H

#include "shunt/shunt.h"

/* The families that an endpoint has. */
enum resolver_family {
	RESOLVER_IPV4 = 1,
	RESOLVER_IPV6 = 2,
};

#define RESOLVER_FILE "/etc/resolv.conf"
#define RESOLVER_FILE_MAX (16 * 1024)

/**
 * resolver_compose() - The resolv.conf for an endpoint
 * @host:	the text of the host's
 * @upstream:	that of the servers behind the host's own resolver, or NULL
 * @families:	enum resolver_family, or-ed
 * @ret:	NULL where @host serves as it is or has no server at all; else the caller's to free: those servers of @host
 *		that can be reached, or, where none can, those of @upstream; and what @host says besides servers
 *
 * Return: 0, -EHOSTUNREACH if neither names a server that can be reached, or -ENOMEM
 */
int resolver_compose(const char *host, const char *upstream, unsigned families, char **ret);

/* The same of this machine's files. Those that are missing are no failure; those that cannot be read are. */
int resolver_text(unsigned families, char **ret, struct shunt_error *error);

#endif

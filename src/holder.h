/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * holder.h - which ports the host's own processes have.
 */
#ifndef SHUNT_HOLDER_H
#define SHUNT_HOLDER_H

#include "shunt/shunt.h"

/* A socket that hears whoever comes: a TCP listener, or what is bound and may become one; a UDP socket without a peer. */
struct holder {
	uint8_t address[16];	/* IPv4 as ::ffff:a.b.c.d; :: or ::ffff:0.0.0.0 for all of its family */
	__be16 port;
	uint8_t protocol;	/* IPPROTO_TCP or IPPROTO_UDP */
	bool both;		/* of all IPv6 addresses, and hears IPv4 too */
	uint32_t inode;
	uint32_t uid;
};

/* All of the network namespace that we are in, on ports from @first to @last; *ret is the caller's to free. */
int holder_list(uint16_t first, uint16_t last, struct holder **ret, size_t *ret_n, struct shunt_error *error);

/* Whether it has what would be published under this key. */
bool holder_has(const struct holder *holder, const struct shunt_published_key *key);

/* Whether two keys, or a key and a socket's address, have an address in common: one has all of the other's family. */
bool addresses_overlap(const uint8_t a[static 16], const uint8_t b[static 16]);

/* Who that is, for an error line: "nginx" (process 123), or no more than the user where we may not look further. */
const char *holder_name(const struct holder *holder, char *text, size_t size);

#endif

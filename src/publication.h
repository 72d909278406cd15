/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publication.h - published ports as users write and read them: "127.0.0.1:8080-8089:80/tcp".
 */
#ifndef SHUNT_PUBLICATION_H
#define SHUNT_PUBLICATION_H

#include "shunt/shunt.h"

struct publication {
	struct shunt_prefix host;	/* family 0: all addresses of the host, of both families */
	uint16_t first, last;		/* ports of the host */
	uint16_t target;		/* the first of as many in the container */
	uint8_t protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
};

/**
 * publication_parse() - Strict reader of "[HOSTADDR:]HOSTPORT[-END]:PORT[-END][/tcp|udp]"
 *
 * An IPv6 HOSTADDR is in brackets. Behind a range in front, PORT begins one of the same length, whose end may be left out.
 *
 * Return: 0, or -EINVAL
 */
int publication_parse(const char *text, struct publication *ret, struct shunt_error *error);

/* Several, of one endpoint: -EEXIST where two have a port of one address. */
int publications_parse(const char *const *texts, size_t n, struct publication *ret, struct shunt_error *error);

/* A service's name: up to SHUNT_SERVICE_MAX - 1 of what names of networks have. */
int service_check(const char *name, struct shunt_error *error);

/* Addresses as the datapath has them: 16 bytes, IPv4 as ::ffff:a.b.c.d. A family's unspecified one is all of its addresses. */
void mapped_address(const struct shunt_prefix *address, uint8_t ret[static 16]);
void unmapped_address(const uint8_t address[static 16], struct shunt_prefix *ret);
bool mapped_is4(const uint8_t address[static 16]);
bool mapped_is_any(const uint8_t address[static 16]);

/* Longest text with its NUL: "[...]:65535-65535:65535-65535/tcp" */
#define PORT_TEXT_MAX (PORT_HOST_TEXT_MAX + 12 + 4)
#define PORT_HOST_TEXT_MAX (INET6_ADDRSTRLEN + 2 + 12)

/* "0.0.0.0:8080/tcp", of the host's side */
const char *port_format_host(const struct shunt_published_key *key, char text[static PORT_HOST_TEXT_MAX + 4]);

/**
 * port_format() - What begins a sorted list of ports, as a user would write it
 * @text:	PORT_TEXT_MAX bytes
 *
 * Return: how many of @list are in it: neighbours are a range
 */
size_t port_format(const struct shunt_port *list, size_t n, char *text);

#endif

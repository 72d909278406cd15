/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * address.h - addresses and prefixes: strict text in, canonical text out, and arithmetic on bits.
 */
#ifndef SHUNT_ADDRESS_H
#define SHUNT_ADDRESS_H

#include "shunt/shunt.h"

/* Longest text with its NUL: "ffff:...:255.255.255.255/128" */
#define PREFIX_TEXT_MAX (INET6_ADDRSTRLEN + 4)

/**
 * prefix_parse() - Strict reader of "ADDRESS" and "ADDRESS/LENGTH"
 * @text:	what the user wrote: dotted quad or RFC 4291 text, no blanks, no zone
 * @ret:	family, bytes and length; without "/LENGTH" the family's full length
 *
 * Host bits may be set: whether that is right is for the caller to say.
 *
 * Return: 0, or -EINVAL
 */
int prefix_parse(const char *text, struct shunt_prefix *ret);

/* Writes "ADDRESS/LENGTH" to @text (PREFIX_TEXT_MAX bytes) and returns it. */
const char *prefix_format(const struct shunt_prefix *prefix, char *text);

/* The same without "/LENGTH". */
const char *prefix_format_address(const struct shunt_prefix *prefix, char *text);

/* Number of bits of an address of @family: 32 or 128 */
unsigned family_bits(int family);

/* Whether @inner's address lies in @outer: same family, first @outer->length bits alike. */
bool prefix_contains(const struct shunt_prefix *outer, const struct shunt_prefix *inner);

/* Whether two prefixes share an address. */
bool prefix_overlap(const struct shunt_prefix *a, const struct shunt_prefix *b);

/* Whether it is a unique local IPv6 address or subnet (RFC 4193), which nobody elsewhere can answer to. */
bool prefix_is_ula(const struct shunt_prefix *prefix);

/* Sets all bits behind ->length to zero. */
void prefix_mask(struct shunt_prefix *prefix);

/* Whether any bit behind ->length is set. */
bool prefix_has_host_bits(const struct shunt_prefix *prefix);

/* Writes the netmask of @length bits to @mask (16 bytes). */
void prefix_netmask(unsigned length, uint8_t *mask);

/**
 * prefix_host() - The @n-th address of a subnet
 * @subnet:	with its host bits zero
 * @n:		0 for the subnet's own address, 1 for the gateway's, ...; must fit in the host part
 * @ret:	that address, with the family's full length
 */
void prefix_host(const struct shunt_prefix *subnet, uint64_t n, struct shunt_prefix *ret);

/* The inverse: the number of @address in @subnet, of its low 64 bits. */
uint64_t prefix_host_number(const struct shunt_prefix *subnet, const struct shunt_prefix *address);

/*
 * How many addresses of @subnet may be given to endpoints, and the number of the first: all but the subnet's own
 * (0), the gateway's (1) and, for IPv4, the broadcast address. IPv6 is capped at 2^48.
 */
uint64_t prefix_pool(const struct shunt_prefix *subnet, uint64_t *ret_first);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * policy.h - who may speak to whom: sources, addresses that lead nowhere, networks.
 */
#ifndef SHUNT_BPF_POLICY_H
#define SHUNT_BPF_POLICY_H

#include "maps.h"

/*
 * Sixteen bytes are compared as two words although those in packets are aligned to less: the verifier lets that pass
 * wherever the kernel's own code may do it, which is where containers run (x86, arm64, s390, POWER).
 */
typedef __u64 __attribute__((may_alias)) word;

static __always_inline bool same6(const void *a, const void *b)
{
	const word *x = a, *y = b;

	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static __always_inline bool is_mapped4(const __u8 address[16])
{
	const __u32 *a = (const __u32 *)address;

	return (a[0] | a[1] | (a[2] ^ bpf_htonl(0xffff))) == 0;
}

static __always_inline bool in_subnet6(const void *address, const struct shunt_interface *in)
{
	const word *a = address, *s = (const word *)in->subnet6, *m = (const word *)in->netmask6;

	return (((a[0] & m[0]) ^ s[0]) | ((a[1] & m[1]) ^ s[1])) == 0;
}

static __always_inline bool in_subnet4(__be32 address, const struct shunt_interface *in)
{
	return (address & in->netmask4) == in->subnet4;
}

/*
 * Destinations that mean nothing beyond one link or one host: multicast, broadcast, "this host", link-local, loopback.
 * A container has no link to share with anyone, and the host's stack shall not take them for its own.
 */
static __always_inline bool never_routed4(__be32 address)
{
	__u32 a = bpf_ntohl(address);

	return a >> 28 == 0xe || a + 1 <= 1 || a >> 16 == 0xa9fe || a >> 24 == 127;
}

/* The last line is ::, ::1 and the addresses that RFC 4291, 2.5.5.1 took out of use. */
static __always_inline bool never_routed6(const struct in6_addr *address)
{
	__u32 first = bpf_ntohl(address->s6_addr32[0]);

	return first >> 24 == 0xff || first >> 22 == 0xfe80 >> 6 ||
	       (first | address->s6_addr32[1] | address->s6_addr32[2]) == 0;
}

/* Nobody but a forger sends to loopback; all other such destinations come up by themselves. */
static __always_inline enum shunt_drop why_never4(__be32 address)
{
	return bpf_ntohl(address) >> 24 == 127 ? SHUNT_DROP_MALFORMED : SHUNT_DROP_MULTICAST;
}

static __always_inline enum shunt_drop why_never6(const struct in6_addr *address)
{
	return address->s6_addr32[0] == 0 && address->s6_addr32[3] ? SHUNT_DROP_MALFORMED : SHUNT_DROP_MULTICAST;
}

/*
 * What every container says unasked on its link (router solicitations, multicast listener reports, duplicate address
 * detection): from a link-local address or none, to a multicast address. Noise, and not an attempt to deceive.
 */
static __always_inline bool link_chatter6(const struct ipv6hdr *ip)
{
	return ip->daddr.s6_addr[0] == 0xff && never_routed6(&ip->saddr) && ip->saddr.s6_addr[0] != 0xff;
}

static __always_inline bool same_network(const struct shunt_interface *from, const char *to)
{
	const __u32 *a = (const __u32 *)from->network, *b = (const __u32 *)to;

	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

/**
 * forbidden() - decides between two endpoints by their networks.
 * @from: the sender
 * @to: the receiver
 *
 * Within one network all may speak. Between two, both must be neither isolated nor internal.
 *
 * Return: why not, an enum shunt_drop, or -1 if they may.
 */
static __always_inline int forbidden(const struct shunt_interface *from, const struct shunt_address *to)
{
	__u32 flags = from->flags | to->flags;

	if (likely(!(flags & (SHUNT_F_ISOLATE | SHUNT_F_INTERNAL))))
		return -1;
	if (same_network(from, to->network))
		return -1;
	return flags & SHUNT_F_ISOLATE ? SHUNT_DROP_ISOLATED : SHUNT_DROP_INTERNAL;
}

#endif

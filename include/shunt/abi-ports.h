/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * abi-ports.h - the part of abi.h that is about ports of the host: which are taken for masquerading, which are published, by whom,
 * and what the programs at the host's sockets need for these. Its rules are abi.h's, SHUNT_ABI included.
 */
#ifndef SHUNT_ABI_PORTS_H
#define SHUNT_ABI_PORTS_H

#include <linux/types.h>

/*
 * Map "ports", BPF_MAP_TYPE_ARRAY: port / 64 -> struct shunt_ports, bit port % 64. So that what is neither published nor
 * could be masqueraded costs no look-up. Bits of the engine's, under the lock "ports".
 */
struct shunt_ports {
	__u64 masquerade;		/* some network's flows may leave from here */
	__u64 tcp;			/* published by somebody, on whatever address */
	__u64 udp;
};
_Static_assert(sizeof(struct shunt_ports) == 24, "shunt_ports is ABI");

/*
 * Map "published", BPF_MAP_TYPE_HASH: struct shunt_published_key -> struct shunt_published. Who answers on a port of the
 * host. Replaced whole by the engine, under the lock "ports".
 */
struct shunt_published_key {
	__u8 address[16];		/* of the host, IPv4 as ::ffff:a.b.c.d; :: or ::ffff:0.0.0.0 for all of its family */
	__be16 port;
	__u8 protocol;			/* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad;
};
_Static_assert(sizeof(struct shunt_published_key) == 20, "shunt_published_key is ABI");

#define SHUNT_MAX_PUBLISHED 16384
#define SHUNT_MAX_BACKENDS 32		/* containers that share a port */
#define SHUNT_SERVICE_MAX 32		/* a service's name with its NUL */

struct shunt_backend {
	__u8 address[16];		/* the container's, IPv4 as ::ffff:a.b.c.d */
	__u32 ifindex;			/* of its host end */
	__be16 port;			/* in the container */
	__u16 pad;
};
_Static_assert(sizeof(struct shunt_backend) == 24, "shunt_backend is ABI");

struct shunt_published {
	char service[SHUNT_SERVICE_MAX];	/* NUL-padded; empty: one container's alone */
	__u32 n;			/* backends, 1 or more */
	__u32 pad;
	struct shunt_backend backend[SHUNT_MAX_BACKENDS];
};
_Static_assert(sizeof(struct shunt_published) == 808, "shunt_published is ABI");

/*
 * Map "publications", BPF_MAP_TYPE_HASH: struct shunt_publication_key -> struct shunt_publication. What each endpoint has
 * published, from which the engine makes "published" and the bits in "ports": written before these, and removed behind them.
 * The datapath reads nothing of it, and counts.
 */
struct shunt_publication_key {
	struct shunt_published_key host;
	__u32 ifindex;			/* of the endpoint's host end */
};
_Static_assert(sizeof(struct shunt_publication_key) == 24, "shunt_publication_key is ABI");

#define SHUNT_MAX_PUBLICATIONS 32768

/*
 * Map "answers", BPF_MAP_TYPE_HASH: struct shunt_published_key with the address and port of a container -> the struct
 * shunt_published_key of "published" by which they are reached from out there; of several, the first of its order in memory. A
 * hint: it may be of what is published no more. Written by the engine, under the lock "ports", behind "published".
 */

struct shunt_publication {
	__u64 flows;			/* begun to this endpoint by this port */
	char service[SHUNT_SERVICE_MAX];	/* as in shunt_published */
	__u8 address[16];		/* as in shunt_backend, and so the port */
	__be16 port;
	__u16 pad[3];
};
_Static_assert(sizeof(struct shunt_publication) == 64, "shunt_publication is ABI");

/*
 * Map "locals", BPF_MAP_TYPE_HASH: struct shunt_in6 -> __u32, which is 0. The host's own addresses, IPv4 as ::ffff:a.b.c.d,
 * for the programs at its sockets, which cannot ask the routing table, and for what containers send, as that cannot tell them from
 * what it knows no way to. Written by the engine, under the lock "ports".
 */
#define SHUNT_MAX_LOCALS 16384

/*
 * Map "dialled", BPF_MAP_TYPE_LRU_HASH: struct shunt_dialled -> struct shunt_dialled_as. What a socket of the host meant when
 * it was led to a container, so that it hears of that and of nothing else. Written by the datapath alone.
 */
struct shunt_dialled {
	__u64 cookie;			/* the socket's */
	__u8 address[16];		/* the container's, IPv4 as ::ffff:a.b.c.d */
	__be16 port;
	__u16 pad[3];
};
_Static_assert(sizeof(struct shunt_dialled) == 32, "shunt_dialled is ABI");

struct shunt_dialled_as {
	__u8 address[16];
	__be16 port;
	__u16 pad;
};
_Static_assert(sizeof(struct shunt_dialled_as) == 20, "shunt_dialled_as is ABI");

#define SHUNT_DIALLED 16384

#endif

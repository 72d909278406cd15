/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * publish.h - who answers on a port of the host.
 *
 * An entry of "published" is either for one address of the host or for all of a family, and may have many backends: the
 * containers of a service. Of these one is chosen by the flow alone (highest random weight): each backend gets a weight from
 * a hash of the flow and itself, and the heaviest answers. So whoever asks again for the same flow gets the same one, and one
 * that leaves takes only its own flows with it, wherever in the entry it was.
 */
#ifndef SHUNT_BPF_PUBLISH_H
#define SHUNT_BPF_PUBLISH_H

#include "policy.h"

/* Whether any address of the host has this port published. Most packets end here. */
static __always_inline bool port_published(__be16 port, __u8 protocol)
{
	__u32 number = bpf_ntohs(port), at = number / 64;
	const struct shunt_ports *bits = bpf_map_lookup_elem(&ports, &at);

	if (!bits)
		return false;
	return (protocol == IPPROTO_TCP ? bits->tcp : protocol == IPPROTO_UDP ? bits->udp : 0) >> (number % 64) & 1;
}

enum publish_where {
	PUBLISH_EXACT = 1 << 0,	/* published on the very address */
	PUBLISH_ANY = 1 << 1,	/* on all addresses; that the tuple's is one of the host's is for the caller to know */
	PUBLISH_TO4 = 1 << 2,	/* to a backend's IPv4 address; else to an IPv6 address */
	PUBLISH_ALONE = 1 << 3,	/* there is no other backend */
};

static __always_inline void publish_key(const struct shunt_tuple *tuple, bool any, struct shunt_published_key *ret)
{
	*ret = (struct shunt_published_key){ .port = tuple->dport, .protocol = tuple->protocol };
	if (!any)
		__builtin_memcpy(ret->address, tuple->destination, sizeof(ret->address));
	else if (is_mapped4(tuple->destination))
		ret->address[10] = ret->address[11] = 0xff;
}

/* Of 16 bytes, and what goes with them. */
static __always_inline __u64 publish_hash(const void *address, __u64 rest)
{
	const word *a = address;

	return mix(mix(mix(rest) ^ a[0]) ^ a[1]);
}

struct choice {
	struct shunt_backend best;
	__u64 weight;		/* of the best; 0: there is none */
	__u64 flow;		/* hash */
	__u64 to4;		/* whether it is to be an IPv4 address */
};

/* One backend of many. A global function, or the verifier would follow each outcome of each round through all later ones. */
__global int weigh(const struct shunt_backend *b, struct choice *choice)
{
	__u64 weight;

	if (!b || !choice || is_mapped4(b->address) != !!choice->to4)
		return 0;
	weight = publish_hash(b->address, choice->flow ^ b->port) | 1;
	if (weight > choice->weight) {
		choice->weight = weight;
		choice->best = *b;
	}
	return 0;
}

/**
 * publish_choose() - the backend of a flow
 * @tuple: its first packet's; destination and dport are of the host
 * @where: enum publish_where: in which entries to look, and for which family
 *
 * Return: the backend in @ret, and where it was found: PUBLISH_EXACT or PUBLISH_ANY, | PUBLISH_ALONE; or 0.
 */
__global int publish_choose(const struct shunt_tuple *tuple, struct shunt_backend *ret, __u32 where)
{
	const struct shunt_published *p = NULL;
	struct shunt_published_key key;
	struct choice choice = { .to4 = where & PUBLISH_TO4 };
	__u32 found = PUBLISH_EXACT;

	if (!tuple || !ret)
		return 0;
	if (where & PUBLISH_EXACT) {
		publish_key(tuple, false, &key);
		p = bpf_map_lookup_elem(&published, &key);
	}
	if (!p && where & PUBLISH_ANY) {
		publish_key(tuple, true, &key);
		p = bpf_map_lookup_elem(&published, &key);
		found = PUBLISH_ANY;
	}
	if (!p)
		return 0;
	/* Not of the destination: a client that comes by another address of the host finds the same backend. */
	choice.flow = publish_hash(tuple->source, (__u64)tuple->sport << 32 | (__u32)tuple->protocol << 16 | tuple->dport);
	for (__u32 i = 0; i < SHUNT_MAX_BACKENDS && i < p->n; i++)
		weigh(&p->backend[i], &choice);
	*ret = choice.best;
	if (p->n == 1)
		found |= PUBLISH_ALONE;
	return choice.weight ? found : 0;
}

/* The same for a packet, which keeps its family. */
static __always_inline int publish_find(const struct shunt_tuple *tuple, struct shunt_backend *ret)
{
	return publish_choose(tuple, ret, PUBLISH_EXACT | PUBLISH_ANY | (is_mapped4(tuple->destination) ? PUBLISH_TO4 : 0));
}

/* Counts a flow that has begun: @tuple as publish_choose() got it, @ifindex of whom it chose, and @found where. */
static __always_inline void publish_count(const struct shunt_tuple *tuple, __u32 ifindex, int found)
{
	struct shunt_publication_key key = { .ifindex = ifindex };
	struct shunt_publication *p;

	publish_key(tuple, found & PUBLISH_ANY, &key.host);
	p = bpf_map_lookup_elem(&publications, &key);
	if (p)
		__sync_fetch_and_add(&p->flows, 1);
}

#endif

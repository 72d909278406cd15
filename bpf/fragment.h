/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * fragment.h - what flow a datagram's fragments are of, behind the first: they have no ports.
 */
#ifndef SHUNT_BPF_FRAGMENT_H
#define SHUNT_BPF_FRAGMENT_H

#include "flow.h"

/* Who is behind the ports of a datagram's other fragments. The datapath's own, and not pinned. */
struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__be32 id;
	__u8 protocol;	/* 0 with IPv6, where the identification is enough */
	__u8 pad[3];
};

struct fragment_value {
	__be16 sport;
	__be16 dport;
	__u32 protocol;
	__u32 since;	/* flow_clock() */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment_value);
} fragments SEC(".maps");

static __always_inline void fragment_key(const struct packet *packet, struct fragment_key *ret)
{
	copy6(ret->source, packet->tuple.source);
	copy6(ret->destination, packet->tuple.destination);
	ret->id = packet->fragment_id;
	if (packet->ipv4)
		ret->protocol = packet->tuple.protocol;
}

/*
 * Remembers the ports of a first fragment, and gives them to later ones. Not for long: identifications come again, and the
 * next datagram with this one may be somebody else's. Return: 0, or -1 if they are not known.
 */
static __noinline int fragment_ports(struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment_value value = {
		.sport = packet->tuple.sport, .dport = packet->tuple.dport, .protocol = packet->tuple.protocol,
		.since = flow_clock(),
	}, *found;

	fragment_key(packet, &key);
	if (packet->kind != KIND_LATER)
		return bpf_map_update_elem(&fragments, &key, &value, BPF_ANY) ? -1 : 0;
	found = bpf_map_lookup_elem(&fragments, &key);
	if (!found || value.since - found->since > 2)
		return -1;
	packet->tuple.sport = found->sport;
	packet->tuple.dport = found->dport;
	packet->tuple.protocol = found->protocol;
	return 0;
}

/* The datagram that begins with this fragment is of no flow, whatever an earlier one was. */
static __noinline void fragment_forget(struct packet *packet)
{
	struct fragment_key key = {};

	fragment_key(packet, &key);
	bpf_map_delete_elem(&fragments, &key);
}

#endif

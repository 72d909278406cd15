/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * entry.h - entries of flows by their tuples: found, made and removed in the map of their family.
 *
 * IPv4 has a map of its own because much of what an entry costs is its key's hash: of 40 bytes 158 instructions, of 16 bytes 83.
 */
#ifndef SHUNT_BPF_ENTRY_H
#define SHUNT_BPF_ENTRY_H

#include "maps.h"
#include "policy.h"

/* Return: whether a tuple is IPv4's, and then @ret is its key. Of what an ICMPv6 error quotes, one address alone may look like that. */
static __always_inline bool entry_key4(const struct shunt_tuple *tuple, struct shunt_tuple4 *ret)
{
	const word *source = (const word *)tuple->source, *destination = (const word *)tuple->destination;
	const __u32 *source4 = (const __u32 *)tuple->source, *destination4 = (const __u32 *)tuple->destination;

	if ((source[0] | destination[0]) || source4[2] != bpf_htonl(0xffff) || destination4[2] != bpf_htonl(0xffff))
		return false;
	ret->source = source4[3];
	ret->destination = destination4[3];
	ret->sport = tuple->sport;
	ret->dport = tuple->dport;
	ret->protocol = tuple->protocol;
	return true;
}

/* The kernel's look-up is inlined where the verifier knows the map, which the compiler must not choose before it calls. */
static __always_inline struct shunt_flow *entry_find4(const struct shunt_tuple4 *key)
{
	struct shunt_flow *flow = bpf_map_lookup_elem(&flows4, key);

	opaque(flow);
	return flow;
}

static __always_inline struct shunt_flow *entry_find(const struct shunt_tuple *tuple)
{
	struct shunt_tuple4 key4 = {};

	return entry_key4(tuple, &key4) ? entry_find4(&key4) : bpf_map_lookup_elem(&flows6, tuple);
}

/* @how: BPF_NOEXIST or BPF_ANY. Return: 0, or negative if it is there already, or cannot be made. */
static __always_inline long entry_make(const struct shunt_tuple *tuple, const struct shunt_flow *flow, const __u64 how)
{
	struct shunt_tuple4 key4 = {};
	long r;

	if (!entry_key4(tuple, &key4))
		return bpf_map_update_elem(&flows6, tuple, flow, how);
	r = bpf_map_update_elem(&flows4, &key4, flow, how);
	opaque(r);
	return r;
}

static __always_inline void entry_remove(const struct shunt_tuple *tuple)
{
	struct shunt_tuple4 key4 = {};

	if (entry_key4(tuple, &key4))
		bpf_map_delete_elem(&flows4, &key4);
	else
		bpf_map_delete_elem(&flows6, tuple);
}

#endif

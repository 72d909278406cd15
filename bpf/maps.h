/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * maps.h - the maps that the datapath shares with the engine; include/shunt/abi.h says what is in them.
 *
 * None has a pinning attribute: the engine pins them below its own state directory, of which there can be several.
 */
#ifndef SHUNT_BPF_MAPS_H
#define SHUNT_BPF_MAPS_H

#include "base.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, SHUNT_MAX_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct shunt_interface);
} interfaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __be32);
	__type(value, struct shunt_address);
} addresses4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_in6);
	__type(value, struct shunt_address);
} addresses6 SEC(".maps");

/* The datapath reads none of these: they are here so that one object makes all of them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_ENDPOINTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_endpoint_key);
	__type(value, struct shunt_endpoint);
} registry SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_UNFINISHED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_endpoint_key);
	__type(value, __u32);
} unfinished SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SHUNT_MAX_NETWORKS);
	__type(key, char[SHUNT_NETWORK_MAX]);
	__type(value, struct shunt_network_record);
} networks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shunt_meta);
} meta SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHUNT_FLOWS);
	__type(key, struct shunt_tuple4);
	__type(value, struct shunt_flow);
} flows4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHUNT_FLOWS);
	__type(key, struct shunt_tuple);
	__type(value, struct shunt_flow);
} flows6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536 / 64);
	__type(key, __u32);
	__type(value, struct shunt_ports);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_PUBLISHED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_published_key);
	__type(value, struct shunt_published);
} published SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_PUBLICATIONS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_publication_key);
	__type(value, struct shunt_publication);
} publications SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_PUBLICATIONS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_published_key);
	__type(value, struct shunt_published_key);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, SHUNT_MAX_RULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_rules_key);
	__type(value, struct shunt_rules);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_LOCALS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shunt_in6);
	__type(value, __u32);
} locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHUNT_DIALLED);
	__type(key, struct shunt_dialled);
	__type(value, struct shunt_dialled_as);
} dialled SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SHUNT_MAX_UPLINKS_ATTACHED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} uplinks SEC(".maps");

/*
 * How often something may still be done. Both maps are the datapath's own: not pinned, they live as long as the programs.
 */
struct allowance {
	__u64 since;	/* bpf_ktime_get_ns() */
	__u64 left;
};

/* Errors that one CPU sends to the wire. */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct allowance);
} allowances SEC(".maps");

/* Neighbours that the host looks for on behalf of one endpoint, by its ifindex. Who is forgotten here begins anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct allowance);
} seekers SEC(".maps");

/**
 * take() - does something that may be done once in @interval, and @burst times at once if it was not for long.
 * @interval: nanoseconds
 *
 * On other CPUs it may be taken at the same time, and once too often: an allowance is no account.
 *
 * Return: whether it may be done.
 */
static __always_inline bool take(struct allowance *a, const __u64 interval, const __u64 burst)
{
	__u64 now = bpf_ktime_get_ns(), gained = (now - a->since) / interval;

	if (gained) {
		a->since = now;
		a->left = a->left + gained > burst ? burst : a->left + gained;
	}
	if (!a->left)
		return false;
	a->left--;
	return true;
}

#endif

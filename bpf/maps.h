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

/* The datapath reads none of these three: they are here so that one object makes all of them. */
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

/*
 * How many errors one CPU may still send to the wire. The datapath's own: not pinned, it lives as long as the programs.
 */
struct allowance {
	__u64 since;	/* bpf_ktime_get_ns() */
	__u64 left;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct allowance);
} allowances SEC(".maps");

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * rules.h - what a network's own rules say about an address.
 */
#ifndef SHUNT_BPF_RULES_H
#define SHUNT_BPF_RULES_H

#include "maps.h"

/**
 * rules_of() - looks up what a network's rules of one kind say about an address.
 * @set: SHUNT_RULES_SET()
 * @address: 16 bytes, IPv4 as ::ffff:a.b.c.d
 *
 * Return: those of the longest prefix, or NULL if none covers it.
 */
static __always_inline const struct shunt_rules *rules_of(__u32 set, const void *address)
{
	struct shunt_rules_key key = { .length = 32 + 128, .set = set };

	__builtin_memcpy(key.address, address, sizeof(key.address));
	return bpf_map_lookup_elem(&rules, &key);
}

#endif

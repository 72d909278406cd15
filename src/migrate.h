/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrate.h - a map's entries from one version's layout into another's, by the names of their fields.
 *
 * Each map carries its own description (BTF), so that no version has to know what an earlier one looked like: a field that
 * both have is copied, one that is new is zero, one that is gone is left out. So a field keeps its meaning under its name,
 * and what zero means in a new one is what was before it.
 */
#ifndef SHUNT_MIGRATE_H
#define SHUNT_MIGRATE_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which bytes of an old value become which of a new one; what no step names is zero. */
struct migrate_step {
	uint32_t from, to, size;	/* bytes */
};

#define MIGRATE_STEPS_MAX 128

struct migrate_plan {
	struct migrate_step steps[MIGRATE_STEPS_MAX];
	size_t n;
};

/*
 * How the type @from_id of @from becomes @to_id of @to. Structs, arrays, integers and enums may be in them; of two integers
 * the lower bytes are what both have, which is right for unsigned ones.
 *
 * Return: 0; -EOPNOTSUPP for anything else in them; -E2BIG for more steps than there is room for
 */
int migrate_plan(const struct btf *from, uint32_t from_id, const struct btf *to, uint32_t to_id, struct migrate_plan *ret);

/*
 * Whether a map in the kernel is as @map, which is of an object that is open and not loaded, would be made: 1, 0, or an
 * errno, -ENODATA where the kernel's map has no description.
 */
int migrate_is_same(int from_fd, const struct bpf_map *map, const struct btf *btf);

/* Copies all entries. The values of the per-CPU counters of now are copied; what is counted meanwhile is not. */
int migrate_copy(int from_fd, const struct bpf_map *map, const struct btf *btf);

#endif

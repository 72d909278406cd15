/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate.h"

#include <bpf/bpf.h>
#include <endian.h>
#include <linux/bpf.h>
#include <stdlib.h>

#include "util.h"

static int add_step(struct migrate_plan *plan, uint32_t from, uint32_t to, uint32_t size)
{
	struct migrate_step *last = plan->n ? &plan->steps[plan->n - 1] : NULL;

	if (last && last->from + last->size == from && last->to + last->size == to) {
		last->size += size;
		return 0;
	}
	if (plan->n == MIGRATE_STEPS_MAX)
		return -E2BIG;
	plan->steps[plan->n++] = (struct migrate_step) { from, to, size };
	return 0;
}

/* One side of a conversion: a type, and where it lies in the whole. */
struct place {
	const struct btf *btf;
	uint32_t id;
	uint32_t offset;	/* bytes */
};

static bool is_number(const struct btf_type *type)
{
	return btf_is_int(type) || btf_is_any_enum(type);
}

static int plan_numbers(struct migrate_plan *plan, const struct place *from, const struct btf_type *from_type,
			const struct place *to, const struct btf_type *to_type)
{
	const uint32_t size = from_type->size < to_type->size ? from_type->size : to_type->size;
	const uint32_t from_skip = BYTE_ORDER == BIG_ENDIAN ? from_type->size - size : 0;
	const uint32_t to_skip = BYTE_ORDER == BIG_ENDIAN ? to_type->size - size : 0;

	return add_step(plan, from->offset + from_skip, to->offset + to_skip, size);
}

static int plan_places(struct migrate_plan *plan, struct place from, struct place to);

static int plan_arrays(struct migrate_plan *plan, const struct place *from, const struct btf_type *from_type,
		       const struct place *to, const struct btf_type *to_type)
{
	const struct btf_array *a = btf_array(from_type), *b = btf_array(to_type);
	const int64_t from_size = btf__resolve_size(from->btf, a->type), to_size = btf__resolve_size(to->btf, b->type);

	for (uint32_t i = 0; i < a->nelems && i < b->nelems; i++) {
		int r = plan_places(plan, (struct place) { from->btf, a->type, from->offset + i * (uint32_t)from_size },
				    (struct place) { to->btf, b->type, to->offset + i * (uint32_t)to_size });

		if (r < 0)
			return r;
	}
	return 0;
}

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *type, const char *name)
{
	for (uint16_t i = 0; i < btf_vlen(type); i++)
		if (strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name) == 0)
			return &btf_members(type)[i];
	return NULL;
}

static int plan_structs(struct migrate_plan *plan, const struct place *from, const struct btf_type *from_type,
			const struct place *to, const struct btf_type *to_type)
{
	if (btf_kflag(from_type) || btf_kflag(to_type))
		return -EOPNOTSUPP;	/* bit fields */
	for (uint16_t i = 0; i < btf_vlen(to_type); i++) {
		const struct btf_member *member = &btf_members(to_type)[i], *old;
		const char *name = btf__name_by_offset(to->btf, member->name_off);
		int r;

		if (!name[0])
			return -EOPNOTSUPP;
		old = find_member(from->btf, from_type, name);
		if (!old)
			continue;
		r = plan_places(plan, (struct place) { from->btf, old->type, from->offset + old->offset / 8 },
				(struct place) { to->btf, member->type, to->offset + member->offset / 8 });
		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_places(struct migrate_plan *plan, struct place from, struct place to)
{
	const int from_id = btf__resolve_type(from.btf, from.id), to_id = btf__resolve_type(to.btf, to.id);
	const struct btf_type *a, *b;

	if (from_id < 0 || to_id < 0)
		return from_id < 0 ? from_id : to_id;
	a = btf__type_by_id(from.btf, (uint32_t)from_id);
	b = btf__type_by_id(to.btf, (uint32_t)to_id);
	if (btf_is_struct(a) && btf_is_struct(b))
		return plan_structs(plan, &from, a, &to, b);
	if (btf_is_array(a) && btf_is_array(b))
		return plan_arrays(plan, &from, a, &to, b);
	if (is_number(a) && is_number(b))
		return plan_numbers(plan, &from, a, &to, b);
	return -EOPNOTSUPP;
}

int migrate_plan(const struct btf *from, uint32_t from_id, const struct btf *to, uint32_t to_id, struct migrate_plan *ret)
{
	struct migrate_plan plan = {};
	int r = plan_places(&plan, (struct place) { from, from_id, 0 }, (struct place) { to, to_id, 0 });

	if (r < 0)
		return r;
	*ret = plan;
	return 0;
}

static void btf_freep(struct btf **btf)
{
	btf__free(*btf);
}

/* A map in the kernel, with its own description of its types */
static int describe(int fd, struct bpf_map_info *ret, struct btf **ret_btf)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	if (bpf_map_get_info_by_fd(fd, ret, &size) < 0)
		return -errno;
	if (!ret->btf_id || !ret->btf_value_type_id)
		return -ENODATA;
	*ret_btf = btf__load_from_kernel_by_id(ret->btf_id);
	return *ret_btf ? 0 : -errno;
}

/* Whether one becomes the other without a byte moving, added or left out: 1, 0, or an errno */
static int is_same_type(const struct btf *from, uint32_t from_id, const struct btf *to, uint32_t to_id)
{
	struct migrate_plan there, back;
	int r = migrate_plan(from, from_id, to, to_id, &there);

	if (r >= 0)
		r = migrate_plan(to, to_id, from, from_id, &back);
	if (r < 0)
		return r;
	if (there.n != back.n)
		return 0;
	for (size_t i = 0; i < there.n; i++)
		if (there.steps[i].from != there.steps[i].to || memcmp(&there.steps[i], &back.steps[i], sizeof(back.steps[i])) != 0)
			return 0;
	return 1;
}

int migrate_is_same(int from_fd, const struct bpf_map *map, const struct btf *btf)
{
	_cleanup_(btf_freep) struct btf *from = NULL;
	struct bpf_map_info info;
	int r = describe(from_fd, &info, &from);

	if (r < 0)
		return r;
	if (info.type != bpf_map__type(map) || info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map) || info.max_entries != bpf_map__max_entries(map) ||
	    info.map_flags != bpf_map__map_flags(map))
		return 0;
	r = is_same_type(from, info.btf_key_type_id, btf, bpf_map__btf_key_type_id(map));
	return r <= 0 ? r : is_same_type(from, info.btf_value_type_id, btf, bpf_map__btf_value_type_id(map));
}

static void convert(const struct migrate_plan *plan, const uint8_t *from, uint8_t *to)
{
	for (size_t i = 0; i < plan->n; i++)
		memcpy(to + plan->steps[i].to, from + plan->steps[i].from, plan->steps[i].size);
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* The values of the CPUs lie at multiples of 8 bytes. */
static size_t stride(uint32_t value_size)
{
	return (value_size + 7) / 8 * 8;
}

static int copy_entries(int from_fd, const struct bpf_map_info *info, const struct bpf_map *map,
			const struct migrate_plan *key_plan, const struct migrate_plan *value_plan)
{
	const int cpus = is_per_cpu(info->type) ? libbpf_num_possible_cpus() : 1;
	const size_t copies = cpus < 0 ? 0 : (size_t)cpus;
	const size_t from_stride = stride(info->value_size), to_stride = stride(bpf_map__value_size(map));
	_cleanup_free_ uint8_t *key = malloc(info->key_size), *value = malloc(copies * from_stride);
	_cleanup_free_ uint8_t *new_key = malloc(bpf_map__key_size(map)), *new_value = malloc(copies * to_stride);
	bool first = true;

	if (cpus < 0)
		return cpus;
	if (!key || !value || !new_key || !new_value)
		return -ENOMEM;
	while (bpf_map_get_next_key(from_fd, first ? NULL : key, key) == 0) {
		first = false;
		if (bpf_map_lookup_elem(from_fd, key, value) < 0)
			return -errno;
		memset(new_key, 0, bpf_map__key_size(map));
		memset(new_value, 0, copies * to_stride);
		convert(key_plan, key, new_key);
		for (size_t i = 0; i < copies; i++)
			convert(value_plan, value + i * from_stride, new_value + i * to_stride);
		if (bpf_map_update_elem(bpf_map__fd(map), new_key, new_value, BPF_ANY) < 0)
			return -errno;
	}
	return errno == ENOENT ? 0 : -errno;
}

#define BATCH 4096	/* entries; more than any bucket of a map has */

/*
 * Of a map that the datapath writes meanwhile, key by key would begin anew with each key that vanishes under us. Batches go by
 * buckets. What comes behind our back is not copied: the datapath can do without any of it.
 */
static int copy_batches(int from_fd, const struct bpf_map_info *info, const struct bpf_map *map,
			const struct migrate_plan *key_plan, const struct migrate_plan *value_plan)
{
	const size_t value_size = stride(info->value_size);
	_cleanup_free_ uint8_t *keys = malloc((size_t)BATCH * info->key_size), *values = malloc(BATCH * value_size);
	_cleanup_free_ uint8_t *new_key = malloc(bpf_map__key_size(map)), *new_value = malloc(bpf_map__value_size(map));
	uint32_t place, n;
	bool first = true;
	int r = 0;

	if (!keys || !values || !new_key || !new_value)
		return -ENOMEM;
	while (r == 0) {
		n = BATCH;
		r = bpf_map_lookup_batch(from_fd, first ? NULL : &place, &place, keys, values, &n, NULL) < 0 ? -errno : 0;
		if (r < 0 && r != -ENOENT)
			return r;
		first = false;
		for (size_t i = 0; i < n; i++) {
			memset(new_key, 0, bpf_map__key_size(map));
			memset(new_value, 0, bpf_map__value_size(map));
			convert(key_plan, keys + i * info->key_size, new_key);
			convert(value_plan, values + i * info->value_size, new_value);
			if (bpf_map_update_elem(bpf_map__fd(map), new_key, new_value, BPF_ANY) < 0)
				return -errno;
		}
	}
	return 0;
}

int migrate_copy(int from_fd, const struct bpf_map *map, const struct btf *btf)
{
	_cleanup_(btf_freep) struct btf *from = NULL;
	struct migrate_plan key_plan, value_plan;
	struct bpf_map_info info;
	int r = describe(from_fd, &info, &from);

	if (r >= 0 && is_per_cpu(info.type) != is_per_cpu(bpf_map__type(map)))
		r = -EOPNOTSUPP;
	if (r >= 0)
		r = migrate_plan(from, info.btf_key_type_id, btf, bpf_map__btf_key_type_id(map), &key_plan);
	if (r >= 0)
		r = migrate_plan(from, info.btf_value_type_id, btf, bpf_map__btf_value_type_id(map), &value_plan);
	if (r >= 0)
		r = (info.type == BPF_MAP_TYPE_LRU_HASH ? copy_batches : copy_entries)(from_fd, &info, map, &key_plan, &value_plan);
	return r;
}

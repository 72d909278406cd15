/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libbpf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dlfcn.h>

#include "util.h"

#define LIBRARY "libbpf.so.1"

static void *library(void)
{
	static void *handle;
	typeof(libbpf_set_print) *set_print;

	if (handle)
		return handle;
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	set_print = handle ? dlsym(handle, "libbpf_set_print") : NULL;
	if (set_print)
		set_print(NULL);	/* what went wrong is ours to say */
	return handle;
}

int libbpf_open(struct shunt_error *error)
{
	return library() ? 0 : shunt_fail(error, -ELIBACC, "%s; install libbpf (Debian: libbpf1)", dlerror());
}

static void *find(const char *name)
{
	void *handle = library(), *function = handle ? dlsym(handle, name) : NULL;

	if (!function)
		errno = ELIBACC;
	return function;
}

/* The library's function @name, or @failed where there is none. */
#define FORWARD(type, name, parameters, arguments, failed) \
	type name parameters \
	{ \
		static typeof(name) *function; \
\
		if (!function) \
			function = find(#name); \
		return function ? function arguments : failed; \
	}
#define FORWARD_VOID(name, parameters, arguments) \
	void name parameters \
	{ \
		typeof(name) *function = find(#name); \
\
		if (function) \
			function arguments; \
	}

FORWARD(__u32, libbpf_major_version, (void), (), 0)
FORWARD(__u32, libbpf_minor_version, (void), (), 0)
FORWARD(libbpf_print_fn_t, libbpf_set_print, (libbpf_print_fn_t print), (print), NULL)

FORWARD(int, bpf_object__open_skeleton, (struct bpf_object_skeleton *s, const struct bpf_object_open_opts *opts), (s, opts), -ELIBACC)
FORWARD(int, bpf_object__load_skeleton, (struct bpf_object_skeleton *s), (s), -ELIBACC)
FORWARD(int, bpf_object__attach_skeleton, (struct bpf_object_skeleton *s), (s), -ELIBACC)
FORWARD_VOID(bpf_object__detach_skeleton, (struct bpf_object_skeleton *s), (s))
FORWARD_VOID(bpf_object__destroy_skeleton, (struct bpf_object_skeleton *s), (s))
FORWARD(struct btf *, bpf_object__btf, (const struct bpf_object *o), (o), NULL)
FORWARD(struct bpf_map *, bpf_object__find_map_by_name, (const struct bpf_object *o, const char *name), (o, name), NULL)
FORWARD(struct bpf_program *, bpf_object__find_program_by_name, (const struct bpf_object *o, const char *name), (o, name), NULL)
FORWARD(int, bpf_program__fd, (const struct bpf_program *program), (program), -ELIBACC)

FORWARD(int, bpf_map__fd, (const struct bpf_map *map), (map), -ELIBACC)
FORWARD(int, bpf_map__reuse_fd, (struct bpf_map *map, int fd), (map, fd), -ELIBACC)
FORWARD(int, bpf_map__set_max_entries, (struct bpf_map *map, __u32 n), (map, n), -ELIBACC)
FORWARD(__u32, bpf_map__max_entries, (const struct bpf_map *map), (map), 0)
FORWARD(enum bpf_map_type, bpf_map__type, (const struct bpf_map *map), (map), BPF_MAP_TYPE_UNSPEC)
FORWARD(__u32, bpf_map__map_flags, (const struct bpf_map *map), (map), 0)
FORWARD(__u32, bpf_map__key_size, (const struct bpf_map *map), (map), 0)
FORWARD(__u32, bpf_map__value_size, (const struct bpf_map *map), (map), 0)
FORWARD(__u32, bpf_map__btf_key_type_id, (const struct bpf_map *map), (map), 0)
FORWARD(__u32, bpf_map__btf_value_type_id, (const struct bpf_map *map), (map), 0)

FORWARD(struct btf *, btf__load_vmlinux_btf, (void), (), NULL)
FORWARD(struct btf *, btf__load_from_kernel_by_id, (__u32 id), (id), NULL)
FORWARD_VOID(btf__free, (struct btf *btf), (btf))
FORWARD(__s32, btf__find_by_name_kind, (const struct btf *btf, const char *name, __u32 kind), (btf, name, kind), -ELIBACC)
FORWARD(const struct btf_type *, btf__type_by_id, (const struct btf *btf, __u32 id), (btf, id), NULL)
FORWARD(const char *, btf__name_by_offset, (const struct btf *btf, __u32 offset), (btf, offset), NULL)
FORWARD(__s64, btf__resolve_size, (const struct btf *btf, __u32 id), (btf, id), -ELIBACC)
FORWARD(int, btf__resolve_type, (const struct btf *btf, __u32 id), (btf, id), -ELIBACC)

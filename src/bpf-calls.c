/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf-calls.c - what the engine has of <bpf/bpf.h>, made of the system call alone.
 *
 * Most runs look up and write maps, and put a program that is there on a device. libbpf would bring them libelf, zlib and zstd as
 * well, for an object file that only the first run of a host reads: an eighth of what an attach takes. So it comes when it is
 * asked for (libbpf.c), and these are as it has them: -errno and errno where they fail, and what they do not set is zero.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

#include "util.h"

static uint64_t address(const void *pointer)
{
	return (uintptr_t)pointer;
}

static int call(enum bpf_cmd command, union bpf_attr *attr)
{
	const long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int on_element(enum bpf_cmd command, int fd, const void *key, const void *value, uint64_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)fd;
	attr.key = address(key);
	attr.value = address(value);
	attr.flags = flags;
	return call(command, &attr);
}

int bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	return on_element(BPF_MAP_LOOKUP_ELEM, fd, key, value, 0);
}

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return on_element(BPF_MAP_UPDATE_ELEM, fd, key, value, flags);
}

int bpf_map_delete_elem(int fd, const void *key)
{
	return on_element(BPF_MAP_DELETE_ELEM, fd, key, NULL, 0);
}

int bpf_map_get_next_key(int fd, const void *key, void *next_key)
{
	return on_element(BPF_MAP_GET_NEXT_KEY, fd, key, next_key, 0);	/* the same place as value */
}

int bpf_map_lookup_batch(int fd, void *in_batch, void *out_batch, void *keys, void *values, __u32 *count,
			 const struct bpf_map_batch_opts *opts)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.batch.map_fd = (uint32_t)fd;
	attr.batch.in_batch = address(in_batch);
	attr.batch.out_batch = address(out_batch);
	attr.batch.keys = address(keys);
	attr.batch.values = address(values);
	attr.batch.count = *count;
	attr.batch.elem_flags = opts ? opts->elem_flags : 0;
	attr.batch.flags = opts ? opts->flags : 0;
	r = call(BPF_MAP_LOOKUP_BATCH, &attr);
	*count = attr.batch.count;
	return r;
}

static int info(int fd, void *ret, __u32 *size)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = *size;
	attr.info.info = address(ret);
	r = call(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r >= 0)
		*size = attr.info.info_len;
	return r;
}

int bpf_map_get_info_by_fd(int fd, struct bpf_map_info *ret, __u32 *size)
{
	return info(fd, ret, size);
}

int bpf_prog_get_info_by_fd(int fd, struct bpf_prog_info *ret, __u32 *size)
{
	return info(fd, ret, size);
}

int bpf_link_get_info_by_fd(int fd, struct bpf_link_info *ret, __u32 *size)
{
	return info(fd, ret, size);
}

/* Without @opts, which nobody gives. */
int bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type, const struct bpf_link_create_opts *opts)
{
	union bpf_attr attr;

	if (opts)
		return errno = EINVAL, -EINVAL;
	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog_fd;
	attr.link_create.target_fd = (uint32_t)target_fd;
	attr.link_create.attach_type = type;
	return call(BPF_LINK_CREATE, &attr);
}

int bpf_link_update(int link_fd, int new_prog_fd, const struct bpf_link_update_opts *opts)
{
	union bpf_attr attr;

	if (opts)
		return errno = EINVAL, -EINVAL;
	memset(&attr, 0, sizeof(attr));
	attr.link_update.link_fd = (uint32_t)link_fd;
	attr.link_update.new_prog_fd = (uint32_t)new_prog_fd;
	return call(BPF_LINK_UPDATE, &attr);
}

int bpf_link_detach(int link_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = (uint32_t)link_fd;
	return call(BPF_LINK_DETACH, &attr);
}

int bpf_obj_pin(int fd, const char *path)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = address(path);
	attr.bpf_fd = (uint32_t)fd;
	return call(BPF_OBJ_PIN, &attr);
}

int bpf_obj_get_opts(const char *path, const struct bpf_obj_get_opts *opts)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = address(path);
	attr.file_flags = opts ? opts->file_flags : 0;
	attr.path_fd = opts ? opts->path_fd : 0;
	return call(BPF_OBJ_GET, &attr);
}

int bpf_obj_get(const char *path)
{
	return bpf_obj_get_opts(path, NULL);
}

int bpf_prog_query_opts(int target, enum bpf_attach_type type, struct bpf_prog_query_opts *opts)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)target;
	attr.query.attach_type = type;
	attr.query.query_flags = opts->query_flags;
	attr.query.count = opts->count;
	attr.query.prog_ids = address(opts->prog_ids);
	attr.query.link_ids = address(opts->link_ids);
	attr.query.prog_attach_flags = address(opts->prog_attach_flags);
	attr.query.link_attach_flags = address(opts->link_attach_flags);
	r = call(BPF_PROG_QUERY, &attr);
	opts->attach_flags = attr.query.attach_flags;
	opts->revision = attr.query.revision;
	opts->count = attr.query.count;
	return r;
}

/* The file has ranges, "0-3,8-11"; CPUs are counted up to the last one that may ever be there. */
int libbpf_num_possible_cpus(void)
{
	static int known;	/* it does not change until the next boot, and a list asks for it at each endpoint */
	_cleanup_close_ int fd = known > 0 ? -EBADF : open("/sys/devices/system/cpu/possible", O_RDONLY | O_CLOEXEC);
	char text[128], *last;
	ssize_t n;

	if (known > 0)
		return known;
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -EINVAL;
	/* Cut, the last number may be too small, and what is read of a map larger than the room for it. */
	if (n == sizeof(text) - 1)
		return -E2BIG;
	text[n] = '\0';
	last = text + strcspn(text, "\n");
	while (last > text && last[-1] >= '0' && last[-1] <= '9')
		last--;
	known = atoi(last) + 1;
	return known;
}

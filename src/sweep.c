/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep.c - the end of an instance, orderly or not: somebody may have removed its datapath while containers live. Those run
 * on with the programs that their links hold, so that no link may go before its device (invariant 1).
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include "instance.h"

/* Whether a link is on the device of that index in our own network namespace: the index alone may be a stranger's here. */
static bool is_on_device(const struct bpf_link_info *link)
{
	uint32_t links[64] = {}, programs[ELEMENTSOF(links)];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .link_ids = links, .prog_ids = programs, .count = ELEMENTSOF(links));

	if (bpf_prog_query_opts((int)link->tcx.ifindex, link->tcx.attach_type, &query) < 0)
		return false;
	for (size_t i = 0; i < query.count && i < ELEMENTSOF(links); i++)
		if (links[i] == link->id)
			return true;
	return false;
}

/* The pair goes with either end; what is no link of a device is nobody's filter. */
static int delete_device(const struct shunt_instance *instance, int at, const char *pin, struct shunt_error *error)
{
	const struct bpf_obj_get_opts options = { .sz = sizeof(options), .path_fd = at, .file_flags = BPF_F_PATH_FD };
	_cleanup_close_ int link = bpf_obj_get_opts(pin, &options);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	if (link < 0 || bpf_link_get_info_by_fd(link, &info, &size) < 0)
		return 0;
	/* Of tcx and netkit alike, this is 0 once the device is gone. */
	if ((info.type != BPF_LINK_TYPE_TCX && info.type != BPF_LINK_TYPE_NETKIT) || info.tcx.ifindex == 0)
		return 0;
	if (is_on_device(&info))
		return link_delete(instance->host, info.tcx.ifindex, error);
	return shunt_fail(error, -EXDEV, "%s belongs to another network namespace, where its interface %u still is; go there",
			  instance->state, info.tcx.ifindex);
}

static DIR *open_directory(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory)
		closep(&fd);
	return directory;
}

static int remove_links(const struct shunt_instance *instance, DIR *directory, struct shunt_error *error)
{
	for (struct dirent *entry; (entry = readdir(directory));) {
		int r = entry->d_name[0] == '.' ? 0 : datapath_remove_link(dirfd(directory), entry->d_name);

		if (r < 0)
			return shunt_fail(error, r, "%s: cannot remove %s: %s", instance->state, entry->d_name, strerror(-r));
	}
	return 0;
}

static int sweep_endpoint(const struct shunt_instance *instance, int at, const char *name, struct shunt_error *error)
{
	_cleanup_closedir_ DIR *directory = open_directory(at, name);
	int r;

	if (!directory)
		return shunt_fail(error, -errno, "%s/endpoints/%s: %m", instance->state, name);
	r = delete_device(instance, dirfd(directory), "from_ct", error);
	if (r >= 0)
		r = remove_links(instance, directory, error);
	if (r >= 0 && unlinkat(at, name, AT_REMOVEDIR) < 0)
		r = shunt_fail(error, -errno, "%s/endpoints/%s: cannot be removed: %m", instance->state, name);
	return r;
}

int instance_sweep(const struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_closedir_ DIR *endpoints = open_directory(instance->fd, "endpoints"), *uplinks = NULL;
	int r = 0;

	if (!endpoints && errno != ENOENT)
		return shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	for (struct dirent *entry; endpoints && r >= 0 && (entry = readdir(endpoints));)
		if (entry->d_name[0] != '.')
			r = sweep_endpoint(instance, dirfd(endpoints), entry->d_name, error);
	if (r >= 0)
		r = datapath_unload(instance->state, error);
	if (r < 0)
		return r;
	uplinks = open_directory(instance->fd, "uplinks");
	if (!uplinks)
		return errno == ENOENT ? 0 : shunt_fail(error, -errno, "%s/uplinks: %m", instance->state);
	return remove_links(instance, uplinks, error);
}

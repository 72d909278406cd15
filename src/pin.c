/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pin.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "util.h"

/* Whether the link is one of those on the device of its index in our network namespace. */
static bool is_here(const struct bpf_link_info *link)
{
	uint32_t links[64] = {}, programs[ELEMENTSOF(links)];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .link_ids = links, .prog_ids = programs, .count = ELEMENTSOF(links));

	/* Who may not ask, which is list, changes nothing either. */
	if (bpf_prog_query_opts((int)link->tcx.ifindex, link->tcx.attach_type, &query) < 0)
		return errno == EPERM;
	for (size_t i = 0; i < query.count && i < ELEMENTSOF(links); i++)
		if (links[i] == link->id)
			return true;
	return false;
}

int pin_look(int at, const char *path, struct pin *ret)
{
	const struct bpf_obj_get_opts options = { .sz = sizeof(options), .path_fd = at, .file_flags = BPF_F_PATH_FD };
	_cleanup_close_ int fd = bpf_obj_get_opts(path, &options);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	if (fd < 0)
		return -errno;
	/* A map or a program says something else, or nothing. */
	if (bpf_link_get_info_by_fd(fd, &info, &size) < 0)
		return errno == EINVAL ? -EBADF : -errno;
	/* What is told of both has the same place. */
	if (info.type != BPF_LINK_TYPE_TCX && info.type != BPF_LINK_TYPE_NETKIT)
		return -EBADF;
	ret->ifindex = info.tcx.ifindex;
	ret->inside = info.tcx.attach_type == BPF_NETKIT_PEER;
	ret->here = info.tcx.ifindex != 0 && is_here(&info);
	return 0;
}

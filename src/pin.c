/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pin.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "util.h"

bool pin_is_of(const struct pin *pin, uint32_t ifindex)
{
	uint32_t links[64] = {}, programs[ELEMENTSOF(links)];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .link_ids = links, .prog_ids = programs, .count = ELEMENTSOF(links));

	if (pin->ifindex == 0)
		return false;
	/* Who may not ask, which is list, changes nothing either. */
	if (bpf_prog_query_opts((int)ifindex, pin->where, &query) < 0)
		return errno == EPERM;
	for (size_t i = 0; i < query.count && i < ELEMENTSOF(links); i++)
		if (links[i] == pin->id)
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
	ret->id = info.id;
	ret->where = info.tcx.attach_type;
	ret->inside = info.tcx.attach_type == BPF_NETKIT_PEER;
	return 0;
}

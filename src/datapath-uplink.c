/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * datapath-uplink.c - the programs at the host's uplinks.
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <limits.h>

#include "datapath.h"
#include "expedite.h"
#include "pin.h"
#include "util.h"

static const char *uplink_path(const char *state, uint32_t ifindex, char *buffer)
{
	/* By index: bpffs takes no dots in names, and eth0.100 has one. */
	snprintf(buffer, PATH_MAX, "%s/uplinks/%u", state, ifindex);
	return buffer;
}

/* Behind the number, so that uplinks are found by what is a number. */
static const char *egress_path(const char *state, uint32_t ifindex, char *buffer)
{
	snprintf(buffer, PATH_MAX, "%s/uplinks/%u-out", state, ifindex);
	return buffer;
}

/* Whether a program of ours has a number. Return: 1, 0, or an errno */
static int has_id(const char *state, enum datapath_object program, uint32_t id, struct shunt_error *error)
{
	_cleanup_close_ int fd = datapath_program(state, program, error);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_prog_get_info_by_fd(fd, &info, &size) < 0)
		return shunt_fail(error, -errno, "%s: a program's number cannot be read: %m", state);
	return info.id == id;
}

/* From here on flows leave by it with the host's address. */
static int note_uplink(const struct datapath *datapath, const struct link_state *uplink, struct shunt_error *error)
{
	const uint32_t kind = uplink->ethernet ? SHUNT_UPLINK_ETHERNET : 0;
	const int fd = datapath->fd[MAP_UPLINKS];
	uint32_t known;

	/* What was noted of it stays. */
	if (bpf_map_lookup_elem(fd, &uplink->ifindex, &known) == 0) {
		if ((known | kind) == known)
			return 0;
		known |= kind;
	} else if (errno == ENOENT) {
		known = kind;
	} else {
		return shunt_fail(error, -errno, "uplink %s: cannot be looked up: %m", uplink->name);
	}
	if (bpf_map_update_elem(fd, &uplink->ifindex, &known, BPF_ANY) < 0)
		return shunt_fail(error, -errno, "uplink %s: cannot be recorded: %m", uplink->name);
	return 0;
}

uint32_t datapath_uplink_raised(const struct datapath *datapath, uint32_t ifindex)
{
	uint32_t known;

	return bpf_map_lookup_elem(datapath->fd[MAP_UPLINKS], &ifindex, &known) < 0 ? 0 : known & SHUNT_UPLINK_RAISED;
}

int datapath_note_raised(const struct datapath *datapath, uint32_t ifindex, uint32_t raised)
{
	uint32_t known;

	if (bpf_map_lookup_elem(datapath->fd[MAP_UPLINKS], &ifindex, &known) < 0)
		return -errno;
	known = (known & ~SHUNT_UPLINK_RAISED) | raised;
	return bpf_map_update_elem(datapath->fd[MAP_UPLINKS], &ifindex, &known, BPF_EXIST) < 0 ? -errno : 0;
}

void datapath_forget_uplink(const struct datapath *datapath, uint32_t ifindex)
{
	bpf_map_delete_elem(datapath->fd[MAP_UPLINKS], &ifindex);
}

static int link_quickly(const char *state, enum datapath_object program, uint32_t ifindex, enum bpf_attach_type type,
			const char *pin, struct shunt_error *error)
{
	_expedited_(state);
	_cleanup_close_ int fd = datapath_program(state, program, error);

	return fd < 0 ? fd : datapath_link(fd, ifindex, type, pin, error);
}

int datapath_attach_uplink(const struct datapath *datapath, const char *state, const struct link_state *uplink,
			   struct shunt_error *error)
{
	const enum datapath_object program = uplink->ethernet ? PROGRAM_FROM_WIRE : PROGRAM_FROM_WIRE_L3;
	char path[PATH_MAX];
	int r = datapath_uplink_alive(state, uplink->ifindex, error);

	if (r > 0)
		return note_uplink(datapath, uplink, error);
	if (r < 0 && r != -ENOENT)
		return r;
	/* Of a device that is gone, or of a datapath that is: its maps are not ours. */
	if (r == 0)
		r = datapath_detach_uplink(state, uplink->ifindex, error);
	if (r < 0 && r != -ENOENT)
		return r;
	r = link_quickly(state, program, uplink->ifindex, BPF_TCX_INGRESS, uplink_path(state, uplink->ifindex, path), error);
	if (r < 0)
		return shunt_fail(error, r, "uplink %s: cannot attach shunt_from_wire: %s", uplink->name, strerror(-r));
	r = note_uplink(datapath, uplink, error);
	return r < 0 ? r : 1;
}

int datapath_attach_egress(const char *state, const struct link_state *uplink, struct shunt_error *error)
{
	const enum datapath_object program = uplink->ethernet ? PROGRAM_TO_WIRE : PROGRAM_TO_WIRE_L3;
	char path[PATH_MAX];
	struct pin pin;
	int r;

	egress_path(state, uplink->ifindex, path);
	r = pin_look(AT_FDCWD, path, &pin);
	if (r == 0 && pin.ifindex == uplink->ifindex && pin_is_of(&pin, uplink->ifindex))
		return 0;
	if (r < 0 && r != -ENOENT && r != -EBADF)
		return shunt_fail(error, r, "%s: %s", path, strerror(-r));
	r = datapath_unlink(path, error);
	if (r >= 0)
		r = link_quickly(state, program, uplink->ifindex, BPF_TCX_EGRESS, path, error);
	return r < 0 ? shunt_fail(error, r, "uplink %s: cannot attach shunt_to_wire: %s", uplink->name, strerror(-r)) : 0;
}

int datapath_uplink_alive(const char *state, uint32_t ifindex, struct shunt_error *error)
{
	char path[PATH_MAX];
	_cleanup_close_ int link = bpf_obj_get(uplink_path(state, ifindex, path));
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);
	int r;

	if (link < 0 || bpf_link_get_info_by_fd(link, &info, &size) < 0)
		return shunt_fail(error, -errno, "%s: %m", path);
	/* The index is 0 once the device is gone. */
	if (info.tcx.ifindex != ifindex)
		return 0;
	/* Where that cannot be told it is left alone: to attach it anew would cost packets. */
	r = has_id(state, PROGRAM_FROM_WIRE, info.prog_id, error);
	return r != 0 ? r : has_id(state, PROGRAM_FROM_WIRE_L3, info.prog_id, error);
}

int datapath_detach_uplink(const char *state, uint32_t ifindex, struct shunt_error *error)
{
	char path[PATH_MAX];
	int r = datapath_unlink(egress_path(state, ifindex, path), error);

	return r < 0 ? r : datapath_unlink(uplink_path(state, ifindex, path), error);
}

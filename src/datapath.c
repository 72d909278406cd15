/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datapath.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <sys/stat.h>

#include "loader.h"
#include "netns.h"
#include "network.h"
#include "pin.h"
#include "version.h"

/* Names of the pins in datapath/. */
const char *const datapath_names[DATAPATH_OBJECTS] = {
	[MAP_INTERFACES] = "interfaces",
	[MAP_ADDRESSES4] = "addresses4",
	[MAP_ADDRESSES6] = "addresses6",
	[MAP_REGISTRY] = "registry",
	[MAP_UNFINISHED] = "unfinished",
	[MAP_NETWORKS] = "networks",
	[MAP_RULES] = "rules",
	[MAP_META] = "meta",
	[MAP_FLOWS4] = "flows4",
	[MAP_FLOWS6] = "flows6",
	[MAP_PORTS] = "ports",
	[MAP_PUBLISHED] = "published",
	[MAP_PUBLICATIONS] = "publications",
	[MAP_ANSWERS] = "answers",
	[MAP_LOCALS] = "locals",
	[MAP_DIALLED] = "dialled",
	[MAP_UPLINKS] = "uplinks",
	[PROGRAM_FROM_CT] = "shunt_from_ct",
	[PROGRAM_TO_CT] = "shunt_to_ct",
	[PROGRAM_ACROSS] = "shunt_across",
	[PROGRAM_FROM_WIRE] = "shunt_from_wire",
	[PROGRAM_FROM_WIRE_L3] = "shunt_from_wire_l3",
	[PROGRAM_TO_WIRE] = "shunt_to_wire",
	[PROGRAM_TO_WIRE_L3] = "shunt_to_wire_l3",
	[PROGRAM_GATE] = "shunt_gate",
	[PROGRAM_CONNECT4] = "shunt_connect4",
	[PROGRAM_CONNECT6] = "shunt_connect6",
	[PROGRAM_SENDMSG4] = "shunt_sendmsg4",
	[PROGRAM_SENDMSG6] = "shunt_sendmsg6",
	[PROGRAM_RECVMSG4] = "shunt_recvmsg4",
	[PROGRAM_RECVMSG6] = "shunt_recvmsg6",
	[PROGRAM_GETPEERNAME4] = "shunt_getpeername4",
	[PROGRAM_GETPEERNAME6] = "shunt_getpeername6",
	[PROGRAM_BIND4] = "shunt_bind4",
	[PROGRAM_BIND6] = "shunt_bind6",
};

static const char *object_path(const char *state, const char *directory, enum datapath_object object, char *buffer)
{
	snprintf(buffer, PATH_MAX, "%s/%s/%s", state, directory, datapath_names[object]);
	return buffer;
}

void datapath_close(struct datapath *datapath)
{
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++)
		if (datapath->fd[i] >= 0)
			close(datapath->fd[i]);
}

/* Layouts are compared before any is read: an older program must not touch a newer one's maps. */
static int check_meta(const char *state, int meta_fd, struct shunt_error *error)
{
	const uint32_t zero = 0;
	struct shunt_meta meta;
	struct stat here;

	if (bpf_map_lookup_elem(meta_fd, &zero, &meta) < 0)
		return shunt_fail(error, -errno, "%s/datapath/meta: cannot be read: %m", state);
	if (meta.abi > SHUNT_ABI)
		return shunt_fail(error, -EPROTO, "%s was loaded by the newer shunt %.24s (layout %u, this is %s with %u); "
				  "use that version, or detach all and run its 'shunt gc'",
				  state, meta.version, meta.abi, SHUNT_VERSION, SHUNT_ABI);
	/* Its interface numbers mean nothing in another namespace, or something else. */
	if (stat("/proc/thread-self/ns/net", &here) < 0)
		return shunt_fail(error, -errno, "cannot look at my own network namespace: %m");
	if (meta.netns_ino != here.st_ino || meta.netns_dev != here.st_dev)
		return shunt_fail(error, -EXDEV, "%s belongs to network namespace %llu and this is %llu; go there, or give "
				  "--state another directory", state, (unsigned long long)meta.netns_ino,
				  (unsigned long long)here.st_ino);
	if (meta.abi < SHUNT_ABI)
		return shunt_fail(error, -ESTALE, "%s was loaded by the older shunt %.24s; run 'shunt upgrade'", state, meta.version);
	return 0;
}

int datapath_check(const char *state, struct shunt_error *error)
{
	char path[PATH_MAX];
	_cleanup_close_ int meta = bpf_obj_get(object_path(state, "datapath", MAP_META, path));

	if (meta < 0)
		return shunt_fail(error, -errno, errno == ENOENT ? "%s: nothing is attached here" : "%s: %m", path);
	return check_meta(state, meta, error);
}

static int open_object(const char *state, enum datapath_object object, struct shunt_error *error)
{
	char path[PATH_MAX];
	int fd = bpf_obj_get(object_path(state, "datapath", object, path));

	/* They were renamed into place together, so that one alone was removed by hand. */
	if (fd < 0 && errno == ENOENT)
		return shunt_fail(error, -EUCLEAN, "%s: somebody removed it; stop the containers, then 'rm -r %s'", path, state);
	return fd < 0 ? shunt_fail(error, -errno, "%s: %m", path) : fd;
}

int datapath_program(const char *state, enum datapath_object program, struct shunt_error *error)
{
	return open_object(state, program, error);
}

bool datapath_has(const char *state, enum datapath_object object)
{
	char path[PATH_MAX];

	return access(object_path(state, "datapath", object, path), F_OK) == 0;
}

int datapath_open(const char *state, struct datapath *ret, struct shunt_error *error)
{
	_cleanup_(datapath_close) struct datapath datapath = DATAPATH_NONE;
	int r = datapath_check(state, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < DATAPATH_MAPS; i++) {
		datapath.fd[i] = open_object(state, i, error);
		if (datapath.fd[i] < 0)
			return datapath.fd[i];
	}
	*ret = datapath;
	datapath = (struct datapath) DATAPATH_NONE;
	return 0;
}

/* Removes a directory of pins, whatever version made them. None there is no error. */
static int remove_pins(const char *state, const char *name)
{
	_cleanup_closedir_ DIR *directory = NULL;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", state, name);
	directory = opendir(path);
	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	for (struct dirent *entry; (entry = next_entry(directory));)
		if (unlinkat(dirfd(directory), entry->d_name, 0) < 0)
			return -errno;
	return errno != 0 || rmdir(path) < 0 ? -errno : 0;
}

int datapath_remove_staged(const char *state)
{
	return remove_pins(state, DATAPATH_STAGED);
}

int datapath_load(const char *state, struct shunt_error *error)
{
	_cleanup_(loader_closep) struct shunt_bpf *loader = NULL;
	char staged[PATH_MAX], final[PATH_MAX];
	int r = loader_open(&loader, error);

	if (r >= 0)
		r = loader_size_flows(loader, network_flows_wanted(), error);
	if (r >= 0)
		r = loader_load(loader, error);
	if (r >= 0)
		r = loader_stage(loader, state, error);
	if (r < 0)
		return r;
	/* Pinned aside and renamed: datapath/ is whole or not there. */
	snprintf(staged, sizeof(staged), "%s/" DATAPATH_STAGED, state);
	snprintf(final, sizeof(final), "%s/datapath", state);
	if (rename(staged, final) < 0) {
		r = -errno;
		datapath_remove_staged(state);
		return shunt_fail(error, r, "%s: cannot be renamed: %s", staged, strerror(-r));
	}
	return 0;
}

int datapath_unload(const char *state, struct shunt_error *error)
{
	char path[PATH_MAX], aside[PATH_MAX];
	int r = remove_pins(state, DATAPATH_STAGED);

	snprintf(path, sizeof(path), "%s/datapath", state);
	snprintf(aside, sizeof(aside), "%s/" DATAPATH_STAGED, state);
	/* One step for whoever looks; what a kill leaves aside, the next load or unload removes. */
	if (r >= 0 && rename(path, aside) < 0 && errno != ENOENT)
		r = -errno;
	if (r >= 0)
		r = remove_pins(state, DATAPATH_STAGED);
	return r < 0 ? shunt_fail(error, r, "%s: cannot be removed: %s", path, strerror(-r)) : 0;
}

/*
 * The kernel waits for an RCU grace period, and holds rtnl meanwhile (tcx_entry_sync(), netkit_entry_sync()): its caller says that it
 * may not take long, expedite.h. The wait is the same for a device that is down.
 */
int datapath_link(int program_fd, uint32_t ifindex, enum bpf_attach_type type, const char *pin, struct shunt_error *error)
{
	_cleanup_close_ int link = bpf_link_create(program_fd, (int)ifindex, type, NULL);

	if (link < 0)
		return shunt_fail(error, -errno, "cannot attach a program to interface %u: %m%s", ifindex,
				  errno == EINVAL ? "; this kernel may lack netkit or tcx, see 'shunt doctor'" : "");
	if (bpf_obj_pin(link, pin) < 0)
		return shunt_fail(error, -errno, "%s: cannot be pinned: %m", pin);
	return 0;
}

struct to_link {
	const char *pin;
	enum datapath_object program;
	enum bpf_attach_type type;
};

#define LINKS_MAX 3

/* What an endpoint's host end has. Return: how many */
static size_t links_of(const struct shunt_endpoint *endpoint, struct to_link ret[static LINKS_MAX])
{
	const struct link_driver *driver = link_driver(endpoint->driver);
	size_t n = 0;

	ret[n++] = (struct to_link) { "from_ct", PROGRAM_FROM_CT, driver->from_ct };
	if (datapath_has_to_ct(endpoint->flags))
		ret[n++] = (struct to_link) { "to_ct", PROGRAM_TO_CT, driver->to_ct };
	if (endpoint->flags & SHUNT_F_ACROSS)
		ret[n++] = (struct to_link) { "across", PROGRAM_ACROSS, BPF_TCX_INGRESS };
	return n;
}

bool datapath_has_to_ct(uint32_t flags)
{
	return flags & SHUNT_F_ALLOW_OUT;
}

/* Attaches one of them, which is to be pinned at @path. */
static int attach_link(const char *state, const struct to_link *link, uint32_t ifindex, const char *path,
		       int (*attach)(int, uint32_t, enum bpf_attach_type, const char *, struct shunt_error *), struct shunt_error *error)
{
	_cleanup_close_ int program = datapath_program(state, link->program, error);

	return program < 0 ? program : attach(program, ifindex, link->type, path, error);
}

int datapath_attach(const char *state, const struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	struct to_link links[LINKS_MAX];
	const size_t n = links_of(endpoint, links);
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++) {
		snprintf(path, sizeof(path), "%s/endpoints/%s/%s", state, endpoint->host, links[i].pin);
		r = attach_link(state, &links[i], endpoint->ifindex, path, datapath_link, error);
	}
	return r;
}

int datapath_remove_link(int at, const char *path)
{
	const struct bpf_obj_get_opts options = { .sz = sizeof(options), .path_fd = at, .file_flags = BPF_F_PATH_FD };
	_cleanup_close_ int link = bpf_obj_get_opts(path, &options);

	/* What is no link, or of a device that is gone, is not detached; its pin goes all the same. */
	if (link >= 0 && bpf_link_detach(link) < 0 && errno != ENOLINK && errno != EINVAL && errno != EOPNOTSUPP)
		return -errno;
	return unlinkat(at, path, 0) < 0 && errno != ENOENT ? -errno : 0;	/* already gone is what was asked for */
}

int datapath_unlink(const char *path, struct shunt_error *error)
{
	int r = datapath_remove_link(AT_FDCWD, path);

	return r < 0 ? shunt_fail(error, r, "%s: cannot be removed: %s", path, strerror(-r)) : 0;
}

/* A program whose pin went a moment ago is there until the kernel comes to it. */
static int attach_soon(int program_fd, uint32_t ifindex, enum bpf_attach_type type, const char *pin, struct shunt_error *error)
{
	for (unsigned tries = 0;; tries++) {
		int r = datapath_link(program_fd, ifindex, type, pin, error);

		if (r != -EEXIST || tries == 100)
			return r;
		usleep(10000);
	}
}

int datapath_reattach(const char *state, const struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	struct to_link links[LINKS_MAX];
	const size_t n = links_of(endpoint, links);
	char path[PATH_MAX];

	for (size_t i = 0; i < n; i++) {
		struct pin pin;
		int r;

		snprintf(path, sizeof(path), "%s/endpoints/%s/%s", state, endpoint->host, links[i].pin);
		r = pin_look(AT_FDCWD, path, &pin);
		if (r == 0 && pin.ifindex != 0)
			continue;
		if (r < 0 && r != -ENOENT && r != -EBADF)
			return shunt_fail(error, r, "%s: %s", path, strerror(-r));
		r = datapath_unlink(path, error);
		if (r >= 0)
			r = attach_link(state, &links[i], endpoint->ifindex, path, attach_soon, error);
		if (r < 0)
			return r;
	}
	return 0;
}

struct gate {
	int program;
	uint32_t peer;
	const char *pin;
};

/* An interface's number means something only where it is. */
static int attach_gate(void *arg, struct shunt_error *error)
{
	const struct gate *gate = arg;

	return datapath_link(gate->program, gate->peer, BPF_TCX_EGRESS, gate->pin, error);
}

int datapath_attach_gate(const char *state, const char *host, int netns_fd, uint32_t peer, struct shunt_error *error)
{
	_cleanup_close_ int program = datapath_program(state, PROGRAM_GATE, error);
	char path[PATH_MAX];
	struct gate gate = { program, peer, path };

	if (program < 0)
		return program;
	snprintf(path, sizeof(path), "%s/endpoints/%s/gate", state, host);
	return netns_call(netns_fd, attach_gate, &gate, error);
}

static const char *const endpoint_pins[] = { "from_ct", "to_ct", "across", "gate" };

int datapath_detach(const char *state, const char *host, struct shunt_error *error)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ELEMENTSOF(endpoint_pins); i++) {
		int r;

		snprintf(path, sizeof(path), "%s/endpoints/%s/%s", state, host, endpoint_pins[i]);
		r = datapath_unlink(path, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int datapath_detach_now(const char *state, const char *host, struct shunt_error *error)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ELEMENTSOF(endpoint_pins); i++) {
		_cleanup_close_ int link = -EBADF;

		snprintf(path, sizeof(path), "%s/endpoints/%s/%s", state, host, endpoint_pins[i]);
		link = bpf_obj_get(path);
		if (link >= 0 && bpf_link_detach(link) < 0)
			return shunt_fail(error, -errno, "%s: cannot be detached: %m", path);
	}
	return datapath_detach(state, host, error);
}

uint32_t datapath_flows(const struct datapath *datapath)
{
	struct bpf_map_info info = {};
	uint32_t size = sizeof(info);

	return bpf_map_get_info_by_fd(datapath->fd[MAP_FLOWS4], &info, &size) < 0 ? 0 : info.max_entries;
}

bool datapath_has_programs(uint32_t ifindex)
{
	static const enum bpf_attach_type types[] = {
		BPF_NETKIT_PRIMARY, BPF_NETKIT_PEER, BPF_TCX_INGRESS, BPF_TCX_EGRESS,
	};

	for (size_t i = 0; i < ELEMENTSOF(types); i++) {
		LIBBPF_OPTS(bpf_prog_query_opts, query);

		if (bpf_prog_query_opts((int)ifindex, types[i], &query) == 0 && query.count > 0)
			return true;
	}
	return false;
}

int datapath_probe_tcx(void)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);

	/* Only a kernel with tcx knows the attach type; loopback is always interface 1. */
	if (bpf_prog_query_opts(1, BPF_TCX_INGRESS, &query) == 0)
		return 1;
	return errno == EINVAL || errno == EOPNOTSUPP ? 0 : -errno;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * upgrade.c - this program's datapath takes the place of another version's, under load.
 *
 * Theory of operation
 *
 * datapath/ holds the maps and programs of one version, and each endpoint, each uplink and the root cgroup hold links to them.
 * Links can be updated: the kernel swaps the program in one step, so that every packet meets the old or the new one and
 * none meets neither. What there is to do is to have both ready, and to be found by whoever comes after a kill.
 *
 *   1. The state directory is locked exclusively: no verb is at work, and those that come wait.
 *   2. The new object is opened. A map whose layout is what it was is taken over as it is, and the programs of both versions
 *      share it; the others are made anew.
 *      The maps of flows are made anew as well where a network's file asks for larger ones.
 *   3. The new programs are loaded, and the entries of the old maps converted into the new ones (migrate.h). The engine is
 *      locked out and the datapath writes only counters and what it can do without, so the copy stays true.
 *   4. All of it is pinned in loading/.
 *   5. loading/ and datapath/ change places, in one step. From here on the new one is what every verb finds.
 *   6. Each link changes over to the program that has the same name in the new version.
 *   7. loading/, with the old version, is removed.
 *
 * Killed before 5, all is as it was but for a loading/ that nothing refers to. Killed after it, some links still run programs
 * of the old version, with its maps: they work, but do not see what the engine writes. So whoever opens an instance and
 * finds a loading/ while nobody holds the lock does 6 and 7 first. 6 goes by what loading/ holds: a link whose program is
 * there changes over to that of the same name in datapath/. Where loading/ is what a kill before 5 has left, there is none.
 *
 * Invariants:
 *   U1 A link is never detached, and never without a program.
 *   U2 Whatever fails before 5 changes nothing; whatever fails behind it can be repeated.
 *   U3 A program that meets a newer layout touches nothing. (datapath.c)
 *
 * The drops that a converted map counts lack those between 3 and 6.
 */
#include "upgrade.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>

#include "answers.h"
#include "loader.h"
#include "migrate.h"
#include "network.h"
#include "version.h"

struct ids {
	uint32_t id[DATAPATH_OBJECTS];	/* of programs; 0 for a map, and for what is not there */
};

static bool is_program(enum datapath_object object)
{
	return object >= PROGRAM_FROM_CT;
}

static int program_info(int fd, struct bpf_prog_info *ret)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_prog_get_info_by_fd(fd, ret, &size) < 0 ? -errno : 0;
}

/* Opens what is pinned in a directory of any version's. */
static void open_pins(const char *state, const char *directory, struct datapath *ret)
{
	*ret = (struct datapath) DATAPATH_NONE;
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s/%s/%s", state, directory, datapath_names[i]);
		ret->fd[i] = bpf_obj_get(path);
	}
}

static void read_ids(const struct datapath *datapath, struct ids *ret)
{
	*ret = (struct ids) {};
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		struct bpf_prog_info info;

		if (is_program(i) && datapath->fd[i] >= 0 && program_info(datapath->fd[i], &info) >= 0)
			ret->id[i] = info.id;
	}
}

struct change {
	const struct shunt_instance *instance;
	const struct ids *old;
	const struct datapath *new;
};

/* Return: 1 if the link ran a program of the old version and now runs the new one, 0 if not, or an errno */
static int change_link(const struct change *change, int directory, const char *name, struct shunt_error *error)
{
	const struct bpf_obj_get_opts options = { .sz = sizeof(options), .path_fd = directory, .file_flags = BPF_F_PATH_FD };
	_cleanup_close_ int link = bpf_obj_get_opts(name, &options);
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	/* What is no link there, or was unpinned by hand, is not ours to judge here. */
	if (link < 0 || bpf_link_get_info_by_fd(link, &info, &size) < 0)
		return 0;
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		if (!is_program(i) || info.prog_id != change->old->id[i] || change->new->fd[i] < 0)
			continue;
		if (bpf_link_update(link, change->new->fd[i], NULL) >= 0)
			return 1;
		if (errno == ENOLINK)
			return 0;	/* its device is gone */
		return shunt_fail(error, -errno, "%s: the link %s cannot be updated: %m; 'shunt upgrade' once more",
				  change->instance->state, name);
	}
	return 0;
}

/* All links in a directory below the state's, and one level further down. Return: how many changed, or an errno */
static int change_links(const struct change *change, int at, const char *name, bool deeper, struct shunt_error *error)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), changed = 0;
	_cleanup_closedir_ DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;

	if (!directory)
		return errno == ENOENT ? 0 : shunt_fail(error, -errno, "%s/%s: %m", change->instance->state, name);
	for (struct dirent *entry; (entry = next_entry(directory));) {
		int r;

		r = deeper ? change_links(change, dirfd(directory), entry->d_name, false, error) :
			     change_link(change, dirfd(directory), entry->d_name, error);
		if (r < 0)
			return r;
		changed += r;
	}
	return errno != 0 ? shunt_fail(error, -errno, "%s/%s: %m", change->instance->state, name) : changed;
}

bool upgrade_is_unfinished(const struct shunt_instance *instance)
{
	return faccessat(instance->fd, DATAPATH_STAGED, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int upgrade_finish(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_(datapath_close) struct datapath old = DATAPATH_NONE, new = DATAPATH_NONE;
	struct ids ids;
	const struct change change = { instance, &ids, &new };
	int endpoints, uplinks, ports, r;

	open_pins(instance->state, DATAPATH_STAGED, &old);
	open_pins(instance->state, "datapath", &new);
	read_ids(&old, &ids);
	endpoints = change_links(&change, instance->fd, "endpoints", true, error);
	if (endpoints < 0)
		return endpoints;
	uplinks = change_links(&change, instance->fd, "uplinks", false, error);
	if (uplinks < 0)
		return uplinks;
	ports = change_links(&change, instance->fd, "ports", false, error);
	if (ports < 0)
		return ports;
	r = datapath_remove_staged(instance->state);
	if (r < 0)
		return shunt_fail(error, r, "%s/" DATAPATH_STAGED ": cannot be removed: %s", instance->state, strerror(-r));
	return endpoints + uplinks + ports;
}

/* Takes over what can be. @copied says which maps cannot. */
static int reuse_maps(struct shunt_bpf *loader, const struct datapath *old, bool copied[static DATAPATH_OBJECTS],
		      struct shunt_error *error)
{
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		struct bpf_map *map = loader_map(loader, i);
		int r;

		/* The meta map is not for the old programs to see changed. */
		if (!map || i == MAP_META || old->fd[i] < 0)
			continue;
		r = migrate_is_same(old->fd[i], map, loader_btf(loader));
		if (r > 0)
			r = bpf_map__reuse_fd(map, old->fd[i]) < 0 ? -errno : 0;
		else if (r == 0)
			copied[i] = true;
		if (r < 0)
			return shunt_fail(error, r, "map %s cannot be taken over: %s", datapath_names[i], strerror(-r));
	}
	return 0;
}

static int copy_maps(const struct shunt_bpf *loader, const struct datapath *old, const bool copied[static DATAPATH_OBJECTS],
		     struct shunt_error *error)
{
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		int r = copied[i] ? migrate_copy(old->fd[i], loader_map(loader, i), loader_btf(loader)) : 0;

		if (r < 0)
			return shunt_fail(error, r, "map %s cannot be converted: %s", datapath_names[i], strerror(-r));
	}
	return 0;
}

/* A version that had no such map leaves none to take over, but what it is made from. */
static int make_answers(const struct shunt_bpf *loader, const struct datapath *old, struct shunt_error *error)
{
	struct datapath new = DATAPATH_NONE;
	int r;

	if (old->fd[MAP_ANSWERS] >= 0)
		return 0;
	new.fd[MAP_PUBLICATIONS] = loader_fd(loader, MAP_PUBLICATIONS);
	new.fd[MAP_ANSWERS] = loader_fd(loader, MAP_ANSWERS);
	r = answers_write(&new);
	return r < 0 ? shunt_fail(error, r, "map %s cannot be made: %s", datapath_names[MAP_ANSWERS], strerror(-r)) : 0;
}

/* Programs have the same tag if they have the same instructions. */
static bool is_current(const struct shunt_bpf *loader, const struct datapath *old, const bool copied[static DATAPATH_OBJECTS])
{
	const uint32_t zero = 0;
	struct shunt_meta meta;

	if (bpf_map_lookup_elem(old->fd[MAP_META], &zero, &meta) < 0 || meta.abi != SHUNT_ABI ||
	    strncmp(meta.version, SHUNT_VERSION, sizeof(meta.version)) != 0)
		return false;
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		struct bpf_prog_info a, b;

		if (copied[i] || old->fd[i] < 0)
			return false;
		if (is_program(i) && (program_info(old->fd[i], &a) < 0 || program_info(loader_fd(loader, i), &b) < 0 ||
				      memcmp(a.tag, b.tag, sizeof(a.tag)) != 0))
			return false;
	}
	return true;
}

/* Not fewer than there are: flows would be lost. */
static uint32_t flows_to_have(const struct datapath *old)
{
	const uint32_t has = datapath_flows(old), wanted = network_flows_wanted();

	return has > wanted ? has : wanted;
}

static int exchange(const struct shunt_instance *instance, struct shunt_error *error)
{
	int r;

	if (renameat2(instance->fd, DATAPATH_STAGED, instance->fd, "datapath", RENAME_EXCHANGE) >= 0)
		return 0;
	r = -errno;
	datapath_remove_staged(instance->state);
	return shunt_fail(error, r, "%s/datapath: cannot be exchanged: %s", instance->state, strerror(-r));
}

int upgrade_datapath(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_(datapath_close) struct datapath old = DATAPATH_NONE;
	_cleanup_(loader_closep) struct shunt_bpf *loader = NULL;
	bool copied[DATAPATH_OBJECTS] = {};
	int r = datapath_check(instance->state, error);

	/* An older layout is what we are here for. */
	if (r < 0 && r != -ESTALE)
		return r;
	if (upgrade_is_unfinished(instance)) {
		r = upgrade_finish(instance, error);
		if (r < 0)
			return r;
	}
	open_pins(instance->state, "datapath", &old);
	r = loader_open(&loader, error);
	if (r >= 0)
		r = loader_size_flows(loader, flows_to_have(&old), error);
	if (r >= 0)
		r = reuse_maps(loader, &old, copied, error);
	if (r >= 0)
		r = loader_load(loader, error);
	if (r >= 0 && is_current(loader, &old, copied))
		return 0;
	if (r >= 0)
		r = copy_maps(loader, &old, copied, error);
	if (r >= 0)
		r = make_answers(loader, &old, error);
	if (r >= 0)
		r = loader_stage(loader, instance->state, error);
	if (r >= 0)
		r = exchange(instance, error);
	return r < 0 ? r : upgrade_finish(instance, error);
}

/* Of who loaded what is pinned. -ENOENT: nothing is */
static int read_version(const char *state, char ret[static SHUNT_VERSION_MAX], struct shunt_error *error)
{
	_cleanup_(datapath_close) struct datapath datapath = DATAPATH_NONE;
	const uint32_t zero = 0;
	struct shunt_meta meta;
	int r = datapath_check(state, error);

	if (r < 0 && r != -ESTALE)
		return r;
	open_pins(state, "datapath", &datapath);
	if (bpf_map_lookup_elem(datapath.fd[MAP_META], &zero, &meta) < 0)
		return shunt_fail(error, -errno, "%s/datapath/meta: cannot be read: %m", state);
	memset(ret, 0, SHUNT_VERSION_MAX);
	memcpy(ret, meta.version, sizeof(meta.version));
	return 0;
}

int shunt_upgrade(const char *state, struct shunt_upgrade_result *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	struct shunt_upgrade_result result = {};
	int r = instance_open_bare(state, &instance, error);

	if (r == -ENOENT) {
		*ret = result;
		return 0;
	}
	if (r >= 0)
		r = instance_lock_alone(instance, error);
	if (r >= 0)
		r = read_version(state, result.from, error);
	if (r == -ENOENT) {
		*ret = result;
		return 0;
	}
	if (r >= 0)
		r = upgrade_datapath(instance, error);
	if (r < 0)
		return r;
	result.links = (unsigned)r;
	*ret = result;
	return 0;
}

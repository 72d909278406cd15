/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep.c - the end of an instance, orderly or not: somebody may have removed its datapath while containers live. Those run
 * on with the programs that their links hold, so that no link may go before its device (invariant 1).
 */
#include <fcntl.h>

#include "instance.h"
#include "pin.h"

struct search {
	struct pin pin;
	uint32_t found;
};

static int look_behind(const struct link_state *link, void *arg)
{
	struct search *search = arg;

	if (link->other == search->pin.ifindex && pin_is_of(&search->pin, link->ifindex))
		search->found = link->ifindex;
	return 0;
}

/* The device in our namespace whose programs a link is of, or whose other end's. @ret: 0 where there is none */
static int find_device(const struct shunt_instance *instance, const struct pin *pin, uint32_t *ret, struct shunt_error *error)
{
	struct search search = { .pin = *pin };
	int r = 0;

	if (pin->inside)
		r = link_each(instance->host, look_behind, &search, error);
	else if (pin_is_of(pin, pin->ifindex))
		search.found = pin->ifindex;
	*ret = search.found;
	return r;
}

/* The pair goes with either end; what is no link of a device is nobody's filter. Return: 1, 0 where there was none, or an errno */
static int delete_device(const struct shunt_instance *instance, int at, const char *path, struct shunt_error *error)
{
	uint32_t ifindex;
	struct pin pin;
	int r;

	r = pin_look(at, path, &pin);
	if (r < 0 && r != -ENOENT && r != -EBADF)
		return shunt_fail(error, r, "%s: cannot look at a link: %s", instance->state, strerror(-r));
	if (r < 0 || pin.ifindex == 0)
		return 0;
	r = find_device(instance, &pin, &ifindex, error);
	if (r < 0)
		return r;
	if (ifindex == 0)
		return shunt_fail(error, -EXDEV, "%s belongs to another network namespace, where its interface %u still is; go there",
				  instance->state, pin.ifindex);
	r = link_delete(instance->host, ifindex, error);
	return r < 0 ? r : 1;
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
	for (struct dirent *entry; (entry = next_entry(directory));) {
		int r = datapath_remove_link(dirfd(directory), entry->d_name);

		if (r < 0)
			return shunt_fail(error, r, "%s: cannot remove %s: %s", instance->state, entry->d_name, strerror(-r));
	}
	return errno != 0 ? shunt_fail(error, -errno, "%s: cannot be read: %m", instance->state) : 0;
}

static int sweep_endpoint(const struct shunt_instance *instance, int at, const char *name, struct shunt_error *error)
{
	_cleanup_closedir_ DIR *directory = open_directory(at, name);
	int r;

	if (!directory)
		return shunt_fail(error, -errno, "%s/endpoints/%s: %m", instance->state, name);
	/* Somebody may have taken the first, and the others are not everywhere. */
	r = delete_device(instance, dirfd(directory), "from_ct", error);
	if (r == 0)
		r = delete_device(instance, dirfd(directory), "to_ct", error);
	if (r == 0)
		r = delete_device(instance, dirfd(directory), "across", error);
	if (r >= 0)
		r = remove_links(instance, directory, error);
	if (r >= 0 && unlinkat(at, name, AT_REMOVEDIR) < 0)
		r = shunt_fail(error, -errno, "%s/endpoints/%s: cannot be removed: %m", instance->state, name);
	return r;
}

/* Links that are of no endpoint. */
static int sweep_shared(const struct shunt_instance *instance, const char *name, struct shunt_error *error)
{
	_cleanup_closedir_ DIR *directory = open_directory(instance->fd, name);

	if (!directory)
		return errno == ENOENT ? 0 : shunt_fail(error, -errno, "%s/%s: %m", instance->state, name);
	return remove_links(instance, directory, error);
}

int instance_sweep(const struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_closedir_ DIR *endpoints = open_directory(instance->fd, "endpoints");
	int r = 0;

	if (!endpoints && errno != ENOENT)
		return shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	for (struct dirent *entry; endpoints && r >= 0 && (entry = next_entry(endpoints));)
		r = sweep_endpoint(instance, dirfd(endpoints), entry->d_name, error);
	if (endpoints && r >= 0 && errno != 0)
		r = shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	if (r >= 0)
		r = datapath_unload(instance->state, error);
	if (r >= 0)
		r = sweep_shared(instance, "ports", error);
	return r < 0 ? r : sweep_shared(instance, "uplinks", error);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.c - what is attached, as the registry says it and the kernel confirms it; and gc, which acts on the difference.
 */
#include <fcntl.h>
#include <sys/file.h>

#include "endpoint.h"
#include "names.h"
#include "network.h"
#include "uplinks.h"

/* Whether somebody is at work on an endpoint right now. Looks without making anything. */
static bool is_locked(struct shunt_instance *instance, const struct shunt_endpoint *endpoint)
{
	char path[64];
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "endpoints/%.16s", endpoint->host);
	fd = openat(instance->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void describe(struct shunt_instance *instance, const struct registry_entry *entry, struct shunt_info *ret)
{
	*ret = (struct shunt_info) { .endpoint = entry->endpoint, .status = SHUNT_STATUS_READY };
	memcpy(ret->id, entry->key.id, SHUNT_ID_MAX);
	memcpy(ret->interface, entry->key.interface, sizeof(ret->interface));
	(void)interface_counters(&instance->datapath, entry->endpoint.ifindex, &ret->counters);
	if (!endpoint_is_dead(instance, entry, ret->stale_reason, sizeof(ret->stale_reason)))
		return;
	if (is_locked(instance, &entry->endpoint)) {
		ret->status = SHUNT_STATUS_PENDING;
		ret->stale_reason[0] = '\0';
	} else {
		ret->status = SHUNT_STATUS_STALE;
	}
}

static int compare(const void *a, const void *b)
{
	const struct shunt_info *x = a, *y = b;
	int r = strcmp(x->id, y->id);

	return r != 0 ? r : strcmp(x->interface, y->interface);
}

int shunt_list(struct shunt_instance *instance, struct shunt_info **ret, size_t *ret_n, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_free_ struct shunt_info *list = NULL;
	size_t n;
	int r = registry_list(&instance->datapath, NULL, &entries, &n);

	if (r < 0)
		return shunt_fail(error, r, "cannot read the registry: %s", strerror(-r));
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return shunt_fail(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		describe(instance, &entries[i], &list[i]);
	qsort(list, n, sizeof(*list), compare);
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

/* Directories of endpoints without a record: their maker was killed between the two. */
static int sweep_directories(struct shunt_instance *instance, struct shunt_error *error)
{
	int fd = openat(instance->fd, "endpoints", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_closedir_ DIR *directory = NULL;
	size_t n;

	if (fd < 0)
		return shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	directory = fdopendir(fd);
	if (!directory || registry_list(&instance->datapath, NULL, &entries, &n) < 0)
		return shunt_fail(error, -ENOMEM, "%s/endpoints: cannot be read", instance->state);
	for (struct dirent *entry; (entry = readdir(directory));) {
		_cleanup_close_ int lock = -EBADF;
		bool known = entry->d_name[0] == '.';

		for (size_t i = 0; i < n && !known; i++)
			known = strncmp(entries[i].endpoint.host, entry->d_name, SHUNT_IFNAME_MAX) == 0;
		if (known)
			continue;
		lock = openat(dirfd(directory), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
			continue;	/* somebody begins right now */
		/* Held by nobody. If a record came since the list was read, pins did too, and rmdir refuses. */
		(void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	}
	return 0;
}

/* The networks of all endpoints, each once and as its file says now; one without a file any more is left out. */
static size_t networks_in_use(const struct registry_entry *entries, size_t n, struct shunt_network *ret, size_t max)
{
	size_t found = 0;

	for (size_t i = 0; i < n && found < max; i++) {
		char name[SHUNT_NETWORK_MAX + 1] = "";
		bool known = false;

		memcpy(name, entries[i].endpoint.network, SHUNT_NETWORK_MAX);
		for (size_t k = 0; k < found && !known; k++)
			known = strcmp(ret[k].name, name) == 0;
		if (!known && shunt_network_load(name, &ret[found], NULL) >= 0)
			found++;
	}
	return found;
}

/* Uplinks follow the default routes of now. */
static int refresh_uplinks(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_free_ struct shunt_network *networks = calloc(SHUNT_MAX_NETWORKS, sizeof(*networks));
	_cleanup_close_ int lock = -EBADF;
	size_t n;

	if (!networks || registry_list(&instance->datapath, NULL, &entries, &n) < 0)
		return shunt_fail(error, -ENOMEM, "cannot read the registry");
	if (n == 0)
		return 0;
	lock = instance_lock(instance, "uplinks", error);
	if (lock < 0)
		return lock;
	return uplinks_refresh(instance, networks, networks_in_use(entries, n, networks, SHUNT_MAX_NETWORKS), error);
}

/* With nothing attached and nobody else here, programs and maps go too: then nothing of us is left. */
static int unload(struct shunt_instance *instance, struct shunt_error *error)
{
	int r;

	if (registry_is_empty(&instance->datapath) != 1)
		return 0;
	r = instance_lock_exclusive(instance);
	if (r <= 0)
		return r;
	if (registry_is_empty(&instance->datapath) != 1)
		return 0;
	r = datapath_unload(instance->state, error);
	return r < 0 ? r : 1;
}

int shunt_gc(struct shunt_instance *instance, struct shunt_gc_result *ret, struct shunt_error *error)
{
	struct shunt_gc_result result = {};
	int r = endpoint_collect(instance, error);

	if (r < 0)
		return r;
	result.endpoints = (unsigned)r;
	r = sweep_directories(instance, error);
	if (r >= 0)
		r = endpoint_release_shared(instance, error);
	if (r >= 0)
		r = refresh_uplinks(instance, error);
	if (r < 0)
		return r;
	result.uplinks = (unsigned)r;
	r = unload(instance, error);
	if (r < 0)
		return r;
	result.unloaded = r;
	*ret = result;
	return 0;
}

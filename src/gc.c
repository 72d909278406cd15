/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gc.c - takes back what no living container owns, and lets what is shared follow the host.
 */
#include <fcntl.h>

#include "endpoint.h"
#include "expedite.h"
#include "mend.h"
#include "policy.h"
#include "ports.h"
#include "publish.h"
#include "uplinks.h"

static int compare_hosts(const void *a, const void *b)
{
	const struct registry_entry *x = a, *y = b;

	return strncmp(x->endpoint.host, y->endpoint.host, sizeof(x->endpoint.host));
}

static bool is_known(const struct registry_entry *sorted, size_t n, const char *host)
{
	struct registry_entry wanted = {};

	/* What is longer is none of ours. */
	return copy_name(wanted.endpoint.host, sizeof(wanted.endpoint.host), host) &&
	       bsearch(&wanted, sorted, n, sizeof(*sorted), compare_hosts);
}

/* Directories of endpoints without a record: their maker was killed between the two. */
static int sweep_directories(struct shunt_instance *instance, struct shunt_error *error)
{
	int fd = openat(instance->fd, "endpoints", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_closedir_ DIR *directory = NULL;
	size_t n;
	int r;

	if (fd < 0)
		return shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	directory = fdopendir(fd);
	if (!directory) {
		closep(&fd);
		return shunt_fail(error, -errno, "%s/endpoints: %m", instance->state);
	}
	r = registry_list(&instance->datapath, NULL, &entries, &n);
	if (r < 0)
		return registry_fail(r, error);
	qsort(entries, n, sizeof(*entries), compare_hosts);
	for (struct dirent *entry; (entry = next_entry(directory));) {
		_cleanup_close_ int lock = -EBADF;

		if (is_known(entries, n, entry->d_name))
			continue;
		lock = instance_lock_endpoint(instance, entry->d_name, false, NULL, NULL);
		/* Busy: somebody begins right now. Not empty: the record came since the list was read. No directory: not ours. */
		r = lock < 0 ? lock : instance_remove_endpoint(instance, entry->d_name, NULL);
		if (r < 0 && r != -EWOULDBLOCK && r != -ENOTEMPTY && r != -ENOTDIR)
			return shunt_fail(error, r, "%s/endpoints/%s: cannot be removed: %s", instance->state, entry->d_name,
					  strerror(-r));
	}
	return errno != 0 ? shunt_fail(error, -errno, "%s/endpoints: %m", instance->state) : 0;
}

/* The networks of all endpoints, each once and as its file says now. @complete: there was no more, and all could be read. */
static size_t networks_in_use(const struct registry_entry *entries, size_t n, struct shunt_network *ret, size_t max,
			      bool *complete)
{
	size_t found = 0;

	*complete = true;
	for (size_t i = 0; i < n; i++) {
		char name[SHUNT_NETWORK_MAX + 1] = "";
		bool known = false;

		memcpy(name, entries[i].endpoint.network, SHUNT_NETWORK_MAX);
		for (size_t k = 0; k < found && !known; k++)
			known = strcmp(ret[k].name, name) == 0;
		if (known)
			continue;
		if (found < max && shunt_network_load(name, &ret[found], NULL) >= 0)
			found++;
		else
			*complete = false;
	}
	return found;
}

#define MAX_NETWORKS 64	/* that gc follows; with more it detaches no uplink */

/* The ranges that endpoints masquerade with, each once. */
static size_t ranges_in_use(const struct registry_entry *entries, size_t n, struct port_range *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct port_range range = { entries[i].endpoint.port_low, entries[i].endpoint.port_high };
		bool known = range.high == 0;

		for (size_t k = 0; k < found && !known; k++)
			known = ret[k].low == range.low && ret[k].high == range.high;
		if (!known)
			ret[found++] = range;
	}
	return found;
}

/* No new flow leaves from a port that has become the host's own; what is not any more can be left from again. */
static int follow_ports(struct shunt_instance *instance, const struct registry_entry *entries, size_t n, struct shunt_error *error)
{
	_cleanup_free_ struct port_range *ranges = calloc(n, sizeof(*ranges));
	_cleanup_close_ int lock = -EBADF;

	if (!ranges)
		return shunt_fail(error, -ENOMEM, "out of memory");
	lock = publish_lock(instance, error);
	return lock < 0 ? lock : ports_follow(&instance->datapath, ranges, ranges_in_use(entries, n, ranges), error);
}

/* Uplinks follow the default routes of now, and networks that nobody is of and rules that were replaced go. Return: how many changed, or an errno */
static int refresh_shared(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_free_ struct shunt_network *networks = calloc(MAX_NETWORKS, sizeof(*networks));
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_close_ int lock = -EBADF;
	size_t n, n_networks;
	bool complete;
	int r;

	if (!networks)
		return shunt_fail(error, -ENOMEM, "out of memory");
	/* Who attaches to a network has its record written before it takes this lock to look at the network's. */
	lock = instance_lock(instance, "uplinks", error);
	if (lock < 0)
		return lock;
	r = registry_list(&instance->datapath, NULL, &entries, &n);
	if (r < 0)
		return registry_fail(r, error);
	if (n == 0)
		return 0;
	n_networks = networks_in_use(entries, n, networks, MAX_NETWORKS, &complete);
	r = network_records_keep(&instance->datapath, entries, n);
	if (r < 0)
		return shunt_fail(error, r, "%s/datapath/networks: cannot be cleared: %s", instance->state, strerror(-r));
	r = follow_ports(instance, entries, n, error);
	if (r >= 0)
		r = policy_collect(&instance->datapath, error);
	return r < 0 ? r : uplinks_refresh(instance, networks, n_networks, complete, error);
}

/* With nothing attached and nobody else here, programs and maps go too: then nothing of us is left. */
static int unload(struct shunt_instance *instance, struct shunt_error *error)
{
	int r;

	r = registry_is_empty(&instance->datapath);
	if (r <= 0)
		return r < 0 ? registry_fail(r, error) : 0;
	r = instance_lock_exclusive(instance, error);
	if (r <= 0)
		return r;
	r = registry_is_empty(&instance->datapath);
	if (r <= 0)
		return r < 0 ? registry_fail(r, error) : 0;
	r = instance_sweep(instance, error);
	return r < 0 ? r : 1;
}

/* What is left where there is no datapath any more: its load or unload was killed, or somebody removed it. */
static int collect_remains(const char *state, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_(netlink_closep) struct netlink *host = NULL;
	int r = instance_open_bare(state, &instance, error);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0) {
		r = instance_lock_exclusive(instance, error);
		if (r > 0)
			r = instance_sweep(instance, error);
		if (r < 0)
			return r;
	}
	/* Where a whole bpffs was unmounted, there is not even that. */
	r = netlink_open(&host, error);
	return r < 0 ? r : mend_orphans(host, NULL, 0, error);
}

/* With all that is shared in place. Return: as shunt_gc() */
static int collect(struct shunt_instance *instance, struct shunt_gc_result *ret, struct shunt_error *error)
{
	int r, first = endpoint_collect(instance, &ret->endpoints, error);

	r = endpoint_collect_unfinished(instance, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	r = mend_endpoints(instance, &ret->mended, &ret->endpoints, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	r = sweep_directories(instance, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	r = publish_mend(instance, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	r = endpoint_release_shared(instance, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	r = refresh_shared(instance, first < 0 ? NULL : error);
	first = first < 0 ? first : r;
	if (first < 0)
		return first;
	ret->uplinks = (unsigned)r;
	r = unload(instance, error);
	if (r < 0)
		return r;
	ret->unloaded = r;
	return 0;
}

int shunt_gc(const char *state, struct shunt_gc_result *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	struct shunt_gc_result result = {};
	int r;

	expedite_mend(state);
	r = shunt_open(state, false, &instance, error);
	if (r == -ENOENT) {
		r = collect_remains(state, error);
		if (r < 0)
			return r;
		result.endpoints = (unsigned)r;
		*ret = result;
		return 0;
	}
	if (r < 0)
		return r;
	r = collect(instance, &result, error);
	if (r >= 0)
		*ret = result;
	return r;
}

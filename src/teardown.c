/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * teardown.c - everything that ends an endpoint: detach, and what gc finds dead. The order of the steps is argued at the
 * head of endpoint.c.
 */
#include "endpoint.h"

#include <fcntl.h>

#include "expedite.h"
#include "ipam.h"
#include "names.h"
#include "owner.h"
#include "policy.h"
#include "publish.h"
#include "route.h"
#include "sever.h"
#include "uplinks.h"

static int release_addresses(struct shunt_instance *instance, const struct shunt_endpoint *endpoint,
			     struct shunt_error *error)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		struct shunt_prefix address;
		int r;

		if (!endpoint_address(endpoint, families[i], &address))
			continue;
		r = address_release(&instance->datapath, &address, endpoint->host);
		if (r < 0)
			return shunt_fail(error, r, "cannot release an address: %s", strerror(-r));
	}
	return 0;
}

/* Nobody may be told of it any more: its addresses lead nowhere from now on. */
static void unpublish(struct shunt_instance *instance, const struct shunt_endpoint *endpoint)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		struct shunt_address nowhere = {};
		struct shunt_prefix address;

		if (!endpoint_address(endpoint, families[i], &address) ||
		    address_is_of(&instance->datapath, &address, endpoint->host) <= 0)
			continue;
		memcpy(nowhere.owner, endpoint->host, sizeof(nowhere.owner));
		(void)address_publish(&instance->datapath, &address, &nowhere);
	}
}

/* Whoever of the host speaks to it shall not speak to the next who has its addresses. Another's may be in its record (I3). */
static int sever_from_host(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct shunt_prefix own[ELEMENTSOF(families)];
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		int r;

		if (!endpoint_address(endpoint, families[i], &own[n]))
			continue;
		r = address_is_of(&instance->datapath, &own[n], endpoint->host);
		if (r < 0)
			return shunt_fail(error, r, "cannot look an address up: %s", strerror(-r));
		/* Its own route went with its device. One that is left is somebody else's, for whom an attach was refused. */
		if (r > 0 && route_exists(instance->host, &own[n]) <= 0)
			n++;
	}
	return sever(own, n, endpoint->ifindex, error);
}

int endpoint_remove_traces(struct shunt_instance *instance, const struct shunt_endpoint_key *key, const char *host,
			   struct shunt_error *error)
{
	int r = instance_remove_endpoint(instance, host, error);

	/* Not empty: it is another's, whose name has the same hash. */
	if (r < 0 && r != -ENOTEMPTY)
		return r;
	r = unfinished_delete(&instance->datapath, key);
	return r < 0 ? shunt_fail(error, r, "cannot remove an entry of what is unfinished: %s", strerror(-r)) : 0;
}

static int delete_device(struct shunt_instance *instance, uint32_t ifindex, struct shunt_error *error)
{
	_expedited_(instance->state);

	return link_delete(instance->host, ifindex, error);
}

int endpoint_teardown(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
		      const struct shunt_endpoint *endpoint, bool keep_addresses, struct shunt_error *error)
{
	struct shunt_endpoint ending = *endpoint;
	uint32_t ifindex;
	int r;

	/* Intent first here too: whatever stops us, the next verb goes on with it. */
	ending.state = SHUNT_PENDING;
	r = unfinished_put(&instance->datapath, key);
	if (r >= 0)
		r = registry_put(&instance->datapath, key, &ending);
	if (r < 0)
		return shunt_fail(error, r, "cannot write the registry: %s", strerror(-r));
	if (endpoint->flags & SHUNT_F_PUBLISHED && endpoint->ifindex != 0)
		r = publish_release(instance, endpoint, NULL, 0, error);
	if (r < 0)
		return r;
	unpublish(instance, endpoint);
	/* Where it cannot be said whether the device is there, its filter stays. */
	r = endpoint_find_host(instance, key, endpoint, &ifindex, error);
	if (r > 0)
		r = delete_device(instance, ifindex, error);
	if (r >= 0)
		r = datapath_detach(instance->state, endpoint->host, error);
	/* Behind the device: its program drops what it does not know, but counts while it does. */
	if (r >= 0 && endpoint->ifindex != 0) {
		r = interface_delete(&instance->datapath, endpoint->ifindex);
		if (r < 0)
			return shunt_fail(error, r, "cannot remove the interface's entry: %s", strerror(-r));
		r = sever_from_host(instance, endpoint, error);
	}
	if (r < 0 || keep_addresses)
		return r;
	r = release_addresses(instance, endpoint, error);
	if (r < 0)
		return r;
	r = registry_delete(&instance->datapath, key);
	if (r < 0)
		return shunt_fail(error, r, "cannot remove the registry's entry: %s", strerror(-r));
	return endpoint_remove_traces(instance, key, endpoint->host, error);
}

int endpoint_release_shared(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_close_ int lock = -EBADF;
	int r;

	r = registry_is_empty(&instance->datapath);
	if (r <= 0)
		return r < 0 ? registry_fail(r, error) : 0;
	lock = instance_lock(instance, "uplinks", error);
	if (lock < 0)
		return lock;
	/*
	 * Again, under the lock: an attach writes its record before it takes this lock, so that either its record is seen
	 * here, or it finds no uplink behind us and attaches them anew.
	 */
	r = registry_is_empty(&instance->datapath);
	if (r <= 0)
		return r < 0 ? registry_fail(r, error) : 0;
	r = uplinks_release(instance, error);
	if (r < 0)
		return r;
	r = network_records_keep(&instance->datapath, NULL, 0);
	if (r < 0)
		return shunt_fail(error, r, "%s/datapath/networks: cannot be cleared: %s", instance->state, strerror(-r));
	return policy_collect(&instance->datapath, error);
}

/* One endpoint that looked dead or unfinished, looked at again under its lock. Returns 1 if it was taken back. */
static int collect(struct shunt_instance *instance, const struct registry_entry *seen, struct shunt_error *error)
{
	struct registry_entry entry = *seen;
	_cleanup_close_ int lock = -EBADF;
	char reason[128];
	int r;

	lock = instance_lock_endpoint(instance, seen->endpoint.host, false, NULL, NULL);
	if (lock == -EWOULDBLOCK)
		return 0;
	if (lock < 0)
		return shunt_fail(error, lock, "cannot lock %.128s: %s", seen->key.id, strerror(-lock));
	r = registry_get(&instance->datapath, &entry.key, &entry.endpoint);
	if (r == -ENOENT)	/* detached meanwhile, or not begun; the directory may be of our own making */
		return endpoint_remove_traces(instance, &entry.key, seen->endpoint.host, error);
	if (r < 0)
		return registry_fail(r, error);
	if (!endpoint_is_dead(instance, &entry, reason, sizeof(reason))) {
		/* Killed behind its last step, or at its ports. */
		r = entry.endpoint.flags & SHUNT_F_PUBLISHED ? publish_mend(instance, error) : 0;
		if (r >= 0)
			(void)unfinished_delete(&instance->datapath, &entry.key);
		return r;
	}
	r = endpoint_teardown(instance, &entry.key, &entry.endpoint, false, error);
	return r < 0 ? r : 1;
}

#define UNFINISHED_MAX 16	/* a look: most of these are others' at work */

int endpoint_collect_unfinished(struct shunt_instance *instance, struct shunt_error *error)
{
	struct shunt_endpoint_key keys[UNFINISHED_MAX];
	int n = unfinished_list(&instance->datapath, keys, UNFINISHED_MAX);
	int result = 0;

	if (n < 0)
		return shunt_fail(error, n, "cannot read the map of what is unfinished: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		struct registry_entry entry = { .key = keys[i] };
		char id[SHUNT_ID_MAX + 1] = "", interface[SHUNT_IFNAME_MAX + 1] = "";
		int r;

		memcpy(id, keys[i].id, SHUNT_ID_MAX);
		memcpy(interface, keys[i].interface, SHUNT_IFNAME_MAX);
		host_name(id, interface, entry.endpoint.host);
		r = collect(instance, &entry, result < 0 ? NULL : error);
		if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

#define BESIDE 8	/* looked at by each verb that changes something */

void endpoint_collect_beside(struct shunt_instance *instance, const struct shunt_endpoint_key *key)
{
	struct registry_entry entry = { .key = *key };

	expedite_mend(instance->state);
	for (size_t i = 0; i < BESIDE; i++) {
		char reason[128];

		if (registry_next(&instance->datapath, &entry) < 0 || memcmp(&entry.key, key, sizeof(*key)) == 0)
			return;
		if (endpoint_is_dead(instance, &entry, reason, sizeof(reason)))
			(void)collect(instance, &entry, NULL);
	}
}

int endpoint_collect(struct shunt_instance *instance, unsigned *count, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	int result = 0;
	size_t n;
	int r = registry_list(&instance->datapath, NULL, &list, &n);

	*count = 0;
	if (r < 0)
		return registry_fail(r, error);
	for (size_t i = 0; i < n; i++) {
		char reason[128];

		if (!endpoint_is_dead(instance, &list[i], reason, sizeof(reason)))
			continue;
		/* One that cannot be taken back keeps nobody from the rest. */
		r = collect(instance, &list[i], result < 0 ? NULL : error);
		if (r > 0)
			(*count)++;
		else if (r < 0 && result == 0)
			result = r;
	}
	return result;
}

/* Detaches one; @spare may say of what is there by now that it is not meant. Return: 1, 0 for one that was spared, or an errno */
static int detach_one(struct shunt_instance *instance, const struct registry_entry *seen,
		      bool (*spare)(const struct shunt_endpoint *seen, const struct shunt_endpoint *now), struct shunt_error *error)
{
	_cleanup_close_ int lock = instance_lock_endpoint(instance, seen->endpoint.host, true, NULL, error);
	struct shunt_endpoint endpoint;
	int r;

	if (lock < 0)
		return lock;
	/* Under the lock it may be gone, or another of the same name. */
	r = registry_get(&instance->datapath, &seen->key, &endpoint);
	if (r == -ENOENT)
		r = endpoint_remove_traces(instance, &seen->key, seen->endpoint.host, error);
	else if (r < 0)
		registry_fail(r, error);
	else if (spare && spare(&seen->endpoint, &endpoint))
		return 0;
	else
		r = endpoint_teardown(instance, &seen->key, &endpoint, false, error);
	return r < 0 ? r : 1;
}

static bool is_another(const struct shunt_endpoint *seen, const struct shunt_endpoint *now)
{
	return now->created != seen->created;
}

static bool lives(const struct shunt_endpoint *seen, const struct shunt_endpoint *now)
{
	(void)seen;
	return owner_lives(now);
}

int shunt_undo(struct shunt_instance *instance, const struct shunt_info *info, struct shunt_error *error)
{
	struct registry_entry entry = { .endpoint = info->endpoint };
	int r;

	registry_key(info->id, info->interface, &entry.key);
	r = detach_one(instance, &entry, is_another, error);
	return r < 0 ? r : endpoint_release_shared(instance, error);
}

static int detach_all(struct shunt_instance *instance, const char *id,
		      bool (*spare)(const struct shunt_endpoint *seen, const struct shunt_endpoint *now), struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	int result = 0, count = 0;
	size_t n;
	int r = id_check(id, error);

	if (r < 0)
		return r;
	r = registry_list(&instance->datapath, id, &list, &n);
	if (r < 0)
		return registry_fail(r, error);
	/* Now, while the map knows the key. */
	endpoint_collect_beside(instance, n > 0 ? &list[0].key : &(struct shunt_endpoint_key){});
	for (size_t i = 0; i < n; i++) {
		r = detach_one(instance, &list[i], spare, result < 0 ? NULL : error);
		if (r < 0 && result == 0)
			result = r;
		count += r > 0;
	}
	(void)endpoint_collect_unfinished(instance, NULL);
	if (result < 0)
		return result;
	r = endpoint_release_shared(instance, error);
	return r < 0 ? r : count;
}

int shunt_detach(struct shunt_instance *instance, const char *id, struct shunt_error *error)
{
	return detach_all(instance, id, NULL, error);
}

int shunt_detach_ended(struct shunt_instance *instance, const char *id, struct shunt_error *error)
{
	return detach_all(instance, id, lives, error);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * publish-later.c - who asks for ports: attach, and for a container that runs, publish and unpublish.
 */
#include <net/if.h>

#include "endpoint.h"
#include "names.h"
#include "port-table.h"
#include "publish.h"

/* Of one ID, the interface that is meant. */
static int find(struct shunt_instance *instance, const char *id, const char *interface, struct registry_entry *ret,
		struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	size_t n, found = 0;
	int r = id_check(id, error);

	if (r < 0)
		return r;
	r = registry_list(&instance->datapath, id, &list, &n);
	if (r < 0)
		return registry_fail(r, error);
	for (size_t i = 0; i < n; i++) {
		if (interface && strncmp(list[i].key.interface, interface, sizeof(list[i].key.interface)) != 0)
			continue;
		*ret = list[i];
		found++;
	}
	if (found == 0 && n > 0)
		return shunt_fail(error, -ENOENT, "%s has no interface %s; see 'shunt show %s'", id, interface, id);
	if (found == 0)
		return shunt_fail(error, -ENOENT, "%s is not attached; see 'shunt list'", id);
	return found == 1 ? 0 : shunt_fail(error, -EINVAL, "%s has %zu interfaces; say which with --interface", id, found);
}

/* The endpoint, locked and read again. Return: the lock, or an errno */
static int take(struct shunt_instance *instance, const char *id, const char *interface, struct registry_entry *ret,
		struct shunt_error *error)
{
	_cleanup_close_ int lock = -EBADF;
	char reason[128];
	int r = find(instance, id, interface, ret, error);

	if (r < 0)
		return r;
	lock = instance_lock_endpoint(instance, ret->endpoint.host, true, NULL, error);
	if (lock < 0)
		return lock;
	r = registry_get(&instance->datapath, &ret->key, &ret->endpoint);
	if (r == -ENOENT) {
		(void)endpoint_remove_traces(instance, &ret->key, ret->endpoint.host, NULL);
		return shunt_fail(error, r, "%s was detached meanwhile", id);
	}
	if (r < 0)
		return registry_fail(r, error);
	if (endpoint_is_dead(instance, ret, reason, sizeof(reason)))
		return shunt_fail(error, -ENODEV, "%s is stale: %s", id, reason);
	return TAKE_FD(lock);
}

static int parse(const char *const *texts, size_t n, struct publication **ret, struct shunt_error *error)
{
	_cleanup_free_ struct publication *specs = calloc(n + 1, sizeof(*specs));
	int r;

	if (!specs)
		return shunt_fail(error, -ENOMEM, "out of memory");
	r = publications_parse(texts, n, specs, error);
	if (r >= 0)
		*ret = TAKE_PTR(specs);
	return r;
}

/* Who holds a port may be dead: look, and try once more. */
static int claim(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const char *const *texts, size_t n,
		 const char *service, struct shunt_error *error)
{
	_cleanup_free_ struct publication *specs = NULL;
	unsigned collected = 0;
	int r = parse(texts, n, &specs, error);

	if (r < 0)
		return r;
	r = publish_claim(instance, endpoint, specs, n, service, error);
	if (r == -EADDRINUSE)
		(void)endpoint_collect(instance, &collected, NULL);
	return collected > 0 ? publish_claim(instance, endpoint, specs, n, service, error) : r;
}

int publish_request(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct shunt_request *request,
		    struct shunt_error *error)
{
	return request->n_publish > 0 ? claim(instance, endpoint, request->publish, request->n_publish, request->service, error) : 0;
}

/* Flagged before the first port of it: P2. */
static int flag(struct shunt_instance *instance, struct registry_entry *entry, struct shunt_error *error)
{
	int r;

	entry->endpoint.flags |= SHUNT_F_PUBLISHED;
	r = registry_put(&instance->datapath, &entry->key, &entry->endpoint);
	if (r < 0)
		return shunt_fail(error, r, "cannot write the registry: %s", strerror(-r));
	r = interface_add_flag(&instance->datapath, entry->endpoint.ifindex, SHUNT_F_PUBLISHED);
	return r < 0 ? shunt_fail(error, r, "cannot write the interface's entry: %s", strerror(-r)) : 0;
}

/* Whoever finds this under a free lock mends what we were killed at: endpoint_collect_unfinished(). */
static int intend(struct shunt_instance *instance, const struct registry_entry *entry, struct shunt_error *error)
{
	int r = unfinished_put(&instance->datapath, &entry->key);

	return r < 0 ? shunt_fail(error, r, "cannot write the map of what is unfinished: %s", strerror(-r)) : 0;
}

static int publish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *texts, size_t n,
		   const char *service, struct shunt_error *error)
{
	_cleanup_free_ struct publication *specs = NULL;
	_cleanup_close_ int lock = -EBADF;
	struct registry_entry entry;
	int r = parse(texts, n, &specs, error);

	if (r >= 0 && service)
		r = service_check(service, error);
	if (r < 0)
		return r;
	lock = take(instance, id, interface, &entry, error);
	if (lock < 0)
		return lock;
	if (entry.endpoint.flags & SHUNT_F_INTERNAL)
		return shunt_fail(error, -EINVAL, "network %s is internal: nobody beyond it reaches %s", entry.endpoint.network, id);
	r = intend(instance, &entry, error);
	if (r < 0)
		return r;
	r = flag(instance, &entry, error);
	if (r >= 0)
		r = claim(instance, &entry.endpoint, texts, n, service, error);
	(void)unfinished_delete(&instance->datapath, &entry.key);
	return r;
}

static int unpublish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *texts, size_t n,
		     struct shunt_error *error)
{
	_cleanup_free_ struct publication *specs = NULL;
	_cleanup_close_ int lock = -EBADF;
	struct registry_entry entry;
	int r = parse(texts, n, &specs, error);

	if (r < 0)
		return r;
	lock = take(instance, id, interface, &entry, error);
	if (lock < 0)
		return lock;
	r = intend(instance, &entry, error);
	if (r < 0)
		return r;
	r = publish_release(instance, &entry.endpoint, specs, n, error);
	(void)unfinished_delete(&instance->datapath, &entry.key);
	return r;
}

/* Their own mark too, where they could not take it back: the lock is free again. */
int shunt_publish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *texts, size_t n,
		  const char *service, struct shunt_error *error)
{
	int r = publish(instance, id, interface, texts, n, service, error);

	(void)endpoint_collect_unfinished(instance, NULL);
	return r;
}

int shunt_unpublish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *texts, size_t n,
		    struct shunt_error *error)
{
	int r = unpublish(instance, id, interface, texts, n, error);

	(void)endpoint_collect_unfinished(instance, NULL);
	return r;
}

int shunt_ports(struct shunt_instance *instance, struct shunt_port **ret, size_t *ret_n, struct shunt_error *error)
{
	int r = port_table_list(&instance->datapath, ret, ret_n);

	return r < 0 ? shunt_fail(error, r, "cannot read what is published: %s", strerror(-r)) : 0;
}

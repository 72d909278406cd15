/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registry.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "names.h"

void registry_key(const char *id, const char *interface, struct shunt_endpoint_key *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->id, id, strnlen(id, sizeof(ret->id)));
	memcpy(ret->interface, interface, strnlen(interface, sizeof(ret->interface) - 1));
}

/* Whether a field holds a text that ends in it. */
static bool is_text(const char *field, size_t size)
{
	return memchr(field, '\0', size);
}

bool registry_is_sound(const struct shunt_endpoint_key *key, const struct shunt_endpoint *endpoint)
{
	char id[SHUNT_ID_MAX + 1] = "", host[SHUNT_IFNAME_MAX];

	memcpy(id, key->id, SHUNT_ID_MAX);
	if (id_check(id, NULL) < 0 || !is_text(key->interface, sizeof(key->interface)) ||
	    interface_name_check(key->interface, NULL) < 0)
		return false;
	host_name(id, key->interface, host);
	return memcmp(host, endpoint->host, sizeof(host)) == 0 && is_text(endpoint->network, sizeof(endpoint->network)) &&
	       network_name_check(endpoint->network, NULL) >= 0;
}

int registry_fail(int r, struct shunt_error *error)
{
	return shunt_fail(error, r, "cannot read the registry: %s", r == -EUCLEAN ?
			  "it holds a record that shunt did not write; stop the containers, then 'rm -r' the state directory" :
			  strerror(-r));
}

int registry_get(const struct datapath *datapath, const struct shunt_endpoint_key *key, struct shunt_endpoint *ret)
{
	struct shunt_endpoint endpoint;

	/* What is copied while it is replaced may become half another's under the copier's hands: looked at again it is not. */
	for (int tries = 0; tries < 3; tries++) {
		if (bpf_map_lookup_elem(datapath->fd[MAP_REGISTRY], key, &endpoint) < 0)
			return -errno;
		if (!registry_is_sound(key, &endpoint))
			continue;
		*ret = endpoint;
		return 0;
	}
	return -EUCLEAN;
}

int registry_put(const struct datapath *datapath, const struct shunt_endpoint_key *key,
		 const struct shunt_endpoint *endpoint)
{
	return bpf_map_update_elem(datapath->fd[MAP_REGISTRY], key, endpoint, BPF_ANY) < 0 ? -errno : 0;
}

static int delete(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) < 0 && errno != ENOENT ? -errno : 0;
}

int registry_delete(const struct datapath *datapath, const struct shunt_endpoint_key *key)
{
	return delete(datapath->fd[MAP_REGISTRY], key);
}

int registry_is_empty(const struct datapath *datapath)
{
	struct shunt_endpoint_key key;

	if (bpf_map_get_next_key(datapath->fd[MAP_REGISTRY], NULL, &key) == 0)
		return 0;
	return errno == ENOENT ? 1 : -errno;
}

int unfinished_put(const struct datapath *datapath, const struct shunt_endpoint_key *key)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(datapath->fd[MAP_UNFINISHED], key, &zero, BPF_ANY) < 0 ? -errno : 0;
}

int unfinished_delete(const struct datapath *datapath, const struct shunt_endpoint_key *key)
{
	return delete(datapath->fd[MAP_UNFINISHED], key);
}

int unfinished_list(const struct datapath *datapath, struct shunt_endpoint_key *ret, int max)
{
	int n = 0;

	/* Where one was deleted behind our hands, it begins anew, and gives some twice; whoever asks looks under a lock. */
	for (; n < max; n++)
		if (bpf_map_get_next_key(datapath->fd[MAP_UNFINISHED], n ? &ret[n - 1] : NULL, &ret[n]) < 0)
			return errno == ENOENT ? n : -errno;
	return n;
}

int registry_next(const struct datapath *datapath, struct registry_entry *entry)
{
	const int fd = datapath->fd[MAP_REGISTRY];
	struct shunt_endpoint_key next;

	if (bpf_map_get_next_key(fd, &entry->key, &next) < 0 && (errno != ENOENT || bpf_map_get_next_key(fd, NULL, &next) < 0))
		return -errno;
	entry->key = next;
	return registry_get(datapath, &next, &entry->endpoint);
}

#define BATCH 256	/* entries a call; more than any bucket of the hash will hold */

/* Appends a batch to the list, growing it. */
static int append(struct registry_entry **list, size_t *n, const char *id, const struct shunt_endpoint_key *keys,
		  const struct shunt_endpoint *values, uint32_t count)
{
	struct registry_entry *larger = reallocarray(*list, *n + count + 1, sizeof(**list));

	if (!larger)
		return -ENOMEM;
	*list = larger;
	for (uint32_t i = 0; i < count; i++) {
		if (!registry_is_sound(&keys[i], &values[i]))
			return -EUCLEAN;
		if (id && strncmp(keys[i].id, id, sizeof(keys[i].id)) != 0)
			continue;
		larger[*n].key = keys[i];
		larger[*n].endpoint = values[i];
		(*n)++;
	}
	return 0;
}

int registry_list(const struct datapath *datapath, const char *id, struct registry_entry **ret, size_t *ret_n)
{
	_cleanup_free_ struct shunt_endpoint_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct shunt_endpoint *values = calloc(BATCH, sizeof(*values));
	_cleanup_free_ struct registry_entry *list = NULL;
	uint32_t token = 0;
	bool first = true, last;
	size_t n = 0;
	int r;

	if (!keys || !values)
		return -ENOMEM;
	do {
		uint32_t count = BATCH;

		r = 0;
		if (bpf_map_lookup_batch(datapath->fd[MAP_REGISTRY], first ? NULL : &token, &token, keys, values,
					 &count, NULL) < 0)
			r = -errno;
		if (r < 0 && r != -ENOENT)
			return r;
		last = r == -ENOENT;
		r = append(&list, &n, id, keys, values, count);
		if (r < 0)
			return r;
		first = false;
	} while (!last);

	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

static int address_map(const struct datapath *datapath, const struct shunt_prefix *address)
{
	return datapath->fd[address->family == AF_INET ? MAP_ADDRESSES4 : MAP_ADDRESSES6];
}

int address_owner(const struct datapath *datapath, const struct shunt_prefix *address,
		  char ret[static SHUNT_IFNAME_MAX])
{
	struct shunt_address value;

	if (bpf_map_lookup_elem(address_map(datapath, address), address->bytes, &value) < 0)
		return -errno;
	memcpy(ret, value.owner, SHUNT_IFNAME_MAX);
	return 0;
}

int address_is_of(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner)
{
	char holder[SHUNT_IFNAME_MAX];
	int r = address_owner(datapath, address, holder);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return strncmp(holder, owner, sizeof(holder)) == 0;
}

int address_claim(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner)
{
	struct shunt_address value = {};
	int r;

	copy_name(value.owner, sizeof(value.owner), owner);
	if (bpf_map_update_elem(address_map(datapath, address), address->bytes, &value, BPF_NOEXIST) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	r = address_is_of(datapath, address, owner);
	return r < 0 ? r : r > 0 ? 0 : -EEXIST;
}

int address_publish(const struct datapath *datapath, const struct shunt_prefix *address,
		    const struct shunt_address *value)
{
	return bpf_map_update_elem(address_map(datapath, address), address->bytes, value, BPF_EXIST) < 0 ? -errno : 0;
}

int address_release(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner)
{
	/* No race: only the holder of the owner's lock comes here, and nobody else changes what it owns. */
	int r = address_is_of(datapath, address, owner);

	return r <= 0 ? r : delete(address_map(datapath, address), address->bytes);
}

/* A per-CPU map takes and gives one value a possible CPU, each rounded up to 8 bytes. */
static struct shunt_interface *per_cpu(int *ret_cpus)
{
	_Static_assert(sizeof(struct shunt_interface) % 8 == 0, "a per-CPU value is rounded up to 8 bytes");

	*ret_cpus = libbpf_num_possible_cpus();
	if (*ret_cpus >= 0)
		return calloc((size_t)*ret_cpus, sizeof(struct shunt_interface));
	errno = -*ret_cpus;
	return NULL;
}

int interface_put(const struct datapath *datapath, uint32_t ifindex, const struct shunt_interface *value)
{
	int cpus;
	_cleanup_free_ struct shunt_interface *values = per_cpu(&cpus);

	if (!values)
		return -errno;
	for (int i = 0; i < cpus; i++)
		values[i] = *value;
	return bpf_map_update_elem(datapath->fd[MAP_INTERFACES], &ifindex, values, BPF_ANY) < 0 ? -errno : 0;
}

int interface_add_flag(const struct datapath *datapath, uint32_t ifindex, uint32_t flag)
{
	const int fd = datapath->fd[MAP_INTERFACES];
	int cpus;
	_cleanup_free_ struct shunt_interface *values = per_cpu(&cpus);

	if (!values || bpf_map_lookup_elem(fd, &ifindex, values) < 0)
		return -errno;
	if (values[0].flags & flag)
		return 0;
	for (int i = 0; i < cpus; i++)
		values[i].flags |= flag;
	return bpf_map_update_elem(fd, &ifindex, values, BPF_EXIST) < 0 ? -errno : 0;
}

int interface_delete(const struct datapath *datapath, uint32_t ifindex)
{
	return delete(datapath->fd[MAP_INTERFACES], &ifindex);
}

int interface_counters(const struct datapath *datapath, uint32_t ifindex, struct shunt_counters *ret)
{
	int cpus;
	_cleanup_free_ struct shunt_interface *values = per_cpu(&cpus);
	struct shunt_counters sum = {};

	if (!values)
		return -errno;
	if (bpf_map_lookup_elem(datapath->fd[MAP_INTERFACES], &ifindex, values) < 0)
		return -errno;
	for (int i = 0; i < cpus; i++)
		for (size_t reason = 0; reason < SHUNT_DROP_MAX; reason++)
			sum.dropped[reason] += values[i].counters.dropped[reason];
	*ret = sum;
	return 0;
}

static void network_key(const char *name, char key[static SHUNT_NETWORK_MAX])
{
	memset(key, 0, SHUNT_NETWORK_MAX);
	memcpy(key, name, strnlen(name, SHUNT_NETWORK_MAX - 1));
}

int network_record_get(const struct datapath *datapath, const char *name, struct shunt_network_record *ret)
{
	char key[SHUNT_NETWORK_MAX];

	network_key(name, key);
	return bpf_map_lookup_elem(datapath->fd[MAP_NETWORKS], key, ret) < 0 ? -errno : 0;
}

int network_record_put(const struct datapath *datapath, const char *name, const struct shunt_network_record *record)
{
	char key[SHUNT_NETWORK_MAX];

	network_key(name, key);
	return bpf_map_update_elem(datapath->fd[MAP_NETWORKS], key, record, BPF_ANY) < 0 ? -errno : 0;
}

static bool has_network(const struct registry_entry *entries, size_t n, const char name[static SHUNT_NETWORK_MAX])
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(entries[i].endpoint.network, name, SHUNT_NETWORK_MAX) == 0)
			return true;
	return false;
}

int network_records_keep(const struct datapath *datapath, const struct registry_entry *entries, size_t n)
{
	_cleanup_free_ char (*names)[SHUNT_NETWORK_MAX] = calloc(SHUNT_MAX_NETWORKS, sizeof(*names));
	size_t found = 0;

	if (!names)
		return -ENOMEM;
	while (found < SHUNT_MAX_NETWORKS &&
	       bpf_map_get_next_key(datapath->fd[MAP_NETWORKS], found ? names[found - 1] : NULL, names[found]) == 0)
		found++;
	if (found < SHUNT_MAX_NETWORKS && errno != ENOENT)
		return -errno;
	for (size_t i = 0; i < found; i++)
		if (!has_network(entries, n, names[i]) && delete(datapath->fd[MAP_NETWORKS], names[i]) < 0)
			return -errno;
	return 0;
}

int network_records_policies(const struct datapath *datapath, uint32_t *ret, size_t max)
{
	char key[SHUNT_NETWORK_MAX];
	bool first = true;
	size_t n = 0;

	while (n < max && bpf_map_get_next_key(datapath->fd[MAP_NETWORKS], first ? NULL : key, key) == 0) {
		struct shunt_network_record record;

		first = false;
		if (bpf_map_lookup_elem(datapath->fd[MAP_NETWORKS], key, &record) < 0)
			return -errno;
		if (record.policy)
			ret[n++] = record.policy;
	}
	return n == max || errno == ENOENT ? (int)n : -errno;
}

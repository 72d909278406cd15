/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipam.h"

#include "address.h"
#include "names.h"

/* A search that finds nothing free in so many places ends: a subnet that large is not full, but nearly. */
#define MAX_PROBES (1 << 18)

bool endpoint_address(const struct shunt_endpoint *endpoint, int family, struct shunt_prefix *ret)
{
	const bool v4 = family == AF_INET;

	if (!(endpoint->flags & (v4 ? SHUNT_F_ADDRESS4 : SHUNT_F_ADDRESS6)))
		return false;
	*ret = (struct shunt_prefix) { .family = family, .length = v4 ? 32 : 128 };
	if (v4)
		memcpy(ret->bytes, &endpoint->address4, 4);
	else
		memcpy(ret->bytes, endpoint->address6, 16);
	return true;
}

void endpoint_set_address(struct shunt_endpoint *endpoint, const struct shunt_prefix *address)
{
	if (address->family == AF_INET)
		memcpy(&endpoint->address4, address->bytes, 4);
	else
		memcpy(endpoint->address6, address->bytes, 16);
	endpoint->flags |= address->family == AF_INET ? SHUNT_F_ADDRESS4 : SHUNT_F_ADDRESS6;
}

void endpoint_clear_address(struct shunt_endpoint *endpoint, int family)
{
	if (family == AF_INET)
		endpoint->address4 = 0;
	else
		memset(endpoint->address6, 0, sizeof(endpoint->address6));
	endpoint->flags &= ~(uint32_t)(family == AF_INET ? SHUNT_F_ADDRESS4 : SHUNT_F_ADDRESS6);
}

/* Intent, then claim. Return: 0, -EEXIST where another has it, or another errno */
static int try(struct shunt_instance *instance, const struct shunt_endpoint_key *key, struct shunt_endpoint *endpoint,
	       const struct shunt_prefix *candidate)
{
	int r;

	endpoint_set_address(endpoint, candidate);
	r = registry_put(&instance->datapath, key, endpoint);
	if (r >= 0)
		r = address_claim(&instance->datapath, candidate, endpoint->host);
	return r;
}

/* Says whose it is: the registry knows the ID behind the owner's name. */
static int in_use(struct shunt_instance *instance, const struct shunt_prefix *address, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	char owner[SHUNT_IFNAME_MAX] = "", text[64];
	size_t n = 0;

	prefix_format_address(address, text);
	(void)address_owner(&instance->datapath, address, owner);
	(void)registry_list(&instance->datapath, NULL, &list, &n);
	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i].endpoint.host, owner, sizeof(owner)) == 0)
			return shunt_fail(error, -EADDRINUSE, "address %s is in use by %.128s (its %s); choose another, "
					  "or detach that one", text, list[i].key.id, list[i].key.interface);
	return shunt_fail(error, -EADDRINUSE, "address %s is in use by %.16s", text, owner);
}

static int search(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
		  struct shunt_endpoint *endpoint, const struct shunt_prefix *subnet, struct shunt_error *error)
{
	uint64_t first, pool = prefix_pool(subnet, &first);
	char id[SHUNT_ID_MAX + 1] = "", text[PREFIX_TEXT_MAX];
	uint64_t start;

	memcpy(id, key->id, SHUNT_ID_MAX);
	start = name_hash(id, key->interface) % pool;
	for (uint64_t i = 0; i < pool && i < MAX_PROBES; i++) {
		char owner[SHUNT_IFNAME_MAX];
		struct shunt_prefix candidate;
		int r;

		prefix_host(subnet, first + (start + i) % pool, &candidate);
		/* Only a candidate that looks free is worth two writes; the claim decides. */
		if (address_owner(&instance->datapath, &candidate, owner) == 0 &&
		    strncmp(owner, endpoint->host, sizeof(owner)) != 0)
			continue;
		r = try(instance, key, endpoint, &candidate);
		if (r == 0)
			return 0;
		endpoint_clear_address(endpoint, subnet->family);
		if (r != -EEXIST)
			return shunt_fail(error, r, "cannot claim an address: %s", strerror(-r));
	}
	return shunt_fail(error, -ENOSPC, "network %s: subnet %s is full (%llu addresses); detach something, run "
			  "'shunt gc', or give the network a larger subnet", endpoint->network,
			  prefix_format(subnet, text), (unsigned long long)pool);
}

int ipam_claim(struct shunt_instance *instance, const struct shunt_endpoint_key *key, struct shunt_endpoint *endpoint,
	       const struct shunt_prefix *subnet, const struct shunt_prefix *wanted, struct shunt_error *error)
{
	int r;

	if (wanted->family == 0)
		return search(instance, key, endpoint, subnet, error);
	r = try(instance, key, endpoint, wanted);
	if (r == 0)
		return 0;
	endpoint_clear_address(endpoint, subnet->family);
	if (r == -EEXIST)
		return in_use(instance, wanted, error);
	return shunt_fail(error, r, "cannot claim an address: %s", strerror(-r));
}

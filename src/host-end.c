/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host-end.c - which device is an endpoint's host end, if any is.
 *
 * Names and aliases can be changed by whoever may, and the index of a device that is gone can become a stranger's. The
 * link of shunt_from_ct is on that device, or at the other end of that pair, and no other for as long as both exist: where the
 * device of that index has it, nothing else is asked. Where its pin is gone, or the link was detached, the index tells, for as
 * long as name or alias say so too.
 */
#include "endpoint.h"
#include "pin.h"

/*
 * A record without index is from between its writing and the device's making, or right behind: then nothing is attached to
 * it yet, or it is another instance's.
 */
static int find_by_name(struct shunt_instance *instance, const char *name, struct link_state *ret, struct shunt_error *error)
{
	int r = link_get(instance->host, name, 0, ret, error);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return !datapath_has_programs(ret->ifindex);
}

static int find_by_index(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
			 const struct shunt_endpoint *endpoint, struct link_state *ret, struct shunt_error *error)
{
	int r = link_get(instance->host, NULL, endpoint->ifindex, ret, error);

	if (r < 0)
		return r == -ENODEV ? 0 : r;
	return strncmp(ret->name, endpoint->host, sizeof(endpoint->host)) == 0 ||
	       strncmp(ret->alias, key->id, SHUNT_ID_MAX) == 0;
}

int endpoint_find_host(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
		       const struct shunt_endpoint *endpoint, uint32_t *ret, struct shunt_error *error)
{
	struct link_state link = {};
	struct pin pin;
	char path[64];
	int r;

	if (endpoint->ifindex == 0) {
		r = find_by_name(instance, endpoint->host, &link, error);
	} else {
		snprintf(path, sizeof(path), "endpoints/%.16s/from_ct", endpoint->host);
		if (pin_look(instance->fd, path, &pin) == 0 && pin_is_of(&pin, endpoint->ifindex)) {
			*ret = endpoint->ifindex;
			return 1;
		}
		r = find_by_index(instance, key, endpoint, &link, error);
	}
	if (r > 0)
		*ret = link.ifindex;
	return r;
}

bool endpoint_is_dead(struct shunt_instance *instance, const struct registry_entry *entry, char *reason, size_t size)
{
	uint32_t ifindex;

	if (entry->endpoint.state != SHUNT_READY && entry->endpoint.state != SHUNT_PREPARED) {
		snprintf(reason, size, "whoever began to attach or detach it was killed");
		return true;
	}
	if (endpoint_find_host(instance, &entry->key, &entry->endpoint, &ifindex, NULL) == 0) {
		snprintf(reason, size, "its interface is gone: the container ended, or somebody deleted it");
		return true;
	}
	return false;
}

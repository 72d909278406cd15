/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mend.c - what somebody took from an endpoint whose container lives.
 *
 * Theory of operation
 *
 * Whoever has the rights can remove a pin, detach a link, or delete a route; setting the host end down and up deletes its
 * routes as well. The container notices nothing of their return, so gc puts them back:
 *
 *	shunt_from_ct; shunt_to_ct and	attached anew; the maps know the endpoint still
 *	shunt_across where they are to be
 *	the host's routes to it		made anew, unless there is another's by now, or the host end is down: that
 *					is somebody's word, and routes come back when it is up again
 *
 * Until then nothing gets out by a host end without shunt_from_ct: netkit drops what has no program, and so does what is behind
 * it on veth (shut.h). A kernel that cannot have that hands it to the host's stack.
 *
 * The gate of veth is inside the container's namespace, which cannot be entered by ID alone. Without it a container can
 * pass shunt_from_ct by, and what is behind that; so the endpoint is taken back (I1), but it is open until then to one that
 * is hostile.
 *
 * Where the whole bpffs was unmounted, programs and registry are gone together, and what is left are devices. One with our
 * kind of name and an ID as its alias has had its programs attached before it got that alias (attachment_configure_host()),
 * whoever's it is. So without any program it is nobody's, and it goes: its container's addresses will be another's.
 */
#include "mend.h"

#include <ctype.h>

#include "address.h"
#include "endpoint.h"
#include "expedite.h"
#include "ipam.h"
#include "names.h"
#include "pin.h"
#include "route.h"

static const int families[] = { AF_INET, AF_INET6 };

/* Whether one of its links is gone. Return: 1, 0, or an errno */
static int lacks_link(const struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const char *name)
{
	char path[64];
	struct pin pin;
	int r;

	snprintf(path, sizeof(path), "endpoints/%.16s/%s", endpoint->host, name);
	r = pin_look(instance->fd, path, &pin);
	if (r < 0)
		return r == -ENOENT || r == -EBADF ? 1 : r;
	return pin.ifindex == 0;
}

static int lacks_gate(const struct shunt_instance *instance, const struct shunt_endpoint *endpoint)
{
	const struct link_driver *driver = link_driver(endpoint->driver);

	return driver && driver->gate ? lacks_link(instance, endpoint, "gate") : 0;
}

static int lacks_program(const struct shunt_instance *instance, const struct shunt_endpoint *endpoint)
{
	int r = lacks_link(instance, endpoint, "from_ct");

	if (r == 0 && datapath_has_to_ct(endpoint->flags))
		r = lacks_link(instance, endpoint, "to_ct");
	return r == 0 && endpoint->flags & SHUNT_F_ACROSS ? lacks_link(instance, endpoint, "across") : r;
}

/* A route of anybody's to one of its addresses. The host end is only asked for where there is none: it is asked in vain mostly. */
static int lacks_route(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, struct shunt_prefix *ret)
{
	struct link_state link;
	int r = 1;

	for (size_t i = 0; i < ELEMENTSOF(families) && r > 0; i++)
		if (endpoint_address(endpoint, families[i], ret))
			r = route_exists(instance->host, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	r = link_get(instance->host, NULL, endpoint->ifindex, &link, NULL);
	return r < 0 ? r == -ENODEV ? 0 : r : link.up;
}

int mend_is_needed(struct shunt_instance *instance, const struct registry_entry *entry, char *reason, size_t size)
{
	const struct shunt_endpoint *endpoint = &entry->endpoint;
	struct shunt_prefix address;
	char text[PREFIX_TEXT_MAX];
	int r = lacks_gate(instance, endpoint);

	if (r > 0)
		snprintf(reason, size, "somebody took shunt_gate from the container's end: gc takes it back");
	if (r != 0)
		return r;
	r = lacks_program(instance, endpoint);
	if (r > 0)
		snprintf(reason, size, "somebody took a program from its host end: gc attaches it again");
	if (r != 0)
		return r;
	r = lacks_route(instance, endpoint, &address);
	if (r > 0)
		snprintf(reason, size, "somebody deleted the route to %s: gc makes it again", prefix_format(&address, text));
	return r;
}

static int reattach(const struct shunt_instance *instance, const struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	_expedited_(instance->state);

	return datapath_reattach(instance->state, endpoint, error);
}

static int put_routes_back(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		_cleanup_nlmsg_ struct nl_msg *msg = NULL;
		struct shunt_prefix address;
		struct shunt_error words;
		int r;

		if (!endpoint_address(endpoint, families[i], &address))
			continue;
		msg = route_msg(&address, endpoint->ifindex);
		r = netlink_call(instance->host, msg, NULL, NULL, &words);
		/* The container may end at any time. */
		if (r < 0 && r != -EEXIST && r != -ENODEV && r != -ENETDOWN)
			return shunt_fail(error, r, "cannot make a route on %s again: %s", endpoint->host, words.text);
	}
	return 0;
}

static int cannot_look(const struct registry_entry *entry, int r, struct shunt_error *error)
{
	return shunt_fail(error, r, "cannot tell what %.128s lacks: %s", entry->key.id, strerror(-r));
}

/* One endpoint that seemed to lack something, looked at again under its lock. Return: 1 for mended, 2 for taken back, 0, or an errno */
static int mend(struct shunt_instance *instance, const struct registry_entry *seen, struct shunt_error *error)
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
	if (r < 0)
		return r == -ENOENT ? 0 : registry_fail(r, error);
	if (endpoint_is_dead(instance, &entry, reason, sizeof(reason)))
		return 0;
	r = mend_is_needed(instance, &entry, reason, sizeof(reason));
	if (r == 0)
		return 0;
	if (r > 0)
		r = lacks_gate(instance, &entry.endpoint);
	if (r < 0)
		return cannot_look(&entry, r, error);
	if (r > 0) {
		r = endpoint_teardown(instance, &entry.key, &entry.endpoint, false, error);
		return r < 0 ? r : 2;
	}
	r = reattach(instance, &entry.endpoint, error);
	if (r >= 0)
		r = put_routes_back(instance, &entry.endpoint, error);
	return r < 0 ? r : 1;
}

int mend_endpoints(struct shunt_instance *instance, unsigned *mended, unsigned *removed, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	int result = 0;
	size_t n;
	int r = registry_list(&instance->datapath, NULL, &list, &n);

	if (r < 0)
		return registry_fail(r, error);
	for (size_t i = 0; i < n; i++) {
		char reason[128];

		if (endpoint_is_dead(instance, &list[i], reason, sizeof(reason)))
			continue;
		r = mend_is_needed(instance, &list[i], reason, sizeof(reason));
		if (r < 0)
			cannot_look(&list[i], r, result < 0 ? NULL : error);
		else if (r > 0)
			r = mend(instance, &list[i], result < 0 ? NULL : error);
		else
			continue;
		*mended += r == 1;
		*removed += r == 2;
		if (r < 0 && result == 0)
			result = r;
	}
	r = mend_orphans(instance->host, list, n, result < 0 ? NULL : error);
	if (r > 0)
		*removed += (unsigned)r;
	return result < 0 ? result : r < 0 ? r : 0;
}

struct orphans {
	const struct registry_entry *entries;
	size_t n;
	uint32_t *found;
	size_t n_found;
};

static bool is_host_name(const char *name)
{
	size_t n = 2;

	if (strncmp(name, "nk", 2) != 0)
		return false;
	while (isdigit((unsigned char)name[n]) || (name[n] >= 'a' && name[n] <= 'f'))
		n++;
	return n == SHUNT_IFNAME_MAX - 1 && name[n] == '\0';
}

static int find_orphan(const struct link_state *link, void *arg)
{
	struct orphans *orphans = arg;
	uint32_t *larger;

	if (!is_host_name(link->name) || id_check(link->alias, NULL) < 0)
		return 0;
	for (size_t i = 0; i < orphans->n; i++)
		if (orphans->entries[i].endpoint.ifindex == link->ifindex)
			return 0;
	if (datapath_has_programs(link->ifindex))
		return 0;
	larger = reallocarray(orphans->found, orphans->n_found + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	orphans->found = larger;
	orphans->found[orphans->n_found++] = link->ifindex;
	return 0;
}

int mend_orphans(struct netlink *host, const struct registry_entry *entries, size_t n, struct shunt_error *error)
{
	struct orphans orphans = { .entries = entries, .n = n };
	int r;

	/* Who may not ask for programs would see none. */
	if (datapath_probe_tcx() <= 0)
		return 0;
	r = link_each(host, find_orphan, &orphans, error);
	for (size_t i = 0; i < orphans.n_found && r >= 0; i++)
		r = link_delete(host, orphans.found[i], error);
	free(orphans.found);
	return r < 0 ? r : (int)orphans.n_found;
}

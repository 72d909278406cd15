/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplinks.h"

#include <fcntl.h>

#include "expedite.h"
#include "names.h"
#include "route.h"

#define DEFAULT_MTU 1500

static bool has(const struct uplink_set *set, uint32_t ifindex)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->ifindex[i] == ifindex)
			return true;
	return false;
}

static void add(struct uplink_set *set, uint32_t ifindex)
{
	if (!has(set, ifindex) && set->n < ELEMENTSOF(set->ifindex))
		set->ifindex[set->n++] = ifindex;
}

/* Reads the names of the pins. */
static int attached(struct shunt_instance *instance, struct uplink_set *ret, struct shunt_error *error)
{
	int fd = openat(instance->fd, "uplinks", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *directory = NULL;

	if (fd < 0)
		return shunt_fail(error, -errno, "%s/uplinks: %m", instance->state);
	directory = fdopendir(fd);
	if (!directory) {
		closep(&fd);
		return shunt_fail(error, -errno, "%s/uplinks: %m", instance->state);
	}
	ret->n = 0;
	for (struct dirent *entry; (entry = next_entry(directory));) {
		uint64_t ifindex;

		if (number_parse(entry->d_name, 1, INT32_MAX, &ifindex) == 0)
			add(ret, (uint32_t)ifindex);
	}
	return errno != 0 ? shunt_fail(error, -errno, "%s/uplinks: %m", instance->state) : 0;
}

/* The host's default routes, all of them. */
static int defaults(struct uplink_set *ret, struct shunt_error *error)
{
	int n = route_defaults(ret->ifindex, ELEMENTSOF(ret->ifindex));

	if (n < 0)
		return shunt_fail(error, n, "cannot read the default routes: %s", strerror(-n));
	ret->n = (size_t)n;
	return 0;
}

static int add_way_out(struct shunt_instance *instance, uint32_t ifindex, struct uplink_set *set)
{
	uint32_t found[SHUNT_MAX_UPLINKS];
	int n = route_way_out(instance->host, ifindex, found, ELEMENTSOF(found));

	for (int i = 0; i < n; i++)
		add(set, found[i]);
	return n;
}

/*
 * The same by look-ups alone, which cost as much with one endpoint as with thousands: what the kernel would choose now, and
 * of the uplinks that are attached those that still carry a default route. Return: 1, or 0 where that cannot tell all: the
 * choice is none of those uplinks.
 */
static int known_defaults(struct shunt_instance *instance, struct uplink_set *ret, struct shunt_error *error)
{
	struct uplink_set have, set = {};
	int r = attached(instance, &have, error);

	if (r < 0)
		return r;
	if (add_way_out(instance, 0, &set) < 0)
		return 0;
	for (size_t i = 0; i < set.n; i++)
		if (!has(&have, set.ifindex[i]))
			return 0;
	for (size_t i = 0; i < have.n; i++)
		if (!has(&set, have.ifindex[i]) && add_way_out(instance, have.ifindex[i], &set) < 0)
			return 0;
	*ret = set;
	return 1;
}

/* Adds those that should be attached for a network. Return: 0, or -ENODEV for one that does not exist */
static int wanted(const struct shunt_network *network, const struct uplink_set *defaults, struct uplink_set *set,
		  struct shunt_error *error)
{
	int r = 0;

	if (network->internal)
		return 0;
	for (size_t i = 0; network->uplinks_auto && i < defaults->n; i++)
		add(set, defaults->ifindex[i]);
	for (size_t i = 0; i < network->n_uplinks; i++) {
		unsigned ifindex = if_nametoindex(network->uplinks[i]);

		if (ifindex != 0)
			add(set, ifindex);
		else
			r = shunt_fail(error, -ENODEV, "network %s: uplink %s does not exist; correct \"uplinks\" in its "
				       "file, or bring the interface up", network->name, network->uplinks[i]);
	}
	return r;
}

/* Raises what one says of packets' size. Return: 1 if it was raised, 0, or an errno */
static int raise(struct shunt_instance *instance, struct link_state *uplink, const uint32_t *want, struct uplink_limits *limits,
		 struct shunt_error *error)
{
	int r = big_raise(instance, uplink, want, error);

	if (r > 0)
		snprintf(limits->notice, sizeof(limits->notice), "big_tcp: uplink %s takes%s packets of up to %u bytes now, for all who "
			 "send and receive by it", uplink->name, uplink->size[LINK_GSO] > LINK_SIZE_DEFAULT ? "" : " IPv4",
			 uplink->size[LINK_GSO4]);
	return r;
}

/*
 * Attaches one and lowers the limits to its own. @want: what it shall say of packets' size, or NULL. Return: 1 if it was not
 * attached before, or was raised, 0, or an errno
 */
static int ensure(struct shunt_instance *instance, uint32_t ifindex, bool egress, const uint32_t *want,
		  struct uplink_limits *limits, struct shunt_error *error)
{
	struct link_state uplink;
	int r = link_get(instance->host, NULL, ifindex, &uplink, error);

	if (r == -ENODEV)
		return 0;	/* gone since its route was read */
	if (r >= 0)
		r = datapath_attach_uplink(&instance->datapath, instance->state, &uplink, error);
	if (r >= 0 && egress) {
		int failed = datapath_attach_egress(instance->state, &uplink, error);

		r = failed < 0 ? failed : r;
	}
	if (r >= 0 && want) {
		int raised = raise(instance, &uplink, want, limits, error);

		r = raised != 0 ? raised : r;
	}
	if (r < 0)
		return r;
	if (limits->mtu == 0 || uplink.mtu < limits->mtu)
		limits->mtu = uplink.mtu;
	big_limit(limits->size, &uplink);
	return r;
}

/* Answers of its published ports leave by the stack as well. */
static bool needs_egress(const struct shunt_network *network)
{
	return network->routing == SHUNT_ROUTING_KERNEL && !network->internal;
}

int uplinks_ensure(struct shunt_instance *instance, const struct shunt_network *network, bool first,
		   struct uplink_limits *ret, struct shunt_error *error)
{
	struct uplink_set all = {}, set = {};
	struct uplink_limits limits = {};
	uint32_t want[LINK_SIZES];
	int r = 0;

	if (network->uplinks_auto && !network->internal) {
		if (!first)
			r = known_defaults(instance, &all, error);
		if (r == 0)
			r = defaults(&all, error);
	}
	if (r >= 0)
		r = wanted(network, &all, &set, error);
	big_sizes(network, want);
	memcpy(limits.size, want, sizeof(want));
	for (size_t i = 0; i < set.n && r >= 0; i++)
		r = ensure(instance, set.ifindex[i], needs_egress(network), want, &limits, error);
	if (r < 0)
		return r;
	if (limits.mtu == 0)
		limits.mtu = DEFAULT_MTU;
	if (first && network->big_tcp && limits.size[LINK_GSO] <= LINK_SIZE_DEFAULT && limits.size[LINK_GSO4] <= LINK_SIZE_DEFAULT)
		snprintf(limits.notice, sizeof(limits.notice), "big_tcp changes nothing: an uplink of network %s takes %u bytes at most",
			 network->name, limits.size[LINK_GSO]);
	*ret = limits;
	return 0;
}

static int leave(struct shunt_instance *instance, uint32_t ifindex, struct shunt_error *error)
{
	_expedited_(instance->state);
	int r = big_restore(instance, ifindex, error);

	if (r < 0)
		return r;
	datapath_forget_uplink(&instance->datapath, ifindex);
	return datapath_detach_uplink(instance->state, ifindex, error);
}

/* Adds those that are to take larger packets, and how large at most. */
static void want_big(const struct shunt_network *network, const struct uplink_set *defaults, struct uplink_set *set,
		     uint32_t *sizes)
{
	uint32_t own[LINK_SIZES];

	(void)wanted(network, defaults, set, NULL);
	big_sizes(network, own);
	for (size_t i = 0; i < LINK_SIZES; i++)
		if (own[i] > sizes[i])
			sizes[i] = own[i];
}

int uplinks_refresh(struct shunt_instance *instance, const struct shunt_network *networks, size_t n_networks,
		    bool complete, struct shunt_error *error)
{
	struct uplink_set all = {}, have = {}, want = {}, big = {};
	struct uplink_limits limits = {};
	uint32_t sizes[LINK_SIZES] = {};
	bool egress = false;
	int changed = 0;
	int r = defaults(&all, error);

	if (r >= 0)
		r = attached(instance, &have, error);
	for (size_t i = 0; i < n_networks && r >= 0; i++) {
		egress |= needs_egress(&networks[i]);
		if (wanted(&networks[i], &all, &want, NULL) < 0 || (networks[i].uplinks_auto && all.n == 0))
			complete = false;
		if (networks[i].big_tcp)
			want_big(&networks[i], &all, &big, sizes);
	}
	for (size_t i = 0; i < have.n && r >= 0; i++) {
		if (has(&want, have.ifindex[i]))
			continue;
		if (!complete && datapath_uplink_alive(instance->state, have.ifindex[i], NULL) != 0)
			continue;
		r = leave(instance, have.ifindex[i], error);
		changed++;
	}
	for (size_t i = 0; i < want.n && r >= 0; i++) {
		r = ensure(instance, want.ifindex[i], egress, has(&big, want.ifindex[i]) ? sizes : NULL, &limits, error);
		changed += r > 0;
	}
	return r < 0 ? r : changed;
}

int uplinks_release(struct shunt_instance *instance, struct shunt_error *error)
{
	struct uplink_set set;
	int r = attached(instance, &set, error);

	for (size_t i = 0; i < set.n && r >= 0; i++)
		r = leave(instance, set.ifindex[i], error);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * endpoint.c - the life of an endpoint, from a request to ready.
 *
 * Theory of operation
 *
 * An endpoint is one interface in one container, named by the container's ID and the interface's name. It consists of,
 * in the order in which they are made:
 *
 *	0. an entry in the map "unfinished": whoever finds it under a free lock knows that its maker was killed
 *	1. the directory endpoints/HOST and its lock, HOST being a hash of the endpoint's name
 *	2. a record in the map "registry", pending
 *	3. the shared things: the uplinks' links and the network's record, if it is the first to need them
 *	4. addresses: an entry each in addresses4/addresses6, which lead nowhere yet
 *	5. a pair of devices, both ends down
 *	6. what the datapath knows of the host end: an entry in "interfaces"
 *	7. the programs' links on the pair, pinned in the directory
 *	8. ports of the host that it publishes (publish.c); addresses and routes on both sides, and both ends up
 *	9. the addresses' entries, which now lead to the host end
 *	10. the record, ready; and the entry of step 0 goes
 *
 * and is taken back in the order: 0 again, 10 (pending), its ports, 9 (packets to it stop), 5 (which takes 8 and the attachments of 7
 * with it; packets from it stop), 7, 6, the host's own sockets that speak to it (sever.c), 4, 2, 1, 0, and 3 with the last endpoint. An
 * address is free again only after the device that may send from it is gone, and whoever of the host spoke to it has been told;
 * and the record is there for as long as anything else is.
 *
 * Invariants
 *
 *	I1. Fail closed. The container's end can send nothing before step 8: netkit's peer has policy blackhole and no
 *	    end is up before its programs are attached; a program drops what comes from a device without an entry. Whoever
 *	    takes a program away later shuts the container off: netkit's policy sees to it, and on veth shut.h.
 *	I3. Intent first. Whatever exists of an endpoint can be found from its record: the device's name is HOST, its index
 *	    follows as soon as it is known, and a candidate address is written to the record before it is claimed. What
 *	    comes before the record can be told from its name. So a SIGKILL at any instruction leaves something that the
 *	    next verb takes back, whomever it is for: each that changes anything looks at "unfinished", which is mostly empty.
 *	I4. Teardown is by ID alone: from the record, which needs nothing of the container.
 *	I5. One address, one owner: BPF_NOEXIST decides, and the entry names the owner.
 *
 * Who may touch it: all of this happens under the lock of endpoints/HOST. A pending record under a free lock therefore
 * belongs to nobody: its maker was killed. Whoever gets the lock looks at the record again.
 *
 * What it costs does not depend on how many endpoints there are. The host's routes, of which each endpoint has its own, are
 * read for a network's first endpoint; later ones look up where a default route leads now (uplinks_ensure()). One that moved
 * while containers run is so followed by the next attach, and by gc; one that came beside it, by gc. Only on a host that
 * heard router's advertisements the kernel filters its IPv6 routes for each (attachment_configure_host()). What remains is the
 * kernel's: it goes through all IPv6 routes when a host end gets carrier (rt6_sync_up()).
 *
 * The same name attached again replaces what is there: runtimes run createRuntime twice with no poststop in between. The
 * old device goes first; its addresses stay claimed, so that the container keeps them. Of another container with that ID
 * nothing is taken while it lives: owner.c.
 */
#include "endpoint.h"

#include <sys/stat.h>
#include <time.h>

#include "address.h"
#include "attachment.h"
#include "forward.h"
#include "ipam.h"
#include "names.h"
#include "netns.h"
#include "network.h"
#include "owner.h"
#include "publish.h"
#include "request.h"
#include "route.h"

static const int families[] = { AF_INET, AF_INET6 };

int endpoint_check_netns(int fd, struct shunt_endpoint *endpoint, struct shunt_error *error)
{
	struct stat theirs, ours;
	int r = netns_is(fd);

	if (r == 0)
		return shunt_fail(error, -EINVAL, "what was given is no network namespace");
	if (r < 0)
		return shunt_fail(error, r, "cannot look at a network namespace: %s", strerror(-r));
	if (fstat(fd, &theirs) < 0 || stat("/proc/thread-self/ns/net", &ours) < 0)
		return shunt_fail(error, -errno, "cannot look at a network namespace: %m");
	if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev)
		return shunt_fail(error, -EINVAL, "the container is in the host's network namespace; start it with one of its own");
	endpoint->netns_dev = theirs.st_dev;
	endpoint->netns_ino = theirs.st_ino;
	return 0;
}

static uint32_t network_flags(const struct shunt_network *network)
{
	const uint32_t masquerade = network_masquerades(network) ?
				    SHUNT_F_MASQUERADE4 | (prefix_is_ula(&network->subnet6) ? SHUNT_F_MASQUERADE6 : 0) : 0;

	return masquerade | (masquerade && network->rules[SHUNT_RULES_EXCEPT].n > 0 ? SHUNT_F_EXCEPT : 0) |
	       (network->rules[SHUNT_RULES_OUT].given ? SHUNT_F_ALLOW_OUT : 0) |
	       (network->rules[SHUNT_RULES_IN].given ? SHUNT_F_ALLOW_IN : 0) |
	       (network->isolate ? SHUNT_F_ISOLATE : 0) | (network->internal ? SHUNT_F_INTERNAL : 0) |
	       (network->routing == SHUNT_ROUTING_KERNEL ? SHUNT_F_KERNEL : 0);
}

void endpoint_mac(const char *id, const char *interface, uint8_t ret[static 6])
{
	uint64_t hash = name_hash(id, interface);

	ret[0] = 0x02;	/* locally administered */
	memcpy(ret + 1, &hash, 5);
}

/* Everything that can be refused before anything is made. */
static int prepare(struct attachment *a, struct shunt_error *error)
{
	const struct shunt_request *request = a->request;
	struct timespec now;
	int r = request_check(request, &a->network, error);

	if (r >= 0 && !a->handover)
		r = endpoint_check_netns(request->netns_fd, &a->endpoint, error);
	if (r < 0)
		return r;
	copy_name(a->interface, sizeof(a->interface), request->interface ?: SHUNT_DEFAULT_INTERFACE);
	registry_key(request->id, a->interface, &a->key);
	host_name(request->id, a->interface, a->endpoint.host);
	memcpy(a->endpoint.network, a->network.name, sizeof(a->endpoint.network));
	clock_gettime(CLOCK_REALTIME, &now);
	a->endpoint.created = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	a->endpoint.state = SHUNT_PENDING;
	a->endpoint.mode = request->mode ?: a->network.mode;
	a->endpoint.flags = network_flags(&a->network) | (request->n_publish ? SHUNT_F_PUBLISHED : 0);
	owner_record(&a->endpoint, request->pid);

	endpoint_mac(request->id, a->interface, a->mac);

	r = ipv6_available();
	if (r < 0)
		return shunt_fail(error, r, "cannot tell whether this host has IPv6: %s", strerror(-r));
	if (r == 0)
		a->network.subnet6.family = 0;
	if (a->network.subnet4.family == 0 && a->network.subnet6.family == 0)
		return shunt_fail(error, -EAFNOSUPPORT, "network %s has only an IPv6 subnet, and this host was booted without IPv6",
				  a->network.name);
	return 0;
}

/* A predecessor of the same name goes but for its addresses, which we take over. */
static int replace(struct attachment *a, const struct shunt_endpoint *old, struct shunt_error *error)
{
	int r = owner_check(a->request->id, old, &a->endpoint, error);

	if (r >= 0)
		r = endpoint_teardown(a->instance, &a->key, old, true, error);
	for (size_t i = 0; i < ELEMENTSOF(families) && r >= 0; i++) {
		struct shunt_prefix address;

		if (!endpoint_address(old, families[i], &address))
			continue;
		/* What its maker was killed about to claim may have become another's. */
		r = address_is_of(&a->instance->datapath, &address, a->endpoint.host);
		if (r > 0)
			endpoint_set_address(&a->endpoint, &address);
		else if (r < 0)
			shunt_fail(error, r, "cannot look an address up: %s", strerror(-r));
	}
	return r;
}

/*
 * The directory was there, but no record of our name: it is another's whose name has the same hash, which can be sought
 * for, or it is what is left of a registry that somebody removed.
 */
static int take_directory(struct attachment *a, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *list = NULL;
	size_t n;
	int r = registry_list(&a->instance->datapath, NULL, &list, &n);

	if (r < 0)
		return registry_fail(r, error);
	for (size_t i = 0; i < n; i++)
		if (strncmp(list[i].endpoint.host, a->endpoint.host, sizeof(a->endpoint.host)) == 0)
			return shunt_fail(error, -EEXIST, "its host end would be %s, which is that of %.128s (its %s): their hashes are "
					  "alike; choose another ID", a->endpoint.host, list[i].key.id, list[i].key.interface);
	return datapath_detach_now(a->instance->state, a->endpoint.host, error);
}

/* Step 0 */
static int intend(struct attachment *a, struct shunt_error *error)
{
	int r = unfinished_put(&a->instance->datapath, &a->key);

	return r < 0 ? shunt_fail(error, r, "cannot write the map of what is unfinished: %s", strerror(-r)) : 0;
}

/*
 * Steps 1 and 2, the directory being locked: writes the record that begins our life. Failed, it has written none. Until we
 * had the lock, another's look at what is unfinished may have taken us for dead: so step 0 once more.
 */
static int begin(struct attachment *a, bool existed, struct shunt_error *error)
{
	struct shunt_endpoint old;
	int r = intend(a, error);

	if (r < 0)
		return r;
	r = registry_get(&a->instance->datapath, &a->key, &old);
	if (r == 0)
		r = replace(a, &old, error);
	else if (r == -ENOENT)
		r = existed ? take_directory(a, error) : 0;
	else
		registry_fail(r, error);
	if (r < 0)
		return r;
	r = registry_put(&a->instance->datapath, &a->key, &a->endpoint);
	if (r == -E2BIG)
		return shunt_fail(error, r, "%d endpoints are attached, which is the most that there can be; run 'shunt gc'",
				  SHUNT_MAX_ENDPOINTS);
	return r < 0 ? shunt_fail(error, r, "cannot write the registry: %s", strerror(-r)) : 0;
}

static int choose_mtu(struct attachment *a, struct shunt_error *error)
{
	a->endpoint.mtu = a->request->mtu ?: a->network.mtu ?: a->limits.mtu;
	if (a->endpoint.mtu < NETWORK_MTU_MIN6 && a->network.subnet6.family)
		return shunt_fail(error, -ERANGE, "network %s: an MTU of %u is too small for IPv6, which needs %d; ask for a larger "
				  "one, or take the IPv6 subnet out", a->network.name, a->endpoint.mtu, NETWORK_MTU_MIN6);
	return 0;
}

/* Step 3. The lock is held so shortly that nobody waits long for it. */
static int ensure_shared(struct attachment *a, struct shunt_error *error)
{
	_cleanup_close_ int lock = instance_lock(a->instance, "uplinks", error);
	int first, r;

	if (lock < 0)
		return lock;
	first = attachment_check_network(a, error);
	if (first < 0)
		return first;
	/* Before anybody else may have the lock, and look for rules that no record names. */
	r = a->endpoint.policy ? registry_put(&a->instance->datapath, &a->key, &a->endpoint) : 0;
	if (r < 0)
		return shunt_fail(error, r, "cannot write the registry: %s", strerror(-r));
	r = uplinks_ensure(a->instance, &a->network, first > 0, &a->limits, error);
	return r < 0 ? r : choose_mtu(a, error);
}

/* Step 4, one family: the address asked for; else the one that a predecessor had; else any. */
static int claim(struct attachment *a, int family, struct shunt_error *error)
{
	const struct shunt_prefix *subnet = network_subnet(&a->network, family);
	struct shunt_prefix wanted = {}, before;
	bool had = endpoint_address(&a->endpoint, family, &before);
	int r = 0;

	for (size_t i = 0; i < a->request->n_addresses; i++) {
		struct shunt_prefix address;

		r = network_address(&a->network, a->request->addresses[i], &address, error);
		if (r < 0)
			return r;
		if (address.family == family)
			wanted = address;
	}
	if (had && wanted.family == 0 && subnet->family && prefix_contains(subnet, &before))
		wanted = before;
	if (had && (wanted.family == 0 || memcmp(wanted.bytes, before.bytes, sizeof(before.bytes)) != 0)) {
		r = address_release(&a->instance->datapath, &before, a->endpoint.host);
		if (r < 0)
			return shunt_fail(error, r, "cannot release an address: %s", strerror(-r));
		endpoint_clear_address(&a->endpoint, family);
	}
	return subnet->family ? ipam_claim(a->instance, &a->key, &a->endpoint, subnet, &wanted, error) : 0;
}

static int claim_addresses(struct attachment *a, struct shunt_error *error)
{
	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		int r = claim(a, families[i], error);
		unsigned collected = 0;

		/* What holds it may be dead: look, and try once more. */
		if (r == -ENOSPC || r == -EADDRINUSE)
			(void)endpoint_collect(a->instance, &collected, NULL);
		if (collected > 0)
			r = claim(a, families[i], error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Steps 3 to 10, or to 8 for a handover; on failure the caller tears down what there is. */
static int build(struct attachment *a, struct shunt_error *error)
{
	int r = ensure_shared(a, error);

	if (r >= 0)
		r = claim_addresses(a, error);
	if (r >= 0 && !a->handover)
		r = netlink_open_at(a->request->netns_fd, &a->container, error);
	if (r >= 0)
		r = attachment_create_pair(a, error);
	if (r >= 0)
		r = attachment_describe_interface(a, error);
	if (r >= 0)
		r = attachment_attach_programs(a, error);
	if (r >= 0)
		r = publish_request(a->instance, &a->endpoint, a->request, error);
	if (r >= 0)
		r = attachment_configure_host(a, error);
	return r < 0 ? r : attachment_finish(a, error);
}

static int attach(struct attachment *a, struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_close_ int lock = -EBADF;
	int r = prepare(a, error);
	struct shunt_endpoint old;
	bool existed;

	if (r < 0)
		return r;
	r = intend(a, error);
	if (r < 0)
		return r;
	lock = instance_lock_endpoint(a->instance, a->endpoint.host, true, &existed, error);
	if (lock < 0)
		return lock;
	r = begin(a, existed, error);
	if (r < 0) {
		if (registry_get(&a->instance->datapath, &a->key, &old) == -ENOENT)
			(void)endpoint_remove_traces(a->instance, &a->key, a->endpoint.host, NULL);
		return r;
	}
	r = build(a, error);
	netlink_close(a->container);
	if (r < 0) {
		/* The cause is what the caller hears; what cannot be taken back now stays unfinished. */
		(void)endpoint_teardown(a->instance, &a->key, &a->endpoint, false, NULL);
		return r;
	}
	/* Where this fails, the next who looks finds it ready, and it goes then. */
	(void)unfinished_delete(&a->instance->datapath, &a->key);
	attachment_describe(a, ret);
	return 0;
}

/* With the lock free again, and behind our own work: a predecessor of the same name was replaced, and kept its addresses. */
static int attach_and_collect(struct attachment *a, struct shunt_info *ret, struct shunt_error *error)
{
	int r = attach(a, ret, error);

	(void)endpoint_collect_unfinished(a->instance, NULL);
	if (r < 0)
		(void)endpoint_release_shared(a->instance, NULL);
	else
		endpoint_collect_beside(a->instance, &a->key);
	return r;
}

int shunt_attach(struct shunt_instance *instance, const struct shunt_request *request, struct shunt_info *ret,
		 struct shunt_error *error)
{
	struct attachment a = { .instance = instance, .request = request };

	return attach_and_collect(&a, ret, error);
}

int shunt_prepare(struct shunt_instance *instance, const struct shunt_request *request, struct shunt_info *ret,
		  struct shunt_error *error)
{
	struct attachment a = { .instance = instance, .request = request, .handover = true };

	return attach_and_collect(&a, ret, error);
}

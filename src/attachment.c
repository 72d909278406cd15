/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "attachment.h"

#include "address.h"
#include "expedite.h"
#include "forward.h"
#include "ipam.h"
#include "registry.h"
#include "route.h"
#include "shut.h"

static const int families[] = { AF_INET, AF_INET6 };

/* Makes the pair with one driver, over a host end that a lost registry left behind. */
static int create_with(struct attachment *a, enum shunt_driver driver, struct shunt_error *error)
{
	char parked[SHUNT_IFNAME_MAX];
	struct link_spec spec = {
		.host = a->endpoint.host,
		.interface = a->handover ? parked : a->interface,
		.netns_fd = a->handover ? -1 : a->request->netns_fd,
		.mtu = a->endpoint.mtu,
		.mode = a->endpoint.mode,
		.mac = { a->mac[0], a->mac[1], a->mac[2], a->mac[3], a->mac[4], a->mac[5] },
	};
	struct link_state link;
	uint32_t ifindex;
	int r;

	memcpy(spec.size, a->limits.size, sizeof(spec.size));
	shunt_parked_name(a->request->id, a->interface, parked);
	a->driver = link_driver(driver);
	a->endpoint.driver = driver;
	r = a->driver->create(a->instance->host, &spec, error);
	if (r == -EEXIST && endpoint_find_host(a->instance, &a->key, &a->endpoint, &ifindex, NULL) > 0) {
		r = link_delete(a->instance->host, ifindex, error);
		if (r >= 0)
			r = a->driver->create(a->instance->host, &spec, error);
	}
	if (r == -EEXIST && link_get(a->instance->host, a->endpoint.host, 0, &link, NULL) == 0)
		return shunt_fail(error, r, "host end %s exists and is not ours: another --state in this network namespace has that "
				  "ID; detach it there", a->endpoint.host);
	if (r == -EEXIST)
		return shunt_fail(error, r, "interface %s exists in the container already; name another with --interface "
				  "(annotation shunt.interface)", a->interface);
	return r;
}

/* Step 5 */
int attachment_create_pair(struct attachment *a, struct shunt_error *error)
{
	char parked[SHUNT_IFNAME_MAX];
	struct shunt_error words;
	int r = -EOPNOTSUPP;

	if (!a->handover)
		link_number_netns(a->instance->host, a->request->netns_fd);
	if (a->request->driver != SHUNT_DRIVER_VETH)
		r = create_with(a, SHUNT_DRIVER_NETKIT, &words);
	if (r == -EOPNOTSUPP && a->request->driver == SHUNT_DRIVER_NETKIT)
		return shunt_fail(error, r, "cannot create a netkit pair: %s; a kernel without CONFIG_NETKIT takes --driver veth",
				  words.text);
	if (r == -EOPNOTSUPP)
		r = create_with(a, SHUNT_DRIVER_VETH, &words);
	if (r == -EEXIST)
		return shunt_fail(error, r, "%s", words.text);
	if (r < 0)
		return shunt_fail(error, r, "cannot create %s with peer %s: %s", a->endpoint.host, a->interface, words.text);

	if (a->endpoint.driver == SHUNT_DRIVER_VETH || a->endpoint.mode == SHUNT_MODE_L2)
		a->endpoint.flags |= SHUNT_F_ETHERNET;
	if (a->driver->across && !(a->endpoint.flags & SHUNT_F_KERNEL) && datapath_has(a->instance->state, PROGRAM_ACROSS))
		a->endpoint.flags |= SHUNT_F_ACROSS;
	r = netlink_ifindex(a->instance->host, a->endpoint.host, &a->endpoint.ifindex);
	if (r < 0)
		return shunt_fail(error, r, "%s was made, but cannot be looked at: %s", a->endpoint.host, strerror(-r));
	r = registry_put(&a->instance->datapath, &a->key, &a->endpoint);
	if (r < 0)
		return shunt_fail(error, r, "cannot write the registry: %s", strerror(-r));
	r = a->driver->gate ? shut_device(a->instance->host, a->endpoint.ifindex, &words) : 0;
	if (r < 0)
		return shunt_fail(error, r, "%s was made, but cannot be shut: %s", a->endpoint.host, words.text);
	if (r > 0)
		a->endpoint.flags |= SHUNT_F_SHUT;
	shunt_parked_name(a->request->id, a->interface, parked);
	r = a->handover ? netlink_ifindex(a->instance->host, parked, &a->peer)
			: netlink_ifindex(a->container, a->interface, &a->peer);
	return r < 0 ? shunt_fail(error, r, "%s, the container's end, was made, but cannot be looked at: %s", a->interface, strerror(-r)) : 0;
}

static void fill_family(struct shunt_interface *interface, const struct shunt_prefix *subnet)
{
	struct shunt_prefix gateway;
	uint8_t mask[16];

	prefix_host(subnet, 1, &gateway);
	prefix_netmask(subnet->length, mask);
	if (subnet->family == AF_INET) {
		memcpy(&interface->subnet4, subnet->bytes, 4);
		memcpy(&interface->netmask4, mask, 4);
		memcpy(&interface->gateway4, gateway.bytes, 4);
	} else {
		memcpy(interface->subnet6, subnet->bytes, 16);
		memcpy(interface->netmask6, mask, 16);
		memcpy(interface->gateway6, gateway.bytes, 16);
	}
}

/* Step 6 */
int attachment_describe_interface(struct attachment *a, struct shunt_error *error)
{
	struct shunt_interface interface = {
		.flags = a->endpoint.flags, .mtu = a->endpoint.mtu, .port_low = a->ports.low, .port_high = a->ports.high,
		.policy = a->endpoint.policy,
	};
	int r;

	/* No subnet: nothing is in it. */
	memset(&interface.netmask4, 0xff, sizeof(interface.netmask4));
	memset(interface.netmask6, 0xff, sizeof(interface.netmask6));
	for (size_t i = 0; i < ELEMENTSOF(families); i++)
		if (network_subnet(&a->network, families[i])->family)
			fill_family(&interface, network_subnet(&a->network, families[i]));
	interface.address4 = a->endpoint.address4;
	memcpy(interface.address6, a->endpoint.address6, sizeof(interface.address6));
	memcpy(interface.network, a->endpoint.network, sizeof(interface.network));
	r = interface_put(&a->instance->datapath, a->endpoint.ifindex, &interface);
	return r < 0 ? shunt_fail(error, r, "cannot write the interface's entry: %s", strerror(-r)) : 0;
}

/* Step 8, inside: loopback up, as every container expects; then the interface, its addresses, and the ways out. */
static int configure_container(struct attachment *a, struct shunt_error *error)
{
	struct netlink_batch batch = {};
	struct shunt_error words;
	int r;

	netlink_batch_add(&batch, "lo", 0, link_msg_up(1));
	netlink_batch_add(&batch, a->interface, EAFNOSUPPORT, link_msg_no_link_local(a->peer));
	if (a->endpoint.driver == SHUNT_DRIVER_NETKIT && a->endpoint.mode == SHUNT_MODE_L2)
		netlink_batch_add(&batch, a->interface, 0, link_msg_no_arp(a->peer));
	netlink_batch_add(&batch, a->interface, 0, link_msg_up(a->peer));
	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		struct shunt_prefix way_out = { .family = families[i] }, address;

		if (!endpoint_address(&a->endpoint, families[i], &address))
			continue;
		/* A machine that was told its address has perhaps set it before us. */
		netlink_batch_add(&batch, families[i] == AF_INET ? "IPv4 address" : "IPv6 address", EEXIST,
				  link_msg_address(a->peer, &address));
		if (families[i] == AF_INET6)
			netlink_batch_add(&batch, "local route", EEXIST, route_msg_local6(&address, a->peer));
		netlink_batch_add(&batch, "subnet route", EEXIST, route_msg(network_subnet(&a->network, families[i]), a->peer));
		/* There may be one: the container's first interface keeps it. */
		netlink_batch_add(&batch, "default route", EEXIST, route_msg(&way_out, a->peer));
	}
	r = netlink_batch_send(a->container, &batch, &words);
	if (r == -EACCES)	/* which rtnetlink says of disable_ipv6 alone */
		return shunt_fail(error, r, "in the container: %s; let it have IPv6 (net.ipv6.conf.default.disable_ipv6 = 0), or "
				  "use a network without an IPv6 subnet", words.text);
	return r < 0 ? shunt_fail(error, r, "in the container: %s", words.text) : 0;
}

int attachment_attach_programs(struct attachment *a, struct shunt_error *error)
{
	_expedited_(a->instance->state);
	int r = datapath_attach(a->instance->state, &a->endpoint, error);

	if (r < 0 || !a->driver->gate)
		return r;
	return datapath_attach_gate(a->instance->state, a->endpoint.host, a->handover ? -1 : a->request->netns_fd, a->peer, error);
}

/* A route to the same address is somebody else's: ours go with their device. */
static int add_route(struct attachment *a, int family, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = NULL;
	struct shunt_prefix address;
	struct shunt_error words;
	char text[PREFIX_TEXT_MAX];
	int r;

	if (!endpoint_address(&a->endpoint, family, &address))
		return 0;
	msg = route_msg(&address, a->endpoint.ifindex);
	r = netlink_call(a->instance->host, msg, NULL, NULL, &words);
	return r < 0 ? shunt_fail(error, r, "route to %s on %s: %s%s", prefix_format(&address, text), a->endpoint.host, words.text,
				  r == -EEXIST ? "; 'ip route show table all' has what is in its way" : "") : 0;
}

/* Without harm to default routes that the host learnt from a router: see forward6_enable(). */
static int enable_forwarding6(struct attachment *a, struct shunt_error *error)
{
	_cleanup_close_ int lock = -EBADF;
	uint32_t learnt[SHUNT_MAX_UPLINKS];
	int n = 0;

	/* Inherited from a host that forwards anyway. */
	if (forward_enabled(a->endpoint.host, AF_INET6) == 1)
		return 0;
	lock = instance_lock(a->instance, "uplinks", error);
	if (lock < 0)
		return lock;
	/* Finding them takes longer the more endpoints there are; most hosts have none. */
	if (route_advertised())
		n = route_learnt(learnt, ELEMENTSOF(learnt));
	if (n < 0)
		return shunt_fail(error, n, "cannot read the default routes: %s", strerror(-n));
	return forward6_enable(a->endpoint.host, learnt, (size_t)n, error);
}

/* Step 8, outside */
int attachment_configure_host(struct attachment *a, struct shunt_error *error)
{
	struct netlink_batch batch = {};
	char alias[SHUNT_ID_MAX + 1] = "";
	int r;

	memcpy(alias, a->key.id, SHUNT_ID_MAX);
	netlink_batch_add(&batch, a->endpoint.host, 0, link_msg_host_setup(a->endpoint.ifindex, alias));
	netlink_batch_add(&batch, a->endpoint.host, EAFNOSUPPORT, link_msg_no_link_local(a->endpoint.ifindex));
	netlink_batch_add(&batch, a->endpoint.host, 0, link_msg_up(a->endpoint.ifindex));
	r = netlink_batch_send(a->instance->host, &batch, error);
	for (size_t i = 0; i < ELEMENTSOF(families) && r >= 0; i++)
		r = add_route(a, families[i], error);
	if (r < 0 || !(a->endpoint.flags & SHUNT_F_ADDRESS6))
		return r;
	return enable_forwarding6(a, error);
}

/* Step 9: from here on packets reach it. */
static int publish(struct attachment *a, struct shunt_error *error)
{
	struct shunt_address value = {
		.ifindex = a->endpoint.ifindex, .flags = a->endpoint.flags, .mtu = a->endpoint.mtu,
	};

	if (a->endpoint.flags & SHUNT_F_ETHERNET)
		memcpy(value.mac, a->mac, sizeof(value.mac));
	memcpy(value.network, a->endpoint.network, sizeof(value.network));
	memcpy(value.owner, a->endpoint.host, sizeof(value.owner));
	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		struct shunt_prefix address;
		int r = 0;

		if (endpoint_address(&a->endpoint, families[i], &address))
			r = address_publish(&a->instance->datapath, &address, &value);
		if (r < 0)
			return shunt_fail(error, r, "cannot publish an address: %s", strerror(-r));
	}
	return 0;
}

/*
 * The host end came up before its peer, so it has no carrier until the kernel's link watch has run, and drops what is sent
 * by it until then. Whoever asks for a device makes it run for that device now (rtnl_getlink(), since 6.8).
 */
static int await_carrier(struct attachment *a, struct shunt_error *error)
{
	struct link_state host;

	return link_get(a->instance->host, NULL, a->endpoint.ifindex, &host, error);
}

/* It has come with carrier, unless the device has no IPv6, or the host. */
static int drop_multicast_route(struct attachment *a, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = route_msg_no_multicast6(a->endpoint.ifindex);
	struct shunt_error words;
	int r = netlink_call(a->instance->host, msg, NULL, NULL, &words);

	if (r >= 0 || r == -ESRCH || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0;
	return shunt_fail(error, r, "route ff00::/8 on %s: %s", a->endpoint.host, words.text);
}

int attachment_finish(struct attachment *a, struct shunt_error *error)
{
	int r = 0;

	if (!a->handover) {
		r = configure_container(a, error);
		if (r >= 0)
			r = await_carrier(a, error);
		if (r >= 0)
			r = drop_multicast_route(a, error);
		if (r >= 0)
			r = publish(a, error);
	}
	if (r < 0)
		return r;
	a->endpoint.state = a->handover ? SHUNT_PREPARED : SHUNT_READY;
	r = registry_put(&a->instance->datapath, &a->key, &a->endpoint);
	return r < 0 ? shunt_fail(error, r, "cannot write the registry: %s", strerror(-r)) : 0;
}

void attachment_describe(const struct attachment *a, struct shunt_info *ret)
{
	*ret = (struct shunt_info) {
		.status = a->handover ? SHUNT_STATUS_PENDING : SHUNT_STATUS_READY,
		.endpoint = a->endpoint,
		.traffic.known = true,	/* none yet */
	};
	memcpy(ret->id, a->key.id, SHUNT_ID_MAX);
	memcpy(ret->interface, a->interface, sizeof(ret->interface));
	memcpy(ret->notice, a->limits.notice, sizeof(ret->notice));
}

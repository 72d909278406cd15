/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if.h>
#include <linux/ip.h>
#include <linux/net_namespace.h>
#include <linux/veth.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

#define QUEUE_LENGTH 1000	/* packets; what a plain Ethernet device has */

static struct nl_msg *link_msg(int type, int flags, const struct ifinfomsg *info)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)info, sizeof(*info), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Ends a message: itself, or NULL if any put before it failed. */
static struct nl_msg *finish(struct nl_msg *msg, int puts)
{
	if (puts >= 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static const int size_attributes[LINK_SIZES] = {
	[LINK_GSO] = IFLA_GSO_MAX_SIZE, [LINK_GSO4] = IFLA_GSO_IPV4_MAX_SIZE,
	[LINK_GRO] = IFLA_GRO_MAX_SIZE, [LINK_GRO4] = IFLA_GRO_IPV4_MAX_SIZE,
};

/* All of them, since some are written by others. The kernel reads them in an order of its own, IPv6's first. */
static int put_sizes(struct nl_msg *msg, const uint32_t size[static LINK_SIZES])
{
	int r = 0;

	for (size_t i = 0; i < LINK_SIZES; i++)
		r |= nla_put_u32(msg, size_attributes[i], size[i]);
	return r;
}

/* What both ends have in common, at the top of the message or inside the peer's nest. */
static int put_end(struct nl_msg *msg, const char *name, const struct link_spec *spec, bool ethernet)
{
	int r = 0;

	r |= nla_put_string(msg, IFLA_IFNAME, name);
	r |= nla_put_u32(msg, IFLA_MTU, spec->mtu);
	r |= nla_put_u32(msg, IFLA_TXQLEN, QUEUE_LENGTH);
	if (spec->size[LINK_GSO])
		r |= put_sizes(msg, spec->size);
	if (ethernet)
		r |= nla_put(msg, IFLA_ADDRESS, sizeof(spec->mac), spec->mac);
	return r;
}

/* The nest that describes the container's end: struct ifinfomsg, then attributes. */
static int put_peer(struct nl_msg *msg, int attribute, const struct ifinfomsg *info, const struct link_spec *spec,
		    bool ethernet)
{
	struct nlattr *peer = nla_nest_start(msg, attribute);
	int r = 0;

	if (!peer)
		return -1;
	r |= nlmsg_append(msg, (void *)info, sizeof(*info), NLMSG_ALIGNTO);
	r |= put_end(msg, spec->interface, spec, ethernet);
	if (spec->netns_fd >= 0)
		r |= nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)spec->netns_fd);
	nla_nest_end(msg, peer);
	return r;
}

void link_number_netns(struct netlink *host, int netns_fd)
{
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWNSID, 0);
	const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	struct timespec now;
	int32_t age;	/* of the host, in milliseconds; after 24 days from 0 again */

	clock_gettime(CLOCK_BOOTTIME, &now);
	age = (int32_t)(((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000) & INT32_MAX);
	if (msg && nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) >= 0 &&
	    nla_put_s32(msg, NETNSA_NSID, INT32_MAX - age) >= 0 && nla_put_u32(msg, NETNSA_FD, (uint32_t)netns_fd) >= 0)
		(void)netlink_call(host, msg, NULL, NULL, NULL);
}

static int netkit_create(struct netlink *host, const struct link_spec *spec, struct shunt_error *error)
{
	const bool ethernet = spec->mode == SHUNT_MODE_L2;
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	_cleanup_nlmsg_ struct nl_msg *msg = NULL;
	struct nlattr *linkinfo, *data;
	int r = 0;

	if (ethernet)
		info.ifi_flags = info.ifi_change = IFF_NOARP;

	msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info);
	if (!msg)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	r |= put_end(msg, spec->host, spec, ethernet);
	linkinfo = nla_nest_start(msg, IFLA_LINKINFO);
		r |= nla_put_string(msg, IFLA_INFO_KIND, "netkit");
		data = nla_nest_start(msg, IFLA_INFO_DATA);
			r |= nla_put_u32(msg, IFLA_NETKIT_MODE, ethernet ? NETKIT_L2 : NETKIT_L3);
			r |= nla_put_u32(msg, IFLA_NETKIT_POLICY, NETKIT_PASS);
			r |= nla_put_u32(msg, IFLA_NETKIT_PEER_POLICY, NETKIT_DROP);
			r |= put_peer(msg, IFLA_NETKIT_PEER_INFO, &info, spec, ethernet);
		nla_nest_end(msg, data);
	nla_nest_end(msg, linkinfo);
	if (r < 0)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	return netlink_call(host, msg, NULL, NULL, error);
}

static int veth_create(struct netlink *host, const struct link_spec *spec, struct shunt_error *error)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_flags = IFF_NOARP, .ifi_change = IFF_NOARP };
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info);
	struct nlattr *linkinfo, *data;
	int r = 0;

	if (!msg)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	r |= put_end(msg, spec->host, spec, true);
	linkinfo = nla_nest_start(msg, IFLA_LINKINFO);
		r |= nla_put_string(msg, IFLA_INFO_KIND, "veth");
		data = nla_nest_start(msg, IFLA_INFO_DATA);
			r |= put_peer(msg, VETH_INFO_PEER, &info, spec, true);
		nla_nest_end(msg, data);
	nla_nest_end(msg, linkinfo);
	if (r < 0)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	return netlink_call(host, msg, NULL, NULL, error);
}

static const struct link_driver drivers[] = {
	{ SHUNT_DRIVER_NETKIT, netkit_create, BPF_NETKIT_PEER, BPF_NETKIT_PRIMARY, false, true },
	{ SHUNT_DRIVER_VETH, veth_create, BPF_TCX_INGRESS, BPF_TCX_EGRESS, true, false },
};

const struct link_driver *link_driver(enum shunt_driver driver)
{
	for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
		if (drivers[i].driver == driver)
			return &drivers[i];
	return NULL;
}

static void copy_string(char *field, size_t size, const struct nlattr *attribute)
{
	field[0] = '\0';
	if (attribute)
		nla_strlcpy(field, attribute, size);
}

static int read_link(const struct nlmsghdr *reply, void *arg)
{
	const struct ifinfomsg *info = NLMSG_DATA(reply);
	struct nlattr *attribute[IFLA_MAX + 1];
	struct link_state *state = arg;

	if (reply->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse((struct nlmsghdr *)reply, sizeof(*info), attribute, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	state->ifindex = (uint32_t)info->ifi_index;
	state->other = attribute[IFLA_LINK] ? nla_get_u32(attribute[IFLA_LINK]) : 0;
	state->other_netns = attribute[IFLA_LINK_NETNSID] ? nla_get_s32(attribute[IFLA_LINK_NETNSID]) : -1;
	state->up = info->ifi_flags & IFF_UP;
	state->ethernet = info->ifi_type == ARPHRD_ETHER;
	state->mtu = attribute[IFLA_MTU] ? nla_get_u32(attribute[IFLA_MTU]) : 0;
	for (size_t i = 0; i < LINK_SIZES; i++)
		state->size[i] = attribute[size_attributes[i]] ? nla_get_u32(attribute[size_attributes[i]]) : LINK_SIZE_DEFAULT;
	state->size_max = attribute[IFLA_TSO_MAX_SIZE] ? nla_get_u32(attribute[IFLA_TSO_MAX_SIZE]) : LINK_SIZE_DEFAULT;
	copy_string(state->name, sizeof(state->name), attribute[IFLA_IFNAME]);
	copy_string(state->alias, sizeof(state->alias), attribute[IFLA_IFALIAS]);
	return 0;
}

int link_get(struct netlink *netlink, const char *name, uint32_t ifindex, struct link_state *ret,
	     struct shunt_error *error)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = name ? 0 : (int)ifindex };
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg(RTM_GETLINK, 0, &info);
	struct link_state state = {};
	int r;

	if (msg && name && nla_put_string(msg, IFLA_IFNAME, name) < 0)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	/* The counters would be most of the answer. */
	if (msg && nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	r = netlink_call(netlink, msg, read_link, &state, error);
	if (r < 0)
		return r;
	*ret = state;
	return 0;
}

struct each {
	int (*call)(const struct link_state *link, void *arg);
	void *arg;
};

static int read_each(const struct nlmsghdr *reply, void *arg)
{
	const struct each *each = arg;
	struct link_state link = {};
	int r = read_link(reply, &link);

	return r < 0 ? r : each->call(&link, each->arg);
}

int link_each(struct netlink *netlink, int (*each)(const struct link_state *link, void *arg), void *arg, struct shunt_error *error)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg(RTM_GETLINK, NLM_F_DUMP, &info);
	struct each both = { each, arg };
	int r;

	if (msg && nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	r = netlink_call(netlink, msg, read_each, &both, error);
	return r == -EINTR ? 0 : r;
}

int link_delete(struct netlink *netlink, uint32_t ifindex, struct shunt_error *error)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg(RTM_DELLINK, 0, &info);
	int r = netlink_call(netlink, msg, NULL, NULL, error);

	/* Already gone: the namespace died first, or somebody inside deleted it. */
	return r == -ENODEV ? 0 : r;
}

struct nl_msg *link_msg_up(uint32_t ifindex)
{
	const struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP,
	};

	return link_msg(RTM_NEWLINK, 0, &info);
}

struct nl_msg *link_msg_no_arp(uint32_t ifindex)
{
	const struct ifinfomsg info = {
		.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex, .ifi_flags = IFF_NOARP, .ifi_change = IFF_NOARP,
	};

	return link_msg(RTM_NEWLINK, 0, &info);
}

struct nl_msg *link_msg_host_setup(uint32_t ifindex, const char *alias)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, &info);
	struct nlattr *families, *inet, *conf;
	int r = 0;

	if (!msg)
		return NULL;
	r |= nla_put_string(msg, IFLA_IFALIAS, alias);
	families = nla_nest_start(msg, IFLA_AF_SPEC);
		inet = nla_nest_start(msg, AF_INET);
			conf = nla_nest_start(msg, IFLA_INET_CONF);
				r |= nla_put_u32(msg, IPV4_DEVCONF_FORWARDING, 1);
			nla_nest_end(msg, conf);
		nla_nest_end(msg, inet);
	nla_nest_end(msg, families);
	return finish(msg, r);
}

struct nl_msg *link_msg_sizes(uint32_t ifindex, const uint32_t size[static LINK_SIZES])
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, &info);

	return msg ? finish(msg, put_sizes(msg, size)) : NULL;
}

struct nl_msg *link_msg_no_link_local(uint32_t ifindex)
{
	const struct ifinfomsg info = { .ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex };
	struct nl_msg *msg = link_msg(RTM_NEWLINK, 0, &info);
	struct nlattr *families, *inet6;
	int r = 0;

	if (!msg)
		return NULL;
	families = nla_nest_start(msg, IFLA_AF_SPEC);
		inet6 = nla_nest_start(msg, AF_INET6);
			r |= nla_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
		nla_nest_end(msg, inet6);
	nla_nest_end(msg, families);
	return finish(msg, r);
}

struct nl_msg *link_msg_address(uint32_t ifindex, const struct shunt_prefix *address)
{
	const unsigned size = address->family == AF_INET ? 4 : 16;
	const struct ifaddrmsg header = {
		.ifa_family = (uint8_t)address->family,
		.ifa_prefixlen = address->length,
		/* Nobody to ask: the device has no neighbours. */
		.ifa_flags = address->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = ifindex,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	int r = 0;

	if (!msg)
		return NULL;
	r |= nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO);
	r |= nla_put(msg, IFA_LOCAL, (int)size, address->bytes);
	r |= nla_put(msg, IFA_ADDRESS, (int)size, address->bytes);
	return finish(msg, r);
}

static int probe_child(void)
{
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	_cleanup_close_ int netns_fd = -1;
	struct link_spec spec = { .host = "probe0", .interface = "probe1", .mtu = 1500, .mode = SHUNT_MODE_L3 };
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	netns_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (netns_fd < 0)
		return -errno;
	spec.netns_fd = netns_fd;
	r = netlink_open(&netlink, NULL);
	if (r < 0)
		return r;
	return netkit_create(netlink, &spec, NULL);
}

int link_probe_netkit(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-probe_child());
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EIO;
	if (WEXITSTATUS(status) == 0)
		return 1;
	return WEXITSTATUS(status) == EOPNOTSUPP ? 0 : -WEXITSTATUS(status);
}

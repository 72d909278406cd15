/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "route.h"

#include <fcntl.h>
#include <linux/nexthop.h>
#include <netlink/netlink.h>

#include "address.h"

static struct nl_msg *change_route(struct nl_msg *msg, const struct shunt_prefix *destination, uint32_t ifindex,
				   const struct rtmsg *header)
{
	int r = 0;

	if (!msg)
		return NULL;
	r |= nlmsg_append(msg, (void *)header, sizeof(*header), NLMSG_ALIGNTO);
	if (destination->length > 0)
		r |= nla_put(msg, RTA_DST, destination->family == AF_INET ? 4 : 16, destination->bytes);
	r |= nla_put_u32(msg, RTA_OIF, ifindex);
	if (r == 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static struct nl_msg *make_route(const struct shunt_prefix *destination, uint32_t ifindex, uint8_t table, uint8_t type)
{
	const struct rtmsg header = {
		.rtm_family = (uint8_t)destination->family,
		.rtm_dst_len = destination->length,
		.rtm_table = table,
		.rtm_protocol = SHUNT_ROUTE_PROTOCOL,
		.rtm_scope = destination->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = type,
	};

	return change_route(nlmsg_alloc_simple(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL), destination, ifindex, &header);
}

struct nl_msg *route_msg(const struct shunt_prefix *destination, uint32_t ifindex)
{
	return make_route(destination, ifindex, RT_TABLE_MAIN, RTN_UNICAST);
}

struct nl_msg *route_msg_local6(const struct shunt_prefix *address, uint32_t ifindex)
{
	return make_route(address, ifindex, RT_TABLE_LOCAL, RTN_LOCAL);
}

struct nl_msg *route_msg_no_multicast6(uint32_t ifindex)
{
	static const struct shunt_prefix multicast = { .family = AF_INET6, .bytes = { 0xff }, .length = 8 };
	const struct rtmsg header = {
		.rtm_family = AF_INET6,
		.rtm_dst_len = multicast.length,
		.rtm_table = RT_TABLE_LOCAL,
		.rtm_protocol = RTPROT_KERNEL,
		.rtm_type = RTN_MULTICAST,
	};

	return change_route(nlmsg_alloc_simple(RTM_DELROUTE, 0), &multicast, ifindex, &header);
}

/* One route of a dump, as far as anybody here asks. */
struct route {
	struct shunt_prefix destination;
	uint32_t ifindex;		/* of the first next hop; 0 for none */
	uint8_t protocol;
	uint8_t type;
	const struct nlattr *multipath;
	uint32_t nexthop;		/* id of its object; 0 for none */
};

static bool read_route(const struct nlmsghdr *reply, struct route *ret)
{
	const struct rtmsg *header = NLMSG_DATA(reply);
	struct nlattr *attribute[RTA_MAX + 1];

	if (reply->nlmsg_type != RTM_NEWROUTE ||
	    nlmsg_parse((struct nlmsghdr *)reply, sizeof(*header), attribute, RTA_MAX, NULL) < 0)
		return false;
	/* The filter of the dump says so too, but a kernel may ignore it. */
	if (header->rtm_table != RT_TABLE_MAIN || header->rtm_flags & RTM_F_CLONED)
		return false;

	*ret = (struct route) {
		.destination.family = header->rtm_family,
		.destination.length = header->rtm_dst_len,
		.protocol = header->rtm_protocol,
		.type = header->rtm_type,
		.ifindex = attribute[RTA_OIF] ? nla_get_u32(attribute[RTA_OIF]) : 0,
		.multipath = attribute[RTA_MULTIPATH],
		.nexthop = attribute[RTA_NH_ID] ? nla_get_u32(attribute[RTA_NH_ID]) : 0,
	};
	if (attribute[RTA_DST])
		nla_memcpy(ret->destination.bytes, attribute[RTA_DST], sizeof(ret->destination.bytes));
	return true;
}

/* A dump that changes under our hands is read again; @reply must bear to see a route twice. */
#define DUMP_TRIES 10

/* Main table; @protocol 0 for any. */
static int dump_routes(int family, uint8_t protocol, netlink_reply_t reply, void *arg)
{
	const struct rtmsg header = { .rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = protocol };
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	_cleanup_nlmsg_ struct nl_msg *msg = NULL;
	int r = netlink_open(&netlink, NULL);

	if (r < 0)
		return r;
	msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
	if (!msg || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) < 0)
		return -ENOMEM;
	for (int i = 0; i < DUMP_TRIES; i++) {
		r = netlink_call(netlink, msg, reply, arg, NULL);
		if (r != -EINTR)
			break;
	}
	/* A family that the kernel was built or booted without has no routes. */
	return r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -ENOENT ? 0 : r;
}

struct overlap {
	const struct shunt_prefix *subnet;
	char *text;
	size_t size;
	bool found;
};

static int find_overlap(const struct nlmsghdr *reply, void *arg)
{
	struct overlap *overlap = arg;
	char prefix[PREFIX_TEXT_MAX], name[IF_NAMESIZE] = "";
	struct route route;

	if (overlap->found || !read_route(reply, &route) || route.destination.length == 0 ||
	    route.protocol == SHUNT_ROUTE_PROTOCOL || !prefix_overlap(overlap->subnet, &route.destination))
		return 0;
	prefix_format(&route.destination, prefix);
	if (route.ifindex && if_indextoname(route.ifindex, name))
		snprintf(overlap->text, overlap->size, "%s dev %s", prefix, name);
	else
		snprintf(overlap->text, overlap->size, "%s", prefix);
	overlap->found = true;
	return 0;
}

int route_overlap(const struct shunt_prefix *subnet, char *ret_text, size_t size)
{
	struct overlap overlap = { .subnet = subnet, .text = ret_text, .size = size };
	int r = dump_routes(subnet->family, 0, find_overlap, &overlap);

	return r < 0 ? r : overlap.found;
}

struct defaults {
	uint32_t *ifindex;
	size_t n, max;
	uint8_t protocol;			/* that is sought; 0 for any but our own */
	bool found;				/* a default route was among the answers */
	uint32_t nexthop[SHUNT_MAX_UPLINKS];	/* objects that are still to be asked for */
	size_t n_nexthops;
};

static void add_default(struct defaults *defaults, uint32_t ifindex)
{
	for (size_t i = 0; i < defaults->n; i++)
		if (defaults->ifindex[i] == ifindex)
			return;
	if (ifindex != 0 && defaults->n < defaults->max)
		defaults->ifindex[defaults->n++] = ifindex;
}

static void add_nexthop(struct defaults *defaults, uint32_t id)
{
	if (id != 0 && defaults->n_nexthops < ELEMENTSOF(defaults->nexthop))
		defaults->nexthop[defaults->n_nexthops++] = id;
}

static int find_defaults(const struct nlmsghdr *reply, void *arg)
{
	struct defaults *defaults = arg;
	struct route route;

	if (!read_route(reply, &route) || route.destination.length != 0 || route.type != RTN_UNICAST ||
	    route.protocol == SHUNT_ROUTE_PROTOCOL || (defaults->protocol != 0 && route.protocol != defaults->protocol))
		return 0;
	defaults->found = true;
	add_default(defaults, route.ifindex);
	if (route.multipath) {
		const struct rtnexthop *hop = nla_data(route.multipath);
		int left = nla_len(route.multipath);

		for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
			add_default(defaults, (uint32_t)hop->rtnh_ifindex);
	}
	/* With net.ipv4.nexthop_compat_mode = 0 a route tells no more than its object. */
	if (route.ifindex == 0 && !route.multipath)
		add_nexthop(defaults, route.nexthop);
	return 0;
}

static int read_nexthop(const struct nlmsghdr *reply, void *arg)
{
	struct nlattr *attribute[NHA_MAX + 1];
	struct defaults *defaults = arg;

	if (reply->nlmsg_type != RTM_NEWNEXTHOP ||
	    nlmsg_parse((struct nlmsghdr *)reply, sizeof(struct nhmsg), attribute, NHA_MAX, NULL) < 0)
		return 0;
	if (attribute[NHA_OIF])
		add_default(defaults, nla_get_u32(attribute[NHA_OIF]));
	if (attribute[NHA_GROUP]) {
		const struct nexthop_grp *member = nla_data(attribute[NHA_GROUP]);

		for (int left = nla_len(attribute[NHA_GROUP]); left >= (int)sizeof(*member); left -= (int)sizeof(*member))
			add_nexthop(defaults, member++->id);
	}
	return 0;
}

static int get_nexthop(struct netlink *netlink, uint32_t id, struct defaults *defaults)
{
	const struct nhmsg header = { .nh_family = AF_UNSPEC };
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNEXTHOP, 0);
	int r;

	if (!msg || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, NHA_ID, id) < 0)
		return -ENOMEM;
	r = netlink_call(netlink, msg, read_nexthop, defaults, NULL);
	return r == -ENOENT ? 0 : r;	/* gone since its route was read, and the route with it */
}

/* Asks for the objects that routes named. Groups add their members behind. */
static int resolve_nexthops(struct defaults *defaults)
{
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	int r = defaults->n_nexthops > 0 ? netlink_open(&netlink, NULL) : 0;

	for (size_t i = 0; i < defaults->n_nexthops && r >= 0; i++)
		r = get_nexthop(netlink, defaults->nexthop[i], defaults);
	return r;
}

int route_defaults(uint32_t *ret, size_t max)
{
	struct defaults defaults = { .ifindex = ret, .max = max };
	int r = dump_routes(AF_INET, 0, find_defaults, &defaults);

	if (r >= 0)
		r = dump_routes(AF_INET6, 0, find_defaults, &defaults);
	if (r >= 0)
		r = resolve_nexthops(&defaults);
	return r < 0 ? r : (int)defaults.n;
}

/* An address of each family that nobody has (RFC 5737, RFC 3849), so that nothing but a default route leads there. */
static const struct shunt_prefix anywhere[] = {
	{ .family = AF_INET, .bytes = { 198, 51, 100, 1 }, .length = 32 },
	{ .family = AF_INET6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .length = 128 },
};

static int look_up(struct netlink *netlink, const struct shunt_prefix *destination, uint32_t ifindex, netlink_reply_t reply,
		   void *arg)
{
	const struct rtmsg header = {
		.rtm_family = (uint8_t)destination->family,
		.rtm_dst_len = destination->length,
		/* The route, rather than what comes of it for this packet; its table, which IPv6 always tells. */
		.rtm_flags = RTM_F_FIB_MATCH | (destination->family == AF_INET ? RTM_F_LOOKUP_TABLE : 0),
	};
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);

	if (!msg || nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, RTA_DST, destination->length / 8, destination->bytes) < 0 ||
	    (ifindex != 0 && nla_put_u32(msg, RTA_OIF, ifindex) < 0))
		return -ENOMEM;
	return netlink_call(netlink, msg, reply, arg, NULL);
}

/* No route, no such device, or no such family */
static bool is_nowhere(int r)
{
	return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENODEV || r == -EAFNOSUPPORT || r == -EOPNOTSUPP;
}

int route_way_out(struct netlink *netlink, uint32_t ifindex, uint32_t *ret, size_t max)
{
	struct defaults defaults = { .ifindex = ret, .max = max };
	int r;

	for (size_t i = 0; i < ELEMENTSOF(anywhere); i++) {
		defaults.found = false;
		r = look_up(netlink, &anywhere[i], ifindex, find_defaults, &defaults);
		if (is_nowhere(r))
			continue;
		if (r < 0 || !defaults.found)
			return r == -ENOMEM ? r : -ENODATA;
	}
	r = resolve_nexthops(&defaults);
	return r < 0 ? r : (int)defaults.n;
}

static int find_exact(const struct nlmsghdr *reply, void *arg)
{
	struct route route;
	int *found = arg;

	if (read_route(reply, &route))
		*found = route.destination.length == (route.destination.family == AF_INET ? 32 : 128);
	return 0;
}

int route_exists(struct netlink *netlink, const struct shunt_prefix *address)
{
	int found = 0;
	int r = look_up(netlink, address, 0, find_exact, &found);

	return r < 0 && !is_nowhere(r) ? r : found;
}

int route_learnt(uint32_t *ret, size_t max)
{
	struct defaults defaults = { .ifindex = ret, .max = max, .protocol = RTPROT_RA };
	int r = dump_routes(AF_INET6, RTPROT_RA, find_defaults, &defaults);

	return r < 0 ? r : (int)defaults.n;
}

bool route_advertised(void)
{
	static const char key[] = "\nIcmp6InRouterAdvertisements";
	_cleanup_close_ int fd = open("/proc/thread-self/net/snmp6", O_RDONLY | O_CLOEXEC);
	char text[16384];	/* it has some 100 lines of 40 bytes */
	size_t size = 0;
	const char *line;
	ssize_t n = 0;

	while (fd >= 0 && size < sizeof(text) - 1 && (n = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	text[size] = '\0';
	line = strstr(text, key);
	return !line || strtoull(line + strlen(key), NULL, 10) > 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "traffic.h"

#include "link.h"

static int read_traffic(const struct nlmsghdr *reply, void *arg)
{
	struct nlattr *attribute = nlmsg_find_attr((struct nlmsghdr *)reply, sizeof(struct ifinfomsg), IFLA_STATS64);
	struct shunt_traffic *traffic = arg;
	struct rtnl_link_stats64 stats;

	if (reply->nlmsg_type != RTM_NEWLINK || !attribute || nla_len(attribute) < (int)offsetof(struct rtnl_link_stats64, rx_errors))
		return -EBADMSG;
	/* Attributes are aligned to 4 bytes. */
	memcpy(&stats, nla_data(attribute), offsetof(struct rtnl_link_stats64, rx_errors));
	*traffic = (struct shunt_traffic) { true, stats.rx_packets, stats.rx_bytes, stats.tx_packets, stats.tx_bytes };
	return 0;
}

/*
 * Asked for the other end of a pair, the kernel says where that one's other end is, and numbers the namespace for it: ours gets
 * a number in itself, of which nothing depends.
 */
int traffic_read(struct netlink *host, uint32_t ifindex, struct shunt_traffic *ret, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = NULL;
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct link_state end;
	int r = link_get(host, NULL, ifindex, &end, error);

	if (r < 0)
		return r;
	info.ifi_index = (int)end.other;
	msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	if (!msg || nlmsg_append(msg, &info, sizeof(info), NLMSG_ALIGNTO) < 0 ||
	    (end.other_netns >= 0 && nla_put_s32(msg, IFLA_TARGET_NETNSID, end.other_netns) < 0))
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	return netlink_call(host, msg, read_traffic, ret, error);
}

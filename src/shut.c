/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shut.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#define LAST 0xffffu	/* of all preferences: others' filters are asked before it */

static struct nl_msg *tc_msg(int type, const struct tcmsg *header, const char *kind)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_CREATE | NLM_F_EXCL);

	if (msg && (nlmsg_append(msg, (void *)header, sizeof(*header), NLMSG_ALIGNTO) < 0 ||
		    nla_put_string(msg, TCA_KIND, kind) < 0)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static struct nl_msg *clsact_msg(uint32_t ifindex)
{
	const struct tcmsg header = {
		.tcm_ifindex = (int)ifindex, .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0), .tcm_parent = TC_H_CLSACT,
	};

	return tc_msg(RTM_NEWQDISC, &header, "clsact");
}

/* One classic instruction, and no action beside it: it needs no program of ours that could be taken away. */
static struct nl_msg *filter_msg(uint32_t ifindex)
{
	const struct sock_filter shot = BPF_STMT(BPF_RET | BPF_K, TC_ACT_SHOT);
	const struct tcmsg header = {
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
		.tcm_info = TC_H_MAKE(LAST << 16, htons(ETH_P_ALL)),
	};
	struct nl_msg *msg = tc_msg(RTM_NEWTFILTER, &header, "bpf");
	struct nlattr *options;
	int r = 0;

	if (!msg)
		return NULL;
	options = nla_nest_start(msg, TCA_OPTIONS);
		r |= nla_put_u16(msg, TCA_BPF_OPS_LEN, 1);
		r |= nla_put(msg, TCA_BPF_OPS, sizeof(shot), &shot);
		r |= nla_put_u32(msg, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	nla_nest_end(msg, options);
	if (r >= 0)
		return msg;
	nlmsg_free(msg);
	return NULL;
}

int shut_device(struct netlink *host, uint32_t ifindex, struct shunt_error *error)
{
	struct netlink_batch batch = {};
	struct shunt_error words;
	int r;

	/* Somebody may give one to every new device. */
	netlink_batch_add(&batch, "clsact", EEXIST, clsact_msg(ifindex));
	netlink_batch_add(&batch, "filter", 0, filter_msg(ifindex));
	r = netlink_batch_send(host, &batch, &words);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? shunt_fail(error, r, "%s", words.text) : 1;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * refuse.h - what a container's packet that cannot go on is told, and by whom.
 */
#ifndef SHUNT_BPF_REFUSE_H
#define SHUNT_BPF_REFUSE_H

#include "fib.h"
#include "icmp.h"
#include "stats.h"

/**
 * refuse() - drops a packet and tells the container why.
 * @why: the counter
 * @what: the ICMP error
 * @mtu: for COMPLAIN_TOO_BIG
 *
 * The error goes out by the host end, as everything does that the host sends to the container: this works from both
 * hooks, where bpf_redirect_peer() would not.
 *
 * Return: the verdict.
 */
static __noinline int refuse(struct __sk_buff *skb, struct shunt_interface *from, enum shunt_drop why,
			     enum complaint what, __u32 mtu)
{
	from->counters.dropped[why & (SHUNT_DROP_MAX - 1)]++;
	if (skb->protocol == PROTO_IP ? error4(skb, what, mtu, from->gateway4) :
					error6(skb, what, mtu, (const struct shunt_in6 *)from->gateway6))
		return DROP;
	return bpf_redirect(skb->ifindex, 0);
}

/*
 * TTL first, as in the kernel; what may be fragmented is left to the host's stack, which can: but it would send it with the
 * container's own address, so that a container whose packet may have another (@hidden, enum shunt_flag) is told to do it itself.
 */
static __always_inline int too_big(struct __sk_buff *skb, struct shunt_interface *from, __u32 mtu, __u32 hidden)
{
	__be16 fragment = 0;

	if (skb->protocol == PROTO_IP) {
		if (bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, frag_off), &fragment, sizeof(fragment)))
			return drop(from, SHUNT_DROP_MALFORMED);
		if (!(fragment & bpf_htons(IP4_DF)) && !(from->flags & hidden))
			return pass(from);
	}
	return refuse(skb, from, SHUNT_DROP_TOO_BIG, COMPLAIN_TOO_BIG, mtu);
}

static __always_inline int ttl_used_up(struct __sk_buff *skb, struct shunt_interface *from)
{
	return refuse(skb, from, SHUNT_DROP_TTL, COMPLAIN_TTL, 0);
}

/**
 * unrouted() - what to do with a packet that the routing table sends nowhere, or may not send anywhere.
 * @answer: of bpf_fib_lookup()
 * @mtu: where the answer is FRAG_NEEDED, or 0 if the TTL will not last to the next hop anyway
 * @on_link: the destination is the network's gateway: the host may have it, no one else
 *
 * Return: the verdict.
 */
static __always_inline int unrouted(struct __sk_buff *skb, struct shunt_interface *from, long answer, __u32 mtu,
				    bool on_link)
{
	if (answer == BPF_FIB_LKUP_RET_NOT_FWDED)
		return pass(from);
	if (from->flags & SHUNT_F_INTERNAL)
		return drop(from, SHUNT_DROP_INTERNAL);
	if (on_link)
		return refuse(skb, from, SHUNT_DROP_NO_ENDPOINT, COMPLAIN_NO_HOST, 0);
	switch (answer) {
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return mtu ? too_big(skb, from, mtu, SHUNT_F_MASQUERADE4 | SHUNT_F_PUBLISHED) : ttl_used_up(skb, from);
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		return pass(from);
	case BPF_FIB_LKUP_RET_UNREACHABLE:
		return refuse(skb, from, SHUNT_DROP_NO_ROUTE, COMPLAIN_NO_ROUTE, 0);
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return refuse(skb, from, SHUNT_DROP_NO_ROUTE, COMPLAIN_PROHIBITED, 0);
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return drop(from, SHUNT_DROP_NO_FORWARD);
	case BPF_FIB_LKUP_RET_NO_SRC_ADDR:
		return drop(from, SHUNT_DROP_NO_PORT);
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return drop(from, SHUNT_DROP_NO_NEIGHBOUR);
	default:
		return drop(from, SHUNT_DROP_NO_ROUTE);
	}
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * cross.h - from one container of this host to another.
 */
#ifndef SHUNT_BPF_CROSS_H
#define SHUNT_BPF_CROSS_H

#include "across.h"
#include "allow.h"
#include "learn.h"

/*
 * From veth we are at tcx ingress already. A netkit without shunt_across, of an older version, sends by the receiver's host end,
 * where shunt_to_ct sees it if it is there.
 */
static __always_inline int cross(struct __sk_buff *skb, struct shunt_interface *from, struct ethhdr *eth,
				 struct shunt_address *to)
{
	if ((from->flags | to->flags) & SHUNT_F_ETHERNET) {
		__builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, to->mac, ETH_ALEN);
	}
	if (unlikely(skb->ingress_ifindex != 0))
		return bpf_redirect_peer(to->ifindex, 0);
	return likely(from->flags & SHUNT_F_ACROSS) ? pass_across(skb, to->ifindex) : bpf_redirect(to->ifindex, 0);
}

/**
 * to_container() - hands a packet to another container of this host.
 * @size: of the largest packet that it becomes, network layer
 *
 * The TTL stays: the two are on one link, as far as they can see.
 *
 * Return: the verdict.
 */
static __always_inline int to_container(struct __sk_buff *skb, struct shunt_interface *from, struct ethhdr *eth,
					struct shunt_address *to, __u32 size)
{
	int why = forbidden(from, to);
	bool tracked = false;

	if (unlikely(why >= 0))
		return drop(from, why);
	if (unlikely((from->flags | to->flags) & SHUNT_F_ALLOW && !same_network(from, to->network))) {
		why = let_out(skb, from, to);
		if (why != UNDECIDED)
			return why;
		tracked = true;
		eth = headers(skb, L3 + sizeof(struct iphdr));
		if (unlikely(!eth))
			return drop(from, SHUNT_DROP_MALFORMED);
	}
	if (unlikely((from->flags | to->flags) & SHUNT_F_KERNEL))
		return pass(from);
	if (unlikely(size > to->mtu))
		return too_big(skb, from, to->mtu, SHUNT_F_MASQUERADE4);
	if (likely(skb->ingress_ifindex == 0 && !tracked && !((from->flags | to->flags) & SHUNT_F_ETHERNET)))
		shortcut_across(skb, from->flags & SHUNT_F_ACROSS ? WAY_ACROSS : WAY_HOST_END, to->ifindex, to->mtu);
	return cross(skb, from, eth, to);
}

#endif

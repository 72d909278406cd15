/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * to_ct.h - the way into a container from the host itself, and from other containers.
 */
#ifndef SHUNT_BPF_TO_CT_H
#define SHUNT_BPF_TO_CT_H

#include "allow.h"
#include "learn.h"

/* Return: whether a packet is from the same network, within which nothing is asked. */
static __noinline bool from_neighbour(struct __sk_buff *skb, const struct shunt_interface *me)
{
	struct ethhdr *eth;

	if (skb->protocol == PROTO_IP) {
		eth = headers(skb, L3 + sizeof(struct iphdr));
		return eth && in_subnet4(((struct iphdr *)(eth + 1))->saddr, me);
	}
	eth = headers(skb, L3 + sizeof(struct ipv6hdr));
	return eth && in_subnet6(&((struct ipv6hdr *)(eth + 1))->saddr, me);
}

/**
 * to_ct() - lets into a container what the host's stack, or another container, sends to it.
 *
 * On netkit this runs in the container's network namespace with its ifindex: only the destination tells the endpoint.
 * What the host begins is noted where its answer would else need a rule.
 * What is to no endpoint does not belong here (multicast, neighbour discovery, a route left behind).
 *
 * Return: the verdict.
 */
static __always_inline int to_ct(struct __sk_buff *skb)
{
	struct shunt_address *to = NULL;
	struct shunt_interface *me;
	struct ethhdr *eth;

	if (skb->protocol == PROTO_IP ? shortcut_to_ct(skb, true) : skb->protocol == PROTO_IP6 && shortcut_to_ct(skb, false))
		return NEXT;
	if (skb->protocol == PROTO_IP) {
		eth = headers(skb, L3 + sizeof(struct iphdr));
		if (eth)
			to = bpf_map_lookup_elem(&addresses4, &((struct iphdr *)(eth + 1))->daddr);
	} else if (skb->protocol == PROTO_IP6) {
		eth = headers(skb, L3 + sizeof(struct ipv6hdr));
		if (eth)
			to = bpf_map_lookup_elem(&addresses6, &((struct ipv6hdr *)(eth + 1))->daddr);
	}
	if (unlikely(!to || !to->ifindex))
		return DROP;
	me = bpf_map_lookup_elem(&interfaces, &to->ifindex);
	if (unlikely(!me))
		return DROP;
	if (unlikely(me->flags & SHUNT_F_ALLOW_OUT)) {
		if (!from_neighbour(skb, me))
			let_in(skb, L3, to->ifindex, me, true);
	} else {
		shortcut_to(skb);
	}
	return NEXT;
}

#endif

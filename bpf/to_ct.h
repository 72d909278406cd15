/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * to_ct.h - the way from the host's stack, and from other containers, into a container whose network's file says what may be
 * begun from there ("allow": "out"). Into all others a packet needs no program: whoever sent it has decided.
 */
#ifndef SHUNT_BPF_TO_CT_H
#define SHUNT_BPF_TO_CT_H

#include "allow.h"

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
 * to_ct() - notes what the host begins, whose answer would else need a rule.
 *
 * On netkit this runs in the container's network namespace with its ifindex: only the destination tells the endpoint.
 * What is to none does not belong here (multicast, neighbour discovery, a route left behind).
 *
 * Return: the verdict.
 */
static __always_inline int to_ct(struct __sk_buff *skb)
{
	struct shunt_address *to = NULL;
	struct shunt_interface *me;
	struct ethhdr *eth;

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
	if (me->flags & SHUNT_F_ALLOW_OUT && !from_neighbour(skb, me))
		let_in(skb, L3, to->ifindex, me, true);
	return NEXT;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * to_ct.h - the ways into a container: from the wire past the host's stack, and from the host itself.
 */
#ifndef SHUNT_BPF_TO_CT_H
#define SHUNT_BPF_TO_CT_H

#include "fib.h"
#include "icmp.h"
#include "stats.h"

#define ADMITTED 0	/* no verdict yet */

/**
 * admit() - decides whether a packet from the wire may reach an endpoint.
 * @to: its address's entry
 * @forged: the source is an address of ours or of nobody, and so cannot be out there
 * @ret: the endpoint
 *
 * Return: ADMITTED, or the verdict.
 */
static __always_inline int admit(struct shunt_address *to, bool forged, struct shunt_interface **ret)
{
	struct shunt_interface *me = bpf_map_lookup_elem(&interfaces, &to->ifindex);

	if (unlikely(!me))
		return DROP;
	/*
	 * The host's stack also knows the host's own addresses for forged, which here would take a route lookup for each
	 * packet: to a container they are a stranger's like any other.
	 */
	if (unlikely(forged))
		return drop(me, SHUNT_DROP_SPOOFED);
	if (unlikely(to->flags & (SHUNT_F_INTERNAL | SHUNT_F_KERNEL)))
		return to->flags & SHUNT_F_INTERNAL ? drop(me, SHUNT_DROP_INTERNAL) : NEXT;
	*ret = me;
	return ADMITTED;
}

/* Sends an error, made in place, back to the wire: by the way that a packet of the endpoint would take. */
static __noinline int send_error(struct __sk_buff *skb, __u32 ifindex)
{
	struct bpf_fib_lookup fib = { .ifindex = ifindex };
	long failed;

	if (skb->protocol == PROTO_IP) {
		fib.family = AF_INET;
		fib.l4_protocol = IPPROTO_ICMP;
		failed = bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, saddr), &fib.ipv4_src, 4) ||
			 bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, daddr), &fib.ipv4_dst, 4);
	} else {
		fib.family = AF_INET6;
		fib.l4_protocol = IPPROTO_ICMPV6;
		failed = bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, saddr), fib.ipv6_src, 16) ||
			 bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, daddr), fib.ipv6_dst, 16);
	}
	if (failed || bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_SKIP_NEIGH))
		return DROP;
	return send_by(&fib);
}

/*
 * Anyone out there can provoke errors, and have them sent to whoever they name as the sender: there is a limit, as
 * RFC 1812, 4.3.2.8 and RFC 4443, 2.4 (f) ask, of the kernel's own size (icmp_msgs_per_sec, icmp_msgs_burst), but for
 * each CPU. A container's errors need none: they go to nobody but itself.
 */
static __noinline bool may_answer_wire(void)
{
	__u32 zero = 0;
	struct allowance *a = bpf_map_lookup_elem(&allowances, &zero);

	return a && take(a, 1000000 /* ns */, 50);
}

/* Drops a packet from the wire and tells its sender why, COMPLAIN_TTL or COMPLAIN_TOO_BIG. Return: the verdict. */
static __noinline int bounce(struct __sk_buff *skb, struct shunt_interface *me, struct shunt_address *to,
			     enum complaint what)
{
	drop(me, what == COMPLAIN_TTL ? SHUNT_DROP_TTL : SHUNT_DROP_TOO_BIG);
	if (!may_answer_wire())
		return DROP;
	if (skb->protocol == PROTO_IP ? error4(skb, what, to->mtu, me->gateway4) :
					error6(skb, what, to->mtu, (const struct shunt_in6 *)me->gateway6))
		return DROP;
	return send_error(skb, to->ifindex);
}

/* The last step: the container sees its own MAC address, or zeroes in l3 mode, and none of the wire's. */
static __always_inline int hand_over(struct __sk_buff *skb, struct shunt_interface *me, struct shunt_address *to,
				     struct ethhdr *eth)
{
	__builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, to->mac, ETH_ALEN);
	count_rx(me, skb->len);
	return bpf_redirect_peer(to->ifindex, 0);
}

/**
 * frame() - makes a packet of any uplink one with an Ethernet header.
 * @l3: where the network header is now, a constant; at 0 there is no MAC header yet
 * @size: of the network header, a constant
 *
 * Return: the Ethernet header with the network header behind it, or NULL if there is no memory.
 */
static __always_inline struct ethhdr *frame(struct __sk_buff *skb, const __u32 l3, const __u32 size)
{
	struct ethhdr *eth;

	if (l3 == 0 && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return NULL;
	eth = headers(skb, L3 + size);
	if (eth && l3 == 0)
		eth->h_proto = skb->protocol;
	return eth;
}

/* What is too big but may be fragmented goes in whole: no device refuses on arrival what exceeds its MTU. */
static __always_inline int deliver4(struct __sk_buff *skb, struct shunt_interface *me, struct shunt_address *to,
				    const __u32 l3)
{
	struct ethhdr *eth = frame(skb, l3, sizeof(struct iphdr));
	struct iphdr *ip = (struct iphdr *)(eth + 1);

	if (unlikely(!eth))
		return DROP;
	if (unlikely(ip->ttl <= 1))
		return bounce(skb, me, to, COMPLAIN_TTL);
	if (unlikely(packet_size(skb) > to->mtu && ip->frag_off & bpf_htons(IP4_DF)))
		return bounce(skb, me, to, COMPLAIN_TOO_BIG);
	decrease_ttl4(ip);
	return hand_over(skb, me, to, eth);
}

static __always_inline int deliver6(struct __sk_buff *skb, struct shunt_interface *me, struct shunt_address *to,
				    const __u32 l3)
{
	struct ethhdr *eth = frame(skb, l3, sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

	if (unlikely(!eth))
		return DROP;
	if (unlikely(ip->hop_limit <= 1))
		return bounce(skb, me, to, COMPLAIN_TTL);
	if (unlikely(packet_size(skb) > to->mtu))
		return bounce(skb, me, to, COMPLAIN_TOO_BIG);
	decrease_ttl6(skb, ip);
	return hand_over(skb, me, to, eth);
}

/**
 * from_wire4() - takes an IPv4 packet off the wire if it is for an endpoint.
 * @l3: where the IP header begins, a constant: 0 on a device without MAC header
 *
 * Return: the verdict; NEXT for all that is not ours.
 */
static __always_inline int from_wire4(struct __sk_buff *skb, const __u32 l3)
{
	void *start = headers(skb, l3 + sizeof(struct iphdr));
	struct iphdr *ip = start + l3;
	struct shunt_interface *me;
	struct shunt_address *to;
	int verdict;

	if (unlikely(!start || ip->version != 4))
		return NEXT;
	to = bpf_map_lookup_elem(&addresses4, &ip->daddr);
	if (!to || !to->ifindex)
		return NEXT;
	verdict = admit(to, never_routed4(ip->saddr) || bpf_map_lookup_elem(&addresses4, &ip->saddr), &me);
	if (unlikely(verdict != ADMITTED))
		return verdict;
	return deliver4(skb, me, to, l3);
}

static __always_inline int from_wire6(struct __sk_buff *skb, const __u32 l3)
{
	void *start = headers(skb, l3 + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = start + l3;
	struct shunt_interface *me;
	struct shunt_address *to;
	int verdict;

	if (unlikely(!start || ip->version != 6))
		return NEXT;
	to = bpf_map_lookup_elem(&addresses6, &ip->daddr);
	if (!to || !to->ifindex)
		return NEXT;
	verdict = admit(to, never_routed6(&ip->saddr) || bpf_map_lookup_elem(&addresses6, &ip->saddr), &me);
	if (unlikely(verdict != ADMITTED))
		return verdict;
	return deliver6(skb, me, to, l3);
}

static __always_inline int from_wire(struct __sk_buff *skb, const __u32 l3)
{
	if (skb->pkt_type != 0 /* PACKET_HOST */ || skb->vlan_present)
		return NEXT;
	if (skb->protocol == PROTO_IP)
		return from_wire4(skb, l3);
	if (skb->protocol == PROTO_IP6)
		return from_wire6(skb, l3);
	return NEXT;
}

/**
 * to_ct() - counts what the host's stack, or another container, sends to a container.
 *
 * On netkit this runs in the container's network namespace with its ifindex: only the destination tells the endpoint.
 * What is to no endpoint does not belong here (multicast, neighbour discovery, a route left behind).
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
	count_rx(me, skb->len);
	return NEXT;
}

#endif

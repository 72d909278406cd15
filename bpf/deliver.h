/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * deliver.h - the last steps of a packet from the wire: into a container, or back with an error.
 */
#ifndef SHUNT_BPF_DELIVER_H
#define SHUNT_BPF_DELIVER_H

#include "fib.h"
#include "icmp.h"
#include "learn.h"
#include "stats.h"

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

/*
 * Drops a packet from the wire and tells its sender why, COMPLAIN_TTL or COMPLAIN_TOO_BIG, in the name of @source (mapped), or
 * of the network's gateway. Return: the verdict.
 */
static __noinline int bounce(struct __sk_buff *skb, struct shunt_interface *me, __u32 ifindex, enum complaint what,
			     const __u8 *source)
{
	drop(me, what == COMPLAIN_TTL ? SHUNT_DROP_TTL : SHUNT_DROP_TOO_BIG);
	if (!may_answer_wire())
		return DROP;
	if (skb->protocol == PROTO_IP ? error4(skb, what, me->mtu, source ? ((const __be32 *)source)[3] : me->gateway4) :
					error6(skb, what, me->mtu, source ? (const void *)source : me->gateway6))
		return DROP;
	return send_error(skb, ifindex);
}

/* The last step: the container sees its own MAC address, or zeroes in l3 mode, and none of the wire's. */
static __always_inline int hand_over(struct ethhdr *eth, const __u8 *mac, __u32 ifindex)
{
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return bpf_redirect_peer(ifindex, 0);
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

/* Packets of no flow: those to a container that has none. */
static __always_inline void shortcut_inside(struct __sk_buff *skb, const struct shunt_address *to, __u32 masquerade, const __u32 l3)
{
	struct shortcut *s = l3 && !(to->flags & (masquerade | SHUNT_F_ALLOW)) ? shortcut_plain(skb, WAY_IN, false) : NULL;

	if (s)
		shortcut_in(s, to->ifindex, to->mtu, to->mac);
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
		return bounce(skb, me, to->ifindex, COMPLAIN_TTL, NULL);
	if (unlikely(packet_size(skb) > to->mtu && ip->frag_off & bpf_htons(IP4_DF)))
		return bounce(skb, me, to->ifindex, COMPLAIN_TOO_BIG, NULL);
	decrease_ttl4(ip);
	shortcut_inside(skb, to, SHUNT_F_MASQUERADE4, l3);
	return hand_over(eth, to->mac, to->ifindex);
}

static __always_inline int deliver6(struct __sk_buff *skb, struct shunt_interface *me, struct shunt_address *to,
				    const __u32 l3)
{
	struct ethhdr *eth = frame(skb, l3, sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);

	if (unlikely(!eth))
		return DROP;
	if (unlikely(ip->hop_limit <= 1))
		return bounce(skb, me, to->ifindex, COMPLAIN_TTL, NULL);
	if (unlikely(packet_size(skb) > to->mtu))
		return bounce(skb, me, to->ifindex, COMPLAIN_TOO_BIG, NULL);
	decrease_ttl6(skb, ip);
	shortcut_inside(skb, to, SHUNT_F_MASQUERADE6, l3);
	return hand_over(eth, to->mac, to->ifindex);
}

#endif

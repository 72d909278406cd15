/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * from_ct.h - the way out of a container.
 *
 * Runs where the packet leaves the container: in the sender's own context (netkit), or on arrival at the host end
 * (veth). The order is: is it whole, is it from who it says, is there a single receiver, may the two speak, and only
 * then where it goes.
 */
#ifndef SHUNT_BPF_FROM_CT_H
#define SHUNT_BPF_FROM_CT_H

#include "cross.h"
#include "masquerade.h"
#include "take.h"

/* By the host's stack. Return: the verdict, or TO_HOST. */
static __always_inline int by_stack(struct __sk_buff *skb, struct shunt_interface *from, bool perhaps)
{
	int verdict;

	if (likely(!(from->flags & SHUNT_F_ALLOW)))
		return perhaps || from->flags & SHUNT_F_PUBLISHED ? TO_HOST : pass(from);
	verdict = let_out(skb, from, NULL);
	return verdict == UNDECIDED ? TO_HOST : verdict;
}

/* Return: the verdict, or TO_HOST. */
static __noinline int from_ct4(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct ethhdr *eth = headers(skb, L3 + sizeof(struct iphdr));
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct bpf_fib_lookup fib __attribute__((aligned(8))) = {};
	struct shunt_address *to;
	bool on_link;
	int verdict;
	long answer;

	if (unlikely(!eth || eth->h_proto != PROTO_IP || !header4_sane(skb, ip) ||
		     !checksum_sane(skb, L3 + ip->ihl * 4U)))
		return drop(from, SHUNT_DROP_MALFORMED);
	if (unlikely(ip->saddr != from->address4 || !(from->flags & SHUNT_F_ADDRESS4)))
		return drop(from, SHUNT_DROP_SPOOFED);
	if (unlikely(never_routed4(ip->daddr)))
		return drop(from, why_never4(ip->daddr));

	to = bpf_map_lookup_elem(&addresses4, &ip->daddr);
	if (to && to->ifindex)
		return to_container(skb, from, eth, to, packet_size(skb));
	on_link = in_subnet4(ip->daddr, from);
	if (unlikely(on_link && ip->daddr != from->gateway4))
		return refuse(skb, from, SHUNT_DROP_NO_ENDPOINT, COMPLAIN_NO_HOST, 0);
	if (unlikely((from->flags & (SHUNT_F_KERNEL | SHUNT_F_INTERNAL)) == SHUNT_F_KERNEL))
		return by_stack(skb, from, perhaps4(skb, ip));
	if (unlikely(from->flags & SHUNT_F_ALLOW_OUT)) {
		verdict = let_out(skb, from, NULL);
		if (verdict != UNDECIDED)
			return verdict;
		eth = headers(skb, L3 + sizeof(struct iphdr));
		if (unlikely(!eth))
			return drop(from, SHUNT_DROP_MALFORMED);
		ip = (struct iphdr *)(eth + 1);
	}

	fill4(skb, &fib, ip, skb->ifindex, packet_size(skb));
	answer = look_up(skb, &fib, from->flags & SHUNT_F_MASQUERADE4 ? BPF_FIB_LOOKUP_SRC : 0);
	if (answer == BPF_FIB_LKUP_RET_NOT_FWDED && (from->flags & (SHUNT_F_PUBLISHED | SHUNT_F_ALLOW) || perhaps4(skb, ip)))
		return TO_HOST;
	if (unlikely(answer || on_link || from->flags & SHUNT_F_INTERNAL))
		return unrouted(skb, from, answer, ip->ttl > 1 ? fib.mtu_result : 0, on_link);
	if (unlikely(uplink_kind(fib.ifindex) < 0))
		return pass(from);
	if (unlikely(ip->ttl <= 1))
		return ttl_used_up(skb, from);
	if (from->flags & (SHUNT_F_MASQUERADE4 | SHUNT_F_PUBLISHED | SHUNT_F_ALLOW)) {
		verdict = leave(skb, from, &fib);
		if (likely(verdict != UNDECIDED))
			return verdict;
		eth = headers(skb, L3 + sizeof(struct iphdr));
		if (unlikely(!eth))
			return drop(from, SHUNT_DROP_MALFORMED);
		ip = (struct iphdr *)(eth + 1);
	}
	decrease_ttl4(ip);
	if (!(from->flags & SHUNT_F_ALLOW))
		shortcut_out(skb, &fib, from->flags & (SHUNT_F_MASQUERADE4 | SHUNT_F_PUBLISHED));
	return send_by(&fib);
}

static __noinline int from_ct6(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct ethhdr *eth = headers(skb, L3 + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);
	struct bpf_fib_lookup fib __attribute__((aligned(8))) = {};
	struct shunt_address *to;
	bool on_link;
	int verdict;
	long answer;

	if (unlikely(!eth || eth->h_proto != PROTO_IP6 || !header6_sane(skb, ip) ||
		     !checksum_sane(skb, L3 + sizeof(*ip))))
		return drop(from, SHUNT_DROP_MALFORMED);
	if (unlikely(!same6(&ip->saddr, from->address6) || !(from->flags & SHUNT_F_ADDRESS6)))
		return drop(from, link_chatter6(ip) ? SHUNT_DROP_MULTICAST : SHUNT_DROP_SPOOFED);
	if (unlikely(never_routed6(&ip->daddr)))
		return drop(from, why_never6(&ip->daddr));

	to = bpf_map_lookup_elem(&addresses6, &ip->daddr);
	if (to && to->ifindex)
		return to_container(skb, from, eth, to, packet_size(skb));
	on_link = in_subnet6(&ip->daddr, from);
	if (unlikely(on_link && !same6(&ip->daddr, (const struct shunt_in6 *)from->gateway6)))
		return refuse(skb, from, SHUNT_DROP_NO_ENDPOINT, COMPLAIN_NO_HOST, 0);
	if (unlikely((from->flags & (SHUNT_F_KERNEL | SHUNT_F_INTERNAL)) == SHUNT_F_KERNEL))
		return by_stack(skb, from, perhaps6(skb, ip));
	if (unlikely(from->flags & SHUNT_F_ALLOW_OUT)) {
		verdict = let_out(skb, from, NULL);
		if (verdict != UNDECIDED)
			return verdict;
		eth = headers(skb, L3 + sizeof(struct ipv6hdr));
		if (unlikely(!eth))
			return drop(from, SHUNT_DROP_MALFORMED);
		ip = (struct ipv6hdr *)(eth + 1);
	}

	fill6(skb, &fib, ip, skb->ifindex, packet_size(skb));
	answer = look_up(skb, &fib, from->flags & SHUNT_F_MASQUERADE6 ? BPF_FIB_LOOKUP_SRC : 0);
	if (answer == BPF_FIB_LKUP_RET_NOT_FWDED && (from->flags & (SHUNT_F_PUBLISHED | SHUNT_F_ALLOW) || perhaps6(skb, ip)))
		return TO_HOST;
	if (unlikely(answer || on_link || from->flags & SHUNT_F_INTERNAL))
		return unrouted(skb, from, answer, ip->hop_limit > 1 ? fib.mtu_result : 0, on_link);
	if (unlikely(uplink_kind(fib.ifindex) < 0))
		return pass(from);
	if (unlikely(ip->hop_limit <= 1))
		return ttl_used_up(skb, from);
	if (from->flags & (SHUNT_F_MASQUERADE6 | SHUNT_F_PUBLISHED | SHUNT_F_ALLOW)) {
		verdict = leave(skb, from, &fib);
		if (likely(verdict != UNDECIDED))
			return verdict;
		eth = headers(skb, L3 + sizeof(struct ipv6hdr));
		if (unlikely(!eth))
			return drop(from, SHUNT_DROP_MALFORMED);
		ip = (struct ipv6hdr *)(eth + 1);
	}
	decrease_ttl6(skb, ip);
	if (!(from->flags & SHUNT_F_ALLOW))
		shortcut_out(skb, &fib, from->flags & (SHUNT_F_MASQUERADE6 | SHUNT_F_PUBLISHED));
	return send_by(&fib);
}

/* What has no shortcut. */
static __noinline int from_ct_long(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct shunt_interface *from = bpf_map_lookup_elem(&interfaces, &ifindex);
	int verdict;

	if (unlikely(!from))
		return DROP;
	if (unlikely(skb->vlan_present))
		return drop(from, SHUNT_DROP_MALFORMED);
	if (unlikely(skb->protocol != PROTO_IP && skb->protocol != PROTO_IP6))
		return drop(from, SHUNT_DROP_PROTOCOL);
	verdict = skb->protocol == PROTO_IP ? from_ct4(skb, from) : from_ct6(skb, from);
	if (verdict == TO_HOST) {
		verdict = to_host(skb, from);
		if (verdict == UNDECIDED)
			verdict = by_flow(skb, from);
		if (unlikely(verdict == UNDECIDED))
			return drop(from, SHUNT_DROP_NO_ENDPOINT);
	}
	if (unlikely(verdict <= EXCEEDS(0)))
		return refuse(skb, from, SHUNT_DROP_TOO_BIG, COMPLAIN_TOO_BIG, EXCEEDS(0) - verdict);
	return verdict;
}

static __always_inline int from_ct(struct __sk_buff *skb)
{
	int verdict = UNDECIDED;

	if (likely(skb->protocol == PROTO_IP))
		verdict = take_shortcut(skb, true, true);
	else if (skb->protocol == PROTO_IP6)
		verdict = take_shortcut(skb, false, true);
	return likely(verdict != UNDECIDED) ? verdict : from_ct_long(skb);
}

#endif

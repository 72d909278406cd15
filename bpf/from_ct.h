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
 * hooks, where bpf_redirect_peer() would not, and shunt_to_ct counts it.
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

/* TTL first, as in the kernel; what may be fragmented is left to the host's stack, which can. */
static __noinline int too_big(struct __sk_buff *skb, struct shunt_interface *from, __u32 mtu)
{
	__be16 fragment = 0;

	if (skb->protocol == PROTO_IP) {
		if (bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, frag_off), &fragment, sizeof(fragment)))
			return drop(from, SHUNT_DROP_MALFORMED);
		if (!(fragment & bpf_htons(IP4_DF)))
			return pass(skb, from);
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
static __noinline int unrouted(struct __sk_buff *skb, struct shunt_interface *from, long answer, __u32 mtu,
			       bool on_link)
{
	if (answer == BPF_FIB_LKUP_RET_NOT_FWDED)
		return pass(skb, from);
	if (from->flags & SHUNT_F_INTERNAL)
		return drop(from, SHUNT_DROP_INTERNAL);
	if (on_link)
		return refuse(skb, from, SHUNT_DROP_NO_ENDPOINT, COMPLAIN_NO_HOST, 0);
	switch (answer) {
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return mtu ? too_big(skb, from, mtu) : ttl_used_up(skb, from);
	case BPF_FIB_LKUP_RET_UNSUPP_LWT:
		return pass(skb, from);
	case BPF_FIB_LKUP_RET_UNREACHABLE:
		return refuse(skb, from, SHUNT_DROP_NO_ROUTE, COMPLAIN_NO_ROUTE, 0);
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return refuse(skb, from, SHUNT_DROP_NO_ROUTE, COMPLAIN_PROHIBITED, 0);
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return drop(from, SHUNT_DROP_NO_FORWARD);
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return drop(from, SHUNT_DROP_NO_NEIGHBOUR);
	default:
		return drop(from, SHUNT_DROP_NO_ROUTE);
	}
}

/**
 * to_container() - hands a packet to another container of this host.
 * @size: of the largest packet that it becomes, network layer
 *
 * The TTL stays: the two are on one link, as far as they can see.
 *
 * From netkit, redirecting means to send by the receiver's host end, where shunt_to_ct counts it; there is no shorter
 * way, since bpf_redirect_peer() works at tcx ingress only. From veth, that is where we are.
 *
 * Return: the verdict.
 */
static __always_inline int to_container(struct __sk_buff *skb, struct shunt_interface *from, struct ethhdr *eth,
					struct shunt_address *to, __u32 size)
{
	struct shunt_interface *receiver;
	int why = forbidden(from, to);

	if (unlikely(why >= 0))
		return drop(from, why);
	if (unlikely((from->flags | to->flags) & SHUNT_F_KERNEL))
		return pass(skb, from);
	if (unlikely(size > to->mtu))
		return too_big(skb, from, to->mtu);
	if ((from->flags | to->flags) & SHUNT_F_ETHERNET) {
		__builtin_memcpy(eth->h_dest, to->mac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, to->mac, ETH_ALEN);
	}
	if (likely(skb->ingress_ifindex == 0)) {
		count_tx(from, skb->len);
		return bpf_redirect(to->ifindex, 0);
	}
	receiver = bpf_map_lookup_elem(&interfaces, &to->ifindex);
	if (!receiver)
		return drop(from, SHUNT_DROP_NO_ENDPOINT);
	count_tx(from, skb->len);
	count_rx(receiver, skb->len);
	return bpf_redirect_peer(to->ifindex, 0);
}

static __always_inline int from_ct4(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct ethhdr *eth = headers(skb, L3 + sizeof(struct iphdr));
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct bpf_fib_lookup fib = {};
	struct shunt_address *to;
	bool on_link;
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
		return pass(skb, from);

	fill4(skb, &fib, ip, skb->ifindex, packet_size(skb));
	answer = look_up(skb, &fib);
	if (unlikely(answer || on_link || from->flags & SHUNT_F_INTERNAL))
		return unrouted(skb, from, answer, ip->ttl > 1 ? fib.mtu_result : 0, on_link);
	if (unlikely(ip->ttl <= 1))
		return ttl_used_up(skb, from);
	decrease_ttl4(ip);
	count_tx(from, skb->len);
	return send_by(&fib);
}

static __always_inline int from_ct6(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct ethhdr *eth = headers(skb, L3 + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = (struct ipv6hdr *)(eth + 1);
	struct bpf_fib_lookup fib = {};
	struct shunt_address *to;
	bool on_link;
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
		return pass(skb, from);

	fill6(skb, &fib, ip, skb->ifindex, packet_size(skb));
	answer = look_up(skb, &fib);
	if (unlikely(answer || on_link || from->flags & SHUNT_F_INTERNAL))
		return unrouted(skb, from, answer, ip->hop_limit > 1 ? fib.mtu_result : 0, on_link);
	if (unlikely(ip->hop_limit <= 1))
		return ttl_used_up(skb, from);
	decrease_ttl6(skb, ip);
	count_tx(from, skb->len);
	return send_by(&fib);
}

static __always_inline int from_ct(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct shunt_interface *from = bpf_map_lookup_elem(&interfaces, &ifindex);

	if (unlikely(!from))
		return DROP;
	if (unlikely(skb->vlan_present))
		return drop(from, SHUNT_DROP_MALFORMED);
	if (skb->protocol == PROTO_IP)
		return from_ct4(skb, from);
	if (skb->protocol == PROTO_IP6)
		return from_ct6(skb, from);
	return drop(from, SHUNT_DROP_PROTOCOL);
}

#endif

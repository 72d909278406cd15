/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * learn.h - the last step of a decision leaves a shortcut for packets like the one that it was about; shortcut.h has the theory.
 */
#ifndef SHUNT_BPF_LEARN_H
#define SHUNT_BPF_LEARN_H

#include "flow.h"
#include "shortcut.h"
#include "translate.h"

/* A tuple's addresses as a network header has them. */
static __always_inline void in_header(__u64 *ret, const struct shunt_tuple *tuple, bool ipv4)
{
	if (ipv4) {
		((__u32 *)ret)[0] = ((const __u32 *)tuple->source)[3];
		((__u32 *)ret)[1] = ((const __u32 *)tuple->destination)[3];
	} else {
		copy6((__u8 *)ret, tuple->source);
		copy6((__u8 *)(ret + 2), tuple->destination);
	}
}

/* The inverse. */
static __always_inline void from_header(struct shunt_tuple *ret, const __u64 *address, bool ipv4)
{
	if (ipv4) {
		map4(ret->source, ((const __u32 *)address)[0]);
		map4(ret->destination, ((const __u32 *)address)[1]);
	} else {
		copy6(ret->source, address);
		copy6(ret->destination, address + 2);
	}
}

static __always_inline __u32 ports_of(const struct shunt_tuple *tuple)
{
	__be16 ports[2] = { tuple->sport, tuple->dport };

	return *(__u32 *)ports;
}

/**
 * new_shortcut() - the place of packets like this one, of @tuple, with all filled in but where they go.
 *
 * Return: NULL if there is none.
 */
static __noinline struct shortcut *new_shortcut(struct __sk_buff *skb, const struct shunt_tuple *tuple, bool ipv4, enum place place)
{
	const __u32 ports = ports_of(tuple);
	struct shortcut *s;
	__u64 address[4] = {}, hash;

	if (!shortcut_ticks || (tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP))
		return NULL;
	in_header(address, tuple, ipv4);
	hash = ipv4 ? address_hash(address, true) : address_hash(address, false);
	s = shortcut_at(place == PLACE_PORTS ? port_hash(hash, ports) : hash);
	if (!s)
		return NULL;
	__builtin_memset(s, 0, sizeof(*s));
	__builtin_memcpy(s->address, address, sizeof(s->address));
	s->head_mask = ipv4 ? HEAD4_MASK : HEAD6_MASK;
	s->head = ipv4 ? HEAD4 : HEAD6(tuple->protocol);
	s->ports = ports;
	s->place = place;
	s->ifindex = skb->ifindex;
	s->until = bpf_jiffies64() + shortcut_ticks;
	s->protocol = tuple->protocol;
	return s;
}

/**
 * shortcut_plain() - makes a shortcut for packets like this one, which is as it came but for its TTL.
 * @way: one of enum shortcut_way
 * @tracked: it was looked whether the packet is of a flow
 *
 * Return: where to fill in the rest, or NULL if no other is like it.
 */
static __noinline struct shortcut *shortcut_plain(struct __sk_buff *skb, __u8 way, bool tracked)
{
	const bool ipv4 = skb->protocol == PROTO_IP;
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	struct shunt_tuple tuple = {};
	bool by_ports = tracked;
	const __be16 *ports;
	struct shortcut *s;

	if (ipv4) {
		ports = (const __be16 *)(ip + 1);
		if ((void *)(ports + 2) > packet_end(skb) || *(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET))
			return NULL;
		map4(tuple.source, ip->saddr);
		map4(tuple.destination, ip->daddr);
	} else {
		ports = (const __be16 *)(ip6 + 1);
		if ((void *)(ports + 2) > packet_end(skb))
			return NULL;
		copy6(tuple.source, &ip6->saddr);
		copy6(tuple.destination, &ip6->daddr);
	}
	tuple.protocol = ipv4 ? ip->protocol : ip6->nexthdr;
	tuple.sport = ports[0];
	tuple.dport = ports[1];
	if (way == WAY_OUT)
		by_ports = tracked || routed_by_ports(skb, ipv4) || (!ipv4 && label_matters(skb));
	s = new_shortcut(skb, &tuple, ipv4, by_ports ? PLACE_PORTS : PLACE_ADDRESSES);
	if (!s)
		return NULL;
	s->way = way;
	s->flow = tracked;
	return s;
}

/* Where it leads. @ifindex: the device, @size: bytes, network layer, @endpoint: the host end of who sends or receives it */
static __always_inline void shortcut_leads(struct shortcut *s, __u32 ifindex, __u32 size, __u32 endpoint)
{
	s->to_ifindex = ifindex;
	s->size = L3 + size;
	s->endpoint = endpoint;
}

/* Out, by the way that the routing table told. */
static __always_inline void shortcut_hop(struct __sk_buff *skb, struct shortcut *s, const struct bpf_fib_lookup *fib)
{
	const int kind = uplink_kind(fib->ifindex);
	const __u8 *eth = (const __u8 *)(long)skb->data;

	shortcut_leads(s, fib->ifindex, fib->mtu_result, skb->ifindex);
	s->head_mask |= skb->protocol == PROTO_IP ? HEAD4_CLASS : HEAD6_CLASS | (label_matters(skb) ? HEAD6_LABEL : 0);
	if ((const void *)(eth + L3 + sizeof(word)) > packet_end(skb)) {
		s->ifindex = 0;
		return;
	}
	s->head = *(const word *)(eth + L3) & s->head_mask;
	if (kind > 0 && kind & SHUNT_UPLINK_ETHERNET) {
		s->way = WAY_OUT;
		__builtin_memcpy(s->ethernet, fib->dmac, ETH_ALEN);
		__builtin_memcpy(s->ethernet + ETH_ALEN, fib->smac, ETH_ALEN);
	} else {
		s->way = WAY_NEIGHBOUR;
		s->hop.nh_family = fib->family;
		__builtin_memcpy(s->hop.ipv6_nh, fib->ipv6_dst, sizeof(s->hop.ipv6_nh));
	}
}

/* While a neighbour is looked for, there is no MTU, and no shortcut. */
static __always_inline void shortcut_out(struct __sk_buff *skb, const struct bpf_fib_lookup *fib, bool tracked)
{
	struct shortcut *s = fib->mtu_result ? shortcut_plain(skb, WAY_OUT, tracked) : NULL;

	if (s)
		shortcut_hop(skb, s, fib);
}

/* Into a container. @mtu: bytes, of its end, and @mac its address */
static __always_inline void shortcut_in(struct shortcut *s, __u32 ifindex, __u32 mtu, const __u8 *mac)
{
	shortcut_leads(s, ifindex, mtu, ifindex);
	s->way = WAY_IN;
	__builtin_memcpy(s->ethernet, mac, ETH_ALEN);
	__builtin_memcpy(s->ethernet + ETH_ALEN, mac, ETH_ALEN);
}

static __always_inline void shortcut_across(struct __sk_buff *skb, enum shortcut_way way, __u32 ifindex, __u32 mtu)
{
	struct shortcut *s = shortcut_plain(skb, way, false);

	if (s)
		shortcut_leads(s, ifindex, mtu, skb->ifindex);
}

/* By how much checksums grow; the same where the addresses' share is known. */
static __always_inline void shortcut_port_deltas(struct shortcut *s)
{
	const __u32 before = ~s->ports, after = s->to_ports;
	const __u32 delta = (before & 0xffff) + (before >> 16) + (after & 0xffff) + (after >> 16);

	s->ports_delta = fold16((delta & 0xffff) + (delta >> 16));
	s->transport_delta = fold16(s->addresses_delta + s->ports_delta);
}

static __always_inline void shortcut_deltas(struct shortcut *s, bool ipv4)
{
	__u64 delta = 0;

	for (int i = 0; i < (ipv4 ? 2 : 8); i++)
		delta += (__u64)~((__u32 *)s->address)[i] + ((__u32 *)s->to_address)[i];
	s->addresses_delta = sum16(delta);
	shortcut_port_deltas(s);
}

/**
 * shortcut_flow() - makes a shortcut for packets of a flow.
 * @packet: as it came; what became of it is read from the packet itself, as an entry may be another flow's by now (F3 in flow.h)
 *
 * Return: where to fill in the rest, or NULL if none may take it.
 */
static __noinline struct shortcut *shortcut_flow(struct __sk_buff *skb, const struct packet *packet, const struct shunt_flow *flow)
{
	const __u32 headers = L3 + (packet->ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	struct shortcut *s;

	if (packet->kind != KIND_WHOLE || packet->fragment || packet->transport != headers)
		return NULL;
	s = new_shortcut(skb, &packet->tuple, packet->ipv4, PLACE_PORTS);
	if (!s)
		return NULL;
	s->flow = true;
	if (flow->state & SHUNT_FLOW_AS_IS)
		return s;
	if ((packet->ipv4 ? (void *)(ip + 1) : (void *)(ip6 + 1)) + sizeof(s->to_ports) > packet_end(skb)) {
		s->ifindex = 0;
		return NULL;
	}
	s->translated = true;
	if (packet->ipv4) {
		s->to_address[0] = *(word *)&ip->saddr;
		s->to_ports = *(__u32 *)(ip + 1);
	} else {
		__builtin_memcpy(s->to_address, &ip6->saddr, sizeof(s->to_address));
		s->to_ports = *(__u32 *)(ip6 + 1);
	}
	shortcut_deltas(s, packet->ipv4);
	return s;
}

/**
 * shortcut_begin() - makes a shortcut for connections that begin as this one did. (S5)
 * @s: of this one's packets
 *
 * Return: where to fill in the rest, or NULL if there is no place for it.
 */
static __noinline struct shortcut *shortcut_begin(const struct shortcut *s, bool ipv4)
{
	struct shortcut *begin = shortcut_at(ipv4 ? address_hash(s->address, true) : address_hash(s->address, false));

	if (!begin || begin == s || s->protocol != IPPROTO_TCP)
		return NULL;
	__builtin_memcpy(begin, s, sizeof(*begin));
	begin->place = PLACE_BEGIN;
	return begin;
}

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * translate.h - gives a packet another tuple, in place.
 *
 * Checksums are not computed but follow what changes (RFC 1624, eqn. 3): of the IPv4 header, of TCP, UDP and ICMPv6, whose
 * pseudo header has the addresses in it, and the one over all of the packet that a device may have delivered
 * (CHECKSUM_COMPLETE). A partial one, which a device will complete, holds the pseudo header's sum, not inverted: ports do
 * not matter to it. All sums are kept in 64 bits and folded when they are written, so that no carry is lost.
 */
#ifndef SHUNT_BPF_TRANSLATE_H
#define SHUNT_BPF_TRANSLATE_H

#include "tuple.h"

static __always_inline __u32 sum16(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Of two terms, at most, of 16 bits. */
static __always_inline __u16 fold16(__u32 sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

/* What a checksum becomes once @delta has been added to what it is of. */
static __always_inline void follow(__sum16 *check, __u64 delta)
{
	*check = ~sum16((__u16)~*check + delta);
}

/* By how much the sum of an address, or of two, grows. */
static __always_inline __u64 delta6(const void *from, const void *to)
{
	const __u32 *a = from, *b = to;
	__u64 delta = 0;

	for (int i = 0; i < 4; i++)
		delta += (__u64)(__u32)~a[i] + b[i];
	return delta;
}

static __always_inline __u64 delta16(__u16 from, __u16 to)
{
	return (__u16)~from + (__u64)to;
}

static __always_inline __u64 address_delta(const struct shunt_tuple *from, const struct shunt_tuple *to)
{
	return delta6(from->source, to->source) + delta6(from->destination, to->destination);
}

/* Writes addresses, and IPv4's checksum. @delta: address_delta(). Return: 0, or -1. */
static __always_inline int write_addresses(struct __sk_buff *skb, __u32 at, bool ipv4, const void *source, const void *destination,
					   __u64 delta)
{
	if (ipv4) {
		struct iphdr *ip = bytes(skb, at, sizeof(*ip));

		if (!ip)
			return -1;
		ip->saddr = ((const __be32 *)source)[3];
		ip->daddr = ((const __be32 *)destination)[3];
		follow(&ip->check, delta);
	} else {
		struct ipv6hdr *ip = bytes(skb, at, sizeof(*ip));

		if (!ip)
			return -1;
		copy6((__u8 *)&ip->saddr, source);
		copy6((__u8 *)&ip->daddr, destination);
	}
	return 0;
}

/* The device's sum of the whole packet, where there is one, grows by @delta as well. */
static __always_inline void follow_complete(struct __sk_buff *skb, __u64 delta)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	if (unlikely(BPF_CORE_READ_BITFIELD(inside, ip_summed) == CHECKSUM_COMPLETE))
		bpf_csum_update(skb, sum16(delta));
}

/*
 * A transport header's checksum follows its addresses and ports. @partial: it is still to be completed. Return: by how much the
 * sum of all that it is in grows.
 */
static __always_inline __u64 follow_transport(__sum16 *check, __u8 protocol, bool partial, __u64 addresses, __u64 ports)
{
	const __sum16 before = *check;

	if (protocol == IPPROTO_ICMP) {
		follow(check, ports);
	} else if (unlikely(partial)) {
		*check = sum16(before + addresses);
	} else if (before || protocol != IPPROTO_UDP) {	/* UDP's of 0 is none */
		follow(check, addresses + ports);
		if (!*check && protocol == IPPROTO_UDP)
			*check = 0xffff;
	}
	return delta16(before, *check);
}

/**
 * translate() - gives a packet the tuple @to. (KIND_WHOLE, KIND_LATER)
 * @packet: what read_packet() read
 *
 * Return: 0, or -1 if the packet is not what it was.
 */
__global int translate(struct __sk_buff *skb, const struct packet *packet, const struct shunt_tuple *to)
{
	__u64 addresses, ports = 0, field = 0;
	__sum16 *check;
	__u8 *header;

	if (!packet || !to)
		return -1;
	addresses = address_delta(&packet->tuple, to);
	if (write_addresses(skb, packet->base, packet->ipv4, to->source, to->destination, addresses))
		return -1;
	if (unlikely(packet->kind == KIND_LATER))
		goto complete;

	if (packet->tuple.protocol == IPPROTO_TCP) {
		header = bytes(skb, packet->transport, 20);
		check = (__sum16 *)(header + 16);
	} else {
		header = bytes(skb, packet->transport, 8);
		check = (__sum16 *)(header + (packet->tuple.protocol == IPPROTO_UDP ? 6 : 2));
	}
	if (!header)
		return -1;
	if (packet->tuple.protocol == IPPROTO_TCP || packet->tuple.protocol == IPPROTO_UDP) {
		ports = delta16(packet->tuple.sport, to->sport) + delta16(packet->tuple.dport, to->dport);
		((__be16 *)header)[0] = to->sport;
		((__be16 *)header)[1] = to->dport;
	} else {
		/* One of the two is the identifier, and the other 0. */
		ports = delta16(packet->tuple.sport | packet->tuple.dport, to->sport | to->dport);
		((__be16 *)header)[2] = to->sport | to->dport;
	}
	field = follow_transport(check, packet->tuple.protocol, packet->partial, addresses, ports);
complete:
	/* IPv4's header sums up to nothing before and after. */
	follow_complete(skb, (packet->ipv4 ? 0 : addresses) + ports + field);
	return 0;
}

/* Gives the start of a quoted transport header other ports, and its checksum where it is quoted. @ret: by how much all grows */
static __always_inline int translate_quoted(struct __sk_buff *skb, __u32 at, const struct shunt_tuple *from,
					    const struct shunt_tuple *to, __u64 addresses, __u64 *ret)
{
	__u8 *header = bytes(skb, at, 8);
	__u64 ports;
	__sum16 *check = NULL, before;

	if (!header)
		return -1;
	if (from->protocol == IPPROTO_TCP || from->protocol == IPPROTO_UDP) {
		ports = delta16(from->sport, to->sport) + delta16(from->dport, to->dport);
		((__be16 *)header)[0] = to->sport;
		((__be16 *)header)[1] = to->dport;
		if (from->protocol == IPPROTO_UDP)
			check = (__sum16 *)(header + 6);
	} else {
		ports = delta16(from->sport | from->dport, to->sport | to->dport);
		((__be16 *)header)[2] = to->sport | to->dport;
		check = (__sum16 *)(header + 2);
	}
	*ret += ports;
	/* Most do not quote that much of TCP, and nobody looks at it. */
	if (from->protocol == IPPROTO_TCP) {
		if (skb->len < at + 18)
			return 0;
		header = bytes(skb, at, 18);
		if (!header)
			return -1;
		check = (__sum16 *)(header + 16);
	}
	before = *check;
	if (from->protocol == IPPROTO_UDP && !before)
		return 0;
	follow(check, (from->protocol == IPPROTO_ICMP ? 0 : addresses) + ports);
	if (from->protocol == IPPROTO_UDP && !*check)
		*check = 0xffff;
	*ret += delta16(before, *check);
	return 0;
}

/**
 * translate_error() - translates an ICMP error and what it quotes. (KIND_ERROR)
 * @packet: its tuple is that of an answer to what is quoted
 * @to: what such an answer becomes
 *
 * The quoted packet is given the inverse of @to. Who tells of the error is the other end of the flow or a router on the way
 * there, whose own address stays. The receiver is the flow's.
 *
 * Return: 0, or -1 if the packet is not what it was.
 */
__global int translate_error(struct __sk_buff *skb, const struct packet *packet, const struct shunt_tuple *to)
{
	const __u8 *source;
	struct shunt_tuple quoted, becomes;
	__u64 outer, inner, grown = 0;
	__sum16 *check, before;
	__u32 at;
	__u8 *header;

	if (!packet || !to)
		return -1;
	invert(&quoted, &packet->tuple);
	invert(&becomes, to);
	at = packet->transport + 8;

	source = same6(packet->teller, packet->tuple.source) ? to->source : packet->teller;
	outer = delta6(packet->teller, source) + delta6(packet->tuple.destination, to->destination);
	if (write_addresses(skb, packet->base, packet->ipv4, source, to->destination, outer))
		return -1;

	/* Inside: an IPv4 header's own checksum undoes what its addresses add. */
	inner = address_delta(&quoted, &becomes);
	if (write_addresses(skb, at, packet->ipv4, becomes.source, becomes.destination, inner))
		return -1;
	if (!packet->ipv4)
		grown += inner;
	at += packet->ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr) + (packet->quotes_fragment ? 8 : 0);
	if (translate_quoted(skb, at, &quoted, &becomes, inner, &grown))
		return -1;

	header = bytes(skb, packet->transport, 8);
	if (!header)
		return -1;
	check = (__sum16 *)(header + 2);
	before = *check;
	follow(check, grown + (packet->ipv4 ? 0 : outer));
	follow_complete(skb, (packet->ipv4 ? 0 : outer) + grown + delta16(before, *check));
	return 0;
}

/* Gives a packet of a flow the tuple that it becomes. Return: 0, or -1 if the packet is not what it was. */
static __always_inline int retell(struct __sk_buff *skb, const struct packet *packet, const struct shunt_flow *flow)
{
	if (flow->state & SHUNT_FLOW_AS_IS)
		return 0;
	return unlikely(packet->kind == KIND_ERROR) ? translate_error(skb, packet, &flow->to) : translate(skb, packet, &flow->to);
}

#endif

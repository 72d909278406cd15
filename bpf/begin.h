/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * begin.h - a connection begins by shortcut (S5 in shortcut.h), and says so to its flow when it is accepted, and when it ends (S4).
 *
 * Who begins one connection begins more, to the same address: a proxy, a database's client, a browser. Where it went out is known
 * then, and with which address, or who answers there. All that is left is what makes a flow this one: its port, and its
 * two entries, if both are to be had at once. Else, as if a port is taken, the long way knows what to do.
 */
#ifndef SHUNT_BPF_BEGIN_H
#define SHUNT_BPF_BEGIN_H

#include "claim.h"
#include "learn.h"
#include "publish.h"

/* Addresses as the network header of what comes back has them. */
static __always_inline void in_return(__u64 *ret, const __u64 *address, bool ipv4)
{
	if (ipv4) {
		ret[0] = address[0] << 32 | address[0] >> 32;
	} else {
		ret[0] = address[2];
		ret[1] = address[3];
		ret[2] = address[0];
		ret[3] = address[1];
	}
}

/* The tuple of packets that a shortcut is for. */
static __always_inline void tuple_like(struct shunt_tuple *ret, const struct shortcut *s, __u32 ports, bool ipv4)
{
	from_header(ret, s->address, ipv4);
	ret->sport = ((const __be16 *)&ports)[0];
	ret->dport = ((const __be16 *)&ports)[1];
	ret->protocol = s->protocol;
}

/* The shortcut for a connection's packets: as for those that it is like, but for their ports. Return: NULL if there is no place for it. */
static __always_inline struct shortcut *packets_like(const struct shortcut *like, __u32 ports, __u32 to_ports, bool ipv4)
{
	const __u64 hash = ipv4 ? address_hash(like->address, true) : address_hash(like->address, false);
	struct shortcut *s = shortcut_at(port_hash(hash, ports));

	if (!s || s == like)
		return NULL;
	__builtin_memcpy(s, like, sizeof(*s));
	s->place = PLACE_PORTS;
	s->ports = ports;
	s->to_ports = to_ports;
	shortcut_port_deltas(s);
	return s;
}

static __always_inline __u32 swapped(__u32 ports)
{
	return ports << 16 | ports >> 16;
}

/*
 * What goes back to @forth's sender from @address: as what goes like @like, but for what changes on the way. Return: NULL if there
 * is no place for it but those of @forth and @like, which are still needed.
 */
static __always_inline struct shortcut *answers_like(const struct shortcut *like, const struct shortcut *forth,
						     const __u64 *address, bool ipv4)
{
	const __u64 hash = ipv4 ? address_hash(address, true) : address_hash(address, false);
	const __u32 ports = swapped(forth->to_ports);
	struct shortcut *s = shortcut_at(port_hash(hash, ports));

	if (!s || s == forth || s == like)
		return NULL;
	__builtin_memcpy(s, like, sizeof(*s));
	__builtin_memcpy(s->address, address, sizeof(s->address));
	in_return(s->to_address, forth->address, ipv4);
	s->place = PLACE_PORTS;
	s->ports = ports;
	s->to_ports = swapped(forth->ports);
	s->addresses_delta = ~forth->addresses_delta;
	s->ports_delta = ~forth->ports_delta;
	s->transport_delta = ~forth->transport_delta;
	return s;
}

/* The answers to what goes out by @forth. */
static __always_inline void answered_like(const struct shortcut *forth, bool ipv4)
{
	__u64 address[4] = {};
	struct shortcut *s;

	in_return(address, forth->to_address, ipv4);
	s = answers_like(forth, forth, address, ipv4);
	if (!s)
		return;
	s->head_mask = ipv4 ? HEAD4_MASK : HEAD6_MASK;
	s->head = ipv4 ? HEAD4 : HEAD6(IPPROTO_TCP);
	s->ifindex = forth->to_ifindex;
	s->to_ifindex = forth->endpoint;
	s->size = forth->back_size;
	s->way = WAY_IN;
	__builtin_memcpy(s->ethernet, forth->back_ethernet, sizeof(s->ethernet));
}

/* A container begins a connection, which is masqueraded. Return: its shortcut, or NULL. */
static __noinline struct shortcut *begin_out(struct __sk_buff *skb, const struct shortcut *like, __u32 ports, bool ipv4)
{
	struct shunt_tuple tuple = {}, to = {};
	struct shortcut *s;
	struct attempt *a;
	__u32 port;

	tuple_like(&tuple, like, ports, ipv4);
	from_header(&to, like->to_address, ipv4);
	a = flow_begin(&tuple, TCP_SYN, to.source, tuple.destination, tuple.dport, like->endpoint, 0, flow_clock());
	if (!a)
		return NULL;
	a->original.state |= SHUNT_FLOW_MASQUERADE;
	a->original.uplink = like->to_ifindex;
	a->port_low = like->to_ports & 0xffff;
	a->port_high = like->to_ports >> 16;
	a->host = a->ranged = true;
	port = first_port(&tuple, a->port_low, a->port_high);
	if (!port || flow_make(skb, &tuple, a, port) != &a->original)
		return NULL;
	s = packets_like(like, ports, ports_of(&a->original.to), ipv4);
	if (s)
		answered_like(s, ipv4);
	return s;
}

/*
 * What a container will answer to what comes in by @forth goes out as its last answers between the same addresses did. If that
 * is not known, the first one goes the long way.
 */
static __always_inline void accepted_like(const struct shortcut *forth, bool ipv4)
{
	const struct shortcut *out;
	__u64 address[4] = {};

	in_return(address, forth->to_address, ipv4);
	out = shortcut_at(ipv4 ? address_hash(address, true) : address_hash(address, false));
	/* All of them: where they are IPv4's, but the first is 0. */
	if (out && out->place == PLACE_BEGIN && same_addresses(out, address, false) && out->ifindex == forth->endpoint &&
	    out->until > bpf_jiffies64())
		answers_like(out, forth, address, ipv4);
}

/* Somebody out there begins a connection with a published port. Return: its shortcut, or NULL. */
static __noinline struct shortcut *begin_in(struct __sk_buff *skb, const struct shortcut *like, __u32 ports, bool ipv4)
{
	struct shunt_tuple tuple = {}, to = {};
	struct shortcut *s;
	struct attempt *a;

	tuple_like(&tuple, like, ports, ipv4);
	from_header(&to, like->to_address, ipv4);
	if (host_listens(skb, &tuple))	/* F4: its own connection from that port, say */
		return NULL;
	a = flow_begin(&tuple, TCP_SYN, to.source, to.destination, ((const __be16 *)&like->to_ports)[1], 0, like->endpoint,
		       flow_clock());
	if (!a)
		return NULL;
	if (flow_make(skb, &tuple, a, bpf_ntohs(tuple.sport)) != &a->original)
		return NULL;
	publish_count(&tuple, like->endpoint, like->any ? PUBLISH_ANY : PUBLISH_EXACT);
	s = packets_like(like, ports, ports_of(&a->original.to), ipv4);
	if (s)
		accepted_like(s, ipv4);
	return s;
}

/**
 * begin_connection() - makes the shortcuts of a connection that begins as another one between the same addresses did.
 * @ipv4: whether the network header is IPv4's, without options
 * @out: whether the packet comes from a container
 *
 * Return: that of its first packet, or NULL if there is none.
 */
static __noinline struct shortcut *begin_connection(struct __sk_buff *skb, bool ipv4, bool out)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	const word *address = ipv4 ? (word *)&ip->saddr : (word *)&ip6->saddr;
	__u8 *transport = ipv4 ? (__u8 *)(ip + 1) : (__u8 *)(ip6 + 1);
	__u32 ports;
	struct shortcut *like;

	if ((void *)(transport + sizeof(struct tcphdr)) > packet_end(skb) || (ipv4 ? ip->protocol : ip6->nexthdr) != IPPROTO_TCP)
		return NULL;
	if ((transport[13] & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) != TCP_SYN)
		return NULL;
	ports = *(__u32 *)transport;
	like = shortcut_at(ipv4 ? address_hash(address, true) : address_hash(address, false));
	if (!(ipv4 ? fits(like, PLACE_BEGIN, skb->ifindex, ip, true) : fits(like, PLACE_BEGIN, skb->ifindex, ip6, false)) ||
	    like->until <= bpf_jiffies64())
		return NULL;
	/* What will not go begins nothing. */
	if ((ipv4 ? ip->ttl : ip6->hop_limit) <= 1 || skb->len > like->size || !length_sane(skb, ip, ipv4, sizeof(struct tcphdr)))
		return NULL;
	if (out && checksum_kind(inside) == CHECKSUM_PARTIAL &&
	    !checksum_own(inside, L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)), CHECK_TCP))
		return NULL;
	if (out)
		return begin_out(skb, like, ports, ipv4);
	return ((const __be16 *)&ports)[1] == ((const __be16 *)&like->ports)[1] ? begin_in(skb, like, ports, ipv4) : NULL;
}

/**
 * tell_flow() - tells a flow that a packet which goes by shortcut accepts a connection, or ends it.
 * @flags: TCP's SYN, ACK, FIN and RST
 *
 * Return: 0, or -1 if the long way has to.
 */
static __noinline int tell_flow(const struct shortcut *s, __u32 flags, bool ipv4, bool out)
{
	struct shunt_tuple tuple = {};
	struct shunt_tuple4 key4 = {};
	struct shunt_flow *flow;

	if (flags & TCP_RST || (flags & TCP_SYN && (flags & (TCP_ACK | TCP_FIN)) != TCP_ACK) || s->until <= bpf_jiffies64())
		return -1;
	if (ipv4) {
		*(word *)&key4.source = s->address[0];
		*(__u32 *)&key4.sport = s->ports;
		key4.protocol = s->protocol;
		flow = entry_find4(&key4);
	} else {
		tuple_like(&tuple, s, s->ports, false);
		flow = bpf_map_lookup_elem(&flows6, &tuple);
	}
	if (!flow || !flow->seen || (out ? flow->from_ifindex : flow->to_ifindex) != s->endpoint ||
	    (s->translated && ports_of(&flow->to) != s->to_ports))
		return -1;
	if (flags & TCP_SYN && flow->state & (SHUNT_FLOW_ORIGINAL | ENDED))
		return -1;
	flow->state = next_state(flags, flow, flow->state);
	return 0;
}

#endif

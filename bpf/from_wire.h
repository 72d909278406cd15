/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * from_wire.h - the way in: from an uplink into a container, past the host's stack.
 */
#ifndef SHUNT_BPF_FROM_WIRE_H
#define SHUNT_BPF_FROM_WIRE_H

#include "deliver.h"
#include "fragment.h"
#include "learn.h"
#include "published.h"
#include "take.h"

#define ADMITTED 0	/* no verdict yet */

/**
 * admit() - decides whether a packet from the wire may reach an endpoint.
 * @to: its address's entry
 * @forged: the source is an address of ours or of nobody, and so cannot be out there
 * @ret: the endpoint, unless the verdict is DROP
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
	*ret = me;
	if (unlikely(to->flags & (SHUNT_F_INTERNAL | SHUNT_F_KERNEL)))
		return to->flags & SHUNT_F_INTERNAL ? drop(me, SHUNT_DROP_INTERNAL) : NEXT;
	return ADMITTED;
}

/* Who comes from the same address, to the same port, gets the same receiver. @s: of the connection that @packet has begun */
static __always_inline void shortcut_begin_in(const struct shortcut *s, const struct packet *packet)
{
	struct shortcut *begin = shortcut_begin(s, packet->ipv4);

	if (begin)
		begin->any = packet->published & PUBLISH_ANY;
}

/*
 * Translates a packet of a flow and hands it to its container. @base: where the network header is. Return: the verdict; or TTL_ENDS
 * or EXCEEDS(), and then the packet may have been moved, but is as it was.
 */
static __noinline int deliver_flow(struct __sk_buff *skb, __u32 base, struct packet *packet, struct shunt_flow *flow,
				   struct shunt_interface *me)
{
	__u32 ifindex = flow->to_ifindex;
	struct shunt_address *to = NULL;
	__u8 mac[ETH_ALEN] = {};
	struct shortcut *s;
	struct ethhdr *eth;
	__u8 ttl;

	if (base == 0) {
		if (bpf_skb_change_head(skb, ETH_HLEN, 0))
			return DROP;
		packet->base += ETH_HLEN;
		packet->transport += ETH_HLEN;
	}
	eth = headers(skb, L3 + sizeof(struct iphdr));
	if (unlikely(!eth))
		return DROP;
	eth->h_proto = skb->protocol;
	ttl = packet->ipv4 ? ((struct iphdr *)(eth + 1))->ttl : ((struct ipv6hdr *)(eth + 1))->hop_limit;
	if (unlikely(me->flags & SHUNT_F_KERNEL))
		ttl = 64;	/* the host's stack looks at it, and at the size */
	else if (unlikely(packet_size(skb) > me->mtu && (!packet->ipv4 || ((struct iphdr *)(eth + 1))->frag_off & bpf_htons(IP4_DF))))
		return EXCEEDS(me->mtu);
	if (unlikely(ttl <= 1))
		return TTL_ENDS;
	if (unlikely(retell(skb, packet, flow)))
		return drop(me, SHUNT_DROP_MALFORMED);
	if (unlikely(me->flags & SHUNT_F_KERNEL))
		return NEXT;

	if (unlikely(me->flags & SHUNT_F_ETHERNET)) {
		to = packet->ipv4 ? bpf_map_lookup_elem(&addresses4, &me->address4) : bpf_map_lookup_elem(&addresses6, me->address6);
		if (!to)
			return DROP;
		__builtin_memcpy(mac, to->mac, ETH_ALEN);
	}
	eth = headers(skb, L3 + sizeof(struct iphdr));
	if (unlikely(!eth))
		return DROP;
	if (packet->ipv4)
		decrease_ttl4((struct iphdr *)(eth + 1));
	else
		decrease_ttl6(skb, (struct ipv6hdr *)(eth + 1));
	s = base ? shortcut_flow(skb, packet, flow) : NULL;
	if (s) {
		shortcut_in(s, ifindex, me->mtu, mac);
		if (packet->published & PUBLISH_ALONE && !(me->flags & SHUNT_F_ALLOW))
			shortcut_begin_in(s, packet);
	}
	return hand_over(eth, mac, ifindex);
}

/*
 * What the host's stack does not know either, it answers with a reset, which would end a connection whose flow was forgotten
 * and that its container could still go on with (F3). What the host forwards for others goes on. Return: the verdict.
 */
static __noinline int not_of_flow(struct __sk_buff *skb, struct packet *packet)
{
	long way;

	if (packet->fragment)
		fragment_forget(packet);
	if (!perhaps_forgotten(skb, packet))
		return NEXT;
	way = way_to(skb, skb->ifindex, packet->tuple.destination, packet->ipv4);
	return way == BPF_FIB_LKUP_RET_NOT_FWDED || way == BPF_FIB_LKUP_RET_FWD_DISABLED ? DROP : NEXT;
}

/* Return: whether a packet from the wire has a source that cannot be out there. */
static __always_inline bool forged(const struct packet *packet)
{
	const __u8 *source = packet->kind == KIND_ERROR ? packet->teller : packet->tuple.source;

	if (packet->ipv4)
		return never_routed4(((const __be32 *)source)[3]) || bpf_map_lookup_elem(&addresses4, source + 12);
	return never_routed6((const struct in6_addr *)source) || bpf_map_lookup_elem(&addresses6, source);
}

/**
 * of_flow() - takes a packet to an address of the host off the wire if it is of a flow.
 * @base: where the network header begins
 *
 * Return: the verdict; NEXT for the host's own.
 */
static __noinline int of_flow(struct __sk_buff *skb, __u32 base)
{
	struct packet packet = {};
	struct shunt_interface *me = NULL;
	struct shunt_flow *flow;
	__u32 now, ifindex;
	int verdict;

	if (read_packet(skb, base, &packet) || (packet.kind == KIND_LATER && fragment_ports(&packet)))
		return NEXT;
	now = flow_clock();
	flow = entry_find(&packet.tuple);
	if (likely(flow && !flow->from_ifindex)) {
		ifindex = flow->to_ifindex;
		me = bpf_map_lookup_elem(&interfaces, &ifindex);
		if (unlikely(!me && packet.kind == KIND_WHOLE))
			entry_remove(&packet.tuple);
	}
	if (unlikely(!me || (packet.kind == KIND_ERROR && forged(&packet)) ||
		     (!flow_settled(&packet, flow, now) && flow_renew(&packet, flow, now)))) {
		flow = forged(&packet) ? NULL : publish_from_wire(skb, &packet, now);
		if (packet.refused)
			return DROP;
		if (!flow)
			return not_of_flow(skb, &packet);
		ifindex = flow->to_ifindex;
		me = bpf_map_lookup_elem(&interfaces, &ifindex);
		if (!me)
			return NEXT;
	}
	if (packet.fragment && packet.kind == KIND_WHOLE)
		fragment_ports(&packet);
	verdict = deliver_flow(skb, base, &packet, flow, me);
	if (unlikely(verdict == TTL_ENDS || verdict <= EXCEEDS(0)))
		return bounce(skb, me, ifindex, verdict == TTL_ENDS ? COMPLAIN_TTL : COMPLAIN_TOO_BIG, packet.tuple.destination);
	return verdict;
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
	struct shunt_interface *me = NULL;
	struct shunt_address *to;
	int verdict;

	if (unlikely(!start || ip->version != 4))
		return NEXT;
	to = bpf_map_lookup_elem(&addresses4, &ip->daddr);
	if (!to || !to->ifindex)
		return likely(!perhaps4(skb, ip)) ? NEXT : of_flow(skb, l3);
	verdict = admit(to, never_routed4(ip->saddr) || bpf_map_lookup_elem(&addresses4, &ip->saddr), &me);
	if (to->flags & (SHUNT_F_MASQUERADE4 | SHUNT_F_ALLOW) && verdict != DROP && me && let_in(skb, l3, to->ifindex, me, false))
		return drop(me, SHUNT_DROP_NOT_ALLOWED);
	if (unlikely(verdict != ADMITTED))
		return verdict;
	return deliver4(skb, me, to, l3);
}

static __always_inline int from_wire6(struct __sk_buff *skb, const __u32 l3)
{
	void *start = headers(skb, l3 + sizeof(struct ipv6hdr));
	struct ipv6hdr *ip = start + l3;
	struct shunt_interface *me = NULL;
	struct shunt_address *to;
	int verdict;

	if (unlikely(!start || ip->version != 6))
		return NEXT;
	to = bpf_map_lookup_elem(&addresses6, &ip->daddr);
	if (!to || !to->ifindex)
		return likely(!perhaps6(skb, ip)) ? NEXT : of_flow(skb, l3);
	verdict = admit(to, never_routed6(&ip->saddr) || bpf_map_lookup_elem(&addresses6, &ip->saddr), &me);
	if (to->flags & (SHUNT_F_MASQUERADE6 | SHUNT_F_ALLOW) && verdict != DROP && me && let_in(skb, l3, to->ifindex, me, false))
		return drop(me, SHUNT_DROP_NOT_ALLOWED);
	if (unlikely(verdict != ADMITTED))
		return verdict;
	return deliver6(skb, me, to, l3);
}

/* Without shortcuts. */
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

/* A function of its own, so that it has the stack for itself. */
static __noinline int from_ethernet_long(struct __sk_buff *skb)
{
	return from_wire(skb, ETH_HLEN);
}

/* The same of an uplink with Ethernet headers, the only ones that there are shortcuts from. */
static __always_inline int from_ethernet(struct __sk_buff *skb)
{
	int verdict = UNDECIDED;

	if (likely(skb->protocol == PROTO_IP))
		verdict = take_shortcut(skb, true, false);
	else if (skb->protocol == PROTO_IP6)
		verdict = take_shortcut(skb, false, false);
	return likely(verdict != UNDECIDED) ? verdict : from_ethernet_long(skb);
}

#endif

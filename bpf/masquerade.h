/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * masquerade.h - the way out for a container's packets that are of a flow: begun by it and masqueraded, or begun out there
 * and answered by it.
 *
 * The routing table is asked first. leave() then finds the flow of what leaves by an uplink, or makes it; to_host() that of what is
 * for an address of the host, which by_flow() sends to the container that answers there.
 */
#ifndef SHUNT_BPF_MASQUERADE_H
#define SHUNT_BPF_MASQUERADE_H

#include "cross.h"
#include "fragment.h"
#include "learn.h"
#include "published.h"
#include "rules.h"

static __always_inline bool masquerades(const struct shunt_interface *from, bool ipv4)
{
	return from->flags & (ipv4 ? SHUNT_F_MASQUERADE4 : SHUNT_F_MASQUERADE6);
}

/* Return: whether a flow to @destination leaves by an uplink with the host's address. */
static __noinline bool hides(const struct shunt_interface *from, const __u8 *destination, bool ipv4)
{
	if (!masquerades(from, ipv4))
		return false;
	return !(from->flags & SHUNT_F_EXCEPT) || !rules_of(SHUNT_RULES_SET(from->policy, SHUNT_RULES_EXCEPT, !ipv4), destination);
}

/* To another container, or back to the same one. Return: the verdict. */
static __noinline int send_across(struct __sk_buff *skb, struct shunt_interface *from, struct packet *packet,
				  struct shunt_flow *flow)
{
	struct shunt_address *to;
	struct ethhdr *eth;

	to = packet->ipv4 ? bpf_map_lookup_elem(&addresses4, flow->to.destination + 12) :
			    bpf_map_lookup_elem(&addresses6, flow->to.destination);
	if (unlikely(!to || to->ifindex != flow->to_ifindex))
		return drop(from, SHUNT_DROP_NO_ENDPOINT);
	if (unlikely(packet_size(skb) > to->mtu))
		return EXCEEDS(to->mtu);
	if (unlikely(retell(skb, packet, flow)))
		return drop(from, SHUNT_DROP_MALFORMED);
	eth = headers(skb, L3 + sizeof(struct iphdr));
	if (unlikely(!eth))
		return drop(from, SHUNT_DROP_MALFORMED);
	return cross(skb, from, eth, to);
}

/**
 * by_flow() - sends a packet to the container that its flow leads to. to_host() has just found the flow, and brought it up to date.
 *
 * Return: the verdict; or UNDECIDED or EXCEEDS(), and then the packet may have been moved, but is as it was.
 */
__global int by_flow(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct packet packet = {};
	struct shunt_flow *flow;

	if (!from)
		return DROP;
	if (read_packet(skb, L3, &packet) || (packet.kind == KIND_LATER && fragment_ports(&packet)))
		return UNDECIDED;
	flow = entry_find(&packet.tuple);
	if (unlikely(!flow || flow->from_ifindex != skb->ifindex || !flow->to_ifindex))
		return UNDECIDED;
	if (unlikely(packet.fragment && packet.kind == KIND_WHOLE))
		fragment_ports(&packet);
	return send_across(skb, from, &packet, flow);
}

/* The address that the route prefers, mapped, where the look-up was told to find it. Return: 0, or -1 if there is none. */
static __always_inline int preferred_source(const struct bpf_fib_lookup *fib, bool ipv4, __u8 *ret)
{
	if (ipv4)
		map4(ret, fib->ipv4_src);
	else
		copy6(ret, fib->ipv6_src);
	return ipv4 ? -!fib->ipv4_src : -never_routed6((const struct in6_addr *)ret);
}

/* Begins a masqueraded flow. Return: its original entry, or NULL if there is no port for it. */
static __always_inline struct shunt_flow *masquerade(struct __sk_buff *skb, struct shunt_interface *from, __u32 ifindex,
							     struct packet *packet, const struct bpf_fib_lookup *fib, __u32 now)
{
	struct attempt *a;
	__u8 source[16] __attribute__((aligned(8)));

	preferred_source(fib, packet->ipv4, source);
	a = flow_begin(&packet->tuple, packet->tcp, source, packet->tuple.destination, packet->tuple.dport, ifindex, 0, now);
	if (!a)
		return NULL;
	a->original.state |= SHUNT_FLOW_MASQUERADE;
	a->original.uplink = fib->ifindex;
	a->port_low = from->port_low;
	a->port_high = from->port_high;
	a->host = a->ranged = true;
	return flow_make(skb, &packet->tuple, a, 0);
}

/* Return: whether a packet has an entry again that is of none. @prefers: the address of the host that its way prefers, mapped */
static __always_inline bool again(struct __sk_buff *skb, const struct shunt_interface *from, __u32 ifindex, struct packet *packet,
				  const __u8 *prefers)
{
	return from->flags & SHUNT_F_PUBLISHED && packet->tuple.protocol == IPPROTO_TCP &&
	       (packet->tcp & (TCP_SYN | TCP_ACK)) != TCP_SYN &&
	       publish_again(skb, from, packet, (const struct shunt_in6 *)prefers, ifindex) == 0;
}

/*
 * What the route prefers changes for many reasons (a temporary address has come of age), for which no connection should end.
 * Return: whether a flow may keep the address that it has.
 */
static __always_inline bool keeps_address(struct __sk_buff *skb, const struct packet *packet, const struct shunt_flow *flow,
					  const __u8 *source, __u32 uplink)
{
	if (!(flow->state & SHUNT_FLOW_MASQUERADE) || !(flow->state & SHUNT_FLOW_ORIGINAL) || packet->kind == KIND_ERROR ||
	    likely(same6(flow->to.source, source)))
		return true;
	return flow->uplink == uplink && is_local(skb, flow->from_ifindex, flow->to.source, packet->ipv4);
}

static __noinline void forget_reply(const struct shunt_flow *flow)
{
	struct shunt_tuple reply;

	invert(&reply, &flow->to);
	entry_remove(&reply);
}

/* The flow of a packet, if it still is one and of this container, and leaves with the address that it should. */
static __always_inline struct shunt_flow *still(struct __sk_buff *skb, struct packet *packet, __u32 from, const __u8 *source,
						__u32 uplink, __u32 now)
{
	struct shunt_flow *flow = entry_find(&packet->tuple);

	if (!flow)
		return NULL;
	if (flow->from_ifindex == from && (flow_settled(packet, flow, now) || flow_renew(packet, flow, now) == 0)) {
		if (keeps_address(skb, packet, flow, source, uplink))
			return flow;
		forget_reply(flow);
	}
	/* An error quotes what it likes: others' flows, too. */
	if (packet->kind != KIND_ERROR)
		entry_remove(&packet->tuple);
	return NULL;
}

/* Begins a flow with the container's own address, where it must be told from others. Return: whether it did. */
static __always_inline bool stays_as_is(const struct shunt_interface *from, const struct packet *packet, __u32 ifindex, __u32 now)
{
	if (!(from->flags & (SHUNT_F_EXCEPT | SHUNT_F_ALLOW)) || !begins(packet))
		return false;
	flow_as_is(packet, ifindex, 0, now);
	return true;
}

/* Forgets a flow that its container began with its own address, when its way was no uplink's yet. Return: whether it was one. */
static __always_inline bool forget_as_is(const struct packet *packet, const struct shunt_flow *flow)
{
	const __u32 begun = SHUNT_FLOW_AS_IS | SHUNT_FLOW_ORIGINAL;

	if ((flow->state & begun) != begun || packet->kind == KIND_ERROR)
		return false;
	forget_reply(flow);
	entry_remove(&packet->tuple);
	return true;
}

/* Forgets a flow to another container by an address that has left the host. Return: whether it was one. */
static __always_inline bool forget_across(const struct packet *packet, const struct shunt_flow *flow)
{
	if (!flow->to_ifindex || packet->kind == KIND_ERROR)
		return false;
	forget_reply(flow);
	entry_remove(&packet->tuple);
	return true;
}

/* What a container begins, or answers, between the same addresses. @s: of a connection's packets, which are to be masqueraded */
static __noinline void shortcut_begin_out(struct __sk_buff *skb, const struct shortcut *s, struct shunt_interface *from,
					  const struct bpf_fib_lookup *fib)
{
	const bool ipv4 = skb->protocol == PROTO_IP;
	struct shunt_address *me;
	struct shortcut *begin;

	if (from->flags & SHUNT_F_ALLOW || s->way != WAY_OUT || routed_by_ports(skb, ipv4) || (!ipv4 && label_matters(skb)))
		return;
	me = ipv4 ? bpf_map_lookup_elem(&addresses4, &from->address4) : bpf_map_lookup_elem(&addresses6, from->address6);
	begin = me ? shortcut_begin(s, ipv4) : NULL;
	if (!begin)
		return;
	begin->translated = true;
	__builtin_memcpy(begin->to_address, begin->address, sizeof(begin->to_address));
	if (ipv4)
		((__u32 *)begin->to_address)[0] = fib->ipv4_src;
	else
		copy6((__u8 *)begin->to_address, fib->ipv6_src);
	shortcut_deltas(begin, ipv4);
	begin->to_ports = from->port_low | (__u32)from->port_high << 16;
	begin->back_size = L3 + from->mtu;
	__builtin_memcpy(begin->back_ethernet, me->mac, ETH_ALEN);
	__builtin_memcpy(begin->back_ethernet + ETH_ALEN, me->mac, ETH_ALEN);
}

/* The last step to the wire; the packet is translated. Return: the verdict. */
__global int send_out(struct __sk_buff *skb, struct shunt_interface *from, const struct packet *packet,
		      const struct shunt_flow *flow, const struct bpf_fib_lookup *fib)
{
	struct ethhdr *eth = headers(skb, L3 + sizeof(struct iphdr));
	struct shortcut *s;

	if (!from || !packet || !flow || !fib)
		return DROP;
	if (unlikely(!eth))
		return drop(from, SHUNT_DROP_MALFORMED);
	if (packet->ipv4)
		decrease_ttl4((struct iphdr *)(eth + 1));
	else
		decrease_ttl6(skb, (struct ipv6hdr *)(eth + 1));
	/* While a neighbour is looked for, there is no MTU, and no shortcut. */
	s = fib->mtu_result ? shortcut_flow(skb, packet, flow) : NULL;
	if (s) {
		shortcut_hop(skb, s, fib);
		if (hides(from, packet->tuple.destination, packet->ipv4))
			shortcut_begin_out(skb, s, from, fib);
	}
	return send_by(fib);
}

/**
 * leave() - sends a packet by the way that the routing table has just told, by an uplink: of the flow that it is of, or
 * masqueraded.
 * @fib: the successful look-up, with the address that the route prefers if the container is masqueraded
 *
 * Return: the verdict, or UNDECIDED if it is to go as it is.
 */
__global int leave(struct __sk_buff *skb, struct shunt_interface *from, struct bpf_fib_lookup *fib)
{
	const bool ipv4 = skb->protocol == PROTO_IP;
	struct packet packet = {};
	struct shunt_flow *flow;
	__u32 now = flow_clock();
	bool of_none, hide;
	__u8 source[16] __attribute__((aligned(8)));

	if (!from || !fib)
		return DROP;
	of_none = read_packet(skb, L3, &packet) || (packet.kind == KIND_LATER && fragment_ports(&packet));
	hide = hides(from, packet.tuple.destination, ipv4);
	if (of_none) {
		fib->mtu_result = 0;	/* no shortcut: a whole packet with what seem to be its ports may be of a flow */
		return hide ? drop(from, SHUNT_DROP_UNTRANSLATED) : UNDECIDED;
	}
	if (preferred_source(fib, ipv4, source) && hide)
		return drop(from, SHUNT_DROP_NO_PORT);
	flow = still(skb, &packet, skb->ifindex, source, fib->ifindex, now);
	if (flow && hide && unlikely(forget_as_is(&packet, flow)))
		flow = NULL;
	if (flow && unlikely(forget_across(&packet, flow)))
		flow = NULL;
	if (!flow && hide && (packet.kind != KIND_WHOLE || packet.reply))
		return drop(from, SHUNT_DROP_UNTRANSLATED);
	if (!flow && !hide && !stays_as_is(from, &packet, skb->ifindex, now))
		return UNDECIDED;
	if (!flow && (!hide || again(skb, from, skb->ifindex, &packet, source)))
		flow = entry_find(&packet.tuple);
	else if (!flow)
		flow = masquerade(skb, from, skb->ifindex, &packet, fib, now);
	if (!flow || flow->to_ifindex)
		return drop(from, SHUNT_DROP_NO_PORT);
	flow->uplink = fib->ifindex;
	if (packet.fragment && packet.kind == KIND_WHOLE)
		fragment_ports(&packet);
	if (unlikely(retell(skb, &packet, flow)))
		return drop(from, SHUNT_DROP_MALFORMED);
	return send_out(skb, from, &packet, flow, fib);
}

/* Return: whether a flow goes up the host's stack as it is. */
static __always_inline bool to_stack(const struct shunt_interface *from, const struct shunt_flow *flow)
{
	return !flow->to_ifindex && (from->flags & SHUNT_F_KERNEL || flow->state & SHUNT_FLOW_AS_IS);
}

/**
 * to_host() - looks what a packet to an address of the host is of, before the host's stack gets it.
 *
 * Return: the verdict, or UNDECIDED if it is of a flow, which by_flow() knows now.
 */
__global int to_host(struct __sk_buff *skb, struct shunt_interface *from)
{
	struct packet packet = {};
	struct shunt_flow *flow;
	__u32 now = flow_clock();

	if (!from)
		return DROP;
	if (read_packet(skb, L3, &packet) || (packet.kind == KIND_LATER && fragment_ports(&packet)))
		return pass(from);
	flow = entry_find(&packet.tuple);
	/* What the host's stack is to route to the wire, it does. */
	if (flow && flow->from_ifindex == skb->ifindex && (flow_settled(&packet, flow, now) || flow_renew(&packet, flow, now) == 0)) {
		if (flow->to_ifindex)
			return UNDECIDED;
		if (to_stack(from, flow))
			return pass(from);
		/* Else it was to the wire, before the host had the address. */
	}
	/* What is published is a way into its own network, not out of this one. */
	if (!(from->flags & SHUNT_F_INTERNAL)) {
		if (flow && packet.kind == KIND_WHOLE)
			entry_remove(&packet.tuple);
		if (publish_hairpin(skb, from, &packet, now) == 0)
			return UNDECIDED;
		if (packet.refused)
			return drop(from, SHUNT_DROP_NOT_ALLOWED);
	}
	if (from->flags & SHUNT_F_PUBLISHED && perhaps_forgotten(skb, &packet))
		return drop(from, SHUNT_DROP_UNTRANSLATED);
	stays_as_is(from, &packet, skb->ifindex, now);
	return pass(from);
}

#endif

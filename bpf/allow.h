/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * allow.h - which flows may begin, where a network's file says so ("allow").
 *
 * The file's rules are for flows between a network and what is beyond it: "out" for those that its containers begin, "in" for
 * those that others begin to them. They are looked up for a flow's first packet. If it may, its entries say so: what
 * is of a flow that is known passes in both directions, and no rule is asked for it. So containers with rules of either kind
 * have entries for flows that stay as they are, too. What the datapath knows no flow of (protocols other than TCP, UDP and
 * ICMP echo; fragments whose first is not known) is judged packet by packet, by the rules that are for all ports.
 *
 * Whoever shares the network is not beyond it. The host is, on the way out; it owns its containers, and what it begins to
 * them passes. shunt_to_ct makes the entries for that, so that the answers do.
 */
#ifndef SHUNT_BPF_ALLOW_H
#define SHUNT_BPF_ALLOW_H

#include "claim.h"
#include "fragment.h"
#include "refuse.h"
#include "rules.h"

/*
 * Return: whether a range is for a port of a protocol. Without a branch: the verifier would follow each outcome of each through all
 * ranges behind it, which was a tenth of all that it looked at.
 */
static __always_inline bool in_range(const struct shunt_range *range, __u32 protocol, __u32 port)
{
	const __u32 below = port - range->low, above = range->high - port, other = range->protocol * (range->protocol ^ protocol);

	return !((below | above) >> 31 | other);
}

/**
 * rules_allow() - looks for a rule.
 * @set: SHUNT_RULES_SET()
 * @remote: who is at the other end, IPv4 as ::ffff:a.b.c.d
 * @port: of the one who is spoken to, or 0 for what has none: only rules for all ports match that
 *
 * Return: 1 or 0
 */
__global int rules_allow(__u32 set, const struct shunt_in6 *remote, __u32 protocol, __u32 port)
{
	const struct shunt_rules *found;

	if (!remote)
		return 0;
	found = rules_of(set, remote);
	if (!found)
		return 0;
	for (__u32 i = 0; i < SHUNT_MAX_RANGES && i < found->n; i++)
		if (in_range(&found->range[i], protocol, port))
			return 1;
	return 0;
}

/* An error is no packet of the protocol that it quotes. */
static __always_inline __u32 protocol_of(const struct packet *packet)
{
	if (packet->kind != KIND_ERROR)
		return packet->tuple.protocol;
	return packet->ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/* Return: whether what comes from a packet's source may begin a flow with @me, on a port of its own (or 0). */
static __always_inline bool allowed_in(const struct shunt_interface *me, const struct packet *packet, __be16 port)
{
	const __u8 *source = packet->kind == KIND_ERROR ? packet->teller : packet->tuple.source;

	return !(me->flags & SHUNT_F_ALLOW_IN) ||
	       rules_allow(SHUNT_RULES_SET(me->policy, SHUNT_RULES_IN, !packet->ipv4), (const struct shunt_in6 *)source,
			   protocol_of(packet), bpf_ntohs(port));
}

static __always_inline bool allowed_out(const struct shunt_interface *me, const struct packet *packet, __be16 port)
{
	return !(me->flags & SHUNT_F_ALLOW_OUT) ||
	       rules_allow(SHUNT_RULES_SET(me->policy, SHUNT_RULES_OUT, !packet->ipv4),
			   (const struct shunt_in6 *)packet->tuple.destination, protocol_of(packet), bpf_ntohs(port));
}

/* Reads a packet of a flow, or what is known of one that could be of none. Return: whether it could. */
static __always_inline bool read_flow(struct __sk_buff *skb, __u32 base, struct packet *ret)
{
	return !read_packet(skb, base, ret) && (ret->kind != KIND_LATER || !fragment_ports(ret));
}

static __always_inline bool begins(const struct packet *packet)
{
	return packet->kind == KIND_WHOLE && !packet->reply;
}

/* let_out() but for its refusal, which takes more of the stack than is left below it. */
__global int judge_out(struct __sk_buff *skb, struct shunt_interface *from, struct shunt_address *to)
{
	const __u32 receiver = to ? to->ifindex : 0, sender = skb->ifindex, now = flow_clock();
	struct packet packet = {};
	struct shunt_interface *me;
	struct shunt_flow *flow;
	__be16 port = 0;
	bool known;

	if (!from)
		return DROP;
	known = read_flow(skb, L3, &packet);
	if (known) {
		flow = entry_find(&packet.tuple);
		if (flow && flow->from_ifindex == sender && (!receiver || flow->to_ifindex == receiver) &&
		    (flow_settled(&packet, flow, now) || flow_renew(&packet, flow, now) == 0))
			goto pass;
		port = packet.tuple.dport;
	}
	if (!allowed_out(from, &packet, port))
		return REFUSED;
	if (!receiver)
		return UNDECIDED;	/* who sends it, makes the flow */
	me = bpf_map_lookup_elem(&interfaces, &receiver);
	if (!me || !allowed_in(me, &packet, port))
		return drop(from, SHUNT_DROP_NOT_ALLOWED);
	if (known && begins(&packet))
		flow_as_is(&packet, sender, receiver, now);
pass:
	if (packet.fragment && packet.kind == KIND_WHOLE)
		fragment_ports(&packet);
	return UNDECIDED;
}

/**
 * let_out() - decides whether a container's packet may go beyond its network.
 * @to: the container of another network that it is for, or NULL
 *
 * Return: UNDECIDED if it may, and then the packet may have been moved; or the verdict.
 */
static __always_inline int let_out(struct __sk_buff *skb, struct shunt_interface *from, struct shunt_address *to)
{
	const int verdict = judge_out(skb, from, to);

	return verdict == REFUSED ? refuse(skb, from, SHUNT_DROP_NOT_ALLOWED, COMPLAIN_PROHIBITED, 0) : verdict;
}

/**
 * let_in() - decides whether a packet may enter a container by its own address, and makes its flow.
 * @base: where the network header begins
 * @ifindex: the receiver's host end, and @me its entry
 * @host: nobody is asked
 *
 * Return: 0, or -1 if it may not.
 */
static __noinline int let_in(struct __sk_buff *skb, __u32 base, __u32 ifindex, const struct shunt_interface *me, bool host)
{
	const __u32 now = flow_clock();
	struct packet packet = {};
	struct shunt_flow *flow;
	struct shunt_tuple back;
	__be16 port = 0;
	bool known;

	known = read_flow(skb, base, &packet);
	if (known) {
		flow = entry_find(&packet.tuple);
		if (flow && flow->to_ifindex == ifindex && (flow_settled(&packet, flow, now) || flow_renew(&packet, flow, now) == 0))
			goto pass;
		invert(&back, &packet.tuple);
		flow = entry_find(&back);
		if (packet.kind == KIND_WHOLE && flow && flow->from_ifindex == ifindex && !flow_dead(&back, flow, now))
			goto pass;		/* it is an answer */
		port = packet.tuple.dport;
	}
	if (!host && !allowed_in(me, &packet, port))
		return -1;
	if (known && begins(&packet))
		flow_as_is(&packet, 0, ifindex, now);
pass:
	if (packet.fragment && packet.kind == KIND_WHOLE)
		fragment_ports(&packet);
	return 0;
}

#endif

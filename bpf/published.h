/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * published.h - flows to an address of the host that a container answers: from the wire, and from another container.
 *
 * Theory of operation: flows that are not known any more (F3 in flow.h)
 *
 * If who asked speaks first then, the flow begins as it did at first. If the container does, its packet (B:b -> R:r) lacks H:h,
 * and looks like one of a flow that B begins. "answers" tells by which port of the host B:b is reached; with that, the packet's
 * inverse is (R:r -> H:h), and the flow is the one that R would begin with it.
 *
 * R1. Nothing is made again that R could not begin at this moment: H:h is published, leads R:r to B:b of all its containers,
 *     has no socket of the host's (F4), H is the host's own, and the rules of B's network let R in. What "answers" says is
 *     only where to look: old or missing, it costs what was to be mended, and no more.
 * R2. No other flow gives way to it, not even a dead one: an entry is made where there is none (F1), or is this flow's already, or
 *     nothing is made. So what a container makes up leaves by a port that is its own, to whom no other has a flow with there, or is
 *     masqueraded as ever.
 * R3. Only what would be masqueraded otherwise is asked about, and of that TCP alone, and no packet that opens a connection: that is
 *     B's own, as a datagram may be, which has to have the address that its way prefers, and another when that changes.
 *     What leaves with the container's address (no masquerade, or none for R) goes on so: it may be of somebody who asked B by
 *     that, whom nobody keeps a flow of.
 * R4. Rules for what goes out ("allow") come before, as for all that is of no flow. Where they forbid it, R has to speak first.
 *
 * That leaves guesses, and a wrong one is what all were without: the other side resets. If H:h is of all addresses, H is what the
 * route to R prefers; R may have asked by another one. If several ports of the host lead to B:b, it is the first of them. A
 * connection that B began from b itself is taken for R's. Of two flows from R:r to B:b, by two ports of the host, one was given
 * another port than r, which is forgotten.
 *
 * From another container (hairpin) only A knows H:n. Where n is of the ports for masquerading, B hears nothing until A speaks,
 * instead of a reset by the host's stack.
 */
#ifndef SHUNT_BPF_PUBLISHED_H
#define SHUNT_BPF_PUBLISHED_H

#include "fib.h"
#include "allow.h"
#include "publish.h"

/* Return: whether a port of the host means anything to us. */
static __always_inline bool port_known(__be16 port)
{
	__u32 index = bpf_ntohs(port) >> 6;
	const struct shunt_ports *p = bpf_map_lookup_elem(&ports, &index);

	return p && (p->masquerade | p->tcp | p->udp) >> (bpf_ntohs(port) & 63) & 1;
}

/*
 * Most of what is not for a container is for the host's own sockets, and told by a port that we have nothing to do with.
 * Return: whether the packet may be of a flow.
 */
static __always_inline bool perhaps4(struct __sk_buff *skb, const struct iphdr *ip)
{
	const __be16 *port = (const __be16 *)(ip + 1);

	if (unlikely(*(const __u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET)))
		return true;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return ip->protocol == IPPROTO_ICMP;
	return (void *)(port + 2) > (void *)(long)skb->data_end || port_known(port[1]);
}

static __always_inline bool perhaps6(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
	const __be16 *port = (const __be16 *)(ip + 1);

	if (ip->nexthdr != IPPROTO_TCP && ip->nexthdr != IPPROTO_UDP)
		return ip->nexthdr == IPPROTO_ICMPV6 || is_extension(ip->nexthdr);
	return (void *)(port + 2) > (void *)(long)skb->data_end || port_known(port[1]);
}

/* Return: what bpf_fib_lookup() answers for an address. @ifindex: where a packet to it came in */
static __noinline long way_to(struct __sk_buff *skb, __u32 ifindex, const __u8 *address, bool ipv4)
{
	struct bpf_fib_lookup fib = { .ifindex = ifindex };

	fib.family = ipv4 ? AF_INET : AF_INET6;
	if (ipv4)
		fib.ipv4_dst = ((const __be32 *)address)[3];
	else
		__builtin_memcpy(fib.ipv6_dst, address, sizeof(fib.ipv6_dst));
	return bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_SKIP_NEIGH);
}

/*
 * Return: whether an address is one of the host's, as far as its routing table tells: one without a route seems so, too.
 *
 * @ifindex: any host end, which the look-up is for
 */
static __always_inline bool is_local(struct __sk_buff *skb, __u32 ifindex, const __u8 *address, bool ipv4)
{
	return way_to(skb, ifindex, address, ipv4) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* Return: where the backend was found that may be asked for: published, by no socket of the host, and the address is its own; or 0. */
static __always_inline int backend_of(struct __sk_buff *skb, const struct shunt_tuple *tuple, bool ipv4, struct shunt_backend *ret)
{
	const int found = port_published(tuple->dport, tuple->protocol) ? publish_find(tuple, ret) : 0;

	return found && !host_listens(skb, tuple) && is_local(skb, ret->ifindex, tuple->destination, ipv4) ? found : 0;
}

/* The same for a packet. Return: whether there is one. */
static __always_inline bool find_backend(struct __sk_buff *skb, struct packet *packet, struct shunt_backend *ret)
{
	if (packet->kind != KIND_WHOLE)
		return false;
	packet->published = backend_of(skb, &packet->tuple, packet->ipv4, ret);
	return packet->published;
}

/* Return: whether the backend's network lets a packet begin a flow with it; one that does not is noted in the packet. */
static __always_inline bool backend_allows(const struct shunt_interface *from, struct packet *packet, const struct shunt_backend *b)
{
	__u32 ifindex = b->ifindex;
	struct shunt_interface *me = bpf_map_lookup_elem(&interfaces, &ifindex);

	if (me && (!(me->flags & SHUNT_F_ALLOW_IN) || (from && same_network(from, me->network)) || allowed_in(me, packet, b->port)))
		return true;
	if (me && !from)
		drop(me, SHUNT_DROP_NOT_ALLOWED);
	packet->refused = me;
	return false;
}

/*
 * Return: whether a packet to an address of the host may be of a flow that only its other side can tell: of a connection, to a port
 * that flows leave from, which no socket of the host has. One that is tried is refused as ever.
 */
static __always_inline bool perhaps_forgotten(struct __sk_buff *skb, const struct packet *packet)
{
	return packet->kind == KIND_WHOLE && packet->tuple.protocol == IPPROTO_TCP &&
	       (packet->tcp & (TCP_SYN | TCP_ACK)) != TCP_SYN &&
	       may_leave_from(IPPROTO_TCP, bpf_ntohs(packet->tuple.dport)) && !host_listens(skb, &packet->tuple);
}

/* Begins a flow from the wire; its source stays. Return: its original entry, or NULL. */
static __noinline struct shunt_flow *publish_from_wire(struct __sk_buff *skb, struct packet *packet, __u32 now)
{
	struct shunt_backend backend = {};
	struct shunt_flow *flow;
	struct attempt *a;

	if (!find_backend(skb, packet, &backend) || !backend_allows(NULL, packet, &backend))
		return NULL;
	a = flow_begin(&packet->tuple, packet->tcp, packet->tuple.source, backend.address, backend.port, 0, backend.ifindex, now);
	if (!a)
		return NULL;
	/* Only if the container speaks with the same port out there already, by another of ours. */
	a->port_low = 1024;
	a->port_high = 65535;
	flow = flow_make(skb, &packet->tuple, a, 0);
	if (flow)
		publish_count(&packet->tuple, backend.ifindex, packet->published);
	return flow;
}

/* Return: whether the rules of a container's network let what @answer answers begin. */
static __always_inline bool may_have_asked(const struct shunt_interface *me, const struct packet *answer)
{
	return !(me->flags & SHUNT_F_ALLOW_IN) ||
	       rules_allow(SHUNT_RULES_SET(me->policy, SHUNT_RULES_IN, !answer->ipv4),
			   (const struct shunt_in6 *)answer->tuple.destination, answer->tuple.protocol, bpf_ntohs(answer->tuple.sport));
}

/*
 * Fills in where what @answer answers had been sent to. @prefers: the host's address that is meant by all of them. Return: 0, or -1 if
 * no port is published that leads there.
 */
static __noinline int asked_at(const struct shunt_tuple *answer, const struct shunt_in6 *prefers, struct shunt_tuple *ret)
{
	struct shunt_published_key key = { .port = answer->sport, .protocol = answer->protocol };
	const struct shunt_published_key *host;
	const __u32 *address;

	__builtin_memcpy(key.address, answer->source, sizeof(key.address));
	host = bpf_map_lookup_elem(&answers, &key);
	if (!host)
		return -1;
	address = (const __u32 *)host->address;
	invert(ret, answer);
	ret->dport = host->port;
	__builtin_memcpy(ret->destination, address[0] | address[1] | address[3] ? (const __u8 *)address : prefers->byte,
			 sizeof(ret->destination));
	return 0;
}

/* Makes both entries of the flow from the wire that @asked begins, as if it had come. Its own port is the only one for it. */
static __noinline void make_again(struct __sk_buff *skb, const struct shunt_tuple *asked, const struct shunt_tuple *answer, __u32 ifindex)
{
	struct attempt *a = flow_begin(asked, 0, asked->source, answer->source, answer->sport, 0, ifindex, flow_clock());

	if (a && asked->sport)
		flow_make(skb, asked, a, bpf_ntohs(asked->sport));
}

/**
 * publish_again() - makes the flow from the wire again that a container's packet answers. (R1 to R3)
 * @answer: the packet, KIND_WHOLE, of no flow that is known
 * @prefers: the address of the host that its way prefers, mapped
 * @ifindex: of @from
 *
 * Return: 0, and the packet has its entry; or -1 if it answers none, or none that can be told.
 */
__global int publish_again(struct __sk_buff *skb, const struct shunt_interface *from, struct packet *answer,
			   const struct shunt_in6 *prefers, __u32 ifindex)
{
	__u32 zero = 0;
	struct attempt *a = bpf_map_lookup_elem(&attempts, &zero);
	struct shunt_flow *flow;

	if (!a || !from || !answer || !prefers || asked_at(&answer->tuple, prefers, &a->asked) || !may_have_asked(from, answer))
		return -1;
	if (!backend_of(skb, &a->asked, answer->ipv4, &a->backend) || a->backend.ifindex != ifindex ||
	    a->backend.port != answer->tuple.sport || !same6(a->backend.address, answer->tuple.source))
		return -1;
	make_again(skb, &a->asked, &answer->tuple, ifindex);
	flow = entry_find(&answer->tuple);
	return flow && flow->from_ifindex == ifindex ? flow_renew(answer, flow, flow_clock()) : -1;
}

/*
 * Begins a flow from a container, which may be the one that answers: with the address of the host that it was sent to, so that
 * the answer comes this way as well. Return: 0, or -1 if there is none to begin.
 */
static __noinline int publish_hairpin(struct __sk_buff *skb, struct shunt_interface *from, struct packet *packet, __u32 now)
{
	struct shunt_backend backend = {};
	struct attempt *a;

	if (!find_backend(skb, packet, &backend))
		return -1;
	/* For all that the host knows no way to, the routing table says the same as for its own addresses. */
	if (packet->published & PUBLISH_ANY && !bpf_map_lookup_elem(&locals, packet->tuple.destination))
		return -1;
	if (!backend_allows(from, packet, &backend))
		return -1;
	a = flow_begin(&packet->tuple, packet->tcp, packet->tuple.destination, backend.address, backend.port, skb->ifindex,
		       backend.ifindex, now);
	if (!a)
		return -1;
	a->host = true;
	a->ranged = from->port_high;
	a->port_low = from->port_high ? from->port_low : 1024;
	a->port_high = from->port_high ?: 65535;
	if (!flow_make(skb, &packet->tuple, a, 0))
		return -1;
	publish_count(&packet->tuple, backend.ifindex, packet->published);
	return 0;
}

#endif

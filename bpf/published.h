/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * published.h - flows to an address of the host that a container answers: from the wire, and from another container.
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

/* Return: whether a backend may be asked for by a packet: it is published, by no socket of the host, and the address is its own. */
static __always_inline bool find_backend(struct __sk_buff *skb, struct packet *packet, struct shunt_backend *ret)
{
	if (packet->kind != KIND_WHOLE || !port_published(packet->tuple.dport, packet->tuple.protocol))
		return false;
	packet->published = publish_find(&packet->tuple, ret);
	return packet->published && !host_listens(skb, &packet->tuple) &&
	       is_local(skb, ret->ifindex, packet->tuple.destination, packet->ipv4);
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

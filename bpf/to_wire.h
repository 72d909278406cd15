/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * to_wire.h - what the host's own stack has routed for a container leaves by an uplink: masqueraded, or as the answer of a
 * published port; and so does what the stack itself tells of a packet to a container. For networks with "routing": "kernel" alone;
 * the program is attached with the first of them.
 *
 * Runs at tcx egress, behind the packet filter's FORWARD and POSTROUTING, both of which have seen the container's address.
 */
#ifndef SHUNT_BPF_TO_WIRE_H
#define SHUNT_BPF_TO_WIRE_H

#include "masquerade.h"

/* Asks for the way again: the stack has chosen it already, but does not tell which address it prefers. */
static __noinline int leave_masqueraded(struct __sk_buff *skb, struct shunt_interface *from, struct packet *packet, __u32 ifindex)
{
	struct bpf_fib_lookup fib __attribute__((aligned(8))) = { .ifindex = ifindex };
	struct shunt_flow *flow;
	const bool hide = hides(from, packet->tuple.destination, packet->ipv4);
	__u32 now = flow_clock();
	__u8 source[16] __attribute__((aligned(8)));

	fib.family = packet->ipv4 ? AF_INET : AF_INET6;
	fib.l4_protocol = packet->tuple.protocol;
	fib.sport = packet->tuple.sport;
	fib.dport = packet->tuple.dport;
	if (packet->ipv4) {
		fib.ipv4_src = ((const __be32 *)packet->tuple.source)[3];
		fib.ipv4_dst = ((const __be32 *)packet->tuple.destination)[3];
	} else {
		__builtin_memcpy(fib.ipv6_src, packet->tuple.source, 16);
		__builtin_memcpy(fib.ipv6_dst, packet->tuple.destination, 16);
	}
	if (bpf_fib_lookup(skb, &fib, sizeof(fib), BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH) ||
	    preferred_source(&fib, packet->ipv4, source))
		return hide ? drop(from, SHUNT_DROP_NO_PORT) : NEXT;
	flow = still(skb, packet, ifindex, source, fib.ifindex, now);
	if (flow && ((hide && forget_as_is(packet, flow)) || forget_across(packet, flow)))
		flow = NULL;
	if (!flow && !hide) {
		stays_as_is(from, packet, ifindex, now);
		return NEXT;
	}
	if (!flow && packet->kind == KIND_WHOLE && !packet->reply)
		flow = again(skb, from, ifindex, packet, source) ? entry_find(&packet->tuple) :
								   masquerade(skb, from, ifindex, packet, &fib, now);
	if (!flow)
		return drop(from, packet->kind == KIND_WHOLE && !packet->reply ? SHUNT_DROP_NO_PORT : SHUNT_DROP_UNTRANSLATED);
	flow->uplink = fib.ifindex;
	flow->uplink_until = now + 1;
	return retell(skb, packet, flow) ? drop(from, SHUNT_DROP_MALFORMED) : NEXT;
}

/*
 * What the host's stack tells somebody out there about a packet that it did not let through to a container, as its packet filter
 * refused it or it was too large, quotes that packet as the stack saw it: behind from_wire, with the container's address.
 * Return: the verdict.
 */
static __noinline int tell_masqueraded(struct __sk_buff *skb, __u32 base)
{
	struct packet packet = {};
	struct shunt_flow *flow;

	if (read_packet(skb, base, &packet) || packet.kind != KIND_ERROR)
		return NEXT;
	flow = entry_find(&packet.tuple);
	if (!flow || !flow->from_ifindex || flow_dead(&packet.tuple, flow, flow_clock()))
		return NEXT;
	return retell(skb, &packet, flow) ? DROP : NEXT;
}

/* @base: where the network header begins. Return: the verdict; NEXT for the host's own packets. */
static __always_inline int to_wire(struct __sk_buff *skb, __u32 base)
{
	const __u32 wanted = SHUNT_F_MASQUERADE4 | SHUNT_F_MASQUERADE6 | SHUNT_F_PUBLISHED;
	struct shunt_interface *from;
	struct shunt_address *a = NULL;
	struct packet packet = {};
	struct shunt_flow *flow;
	__u8 *header = NULL, protocol = 0;
	__u32 ifindex, now;

	if (skb->protocol == PROTO_IP && (header = bytes(skb, base, sizeof(struct iphdr)))) {
		protocol = ((struct iphdr *)header)->protocol;
		a = bpf_map_lookup_elem(&addresses4, &((struct iphdr *)header)->saddr);
	} else if (skb->protocol == PROTO_IP6 && (header = bytes(skb, base, sizeof(struct ipv6hdr)))) {
		protocol = ((struct ipv6hdr *)header)->nexthdr;
		a = bpf_map_lookup_elem(&addresses6, &((struct ipv6hdr *)header)->saddr);
	}
	if (!a && (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6))
		return tell_masqueraded(skb, base);
	if (likely(!a || !(a->flags & SHUNT_F_KERNEL) || !(a->flags & wanted) || !a->ifindex))
		return NEXT;
	ifindex = a->ifindex;
	from = bpf_map_lookup_elem(&interfaces, &ifindex);
	if (!from)
		return NEXT;
	if (read_packet(skb, base, &packet) || (packet.kind == KIND_LATER && fragment_ports(&packet)))
		return hides(from, packet.tuple.destination, skb->protocol == PROTO_IP) ? drop(from, SHUNT_DROP_UNTRANSLATED) : NEXT;
	now = flow_clock();
	flow = entry_find(&packet.tuple);
	if (packet.fragment && packet.kind == KIND_WHOLE)
		fragment_ports(&packet);
	if (!flow || flow->from_ifindex != ifindex || now >= flow->uplink_until || !flow_settled(&packet, flow, now))
		return leave_masqueraded(skb, from, &packet, ifindex);
	return retell(skb, &packet, flow) ? drop(from, SHUNT_DROP_MALFORMED) : NEXT;
}

#endif

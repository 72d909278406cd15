/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * take.h - a packet goes by its shortcut; shortcut.h has the theory. This is what nearly all packets meet, and nothing else of ours.
 */
#ifndef SHUNT_BPF_TAKE_H
#define SHUNT_BPF_TAKE_H

#include "across.h"
#include "begin.h"
#include "translate.h"

static __always_inline __u8 hops(const void *network, const bool ipv4)
{
	return ipv4 ? ((const struct iphdr *)network)->ttl : ((const struct ipv6hdr *)network)->hop_limit;
}

static __always_inline void one_hop_less(struct __sk_buff *skb, void *network, const bool ipv4, __u32 kind)
{
	if (ipv4)
		decrease_ttl4(network);
	else
		decrease_hops6(skb, network, kind == CHECKSUM_COMPLETE);
}

/* As translate() does, but that all sums are known. Both headers are in place. @kind: checksum_kind() */
static __always_inline void retell_in_place(struct __sk_buff *skb, const struct shortcut *s, void *network, __u8 *transport,
					    __sum16 *check, const bool ipv4, const bool tcp, __u32 kind)
{
	word *address = ipv4 ? (word *)&((struct iphdr *)network)->saddr : (word *)&((struct ipv6hdr *)network)->saddr;
	const __sum16 before = *check;

	address[0] = s->to_address[0];
	if (ipv4) {
		__sum16 *own = &((struct iphdr *)network)->check;

		*own = ~fold16((__u16)~*own + s->addresses_delta);
	} else {
		address[1] = s->to_address[1];
		address[2] = s->to_address[2];
		address[3] = s->to_address[3];
	}
	*(__u32 *)transport = s->to_ports;
	if (kind == CHECKSUM_PARTIAL) {
		*check = fold16(before + s->addresses_delta);
		return;
	}
	if (before || tcp) {	/* UDP's of 0 is none */
		*check = ~fold16((__u16)~before + s->transport_delta);
		if (!tcp && !*check)
			*check = 0xffff;
	}
	if (unlikely(kind == CHECKSUM_COMPLETE))
		bpf_csum_update(skb, sum16((ipv4 ? 0 : s->addresses_delta) + s->ports_delta + delta16(before, *check)));
}

/* Return: the shortcut that packets like this one have, which may be too old, or NULL. @network: its header, and ports behind it */
static __always_inline struct shortcut *find_shortcut(struct __sk_buff *skb, void *network, const bool ipv4)
{
	const word *address = ipv4 ? (word *)&((struct iphdr *)network)->saddr : (word *)&((struct ipv6hdr *)network)->saddr;
	const __u32 *ports = network + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	const __u64 hash = address_hash(address, ipv4);
	struct shortcut *s = shortcut_at(hash);

	if (fits(s, PLACE_ADDRESSES, skb->ifindex, network, ipv4))
		return s;
	s = shortcut_at(port_hash(hash, *ports));
	return fits(s, PLACE_PORTS, skb->ifindex, network, ipv4) ? s : NULL;
}

/* Return: whether a packet larger than its way is to be cut into ones that are not. @transport: bytes, its header */
static __always_inline bool cut_to_size(struct __sk_buff *skb, const struct shortcut *s, __u32 transport, const bool ipv4)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));

	return skb->gso_size && headers + transport + skb->gso_size <= s->size;
}

/* A redirect helper's answer, with what the compiler cannot know: that it is a verdict. */
static __always_inline int sent(long verdict)
{
	__builtin_assume(verdict != UNDECIDED);
	return verdict;
}

/*
 * Sends a packet by a shortcut, which may be too old. Constants: @ipv4, @out, and @tcp, whose header is in place.
 *
 * Return: the verdict, or UNDECIDED; the packet is then as it was.
 */
static __always_inline int go(struct __sk_buff *skb, const struct sk_buff *inside, struct shortcut *s, __u8 *eth,
			      const bool ipv4, const bool out, const bool tcp)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)), check = tcp ? CHECK_TCP : CHECK_UDP;
	const __u32 transport = tcp ? sizeof(struct tcphdr) : sizeof(struct udphdr);
	__u32 kind = 0;

	if (unlikely(bpf_jiffies64() >= s->until || hops(eth + L3, ipv4) <= 1 ||
		     (out && !length_sane(skb, eth + L3, ipv4, transport))))
		return UNDECIDED;
	if (skb->len > s->size &&
	    unlikely(!cut_to_size(skb, s, tcp ? eth[headers + 12] >> 4 << 2 : sizeof(struct udphdr), ipv4)))
		return UNDECIDED;
	if (out || !ipv4 || s->translated)
		kind = checksum_kind(inside);
	if (out && kind == CHECKSUM_PARTIAL && unlikely(!checksum_own(inside, headers, check)))
		return UNDECIDED;

	if (s->translated)
		retell_in_place(skb, s, eth + L3, eth + headers, (__sum16 *)(eth + headers + check), ipv4, tcp, kind);
	if (out && s->way != WAY_OUT) {
		if (s->way == WAY_ACROSS)
			return pass_across(skb, s->to_ifindex);
		if (s->way == WAY_HOST_END)
			return sent(bpf_redirect(s->to_ifindex, 0));
		one_hop_less(skb, eth + L3, ipv4, kind);
		return sent(bpf_redirect_neigh(s->to_ifindex, &s->hop, sizeof(s->hop), 0));
	}
	one_hop_less(skb, eth + L3, ipv4, kind);
	*(word *)eth = *(const word *)s->ethernet;
	*(__u32 *)(eth + sizeof(word)) = *(const __u32 *)(s->ethernet + sizeof(word));
	return sent(out ? bpf_redirect(s->to_ifindex, 0) : bpf_redirect_peer(s->to_ifindex, 0));
}

/**
 * take_shortcut() - sends a packet where the last one like it went. Constants: @ipv4, @out: whether it comes from a container
 *
 * What has to be known of its flow, the flow knows then. (S4, S5)
 *
 * Return: the verdict, or UNDECIDED; the packet is then as it was.
 */
static __always_inline int take_shortcut(struct __sk_buff *skb, const bool ipv4, const bool out)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);
	__u8 *eth = (__u8 *)(long)skb->data;
	struct shortcut *s;

	/* A VLAN's tag is beside the packet. */
	if (unlikely((void *)(eth + headers + sizeof(struct udphdr)) > packet_end(skb) || inside->vlan_all ||
		     (!out && skb->pkt_type != 0 /* PACKET_HOST */)))
		return UNDECIDED;
	/* A packet socket can say one thing to the kernel, and another in the frame. */
	if (out && unlikely(*(__be16 *)(eth + offsetof(struct ethhdr, h_proto)) != (ipv4 ? PROTO_IP : PROTO_IP6)))
		return UNDECIDED;
	s = find_shortcut(skb, eth + L3, ipv4);
	if (unlikely(!s)) {
		s = begin_connection(skb, ipv4, out);
		eth = (__u8 *)(long)skb->data;
		if (!s || (void *)(eth + headers + sizeof(struct tcphdr)) > packet_end(skb))
			return UNDECIDED;
		return go(skb, inside, s, eth, ipv4, out, true);
	}
	if (unlikely(s->protocol != IPPROTO_TCP))
		return go(skb, inside, s, eth, ipv4, out, false);
	if (unlikely((void *)(eth + headers + sizeof(struct tcphdr)) > packet_end(skb)))
		return UNDECIDED;
	if (unlikely(eth[headers + 13] & (TCP_SYN | TCP_FIN | TCP_RST)) && s->flow && tell_flow(s, eth[headers + 13], ipv4, out))
		return UNDECIDED;
	return go(skb, inside, s, eth, ipv4, out, true);
}

#endif

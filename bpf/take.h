/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * take.h - a packet goes by its shortcut; shortcut.h has the theory. This is what nearly all packets meet, and nothing else of ours.
 */
#ifndef SHUNT_BPF_TAKE_H
#define SHUNT_BPF_TAKE_H

#include "begin.h"
#include "translate.h"

/* Return: what is known of a packet's checksum, as the kernel has it: CHECKSUM_PARTIAL, CHECKSUM_COMPLETE, or something else. */
static __always_inline __u32 checksum_kind(struct __sk_buff *skb)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return BPF_CORE_READ_BITFIELD(inside, ip_summed);
}

/* Return: whether what is to be completed is the transport header's own checksum, and nothing that a forger would like to write. */
static __always_inline bool checksum_own(struct __sk_buff *skb, const __u32 headers, __u32 field)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return inside->csum_start == inside->mac_header + headers && inside->csum_offset == field;
}

/* Two terms, at most, of 16 bits. */
static __always_inline __u16 fold16(__u32 sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

/* As translate() does, but that all sums are known. Both headers are in place. @kind: checksum_kind() */
static __always_inline void retell_in_place(struct __sk_buff *skb, const struct shortcut *s, void *network, __u8 *transport,
					    __sum16 *check, const bool ipv4, __u32 kind)
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
	if (before || s->protocol != IPPROTO_UDP) {	/* UDP's of 0 is none */
		*check = ~fold16((__u16)~before + s->transport_delta);
		if (!*check && s->protocol == IPPROTO_UDP)
			*check = 0xffff;
	}
	if (unlikely(kind == CHECKSUM_COMPLETE))
		bpf_csum_update(skb, sum16((ipv4 ? 0 : s->addresses_delta) + s->ports_delta + delta16(before, *check)));
}

/**
 * find_shortcut() - finds a packet's shortcut. Constants: @ipv4, @out: whether it comes from a container
 *
 * What has to be known of its flow, the flow knows then. (S4, S5)
 *
 * Return: the shortcut, which may be too old, or NULL.
 */
static __always_inline struct shortcut *find_shortcut(struct __sk_buff *skb, const bool ipv4, const bool out)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	const word *address = ipv4 ? (word *)&ip->saddr : (word *)&ip6->saddr;
	const __u8 *protocol = ipv4 ? &ip->protocol : &ip6->nexthdr;
	__u8 *transport = (__u8 *)eth + headers;
	struct shortcut *s;
	__u64 hash;

	if (unlikely((void *)(transport + sizeof(struct udphdr)) > packet_end(skb) || skb->vlan_present ||
		     (!out && skb->pkt_type != 0 /* PACKET_HOST */)))
		return NULL;
	if (ipv4 ? unlikely(*(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET)) : unlikely(ip6->version != 6))
		return NULL;
	/* A packet socket can say one thing to the kernel, and another in the frame. */
	if (out && unlikely(*(__be16 *)((__u8 *)eth + offsetof(struct ethhdr, h_proto)) != (ipv4 ? PROTO_IP : PROTO_IP6)))
		return NULL;
	hash = address_hash(address, ipv4);
	s = shortcut_at(hash);
	if (fits(s, PLACE_ADDRESSES, skb->ifindex, address, 0, *protocol, out ? header_start(ip, ipv4) : 0, ipv4))
		return s;
	s = shortcut_at(spread(hash, *(__u32 *)transport));
	if (!fits(s, PLACE_PORTS, skb->ifindex, address, *(__u32 *)transport, *protocol, out ? header_start(ip, ipv4) : 0, ipv4))
		return begin_connection(skb, ipv4, out);
	if (likely(*protocol == IPPROTO_TCP)) {
		if (unlikely((void *)(transport + sizeof(struct tcphdr)) > packet_end(skb)))
			return NULL;
		if (unlikely(transport[13] & (TCP_SYN | TCP_FIN | TCP_RST)) && s->flow && tell_flow(s, transport[13], ipv4, out))
			return NULL;
	}
	return s;
}

/**
 * take_shortcut() - sends a packet where the last one like it went. Constants: @ipv4, @out: whether it comes from a container
 *
 * All that find_shortcut() may call lies behind us: nothing that is known of the packet here needs more than registers.
 *
 * Return: the verdict, or UNDECIDED; the packet is then as it was.
 */
static __always_inline int take_shortcut(struct __sk_buff *skb, const bool ipv4, const bool out)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct shortcut *s = find_shortcut(skb, ipv4, out);
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	__u8 *transport = (__u8 *)eth + headers;
	__u32 size = sizeof(struct udphdr), check = 6;
	__u32 kind = 0;
	struct shunt_tally *tally;

	if (unlikely(!s || (void *)(transport + sizeof(struct udphdr)) > packet_end(skb)))
		return UNDECIDED;
	if (likely(s->protocol == IPPROTO_TCP)) {
		if (unlikely((void *)(transport + sizeof(struct tcphdr)) > packet_end(skb)))
			return UNDECIDED;
		size = transport[12] >> 4 << 2;
		check = 16;
	}
	size = likely(!skb->gso_size) ? skb->len - L3 : headers - L3 + size + skb->gso_size;
	if (unlikely(size > s->size || (ipv4 ? ip->ttl : ip6->hop_limit) <= 1 || s->until <= bpf_jiffies64()))
		return UNDECIDED;
	if (out && unlikely(!length_sane(skb, ip, ipv4)))
		return UNDECIDED;
	if (out || s->translated)
		kind = checksum_kind(skb);
	if (kind == CHECKSUM_PARTIAL && unlikely(!checksum_own(skb, headers, check)))
		return UNDECIDED;
	tally = tally_of(s->endpoint);
	if (unlikely(!tally || tally->ifindex != s->endpoint))
		return UNDECIDED;

	if (s->translated)
		retell_in_place(skb, s, ip, transport, (__sum16 *)(transport + check), ipv4, kind);
	if (out) {
		tally->tx_packets++;
		tally->tx_bytes += skb->len;
	} else {
		tally->rx_packets++;
		tally->rx_bytes += skb->len;
	}
	if (out && s->way == WAY_ACROSS)
		return bpf_redirect(s->to_ifindex, 0);
	if (ipv4)
		decrease_ttl4(ip);
	else
		decrease_ttl6(skb, ip6);
	if (out && unlikely(!s->addressed))
		return bpf_redirect_neigh(s->to_ifindex, &s->hop, sizeof(s->hop), 0);
	__builtin_memcpy(eth, s->ethernet, sizeof(s->ethernet));
	return out ? bpf_redirect(s->to_ifindex, 0) : bpf_redirect_peer(s->to_ifindex, 0);
}

/**
 * shortcut_to_ct() - counts a packet that the host's stack, or another container, sends to a container.
 *
 * Return: whether there is a shortcut, so that it goes on.
 */
static __always_inline bool shortcut_to_ct(struct __sk_buff *skb, const bool ipv4)
{
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	const word *address = ipv4 ? (word *)&ip->saddr : (word *)&ip6->saddr;
	struct shunt_tally *tally;
	struct shortcut *s;

	if (unlikely((ipv4 ? (void *)(ip + 1) : (void *)(ip6 + 1)) > packet_end(skb)))
		return false;
	s = shortcut_at(spread(address_hash(address, ipv4), TO_CT));
	if (!fits(s, PLACE_TO_CT, skb->ifindex, address, 0, ipv4 ? ip->protocol : ip6->nexthdr, 0, ipv4) ||
	    s->until <= bpf_jiffies64())
		return false;
	tally = tally_of(s->endpoint);
	if (unlikely(!tally || tally->ifindex != s->endpoint))
		return false;
	tally->rx_packets++;
	tally->rx_bytes += skb->len;
	return true;
}

#endif

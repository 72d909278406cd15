/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * shortcut.h - what was decided about one packet holds for those like it, for an eighth of a second.
 *
 * All programs but this one decide by look-ups: who sent it, who receives it, what flow it is of, which way the routing table
 * knows. Their answers are the same for thousands of packets in a row. The last step of a decision leaves it here, in this
 * CPU's own table, under all that it depended on; the next packet like it takes it from there, at the cost of three arrays.
 *
 * S1. A shortcut does what the way behind it would do. What a decision depends on is one of these: it is compared (the device,
 *     the addresses, the protocol, the ports unless nobody has looked at them, the first bytes of the network header where the
 *     routing table was asked); it is checked of each packet (lengths, checksum, TTL, size, TCP's flags); or it may change
 *     behind our back, and is an eighth of a second old at most: an address, a route, a neighbour, a rule, a flow's state.
 * S2. A shortcut leads to a device by its number, as flows do (F5 in flow.h), so that none ever leads to another container. (The
 *     way in from a host end leads nowhere else: it only says who counts.)
 * S3. Who never stops still comes by the long way eight times a second. There a flow is kept alive, the routing table asked, a
 *     neighbour looked for.
 * S4. What may change a flow's state is not for here: SYN, FIN and RST, fragments, ICMP.
 *
 * There are two places for a packet: by its addresses alone, where nothing depended on ports, so that all connections between
 * two share one, the new ones as well; and by addresses and ports. (The way in from a host end has another, as the packet had one
 * out of its sender.) Each holds one shortcut, and the last comer has it.
 */
#ifndef SHUNT_BPF_SHORTCUT_H
#define SHUNT_BPF_SHORTCUT_H

#include "fib.h"
#include "flow.h"
#include "translate.h"

#define SHORTCUT_BITS 10
#define IN_CONTAINER (1U << 31)	/* marks numbers that devices have in a container's namespace */

/* How many jiffies a shortcut is good for. Given by the loader, who knows their length; without, there are none. */
const volatile __u32 shortcut_ticks;

enum shortcut_way {
	WAY_OUT,	/* to a next hop behind an uplink */
	WAY_IN,		/* into a container, from an uplink */
	WAY_ACROSS,	/* to the host end of another container, on netkit */
	WAY_TO,		/* into a container, from its host end: on, and counted */
};

struct shortcut {
	__u64 address[4];	/* as in the network header: source and destination; IPv4's both in the first */
	__u64 to_address[4];	/* what they become */
	__u32 ports;		/* source and destination, as in the transport header */
	__u32 ports_mask;	/* 0: of whatever ports, else all ones */
	__u32 to_ports;
	__u32 start;		/* of the network header, as header_start() tells; 0 unless it goes WAY_OUT */
	__u32 ifindex;		/* the device that it came in by; 0: this is none. WAY_TO: | IN_CONTAINER */
	__u64 until;		/* jiffies */
	__u32 size;		/* bytes that may go that way at most, network layer */
	__u32 to_ifindex;
	__u32 endpoint;		/* host end of the container in whose tally it counts */
	__u16 addresses_delta;	/* by how much checksums grow that have the addresses in them */
	__u16 ports_delta;
	__u8 way;		/* enum shortcut_way */
	__u8 protocol;		/* IPPROTO_TCP or IPPROTO_UDP */
	bool translated;	/* to_address and to_ports are not the same as before */
	bool flow;		/* S4 */
	__u8 mac[ETH_ALEN];	/* WAY_IN */
	struct bpf_redir_neigh hop;	/* WAY_OUT */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << SHORTCUT_BITS);
	__type(key, __u32);
	__type(value, struct shortcut);
} shortcuts SEC(".maps");

/* Of version, class and IPv6's flow label, all that a routing table may look at: not congestion's two bits. */
static __always_inline __u32 header_start(const void *header, const bool ipv4)
{
	return ipv4 ? *(const __u16 *)header & bpf_htons(0xfffc) : *(const __u32 *)header & bpf_htonl(0xffcfffff);
}

/* Fibonacci hashing: the upper bits are the ones that all others have gone into. */
static __always_inline __u64 spread(__u64 x, __u64 more)
{
	return (x ^ x >> 32 ^ more) * 0x9e3779b97f4a7c15ULL;
}

static __always_inline struct shortcut *shortcut_at(__u64 hash)
{
	__u32 index = hash >> (64 - SHORTCUT_BITS);

	return bpf_map_lookup_elem(&shortcuts, &index);
}

static __always_inline __u64 address_hash(const __u64 *address, const bool ipv4)
{
	__u64 hash = spread(address[0], 0);

	if (ipv4)
		return hash;
	return spread(spread(spread(hash, address[1]), address[2]), address[3]);
}

static __always_inline bool same_addresses(const struct shortcut *s, const word *address, const bool ipv4)
{
	if (ipv4)
		return s->address[0] == address[0];
	return ((s->address[0] ^ address[0]) | (s->address[1] ^ address[1]) | (s->address[2] ^ address[2]) |
		(s->address[3] ^ address[3])) == 0;
}

/* @start: header_start(), or 0 where nobody asks for it */
static __always_inline bool fits(const struct shortcut *s, __u32 ifindex, const word *address, __u32 ports, __u8 protocol,
				 __u32 start, const bool ipv4)
{
	return s && same_addresses(s, address, ipv4) && s->ifindex == ifindex && !((s->ports ^ ports) & s->ports_mask) &&
	       s->protocol == protocol && (!start || !s->start || s->start == start) && s->until > bpf_jiffies64();
}

/* Return: whether what is to be completed is the transport header's own checksum, and nothing that a forger would like to write. */
static __always_inline bool checksum_own(struct __sk_buff *skb, const __u32 headers, __u32 field)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return inside->csum_start == inside->mac_header + headers && inside->csum_offset == field;
}

/* The transport header's checksum, and the driver's sum of all, follow; both headers are in place. */
static __always_inline void retell_in_place(struct __sk_buff *skb, const struct shortcut *s, void *network, __u8 *transport,
					    __sum16 *check, const bool ipv4, bool partial)
{
	word *address = ipv4 ? (word *)&((struct iphdr *)network)->saddr : (word *)&((struct ipv6hdr *)network)->saddr;
	__u64 field;

	address[0] = s->to_address[0];
	if (ipv4) {
		follow(&((struct iphdr *)network)->check, s->addresses_delta);
	} else {
		address[1] = s->to_address[1];
		address[2] = s->to_address[2];
		address[3] = s->to_address[3];
	}
	*(__u32 *)transport = s->to_ports;
	field = follow_transport(check, s->protocol, partial, s->addresses_delta, s->ports_delta);
	if (!partial)
		follow_complete(skb, (ipv4 ? 0 : s->addresses_delta) + s->ports_delta + field);
}

/**
 * take_shortcut() - sends a packet where the last one like it went.
 * @ipv4, @out: constants; whether it comes from a container
 *
 * Return: the verdict, or UNDECIDED; the packet is then as it was.
 */
static __always_inline int take_shortcut(struct __sk_buff *skb, const bool ipv4, const bool out)
{
	const __u32 headers = L3 + (ipv4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct ethhdr *eth = (struct ethhdr *)(long)skb->data;
	void *end = packet_end(skb);
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct ipv6hdr *ip6 = (struct ipv6hdr *)(eth + 1);
	const word *address = ipv4 ? (word *)&ip->saddr : (word *)&ip6->saddr;
	__u8 *transport = (__u8 *)eth + headers, protocol, ttl;
	__u32 ports, size, start = 0;
	struct shunt_tally *tally;
	struct shortcut *s;
	__sum16 *check;
	bool partial;
	__u64 hash;

	if (unlikely((void *)(transport + sizeof(struct udphdr)) > end || skb->vlan_present ||
		     (!out && skb->pkt_type != 0 /* PACKET_HOST */)))
		return UNDECIDED;
	if (ipv4 ? unlikely(*(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET)) : unlikely(ip6->version != 6))
		return UNDECIDED;
	/* A packet socket can say one thing to the kernel, and another in the frame. */
	if (out && unlikely(eth->h_proto != (ipv4 ? PROTO_IP : PROTO_IP6)))
		return UNDECIDED;
	if (out)
		start = header_start(ip, ipv4);
	protocol = ipv4 ? ip->protocol : ip6->nexthdr;
	ports = *(__u32 *)transport;
	hash = address_hash(address, ipv4);
	s = shortcut_at(hash);
	if (!fits(s, skb->ifindex, address, ports, protocol, start, ipv4)) {
		s = shortcut_at(spread(hash, ports));
		if (!fits(s, skb->ifindex, address, ports, protocol, start, ipv4))
			return UNDECIDED;
	}

	check = (__sum16 *)(transport + 6);
	size = sizeof(struct udphdr);
	if (likely(protocol == IPPROTO_TCP)) {
		if (unlikely((void *)(transport + sizeof(struct tcphdr)) > end ||
			     (s->flow && transport[13] & (TCP_SYN | TCP_FIN | TCP_RST))))
			return UNDECIDED;
		check = (__sum16 *)(transport + 16);
		size = transport[12] >> 4 << 2;
	}
	size = likely(!skb->gso_size) ? skb->len - L3 : headers - L3 + size + skb->gso_size;
	ttl = ipv4 ? ip->ttl : ip6->hop_limit;
	if (unlikely(size > s->size || ttl <= 1))
		return UNDECIDED;
	if (out && unlikely(!(ipv4 ? header4_sane(skb, ip) : header6_sane(skb, ip6))))
		return UNDECIDED;
	partial = (out || s->translated) && checksum_partial(skb);
	if (partial && unlikely(!checksum_own(skb, headers, (__u8 *)check - transport)))
		return UNDECIDED;
	tally = tally_of(s->endpoint);
	if (unlikely(!tally || tally->ifindex != s->endpoint))
		return UNDECIDED;

	if (s->translated)
		retell_in_place(skb, s, ip, transport, check, ipv4, partial);
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
	if (out)
		return bpf_redirect_neigh(s->to_ifindex, &s->hop, sizeof(s->hop), 0);
	__builtin_memcpy(eth->h_dest, s->mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, s->mac, ETH_ALEN);
	return bpf_redirect_peer(s->to_ifindex, 0);
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
	s = shortcut_at(spread(address_hash(address, ipv4), IN_CONTAINER));
	if (!fits(s, skb->ifindex | IN_CONTAINER, address, 0, ipv4 ? ip->protocol : ip6->nexthdr, 0, ipv4))
		return false;
	tally = tally_of(s->endpoint);
	if (unlikely(!tally || tally->ifindex != s->endpoint))
		return false;
	tally->rx_packets++;
	tally->rx_bytes += skb->len;
	return true;
}

#endif

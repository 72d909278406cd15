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
 * S2. A shortcut leads to a device by its number, as flows do (F5 in flow.h), so that none ever leads to another container.
 * S3. Who never stops still comes by the long way eight times a second. There a flow is kept alive, the routing table asked, a
 *     neighbour looked for.
 * S4. Fragments, ICMP and RST are not for here, nor SYN where a connection is known. One that is accepted (SYN and ACK), or that
 *     one side ends (FIN), is told to the one entry that the packet finds, if it is alive: F7 in flow.h.
 * S5. A connection that begins (SYN) needs no routing table where the last one between the same addresses has just begun: begin.h.
 * S6. What goes out is addressed as the neighbour was when the way was last asked for, if that is of an Ethernet uplink.
 *
 * A packet is looked for in two places: by its addresses alone, where nothing depended on ports, so that all connections between
 * two share one, the new ones as well; and by addresses and ports. Each holds one shortcut, and the last comer has it.
 */
#ifndef SHUNT_BPF_SHORTCUT_H
#define SHUNT_BPF_SHORTCUT_H

#include "fib.h"
#include "tuple.h"

#define SHORTCUT_BITS 10

/* How many jiffies a shortcut is good for. Given by the loader, who knows their length; without, there are none. */
const volatile __u32 shortcut_ticks;

enum place {
	PLACE_ADDRESSES,	/* for whatever ports */
	PLACE_PORTS,
	PLACE_BEGIN,		/* by addresses: how a connection begins */
};

enum shortcut_way {
	WAY_OUT,	/* to a next hop behind an uplink, addressed */
	WAY_NEIGHBOUR,	/* the same, but that the kernel addresses it */
	WAY_IN,		/* into a container, from an uplink */
	WAY_ACROSS,	/* into another container, on netkit: across.h */
	WAY_HOST_END,	/* the same by its host end */
};

struct shortcut {
	__u64 address[4];	/* as in the network header: source and destination; IPv4's both in the first */
	__u64 until;		/* jiffies */
	__u64 head, head_mask;	/* the first 8 bytes of the network header, as far as they matter; IPv4's are never IPv6's */
	union {
		struct {
			__u32 ifindex;	/* the device that it came in by; 0: this is none */
			__u8 protocol;	/* IPPROTO_TCP or IPPROTO_UDP */
			__u8 place;	/* enum place */
			__u16 zero;
		};
		__u64 origin;	/* all of them, to be compared at once */
	};
	__u32 ports;		/* source and destination, as in the transport header; PLACE_ADDRESSES: no matter */
	__u8 way;		/* enum shortcut_way */
	bool translated;	/* to_address and to_ports are not the same as before */
	bool flow;		/* S4 */
	bool any;		/* PLACE_BEGIN, in: published on all addresses */
	__u32 size;		/* bytes that may go that way at most, Ethernet header included */
	__u32 to_ifindex;
	__u32 endpoint;		/* host end of the container that sends or receives it */
	__u32 to_ports;		/* PLACE_BEGIN, out: from which one may be chosen, the lowest and the highest */
	__u32 back_size;	/* PLACE_BEGIN, out: as size, for answers */
	__u64 to_address[4];	/* what they become */
	__u16 addresses_delta;	/* by how much checksums grow that have the addresses in them */
	__u16 ports_delta;
	__u16 transport_delta;	/* the sum of both */
	union {
		__u8 ethernet[2 * ETH_ALEN] __attribute__((aligned(8)));	/* WAY_OUT, WAY_IN: destination and source */
		struct bpf_redir_neigh hop;	/* WAY_NEIGHBOUR */
	};
	__u8 back_ethernet[2 * ETH_ALEN] __attribute__((aligned(4)));	/* PLACE_BEGIN, out: as ethernet, for answers */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << SHORTCUT_BITS);
	__type(key, __u32);
	__type(value, struct shortcut);
} shortcuts SEC(".maps");

/*
 * What matters in the first 8 bytes of a network header. IPv4: version and length (no options), and that it is no fragment. IPv6:
 * version and next header. Where the routing table was asked, which of the class it may look at: not congestion's two bits.
 */
#define HEAD4_MASK bpf_cpu_to_be64(0xff00000000003fff)
#define HEAD4 bpf_cpu_to_be64(0x4500000000000000)
#define HEAD4_CLASS bpf_cpu_to_be64(0x00fc000000000000)
#define HEAD6_MASK bpf_cpu_to_be64(0xf00000000000ff00)
#define HEAD6(protocol) bpf_cpu_to_be64(0x6000000000000000 | (__u64)(protocol) << 8)
#define HEAD6_CLASS bpf_cpu_to_be64(0x0fc0000000000000)
#define HEAD6_LABEL bpf_cpu_to_be64(0x000fffff00000000)

/* Fibonacci hashing: the upper bits are the ones that all others have gone into. */
#define SPREAD 0x9e3779b97f4a7c15ULL

static __always_inline struct shortcut *shortcut_at(__u64 hash)
{
	__u32 index = hash >> (64 - SHORTCUT_BITS);

	return bpf_map_lookup_elem(&shortcuts, &index);
}

static __always_inline __u64 address_hash(const __u64 *address, const bool ipv4)
{
	__u64 hash = address[0] * SPREAD;

	if (ipv4)
		return hash;
	hash = (hash ^ address[1]) * SPREAD;
	hash = (hash ^ address[2]) * SPREAD;
	return (hash ^ address[3]) * SPREAD;
}

/* The other place. */
static __always_inline __u64 port_hash(__u64 hash, __u32 ports)
{
	return (hash ^ ports) * 0xd1342543de82ef95ULL;
}

static __always_inline bool same_addresses(const struct shortcut *s, const word *address, const bool ipv4)
{
	if (ipv4)
		return s->address[0] == address[0];
	return ((s->address[0] ^ address[0]) | (s->address[1] ^ address[1]) | (s->address[2] ^ address[2]) |
		(s->address[3] ^ address[3])) == 0;
}

/* Whether a shortcut is for a packet, unless it is too old. @network: its header, with that of the transport behind it */
static __always_inline bool fits(const struct shortcut *s, const enum place place, __u32 ifindex, const void *network,
				 const bool ipv4)
{
	const struct ipv6hdr *ip6 = network;
	const struct iphdr *ip = network;
	const word *address = ipv4 ? (const word *)&ip->saddr : (const word *)&ip6->saddr;
	const __u32 *ports = ipv4 ? (const __u32 *)(ip + 1) : (const __u32 *)(ip6 + 1);

	const struct shortcut packet = { .ifindex = ifindex, .protocol = ipv4 ? ip->protocol : ip6->nexthdr, .place = place };

	return s && same_addresses(s, address, ipv4) && (*(const word *)network & s->head_mask) == s->head &&
	       s->origin == packet.origin && (place != PLACE_PORTS || s->ports == *ports);
}

/*
 * Return: whether the length of a header without options or extensions agrees with the packet's, as in header4_sane() and
 * header6_sane(), and leaves room for @transport bytes, which are there.
 */
static __always_inline bool length_sane(struct __sk_buff *skb, const void *header, const bool ipv4, const __u32 transport)
{
	const __u32 size = skb->len - L3;
	__u32 length;

	if (ipv4) {
		length = bpf_ntohs(((const struct iphdr *)header)->tot_len);
		return likely(length == size) || (length >= sizeof(struct iphdr) + transport && length < size) || (!length && size > 0xffff);
	}
	length = bpf_ntohs(((const struct ipv6hdr *)header)->payload_len) + sizeof(struct ipv6hdr);
	return likely(length == size) || (length >= sizeof(struct ipv6hdr) + transport && length < size) ||
	       (length == sizeof(struct ipv6hdr) && size > 0xffff + sizeof(struct ipv6hdr));
}

#endif

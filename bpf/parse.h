/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * parse.h - from bytes to headers: bounds, sanity, and what hides behind options and extension headers.
 *
 * The fast path reads fixed headers in place. What is rare (IPv4 options, IPv6 extension headers, GSO) is read by
 * bpf_skb_load_bytes() in functions of their own, so that the fast path stays short.
 */
#ifndef SHUNT_BPF_PARSE_H
#define SHUNT_BPF_PARSE_H

#include "base.h"

#define MAX_EXTENSIONS 8	/* headers walked before the packet is given up on; stacks agree on fewer */

/* Read anew: of a copy, whose upper half the compiler clears, the verifier does not know what it is. */
static __always_inline void *packet_end(struct __sk_buff *skb)
{
	return (void *)(long)*(volatile __u32 *)&skb->data_end;
}

/**
 * headers() - makes the first @size bytes readable and writable in place.
 * @size: a constant, the Ethernet header included
 *
 * Invalidates earlier pointers into the packet. Headers are nearly always linear already.
 *
 * Return: the Ethernet header, or NULL if the packet is shorter.
 */
static __always_inline struct ethhdr *headers(struct __sk_buff *skb, const __u32 size)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (likely(data + size <= end))
		return data;
	if (bpf_skb_pull_data(skb, size))
		return NULL;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	return data + size <= end ? data : NULL;
}

/* What the kernel knows of a packet and __sk_buff does not tell. Found by name, wherever this kernel has it. */
struct sk_buff {
	struct net_device *dev;
	__u16 csum_start;	/* from the buffer's head, as is mac_header */
	__u16 csum_offset;	/* from csum_start */
	__u32 csum;		/* both of them at once */
	__u16 mac_header;
	__u32 vlan_all;
	__u8 ip_summed : 2;
	__u8 tc_skip_classify : 1;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *skb) __ksym;

#define CHECKSUM_COMPLETE 2	/* of ip_summed */
#define CHECKSUM_PARTIAL 3

/* Return: whether the packet's checksum is still to be completed, by whoever sends it. */
static __always_inline bool checksum_partial(struct __sk_buff *skb)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return BPF_CORE_READ_BITFIELD(inside, ip_summed) == CHECKSUM_PARTIAL;
}

/* Return: what is known of a packet's checksum, as the kernel has it: CHECKSUM_PARTIAL, CHECKSUM_COMPLETE, or something else. */
static __always_inline __u32 checksum_kind(const struct sk_buff *inside)
{
	const __u8 *byte = (const __u8 *)inside + __builtin_preserve_field_info(inside->ip_summed, BPF_FIELD_BYTE_OFFSET);

	/* As BPF_CORE_READ_BITFIELD(), but that it is one byte, as it has always been. */
	return (__u64)*byte << __builtin_preserve_field_info(inside->ip_summed, BPF_FIELD_LSHIFT_U64) >>
	       __builtin_preserve_field_info(inside->ip_summed, BPF_FIELD_RSHIFT_U64);
}

/* Return: whether what is to be completed is the transport header's own checksum, and nothing that a forger would like to write. */
static __always_inline bool checksum_own(const struct sk_buff *inside, const __u32 headers, __u32 field)
{
	const __u32 start = inside->mac_header + headers;

	return inside->csum == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? start | field << 16 : start << 16 | field);
}

/* Of the checksum's field in the transport header. */
#define CHECK_TCP 16
#define CHECK_UDP 6

/**
 * checksum_sane() - keeps the headers that are checked here from being changed later.
 * @headers: bytes up to the end of the network header, the Ethernet header and IPv4's options included
 *
 * A packet socket (PACKET_VNET_HDR) can ask for its packet's checksum to be written anywhere, and choose what it will
 * be: a source address, say. The uplink's device does that, long after us.
 *
 * Return: whether it will be written behind the headers.
 */
static __always_inline bool checksum_sane(struct __sk_buff *skb, __u32 headers)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return !checksum_partial(skb) || inside->csum_start >= inside->mac_header + headers;
}

/*
 * Looks for a source route among @size bytes of IPv4 options: with one, the host would send the packet where the
 * sender, not the routing table, says (RFC 7126, 4.3 and 4.4). Return: whether the options are sane and free of it.
 */
__global bool options4_sane(struct __sk_buff *skb, __u32 size)
{
	__u8 option[64] = {};
	__u32 at = 0;

	if (size == 0 || size > 40)
		return false;
	opaque(size);
	size = ((size - 1) & 63) + 1;	/* the same, in the only form that every verifier remembers */
	if (bpf_skb_load_bytes(skb, L3 + sizeof(struct iphdr), option, size))
		return false;
	for (int i = 0; i < 40 && at < size; i++) {
		__u8 kind = option[at], len = option[(at + 1) & 63];

		if (kind == 0)		/* end of options */
			return true;
		if (kind == 1)		/* no operation, the only other one without a length */
			len = 1;
		else if (len < 2 || at + len > size || kind == 0x83 || kind == 0x89)	/* LSRR, SSRR */
			return false;
		at = masked(at + len, 63);
	}
	return true;
}

/* Return: whether version and lengths of an IPv4 header agree with the packet's, options included. */
static __always_inline bool header4_sane(struct __sk_buff *skb, const struct iphdr *ip)
{
	__u32 total = bpf_ntohs(ip->tot_len), left = skb->len - L3;

	/* One comparison for version 4 with no options; BIG TCP has a length of 0 for what 16 bits cannot say. */
	if (likely(*(const __u8 *)ip == 0x45))
		return likely(total >= sizeof(*ip) && total <= left) || (total == 0 && left > 0xffff);
	return ip->version == 4 && ip->ihl > 5 && ((total >= ip->ihl * 4U && total <= left) || (total == 0 && left > 0xffff)) &&
	       options4_sane(skb, ip->ihl * 4U - sizeof(*ip));
}

struct transport {
	__u32 offset;		/* of the transport header, from the packet's start */
	__be32 fragment_id;	/* of a fragment */
	__u8 protocol;
	__u8 type;		/* first byte behind the headers, which is the type of an ICMP message */
	bool fragment;
	bool later_fragment;	/* the header is in another packet; offset and type say nothing */
	bool source_routed;	/* by a type 0 routing header (RFC 5095) */
	bool another;		/* behind what is a protocol of its own, as IPsec: ports there are not the packet's */
};

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_DSTOPTS || next == IPPROTO_AH || next == IPPROTO_MH || next == 139 || next == 140;
}

/**
 * walk6() - walks the extension headers of an IPv6 packet.
 * @at: where the fixed header ends, from the packet's start
 * @next: the fixed header's next header
 * @ret: where the chain ends
 *
 * Return: 0, or -1 if the chain is truncated, fragmented twice, or longer than anything sane.
 */
__global int walk6(struct __sk_buff *skb, __u32 at, __u8 next, struct transport *ret)
{
	bool fragments = false;
	__u8 head[8];

	if (!ret)
		return -1;
	ret->fragment = ret->later_fragment = ret->source_routed = ret->another = false;
	at = masked(at, 0xffff);
	for (int i = 0; i <= MAX_EXTENSIONS; i++) {
		if (!is_extension(next)) {
			ret->offset = at;
			ret->protocol = next;
			ret->type = 0;
			return next == IPPROTO_NONE ? 0 : bpf_skb_load_bytes(skb, at, &ret->type, 1) ? -1 : 0;
		}
		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
			return -1;
		if (next == IPPROTO_ROUTING && head[2] == 0)
			ret->source_routed = true;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT && next != IPPROTO_DSTOPTS)
			ret->another = true;
		if (next == IPPROTO_FRAGMENT) {
			if (fragments)	/* a fragment of a fragment: whose ports it has, would depend on who is asked */
				return -1;
			fragments = true;
			ret->fragment = head[2] || head[3] & 0xf9;
			__builtin_memcpy(&ret->fragment_id, head + 4, sizeof(ret->fragment_id));
			ret->protocol = head[0];
			if (head[2] || head[3] & 0xf8) {
				ret->later_fragment = true;
				return 0;
			}
		}
		at += next == IPPROTO_FRAGMENT ? 8 : next == IPPROTO_AH ? (head[1] + 2) * 4 : (head[1] + 1) * 8;
		at = masked(at, 0xffff);
		next = head[0];
	}
	return -1;
}

/* Return: whether version and length of an IPv6 header agree with the packet's, and nothing routes by source. */
static __always_inline bool header6_sane(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
	__u32 payload = bpf_ntohs(ip->payload_len), left = skb->len - L3 - sizeof(*ip);
	struct transport t;

	if (unlikely(ip->version != 6 || payload > left))
		return false;
	/* BIG TCP has a length of 0, with a jumbo option before it on older kernels. */
	if (unlikely(payload == 0 && left <= 0xffff && ip->nexthdr != IPPROTO_HOPOPTS && ip->nexthdr != IPPROTO_NONE))
		return false;
	return likely(!is_extension(ip->nexthdr)) || (walk6(skb, L3 + sizeof(*ip), ip->nexthdr, &t) == 0 && !t.source_routed);
}

/*
 * Return: network-layer bytes of one segment of a GSO packet, as it will be on the wire. Where the transport is
 * behind extension headers, their bytes count as well.
 */
__global __u32 segment_size(struct __sk_buff *skb)
{
	struct transport t = { .offset = L3 };
	__u8 byte = 0;

	if (skb->gso_size == 0xffff)	/* GSO_BY_FRAGS: SCTP cuts by its own PMTU, there is no one size */
		return 0;
	if (skb->protocol == PROTO_IP) {
		if (bpf_skb_load_bytes(skb, L3, &byte, 1) ||
		    bpf_skb_load_bytes(skb, L3 + offsetof(struct iphdr, protocol), &t.protocol, 1))
			return 0;
		t.offset += (byte & 0xf) * 4;
	} else if (bpf_skb_load_bytes(skb, L3 + offsetof(struct ipv6hdr, nexthdr), &byte, 1) ||
		   walk6(skb, L3 + sizeof(struct ipv6hdr), byte, &t)) {
		return 0;
	}
	byte = 2 << 4;	/* a UDP header, in TCP's terms */
	if (t.protocol == IPPROTO_TCP && bpf_skb_load_bytes(skb, t.offset + 12, &byte, 1))
		return 0;
	/* The jumbo option that older kernels carry in BIG TCP's packets never reaches the wire. */
	if (skb->protocol == PROTO_IP6 && skb->len > 0xffff && t.offset == L3 + sizeof(struct ipv6hdr) + 8)
		t.offset -= 8;
	return t.offset - L3 + (byte >> 4) * 4 + skb->gso_size;
}

/* Return: network-layer bytes of the largest packet that this one becomes on the wire. */
static __always_inline __u32 packet_size(struct __sk_buff *skb)
{
	return likely(!skb->gso_size) ? skb->len - L3 : segment_size(skb);
}

#endif

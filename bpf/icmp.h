/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * icmp.h - turns a packet that cannot go on into the ICMP or ICMPv6 error that says so to its sender.
 *
 * All of this is the cold path. The packet becomes the error's payload in place: cut to size, room made before it,
 * headers written. Its address and MAC pairs are then the other way round, and the caller sends it back where it
 * came from.
 *
 * bpf_skb_change_tail() is called even if there is nothing to cut: it makes the packet linear and private, and takes
 * its GSO marks off, without which the error would be segmented. It leaves a partial checksum marked as such: netkit
 * and veth carry that mark to the receiver, which then takes the error's own checksum for granted. Only a device that
 * lacks checksum offload would fill in the quoted one and so spoil the error's; packets come with that mark from
 * senders on this machine alone, to whom no such device leads.
 *
 * RFC 1122, 3.2.2; RFC 1812, 4.3.2; RFC 4443, 2.4: who is never answered, and how much is quoted.
 */
#ifndef SHUNT_BPF_ICMP_H
#define SHUNT_BPF_ICMP_H

#include "parse.h"

/* <linux/icmp.h> has these too, but draws in the C library's headers. */
enum {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_TIMESTAMP = 13,
	ICMP_TIMESTAMPREPLY = 14,

	ICMP_HOST_UNREACH = 1,	/* codes of ICMP_DEST_UNREACH */
	ICMP_FRAG_NEEDED = 4,
	ICMP_PKT_FILTERED = 13,
};

struct icmp4hdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 unused;
	__be16 mtu;
};

/* What is to be said, whatever the family. */
enum complaint {
	COMPLAIN_TTL,
	COMPLAIN_TOO_BIG,
	COMPLAIN_NO_ROUTE,
	COMPLAIN_NO_HOST,
	COMPLAIN_PROHIBITED,
};

#define QUOTE4 (576 - sizeof(struct iphdr) - sizeof(struct icmp4hdr))
#define QUOTE6 (1280 - sizeof(struct ipv6hdr) - sizeof(struct icmp6hdr))
#define CHUNK 128
#define FRONT 128	/* bytes that hold the network header, options and all, and the start of the transport's */

struct error4 {
	struct iphdr ip;
	struct icmp4hdr icmp;
};

struct error6 {
	struct ipv6hdr ip;
	struct icmp6hdr icmp;
};

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * Adds up @size bytes from the network header on. Through a buffer on the stack, zero behind the end, because
 * bpf_csum_diff() takes packet bytes only where their number is a constant. Return: the sum, or negative.
 */
__global __s64 sum_quote(struct __sk_buff *skb, __u32 size, __u32 sum)
{
	__u32 at = 0;

	for (int i = 0; i < (int)(QUOTE6 / CHUNK + 1) && at < size; i++, at += CHUNK) {
		__u8 chunk[CHUNK] = {};
		__u32 n = size - at;

		if (n > CHUNK)
			n = CHUNK;
		opaque(n);
		n = ((n - 1) & (CHUNK - 1)) + 1;	/* the same, in the only form that every verifier remembers */
		if (bpf_skb_load_bytes(skb, L3 + at, chunk, n))
			return -1;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)chunk, CHUNK, sum);
	}
	return sum;
}

/**
 * cut() - keeps @quote bytes of the packet, for an error to quote.
 *
 * What comes from a local socket, from another virtual machine or out of GRO has a checksum still to be completed,
 * which whoever sends the error would do in its quote, behind the back of the error's own checksum. No helper settles
 * that; but the kernel gives up once the place where the sum begins is pulled away. So the front goes and comes back.
 *
 * Return: 0, or -1 if it could not be done.
 */
__global int cut(struct __sk_buff *skb, __u32 quote)
{
	__u32 enough = FRONT + sizeof(struct ipv6hdr);
	__u8 front[FRONT];

	if (bpf_skb_change_tail(skb, L3 + (quote > enough ? quote : enough), 0))
		return -1;
	if (checksum_partial(skb) &&
	    (bpf_skb_load_bytes(skb, L3, front, sizeof(front)) ||
	     bpf_skb_adjust_room(skb, -FRONT, BPF_ADJ_ROOM_MAC, 0) || checksum_partial(skb) ||
	     bpf_skb_adjust_room(skb, FRONT, BPF_ADJ_ROOM_MAC, 0) ||
	     bpf_skb_store_bytes(skb, L3, front, sizeof(front), 0)))
		return -1;
	return quote < enough && bpf_skb_change_tail(skb, L3 + quote, 0) ? -1 : 0;
}

/* Puts @room bytes before the network header, and exchanges the MAC addresses. */
__global int make_room(struct __sk_buff *skb, __u32 room)
{
	__u8 mac[2][ETH_ALEN], swapped[2][ETH_ALEN];

	if (bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0) || bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return -1;
	__builtin_memcpy(swapped[0], mac[1], ETH_ALEN);
	__builtin_memcpy(swapped[1], mac[0], ETH_ALEN);
	return bpf_skb_store_bytes(skb, 0, swapped, sizeof(swapped), 0);
}

/* Return: whether @ip may be answered by an error: no error itself, no later fragment, a single sender. */
static __always_inline bool answerable4(struct __sk_buff *skb, const struct iphdr *ip)
{
	__u32 source = bpf_ntohl(ip->saddr);
	__u8 type;

	if (source >> 28 >= 0xe || source >> 24 == 0 || source >> 24 == 127 ||
	    ip->frag_off & bpf_htons(IP4_OFFSET))
		return false;
	if (ip->protocol != IPPROTO_ICMP)
		return true;
	return !bpf_skb_load_bytes(skb, L3 + ip->ihl * 4, &type, 1) &&
	       (type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP || type == ICMP_TIMESTAMPREPLY);
}

static __always_inline void message4(struct icmp4hdr *icmp, enum complaint what, __u32 mtu)
{
	icmp->type = what == COMPLAIN_TTL ? ICMP_TIME_EXCEEDED : ICMP_DEST_UNREACH;
	icmp->code = what == COMPLAIN_TOO_BIG ? ICMP_FRAG_NEEDED :
		     what == COMPLAIN_PROHIBITED ? ICMP_PKT_FILTERED :
		     what == COMPLAIN_TTL ? 0 : ICMP_HOST_UNREACH;
	if (what == COMPLAIN_TOO_BIG)
		icmp->mtu = bpf_htons(mtu);
}

/**
 * error4() - turns an IPv4 packet into an ICMP error to its sender.
 * @what: the error
 * @mtu: that of the next hop, for COMPLAIN_TOO_BIG
 * @source: the gateway's address, network order
 *
 * Return: 0, or -1 if there must be no answer or it could not be made; the packet may be cut then.
 */
__global int error4(struct __sk_buff *skb, enum complaint what, __u32 mtu, __be32 source)
{
	struct error4 error = {};
	struct iphdr ip;
	__u32 quote;
	__s64 sum;

	if (!source || bpf_skb_load_bytes(skb, L3, &ip, sizeof(ip)) || !answerable4(skb, &ip))
		return -1;
	quote = skb->len - L3;
	if (quote > QUOTE4)
		quote = QUOTE4;
	if (cut(skb, quote))
		return -1;

	message4(&error.icmp, what, mtu);
	sum = sum_quote(skb, quote, bpf_csum_diff(NULL, 0, (__be32 *)&error.icmp, sizeof(error.icmp), 0));
	if (sum < 0)
		return -1;
	error.icmp.checksum = fold(sum);

	error.ip.version = 4;
	error.ip.ihl = 5;
	error.ip.tos = 0xc0;	/* internetwork control, as the kernel's own */
	error.ip.tot_len = bpf_htons(sizeof(error) + quote);
	error.ip.frag_off = bpf_htons(IP4_DF);
	error.ip.ttl = 64;
	error.ip.protocol = IPPROTO_ICMP;
	error.ip.saddr = source;
	error.ip.daddr = ip.saddr;
	error.ip.check = fold(bpf_csum_diff(NULL, 0, (__be32 *)&error.ip, sizeof(error.ip), 0));

	return make_room(skb, sizeof(error)) ||
	       bpf_skb_store_bytes(skb, L3, &error, sizeof(error), BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
}

static __always_inline bool answerable6(struct __sk_buff *skb, const struct ipv6hdr *ip)
{
	struct transport t;

	if (ip->saddr.s6_addr[0] == 0xff || (ip->saddr.s6_addr32[0] | ip->saddr.s6_addr32[1] |
					     ip->saddr.s6_addr32[2] | ip->saddr.s6_addr32[3]) == 0)
		return false;
	if (walk6(skb, L3 + sizeof(*ip), ip->nexthdr, &t) || t.later_fragment)
		return false;
	return t.protocol != IPPROTO_ICMPV6 || (t.type & ICMPV6_INFOMSG_MASK && t.type != 137 /* redirect */);
}

static __always_inline void message6(struct icmp6hdr *icmp, enum complaint what, __u32 mtu)
{
	icmp->icmp6_type = what == COMPLAIN_TTL ? ICMPV6_TIME_EXCEED :
			   what == COMPLAIN_TOO_BIG ? ICMPV6_PKT_TOOBIG : ICMPV6_DEST_UNREACH;
	icmp->icmp6_code = what == COMPLAIN_NO_HOST ? ICMPV6_ADDR_UNREACH :
			   what == COMPLAIN_PROHIBITED ? ICMPV6_ADM_PROHIBITED : 0;
	if (what == COMPLAIN_TOO_BIG)
		icmp->icmp6_mtu = bpf_htonl(mtu);
}

/**
 * error6() - turns an IPv6 packet into an ICMPv6 error to its sender.
 * @source: the gateway's address; the rest is as for error4()
 *
 * Return: 0, or -1 if there must be no answer or it could not be made; the packet may be cut then.
 */
__global int error6(struct __sk_buff *skb, enum complaint what, __u32 mtu, const struct shunt_in6 *source)
{
	struct error6 error = {};
	struct ipv6hdr ip;
	__u32 quote, pseudo[2];
	__s64 sum;

	if (!source || bpf_skb_load_bytes(skb, L3, &ip, sizeof(ip)) || !answerable6(skb, &ip))
		return -1;
	quote = skb->len - L3;
	if (quote > QUOTE6)
		quote = QUOTE6;
	if (cut(skb, quote))
		return -1;

	error.ip.version = 6;
	error.ip.payload_len = bpf_htons(sizeof(error.icmp) + quote);
	error.ip.nexthdr = IPPROTO_ICMPV6;
	error.ip.hop_limit = 64;
	__builtin_memcpy(&error.ip.saddr, source->byte, sizeof(error.ip.saddr));
	error.ip.daddr = ip.saddr;
	message6(&error.icmp, what, mtu);

	pseudo[0] = bpf_htonl(sizeof(error.icmp) + quote);
	pseudo[1] = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&error.ip.saddr, 2 * sizeof(error.ip.saddr), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&error.icmp, sizeof(error.icmp), sum);
	sum = sum_quote(skb, quote, sum);
	if (sum < 0)
		return -1;
	error.icmp.icmp6_cksum = fold(sum);

	return make_room(skb, sizeof(error)) ||
	       bpf_skb_store_bytes(skb, L3, &error, sizeof(error), BPF_F_RECOMPUTE_CSUM) ? -1 : 0;
}

#endif

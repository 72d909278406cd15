/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * tuple.h - what flow a packet is of: protocol, addresses and ports, of both families in one form.
 */
#ifndef SHUNT_BPF_TUPLE_H
#define SHUNT_BPF_TUPLE_H

#include "icmp.h"
#include "maps.h"
#include "policy.h"

enum kind {
	KIND_WHOLE,		/* ports and all; also a fragment that is the first */
	KIND_LATER,		/* a fragment without ports of its own: they are 0 until somebody knows them */
	KIND_ERROR,		/* an ICMP error: the tuple is that of an answer to the packet that it is about */
};

struct packet {
	struct shunt_tuple tuple;
	__u8 teller[16];	/* of an error: its own source, mapped */
	__be32 fragment_id;
	__u16 base;		/* offset of the network header from the packet's start */
	__u16 transport;	/* and of the transport header */
	__u8 kind;		/* enum kind */
	__u8 tcp;		/* TCP's flags */
	bool fragment;
	bool ipv4;
	bool refused;		/* its receiver's network does not let it begin a flow */
	bool reply;		/* of an echo: it begins no flow */
	__u8 published;		/* enum publish_where: where its receiver was found */
	bool quotes_fragment;	/* KIND_ERROR: a fragment header is before the quoted ports */
	bool partial;		/* the checksum of this header is still to be completed, and holds its pseudo header's sum */
};

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define PLACE_MAX 0x1ff		/* offset of anything that is read or written in place */
#define TRANSPORT_MAX (PLACE_MAX - 64)	/* no sane packet has its ports further behind; an error's quote is behind that */

static __always_inline void map4(__u8 *to, __be32 address)
{
	__u32 *word32 = (__u32 *)to;

	word32[0] = word32[1] = 0;
	word32[2] = bpf_htonl(0xffff);
	word32[3] = address;
}

static __always_inline void copy6(__u8 *to, const void *from)
{
	word *a = (word *)to;
	const word *b = from;

	a[0] = b[0];
	a[1] = b[1];
}

/* The tuple of what answers a packet of this one. */
static __always_inline void invert(struct shunt_tuple *to, const struct shunt_tuple *from)
{
	copy6(to->source, from->destination);
	copy6(to->destination, from->source);
	to->sport = from->dport;
	to->dport = from->sport;
	to->protocol = from->protocol;
	to->pad[0] = to->pad[1] = to->pad[2] = 0;
}

/**
 * bytes() - makes @size bytes at @at readable and writable in place.
 * @at: PLACE_MAX at most
 * @size: a constant
 *
 * Invalidates earlier pointers into the packet.
 *
 * Return: where they are, or NULL if the packet is shorter.
 */
static __always_inline void *bytes(struct __sk_buff *skb, __u32 at, const __u32 size)
{
	void *data = (void *)(long)skb->data;

	opaque(at);
	at &= PLACE_MAX;
	if (likely(data + at + size <= (void *)(long)skb->data_end))
		return data + at;
	if (bpf_skb_pull_data(skb, at + size))
		return NULL;
	data = (void *)(long)skb->data;
	return data + at + size <= (void *)(long)skb->data_end ? data + at : NULL;
}

/* Fills in what an echo is known by. Return: 0, or -1 for other messages. */
static __always_inline int echo_ports(struct shunt_tuple *tuple, const __u8 *icmp)
{
	const bool v6 = tuple->protocol == IPPROTO_ICMPV6;
	const __be16 id = *(const __be16 *)(icmp + 4);

	if (icmp[0] == (v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO))
		tuple->sport = id;
	else if (icmp[0] == (v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY))
		tuple->dport = id;
	else
		return -1;
	return 0;
}

static __always_inline bool is_error(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMPV6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/*
 * Reads the tuple of the packet that an ICMP error quotes, and turns it round. @at is where the quote begins. What is
 * quoted with IPv4 options or IPv6 extension headers is not looked into, but for a first fragment, which is what the sender
 * of large datagrams learns a path's MTU from.
 *
 * Return: 0, or -1 if there is none that could be of a flow, or the error is not for who sent it.
 */
static __always_inline int read_quoted(struct __sk_buff *skb, __u32 at, struct packet *ret)
{
	struct shunt_tuple quoted = {};
	__u8 *ip, *transport;

	if (ret->ipv4) {
		struct iphdr *ip4 = (struct iphdr *)(ip = bytes(skb, at, sizeof(struct iphdr) + 8));

		if (!ip || *ip != 0x45 || ip4->frag_off & bpf_htons(IP4_OFFSET))
			return -1;
		map4(quoted.source, ip4->saddr);
		map4(quoted.destination, ip4->daddr);
		quoted.protocol = ip4->protocol;
		transport = ip + sizeof(struct iphdr);
	} else {
		struct ipv6hdr *ip6 = (struct ipv6hdr *)(ip = bytes(skb, at, sizeof(struct ipv6hdr) + 8));

		if (!ip || ip6->version != 6)
			return -1;
		copy6(quoted.source, &ip6->saddr);
		copy6(quoted.destination, &ip6->daddr);
		quoted.protocol = ip6->nexthdr;
		transport = ip + sizeof(struct ipv6hdr);
		if (unlikely(ip6->nexthdr == IPPROTO_FRAGMENT)) {
			transport = bytes(skb, at + sizeof(struct ipv6hdr), 8 + 8);
			if (!transport || transport[2] || transport[3] & 0xf8)
				return -1;
			quoted.protocol = transport[0];
			ret->quotes_fragment = true;
			transport += 8;
		}
	}
	if (quoted.protocol == IPPROTO_TCP || quoted.protocol == IPPROTO_UDP) {
		quoted.sport = ((__be16 *)transport)[0];
		quoted.dport = ((__be16 *)transport)[1];
	} else if (quoted.protocol != (ret->ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) || echo_ports(&quoted, transport)) {
		return -1;
	}
	if (!same6(quoted.source, ret->tuple.destination))
		return -1;
	copy6(ret->teller, ret->tuple.source);
	invert(&ret->tuple, &quoted);
	ret->kind = KIND_ERROR;
	return 0;
}

/*
 * A packet socket (PACKET_VNET_HDR) can ask for a sum to be written anywhere behind the network header, after all of us. It
 * may be where the checksum is, or beyond the transport header (of a tunnel's inside), but not where its ports are.
 */
static __always_inline int read_partial(struct __sk_buff *skb, struct packet *ret)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);
	const __u32 start = inside->csum_start - inside->mac_header, field = inside->csum_offset;
	const __u32 header = ret->tuple.protocol == IPPROTO_TCP ? 20 : 8;
	const __u32 own = ret->tuple.protocol == IPPROTO_TCP ? 16 : ret->tuple.protocol == IPPROTO_UDP ? 6 : 2;

	ret->partial = start == ret->transport && field == own;
	return ret->partial || start + field >= ret->transport + header ? 0 : -1;
}

/* @end: of the packet as its network header has it, from the packet's start. What is behind it is padding, and no header. */
static __always_inline int read_transport(struct __sk_buff *skb, struct packet *ret, __u32 end)
{
	const __u8 protocol = ret->tuple.protocol;
	__u8 *header;

	if (unlikely(ret->transport + (protocol == IPPROTO_TCP ? 20 : 8) > end))
		return -1;
	if (protocol == IPPROTO_TCP) {
		header = bytes(skb, ret->transport, 20);
		if (unlikely(!header))
			return -1;
		ret->tcp = header[13];
	} else if (protocol == IPPROTO_UDP || protocol == (ret->ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		header = bytes(skb, ret->transport, 8);
		if (unlikely(!header))
			return -1;
	} else {
		return -1;
	}
	if (unlikely(checksum_partial(skb)) && read_partial(skb, ret))
		return -1;
	if (likely(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)) {
		ret->tuple.sport = ((__be16 *)header)[0];
		ret->tuple.dport = ((__be16 *)header)[1];
		return 0;
	}
	if (unlikely(is_error(protocol, header[0])))	/* no sum of anyone's choice may be written to what it quotes */
		return checksum_partial(skb) ? -1 : read_quoted(skb, ret->transport + 8, ret);
	ret->reply = header[0] == (protocol == IPPROTO_ICMPV6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY);
	return echo_ports(&ret->tuple, header);
}

/**
 * read_packet() - reads what flow a packet is of.
 * @base: where the network header begins: L3, or 0 for a device without MAC header
 * @ret: zeroes
 *
 * The network header is sane, and in place.
 *
 * Return: 0, or -1 if no flow could be: another protocol, another kind of ICMP message, too short, too deep.
 */
__global int read_packet(struct __sk_buff *skb, __u32 base, struct packet *ret)
{
	struct transport t = {};
	__u32 end;

	if (!ret)
		return -1;
	ret->kind = KIND_WHOLE;
	ret->base = base;
	ret->ipv4 = skb->protocol == PROTO_IP;
	if (ret->ipv4) {
		const struct iphdr *ip = bytes(skb, base, sizeof(*ip));

		if (!ip)
			return -1;
		map4(ret->tuple.source, ip->saddr);
		map4(ret->tuple.destination, ip->daddr);
		ret->tuple.protocol = ip->protocol;
		ret->transport = base + ip->ihl * 4;
		end = ip->tot_len ? base + bpf_ntohs(ip->tot_len) : skb->len;
		if (unlikely(ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET))) {
			ret->fragment = true;
			ret->fragment_id = ip->id;
			t.later_fragment = ip->frag_off & bpf_htons(IP4_OFFSET);
		}
	} else {
		const struct ipv6hdr *ip = bytes(skb, base, sizeof(*ip));

		if (!ip)
			return -1;
		copy6(ret->tuple.source, &ip->saddr);
		copy6(ret->tuple.destination, &ip->daddr);
		ret->tuple.protocol = ip->nexthdr;
		/* No such address is on any wire, and IPv4's flows are not IPv6's to find. */
		if (unlikely(is_mapped4(ret->tuple.source) || is_mapped4(ret->tuple.destination)))
			return -1;
		ret->transport = base + sizeof(*ip);
		end = ip->payload_len ? ret->transport + bpf_ntohs(ip->payload_len) : skb->len;
		if (unlikely(is_extension(ip->nexthdr))) {
			if (walk6(skb, base + sizeof(*ip), ip->nexthdr, &t) || t.another ||
			    (!t.later_fragment && t.offset > TRANSPORT_MAX))
				return -1;
			ret->tuple.protocol = t.protocol;
			ret->transport = t.offset;
			ret->fragment = t.fragment;
			ret->fragment_id = t.fragment_id;
		}
	}
	if (unlikely(t.later_fragment)) {
		ret->kind = KIND_LATER;
		return 0;
	}
	return read_transport(skb, ret, end);
}

#endif

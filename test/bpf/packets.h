/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * packets.h - builds packets from a few words, and the ICMP errors that answer them.
 *
 * All checksums are computed here from the whole packet, never carried over, so that a comparison with what the
 * datapath made checks its incremental arithmetic too.
 */
#ifndef SHUNT_TEST_PACKETS_H
#define SHUNT_TEST_PACKETS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_ether.h>

#define PACKET_MAX 4096
#define IP4 (ETH_HLEN)		/* offsets of what tests look at or spoil */
#define IP4_TOT_LEN (ETH_HLEN + 2)
#define IP4_CHECK (ETH_HLEN + 10)
#define IP6 (ETH_HLEN)
#define IP6_PAYLOAD_LEN (ETH_HLEN + 4)
#define ZERO -1			/* where 0 means "as usual" */
#define IP4_DF 0x4000
#define IP4_MF 0x2000

struct packet {
	size_t len;
	uint8_t data[PACKET_MAX];
};

/* What is left out is ordinary: a UDP packet of 32 bytes of payload and 64 hops to live. */
struct spec {
	const char *from, *to;	/* the family is that of @to */
	int ttl;
	int protocol;		/* of the transport */
	int type;		/* ICMP's, 8 or 128 if left out */
	int payload;		/* bytes behind the transport header */
	int sport, dport;	/* 40000 and 443 if left out; of an ICMP echo, one of them is the identifier */
	uint8_t flags;		/* TCP's */
	bool unsummed;		/* a UDP packet without a checksum */
	uint16_t tweak;		/* added to the payload's first bytes, to get a certain checksum */
	unsigned int frag;	/* IPv4: flags and offset, as in the header */
	uint8_t tos;
	const char *extra;	/* IPv4: options; IPv6: extension headers, the last of which is followed by @protocol */
	size_t extra_len;
	int next;		/* IPv6: type of the first extension header */
	uint8_t mac_to[ETH_ALEN], mac_from[ETH_ALEN];
};

static inline void put16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline uint32_t sum16(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static inline uint16_t finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static inline bool is4(const struct packet *p)
{
	return p->data[ETH_HLEN - 2] == 0x08 && p->data[ETH_HLEN - 1] == 0x00;
}

/* The checksum of the IPv4 header, anew. */
static inline void seal4(struct packet *p)
{
	uint8_t *ip = p->data + IP4;

	put16(p->data + IP4_CHECK, 0);
	put16(p->data + IP4_CHECK, finish(sum16(ip, (ip[0] & 0xf) * 4, 0)));
}

/* Sum of the pseudo header over the addresses of the packet; @len is the transport's. */
static inline uint32_t pseudo(const struct packet *p, size_t len, int protocol)
{
	const uint8_t *addresses = p->data + (is4(p) ? IP4 + 12 : IP6 + 8);

	return sum16(addresses, is4(p) ? 8 : 32, len + protocol);
}

/* A transport header's checksum; UDP's is never 0, which means that there is none. */
static inline void seal(uint8_t *l4, size_t len, int at, uint32_t before, int protocol)
{
	uint16_t check = finish(sum16(l4, len, before));

	put16(l4 + at, check || protocol != IPPROTO_UDP ? check : 0xffff);
}

/* Writes a transport header and its payload at the packet's end, sealed. */
static inline void transport(struct packet *p, const struct spec *s)
{
	int head = s->protocol == IPPROTO_TCP ? 20 : 8, payload = s->payload == ZERO ? 0 : s->payload ?: 32;
	size_t len = head + payload;
	uint8_t *l4 = p->data + p->len;
	int check = 2;

	for (size_t i = 0; i < len; i++)
		l4[i] = i < (size_t)head ? 0 : 'a' + i % 26;
	if (s->protocol == IPPROTO_ICMP || s->protocol == IPPROTO_ICMPV6) {
		l4[0] = s->type == ZERO ? 0 : s->type ?: (s->protocol == IPPROTO_ICMP ? 8 : 128);
		put16(l4 + 4, s->sport | s->dport);
	} else {
		put16(l4, s->sport ?: 40000);
		put16(l4 + 2, s->dport ?: 443);
		if (s->protocol == IPPROTO_TCP)
			put16(l4 + 12, 5 << 12 | s->flags);
		else
			put16(l4 + 4, len);
		check = s->protocol == IPPROTO_TCP ? 16 : 6;
	}
	if (s->tweak)
		put16(l4 + head, s->tweak);
	if (!s->unsummed)
		seal(l4, len, check, s->protocol == IPPROTO_ICMP ? 0 : pseudo(p, len, s->protocol), s->protocol);
	p->len += len;
}

static inline void network4(struct packet *p, const struct spec *s)
{
	uint8_t *ip = p->data + p->len;

	ip[0] = 0x45 + s->extra_len / 4;
	ip[1] = s->tos;
	put16(ip + 4, 0x1234);
	put16(ip + 6, s->frag);
	ip[8] = s->ttl == ZERO ? 0 : s->ttl ?: 64;
	ip[9] = s->protocol;
	inet_pton(AF_INET, s->from, ip + 12);
	inet_pton(AF_INET, s->to, ip + 16);
	if (s->extra_len)
		memcpy(ip + 20, s->extra, s->extra_len);
	p->len += 20 + s->extra_len;
}

static inline void network6(struct packet *p, const struct spec *s)
{
	uint8_t *ip = p->data + p->len;

	ip[0] = 0x60 | s->tos >> 4;
	ip[1] = s->tos << 4;
	ip[6] = s->extra_len ? s->next : s->protocol;
	ip[7] = s->ttl == ZERO ? 0 : s->ttl ?: 64;
	inet_pton(AF_INET6, s->from, ip + 8);
	inet_pton(AF_INET6, s->to, ip + 24);
	if (s->extra_len)
		memcpy(ip + 40, s->extra, s->extra_len);
	p->len += 40 + s->extra_len;
}

static inline struct packet packet_make(struct spec s)
{
	struct packet p = { .len = ETH_HLEN };
	bool v4 = !strchr(s.to, ':');

	s.protocol = s.protocol ?: IPPROTO_UDP;
	memcpy(p.data, s.mac_to, ETH_ALEN);
	memcpy(p.data + ETH_ALEN, s.mac_from, ETH_ALEN);
	put16(p.data + 12, v4 ? ETH_P_IP : ETH_P_IPV6);
	(v4 ? network4 : network6)(&p, &s);
	transport(&p, &s);
	if (v4) {
		put16(p.data + IP4_TOT_LEN, p.len - IP4);
		seal4(&p);
	} else {
		put16(p.data + IP6_PAYLOAD_LEN, p.len - IP6 - 40);
	}
	return p;
}

#define PACKET(...) packet_make((struct spec){ __VA_ARGS__ })

/* The same packet one hop later. */
static inline struct packet hop(struct packet p)
{
	p.data[is4(&p) ? IP4 + 8 : IP6 + 7]--;
	if (is4(&p))
		seal4(&p);
	return p;
}

static inline struct packet macs(struct packet p, const uint8_t *to, const uint8_t *from)
{
	memcpy(p.data, to, ETH_ALEN);
	memcpy(p.data + ETH_ALEN, from, ETH_ALEN);
	return p;
}

/**
 * icmp_quoting() - an error about a packet.
 * @offender: the packet
 * @from: the error's source
 * @mtu: the field behind the checksum, 0 for most types
 * @quote: bytes that are quoted, the network header included
 */
static inline struct packet icmp_quoting(const struct packet *offender, const char *from, int type, int code,
					 unsigned int mtu, size_t quote)
{
	bool v4 = is4(offender);
	size_t head = v4 ? 20 : 40;
	struct packet p = { 0 };
	uint8_t *ip = p.data + ETH_HLEN, *icmp = ip + head;

	p.len = ETH_HLEN + head + 8 + quote;
	memcpy(p.data, offender->data + ETH_ALEN, ETH_ALEN);
	memcpy(p.data + ETH_ALEN, offender->data, ETH_ALEN);
	memcpy(p.data + 12, offender->data + 12, 2);
	memcpy(icmp + 8, offender->data + ETH_HLEN, quote);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 4, mtu >> 16);
	put16(icmp + 6, mtu);
	if (v4) {
		memcpy(ip, (uint8_t[]){ 0x45, 0xc0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_ICMP }, 10);
		put16(ip + 2, p.len - ETH_HLEN);
		inet_pton(AF_INET, from, ip + 12);
		memcpy(ip + 16, offender->data + IP4 + 12, 4);
		seal4(&p);
		put16(icmp + 2, finish(sum16(icmp, 8 + quote, 0)));
	} else {
		memcpy(ip, (uint8_t[]){ 0x60, 0, 0, 0, 0, 0, IPPROTO_ICMPV6, 64 }, 8);
		put16(ip + 4, 8 + quote);
		inet_pton(AF_INET6, from, ip + 8);
		memcpy(ip + 24, offender->data + IP6 + 8, 16);
		put16(icmp + 2, finish(sum16(icmp, 8 + quote, pseudo(&p, 8 + quote, IPPROTO_ICMPV6))));
	}
	return p;
}

/* The error that is to answer a packet, with as much of it as an error may have. */
static inline struct packet icmp_error(const struct packet *offender, const char *from, int type, int code,
				       unsigned int mtu)
{
	size_t most = is4(offender) ? 576 - 20 - 8 : 1280 - 40 - 8, all = offender->len - ETH_HLEN;

	return icmp_quoting(offender, from, type, code, mtu, all < most ? all : most);
}

#endif

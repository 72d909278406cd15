/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * frames.h - frames as an enemy makes them: sound ones at first, so that they get far, of which then something is not.
 *
 * One seed gives one sequence of frames, whatever the machine does with them.
 */
#ifndef SHUNT_TEST_FRAMES_H
#define SHUNT_TEST_FRAMES_H

#include "noise.h"

/* Fragments come in trains, so that some overlap and some complete each other. */
static struct {
	unsigned int left;
	bool v6;
	uint8_t source[16], destination[16], protocol;
	uint32_t id;
} train;

static inline void source(uint8_t *at, bool v6)
{
	struct pool *p = &pools[v6];

	memcpy(at, one_in(3) ? p->other[below(p->n)] : p->own, v6 ? 16 : 4);
}

static inline void destination(uint8_t *at, bool v6)
{
	struct pool *p = &pools[v6];

	memcpy(at, one_in(20) ? p->own : p->other[below(one_in(4) ? p->n : p->real)], v6 ? 16 : 4);
	if (one_in(40))
		at[below(v6 ? 16 : 4)] ^= 1 << below(8);
}

/* An IP header with some bytes behind, as errors quote it and tunnels carry it; of whatever addresses. */
static inline void inner(struct frame *f, bool v6)
{
	uint8_t *ip = grow_zero(f, v6 ? 40 : 20);
	struct pool *p = &pools[v6];

	ip[0] = v6 ? 0x60 : 0x45;
	ip[v6 ? 6 : 9] = ONE_OF(IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6);
	ip[v6 ? 7 : 8] = 64;
	memcpy(ip + (v6 ? 8 : 12), p->other[below(p->n)], v6 ? 16 : 4);
	memcpy(ip + (v6 ? 24 : 16), p->other[below(p->n)], v6 ? 16 : 4);
	set16(ip + (v6 ? 4 : 2), v6 ? 32 : 52);
	if (!v6)
		set16(ip + 10, folded(add_up(ip, 20, 0)));
	grow(f, 8 + below(40));
}

/* Options of neighbour discovery and of router advertisements: addresses, prefixes, MTU, routes, resolvers. */
static inline void nd_options(struct frame *f)
{
	for (unsigned int n = below(4); n > 0; n--) {
		unsigned int units = 1 + below(4);
		uint8_t *option = grow(f, units * 8);

		option[0] = ONE_OF(1, 2, 3, 4, 5, 24, 25, below(256));
		option[1] = one_in(8) ? below(256) : units;
	}
}

static inline void icmp(struct frame *f, bool v6)
{
	uint8_t *head = grow(f, 8);

	head[0] = v6 ? ONE_OF(1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 135, 136, 137, 143, below(256)) :
		       ONE_OF(0, 3, 3, 4, 5, 5, 8, 9, 10, 11, 12, 13, 17, below(256));
	head[1] = one_in(4) ? below(256) : below(6);
	if (v6 && head[0] >= 133 && head[0] <= 137) {
		for (int i = 0; i < (head[0] == 137 ? 2 : head[0] > 134); i++)
			destination(grow(f, 16), true);
		if (head[0] == 134)
			grow(f, 8);
		nd_options(f);
	} else if (!v6 && head[0] == 5) {
		destination(head + 4, false);
		inner(f, false);
	} else if (v6 ? head[0] < 128 : head[0] != 0 && head[0] != 8) {
		inner(f, v6);
	} else {
		grow(f, below(64));
	}
}

/* What a DHCP server answers, to one who never asked. */
static inline void dhcp(struct frame *f, bool v6)
{
	uint8_t *udp = grow(f, 8), *body;

	set16(udp, v6 ? 547 : 67);
	set16(udp + 2, v6 ? 546 : 68);
	body = grow(f, v6 ? 40 : 300);
	body[0] = v6 ? 7 : 2;	/* reply */
	if (!v6)
		memcpy(body + 236, (uint8_t[]){ 99, 130, 83, 99, 53, 1, 5 }, 7);
	set16(udp + 4, f->data + f->len - udp);
}

static inline unsigned int payload(void)
{
	return one_in(200) ? below(70000) : one_in(8) ? below(1600) : below(100);
}

/* Return: the protocol's number. */
static inline uint8_t transport(struct frame *f, bool v6)
{
	uint8_t *head;

	switch (below(12)) {
	case 0 ... 2:
		head = grow(f, 20);
		head[12] = one_in(8) ? below(256) : 5 << 4;
		grow(f, payload());
		return IPPROTO_TCP;
	case 3 ... 5:
		head = grow(f, 8);
		set16(head + 2, ONE_OF(0, 53, 67, 443, 546, 4242, 5353, below(65536)));
		grow(f, payload());
		set16(head + 4, one_in(8) ? below(65536) : f->data + f->len - head);
		return IPPROTO_UDP;
	case 6 ... 8:
		icmp(f, v6);
		return one_in(20) == v6 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	case 9:
		dhcp(f, v6);
		return IPPROTO_UDP;
	case 10:
		v6 = one_in(2);
		inner(f, v6);
		return v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	default:
		grow(f, payload());
		return below(256);
	}
}

static inline void options4(struct frame *f, uint8_t *ip)
{
	size_t size = 4 * (1 + below(10)), at = 0;
	uint8_t *option = grow_zero(f, size);

	while (at < size) {
		uint8_t kind = ONE_OF(0, 1, 1, 7, 0x44, 0x83, 0x89, 0x86, 0x94, below(256));
		size_t len = kind < 2 ? 1 : 3 + 4 * below(3);

		option[at] = kind;
		if (kind >= 2 && at + 1 < size)
			option[at + 1] = one_in(10) ? below(256) : len;
		if (kind >= 2 && at + 2 < size)
			option[at + 2] = one_in(10) ? below(256) : 4;
		if (len > 6 && at + 7 <= size)
			destination(option + at + 3, false);
		at += len;
	}
	ip[0] += size / 4;
}

static inline void begin_train(bool v6)
{
	train.left = 2 + below(5);
	train.v6 = v6;
	train.id = any();
	train.protocol = ONE_OF(IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6);
	source(train.source, v6);
	destination(train.destination, v6);
}

/* One fragment of the train: small steps, so that they overlap; the last may have its end anywhere. */
static inline unsigned int fragment_offset(void)
{
	return one_in(10) ? below(0x2000) : train.left % 3 + below(2);
}

static inline void network4(struct frame *f)
{
	uint8_t *ip = grow_zero(f, 20);
	uint8_t protocol;

	ip[0] = 0x45;
	ip[1] = any();
	set16(ip + 4, any());
	set16(ip + 6, one_in(8) ? any() : one_in(2) ? 0x4000 : 0);
	ip[8] = one_in(10) ? below(3) : 64;
	source(ip + 12, false);
	destination(ip + 16, false);
	if (one_in(6))
		options4(f, ip);
	f->l4 = f->len;
	if (train.left) {
		train.left--;
		memcpy(ip + 12, train.source, 4);
		memcpy(ip + 16, train.destination, 4);
		set16(ip + 4, train.id);
		set16(ip + 6, fragment_offset() | (train.left ? 0x2000 : 0));
		protocol = train.protocol;
		grow(f, 8 * (1 + below(4)));
	} else {
		protocol = transport(f, false);
		if (!one_in(8))
			seal(f, protocol);
	}
	ip[9] = protocol;
	set16(ip + 2, one_in(20) ? ONE_OF(0, 19, 20, 0xffff, below(65536)) : f->len - f->l3);
	if (!one_in(12))
		set16(ip + 10, folded(add_up(ip, (ip[0] & 15) * 4, 0)));
}

/* One extension header of the kind that @next points to. Return: where it says what comes next. */
static inline uint8_t *extension(struct frame *f, uint8_t kind)
{
	size_t units = kind == IPPROTO_FRAGMENT ? 1 : 1 + below(4);
	uint8_t *head = grow_zero(f, units * 8);

	head[1] = one_in(12) ? below(256) : kind == IPPROTO_AH ? units * 2 - 2 : units - 1;
	switch (kind) {
	case IPPROTO_ROUTING:
		head[2] = ONE_OF(0, 2, 3, 4, below(256));
		head[3] = one_in(4) ? below(256) : units / 2;
		for (size_t at = 8; at + 16 <= units * 8; at += 16)
			destination(head + at, true);
		break;
	case IPPROTO_FRAGMENT:
		set16(head + 2, train.left ? fragment_offset() << 3 | 1 : one_in(2) ? 0 : any());
		memcpy(head + 4, &train.id, 4);
		break;
	case IPPROTO_HOPOPTS:
	case IPPROTO_DSTOPTS:
		head[2] = ONE_OF(1, 5, 0xc2 /* jumbo */, 0xc9 /* home address */, below(256));
		head[3] = one_in(6) ? below(256) : head[2] == 0xc9 ? 16 : 4;
		if (head[2] == 0xc2)
			memcpy(head + 4, (uint8_t[]){ 0, one_in(2), any(), any() }, 4);
		if (head[2] == 0xc9 && units >= 3)
			source(head + 4, true);
		break;
	}
	return head;
}

static inline void network6(struct frame *f)
{
	uint8_t *ip = grow_zero(f, 40), *next = ip + 6, protocol;
	unsigned int n = one_in(2) ? 0 : one_in(10) ? below(40) : 1 + below(5);

	ip[0] = 0x60 | (any() & 15);
	ip[1] = any();
	ip[7] = one_in(10) ? below(3) : one_in(6) ? 255 : 64;
	source(ip + 8, true);
	destination(ip + 24, true);
	if (train.left) {
		train.left--;
		memcpy(ip + 8, train.source, 16);
		memcpy(ip + 24, train.destination, 16);
		*next = IPPROTO_FRAGMENT;
		next = extension(f, IPPROTO_FRAGMENT);
	}
	for (unsigned int i = 0; i < n; i++) {
		*next = i == 0 && one_in(2) ? IPPROTO_HOPOPTS :
			ONE_OF(IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS,
			       IPPROTO_DSTOPTS, IPPROTO_AH, IPPROTO_MH, 139, 140);
		next = extension(f, *next);
	}
	f->l4 = f->len;
	protocol = one_in(30) ? IPPROTO_NONE : transport(f, true);
	*next = protocol;
	if (!one_in(8))
		seal(f, protocol);
	set16(ip + 4, one_in(20) ? ONE_OF(0, 0, 0xffff, below(65536)) : f->len - f->l3 - 40);
}

/* Tags and types of all kinds; what is behind them is IP or what would be. */
static inline void ethernet(struct frame *f)
{
	uint8_t *mac = grow_zero(f, 2 * ETH_ALEN);

	memcpy(mac, own_mac, ETH_ALEN);
	memcpy(mac + ETH_ALEN, own_mac, ETH_ALEN);
	if (one_in(10))
		memset(mac, one_in(2) ? 0xff : any(), ETH_ALEN);
	if (one_in(10))
		memset(mac + ETH_ALEN, any(), ETH_ALEN);
	f->v6 = train.left ? train.v6 : one_in(2);
	while (one_in(16))
		set16(grow(f, 4), ONE_OF(ETH_P_8021Q, ETH_P_8021AD, 0x8847));
	set16(grow_zero(f, 2), one_in(24) ? ONE_OF(ETH_P_ARP, 0x8035, 0x88cc, 0x8864, below(1536), below(65536)) :
			       f->v6 != one_in(40) ? ETH_P_IPV6 : ETH_P_IP);
	f->ethertype = f->data[12] << 8 | f->data[13];
	f->l3 = f->len;
}

static inline void frame_make(struct frame *f)
{
	f->len = 0;
	if (!train.left && one_in(30))
		begin_train(one_in(2));
	ethernet(f);
	if (f->v6)
		network6(f);
	else
		network4(f);
	if (one_in(16))
		f->len = f->l3 + below(f->len - f->l3 < 100 ? f->len - f->l3 : 100);
	if (one_in(60))
		f->len = below(f->l3 + 1);
	for (unsigned int n = one_in(6) ? 1 + below(4) : 0; n > 0 && f->len; n--)
		f->data[below(f->len < 90 ? f->len : 90)] ^= 1 << below(8);
}

#endif

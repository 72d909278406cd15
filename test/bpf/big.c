// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets above 64 KiB (BIG TCP), as TCP leaves them to the device: what becomes of one is what would become of each segment.
 * BPF_PROG_TEST_RUN takes no more than a page; here a packet socket sends them, and the wire's device cuts them.
 *
 * The kernel trusts no packet socket's segments, and as it looks at them takes the jumbo option out that older ones have before
 * what is above 64 KiB of IPv6. So that option is for bigtcp.sh, where TCP itself sends.
 */
#include "live.h"

#include "nat.h"

#include <linux/virtio_net.h>

#define LARGE 100000	/* bytes of TCP's payload */
#define SEGMENT 1400	/* and of each segment's */
#define HEADERS 128	/* more than any packet here has */

static const struct kind {
	bool v6;
	const char *extra;
	size_t extra_len;
} kinds[] = {
	{ false, "", 0 },
	{ false, "\1\7\7\4\0\0\0\0", 8 },	/* nothing, and record route */
	{ true, "", 0 },
};

static int sender;	/* in the first container, with PACKET_VNET_HDR */

static int setup_big(void **state)
{
	int one = 1, size = 1 << 22;

	setup_live(state);
	shell("nsenter -n -t %d ip link set eth0 gso_max_size 196608 gso_ipv4_max_size 196608", holder[CT1]);
	sender = open_in_container(holder[CT1]);
	assert_int_equal(setsockopt(sender, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(sender, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), 0);
	return 0;
}

static int teardown_big(void **state)
{
	close(sender);
	return teardown_live(state);
}

/* ALICE has her own address everywhere. */
static int quiet_plain(void **state)
{
	fresh_nat(state);
	also[ALICE].flags = 0;
	put_interface(ALICE, 0);
	put_addresses(ALICE);
	return quiet(state);
}

static int quiet_nat(void **state)
{
	fresh_nat(state);
	return quiet(state);
}

static uint8_t payload_at(size_t i)
{
	return i * 31 + (i >> 8);
}

static size_t transport_of(const struct kind *k)
{
	return ETH_HLEN + (k->v6 ? 40 : 20) + k->extra_len;
}

static struct spec spec_of(const struct kind *k)
{
	struct spec s = leg(IPPROTO_TCP, alice[k->v6], INSIDE, wire[k->v6], 443);

	s.payload = ZERO;
	s.extra = k->extra;
	s.extra_len = k->extra_len;
	s.frag = IP4_DF;
	return s;
}

struct large {
	struct virtio_net_hdr header;
	uint8_t data[HEADERS + LARGE];
} __attribute__((packed));

/* Return: its start, and the length of all of it, as it leaves the container. */
static struct packet make_large(const struct kind *k, struct large *ret)
{
	const size_t at = transport_of(k);
	struct packet p = from(CT1, packet_make(spec_of(k)));

	put16(p.data + (k->v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN), 0);
	if (!k->v6)
		seal4(&p);
	put16(p.data + at + 16, ~finish(pseudo(&p, 20 + LARGE, IPPROTO_TCP)));
	*ret = (struct large) { .header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = at, .csum_offset = 16, .hdr_len = at + 20,
		.gso_type = k->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = SEGMENT,
	} };
	memcpy(ret->data, p.data, at + 20);
	for (size_t i = 0; i < LARGE; i++)
		ret->data[at + 20 + i] = payload_at(i);
	memcpy(p.data, ret->data, sizeof(p.data));
	p.len = at + 20 + LARGE;
	return p;
}

static void send_large(const struct packet *p, const struct large *large)
{
	const ssize_t len = sizeof(large->header) + p->len;

	assert_int_equal(write(sender, large, len), len);
}

/* Segment number @i as the wire has it: by itself, from this address. */
static struct packet segment(const struct kind *k, int i, const char *source)
{
	struct spec s = spec_of(k);
	const size_t done = (size_t)i * SEGMENT, n = LARGE - done < SEGMENT ? LARGE - done : SEGMENT;
	struct packet p;
	uint8_t *l4;

	s.from = source;
	s.payload = n;
	p = macs(hop(packet_make(s)), ROUTER_MAC, UPLINK_MAC);
	l4 = p.data + p.len - n - 20;
	if (!k->v6) {
		put16(p.data + IP4 + 4, 0x1234 + i);
		seal4(&p);
	}
	put16(l4 + 4, done >> 16);
	put16(l4 + 6, done);
	for (size_t j = 0; j < n; j++)
		l4[20 + j] = payload_at(done + j);
	put16(l4 + 16, 0);
	seal(l4, 20 + n, 16, pseudo(&p, 20 + n, IPPROTO_TCP), IPPROTO_TCP);
	return p;
}

static void wire_gets_segments(const char *const *source)
{
	for (const struct kind *k = kinds; k < kinds + sizeof(kinds) / sizeof(*kinds); k++) {
		struct large large;
		struct packet p;

		p = make_large(k, &large);
		put_interface(ALICE, 0);
		/* The second goes by a shortcut, where there are any. */
		for (int again = 0; again < 2; again++) {
			send_large(&p, &large);
			for (int i = 0; i * SEGMENT < LARGE; i++)
				ARRIVES(WIRE, segment(k, i, source[k->v6]));
		}
	}
}

static void what_is_above_64_KiB_goes_out(void **state)
{
	(void)state;
	wire_gets_segments(alice);
}

static void what_is_above_64_KiB_goes_out_with_the_host_s_address(void **state)
{
	(void)state;
	wire_gets_segments(host);
}

/* By its segments, and once. */
static void what_is_too_big_is_answered(void **state)
{
	(void)state;
	for (const struct kind *k = kinds; k < kinds + sizeof(kinds) / sizeof(*kinds); k++) {
		struct large large;
		struct packet p;

		quiet_plain(state);
		p = make_large(k, &large);
		large.header.gso_size = 1500;
		send_large(&p, &large);
		p.len = sizeof(p.data);	/* more than an error quotes */
		ARRIVES(CT1, icmp_error(&p, k->v6 ? GATEWAY6 : GATEWAY4, k->v6 ? 2 : 3, k->v6 ? 0 : 4, 1500));
		assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_TOO_BIG], 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_above_64_KiB_goes_out, quiet_plain),
		cmocka_unit_test_setup(what_is_above_64_KiB_goes_out_with_the_host_s_address, quiet_nat),
		cmocka_unit_test_setup(what_is_too_big_is_answered, quiet_plain),
	};

	return RUN_LIVE("big", tests, setup_big, teardown_big);
}

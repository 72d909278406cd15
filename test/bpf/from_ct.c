// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The way out of a container: who may send, and to whom. Routes are in fib.c, what is answered in errors.c. */
#include "harness.h"

static void a_packet_to_the_wire_has_one_hop_less(void **state)
{
	static const int protocols[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_SCTP };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = protocols[i], .tos = 0xb9);

		CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
		CHECK(FROM_VETH(ALICE), p, REDIRECTED, .out = hop(p));
		p = PACKET(.from = ALICE6, .to = WIRE6, .protocol = i == 2 ? IPPROTO_ICMPV6 : protocols[i],
			   .tos = 0xb9);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
		CHECK(FROM_VETH(ALICE), p, REDIRECTED, .out = hop(p));
	}
}

static void the_checksum_is_right_whatever_it_was(void **state)
{
	(void)state;
	for (int id = 0; id < 0x10000; id += 0x55) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 2 + id % 254);

		put16(p.data + IP4 + 4, id);
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	}
	/* The one that carries all the way round. */
	for (int id = 0; id < 0x10000; id++) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4);

		put16(p.data + IP4 + 4, id);
		seal4(&p);
		if (p.data[IP4_CHECK] == 0xfe && p.data[IP4_CHECK + 1] == 0xff)
			CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	}
}

/* Invariant 2: no one's address but your own. */
static void a_packet_from_another_address_is_spoofed(void **state)
{
	static const char *const sources[] = {
		"10.207.0.3", "10.207.0.1", "198.51.100.1", "127.0.0.1", "0.0.0.0", "224.0.0.1", "192.0.2.1",
		"fd07::3", "fd07::1", "2001:db8:100::1", "::1", "::", "fe80::1", "ff02::1", "fd07::1:0:0:2",
		"fd07:0:0:1::2", "::ffff:10.207.0.2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		bool v6 = strchr(sources[i], ':');
		static const enum who to[] = { BOB, ALICE };
		struct packet p = PACKET(.from = sources[i], .to = v6 ? WIRE6 : WIRE4);

		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
		CHECK(FROM_VETH(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
		CHECK(FROM_CT(KERNEL), p, DROPPED, .loser = KERNEL, .why = SHUNT_DROP_SPOOFED);
		for (int j = 0; j < 2; j++) {
			const struct endpoint *e = &endpoints[to[j]];

			p = PACKET(.from = sources[i], .to = v6 ? e->address6 : e->address4);
			CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
		}
	}
}

static void an_endpoint_without_an_address_sends_from_none(void **state)
{
	(void)state;
	put_interface(ALICE, SHUNT_F_ADDRESS4);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4), DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
	put_interface(ALICE, SHUNT_F_ADDRESS6);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = WIRE6), DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
}

/* Invariant 1: fail closed. */
static void an_unknown_interface_sends_nothing(void **state)
{
	(void)state;
	CHECK(FROM_CT(UPLINK - IFINDEX(0)), PACKET(.from = ALICE4, .to = WIRE4), DROPPED);
	CHECK(FROM_CT(UPLINK - IFINDEX(0)), PACKET(.from = ALICE6, .to = WIRE6), DROPPED);
}

static void what_is_not_ip_is_dropped(void **state)
{
	static const unsigned int types[] = { ETH_P_ARP, ETH_P_8021Q, ETH_P_PPP_SES, ETH_P_MPLS_UC, ETH_P_LLDP };
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4);

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		put16(p.data + 12, types[i]);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_PROTOCOL);
	}
}

static void what_has_no_single_receiver_is_dropped(void **state)
{
	static const char *const to[] = {
		"224.0.0.1", "239.255.255.250", "255.255.255.255", "0.0.0.0", "169.254.169.254",
		"ff02::1", "ff0e::1", "fe80::1", "febf::1", "::",
	};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		p = PACKET(.from = strchr(to[i], ':') ? ALICE6 : ALICE4, .to = to[i]);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MULTICAST);
		p = PACKET(.from = strchr(to[i], ':') ? "fd07::6" : "10.207.0.6", .to = to[i]);
		CHECK(FROM_CT(KERNEL), p, DROPPED, .loser = KERNEL, .why = SHUNT_DROP_MULTICAST);
	}
}

static void what_every_link_hears_is_not_called_spoofed(void **state)
{
	struct packet p = PACKET(.from = "fe80::200:ff:fe00:0", .to = "ff02::2", .protocol = IPPROTO_ICMPV6,
				 .type = 133, .ttl = 255);

	(void)state;
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MULTICAST);
	p = PACKET(.from = "::", .to = "ff02::16", .protocol = IPPROTO_ICMPV6, .type = 143,
		   .extra = "\72\0\5\2\0\0\1\0", .extra_len = 8, .next = IPPROTO_HOPOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MULTICAST);
	p = PACKET(.from = "ff02::1", .to = "ff02::2");
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
}

static void loopback_is_never_reached(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "127.0.0.53"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_MALFORMED);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "::1"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_MALFORMED);
}

static void a_neighbour_gets_the_packet_as_it_is(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = "10.207.0.3", .ttl = 1, .payload = 1400 - 28);

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED);
	p = PACKET(.from = ALICE6, .to = "fd07::3", .ttl = 1, .payload = 1400 - 48);
	CHECK(FROM_CT(ALICE), p, REDIRECTED);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED);
}

static void a_packet_to_oneself_comes_back(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = ALICE4);

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED);
	p = PACKET(.from = ALICE6, .to = ALICE6);
	CHECK(FROM_CT(ALICE), p, REDIRECTED);
}

static void a_neighbour_with_a_mac_address_is_addressed_by_it(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = "10.207.0.7"), q;

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = macs(p, ETHER_MAC, ETHER_MAC));
	p = PACKET(.from = ALICE6, .to = "fd07::7");
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = macs(p, ETHER_MAC, ETHER_MAC));
	q = PACKET(.from = "10.207.0.7", .to = ALICE4, .mac_to = { 2, 1, 1, 1, 1, 1 },
		   .mac_from = { 2, 0, 0, 0, 0xc, 7 });
	CHECK(FROM_CT(ETHER), q, REDIRECTED, .out = macs(q, NO_MAC, NO_MAC));
	CHECK(FROM_VETH(ETHER), q, REDIRECTED, .out = macs(q, NO_MAC, NO_MAC));
}

static void networks_that_isolate_or_are_internal_keep_to_themselves(void **state)
{
	static const struct { enum who from, to; int why; } rows[] = {
		{ ALICE, STRANGER, -1 },	/* between two open networks */
		{ STRANGER, ALICE, -1 },
		{ HERMIT, MONK, -1 },		/* within one */
		{ LONER, LONER, -1 },
		{ LONER, TWIN, SHUNT_DROP_ISOLATED },
		{ ALICE, LONER, SHUNT_DROP_ISOLATED },
		{ LONER, ALICE, SHUNT_DROP_ISOLATED },
		{ ALICE, HERMIT, SHUNT_DROP_INTERNAL },
		{ HERMIT, ALICE, SHUNT_DROP_INTERNAL },
		{ LONER, HERMIT, SHUNT_DROP_ISOLATED },
		{ HERMIT, LONER, SHUNT_DROP_ISOLATED },
		/* The host's stack, by whose way these go, knows nothing of networks. */
		{ KERNEL, LONER, SHUNT_DROP_ISOLATED },
		{ LONER, KERNEL, SHUNT_DROP_ISOLATED },
		{ KERNEL, HERMIT, SHUNT_DROP_INTERNAL },
		{ CELL, ALICE, SHUNT_DROP_INTERNAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct endpoint *from = &endpoints[rows[i].from], *to = &endpoints[rows[i].to];
		struct packet p[2] = {
			PACKET(.from = from->address4, .to = to->address4),
			PACKET(.from = from->address6, .to = to->address6),
		};

		for (int j = 0; j < 2; j++) {
			if (rows[i].why < 0) {
				CHECK(FROM_CT(rows[i].from), p[j], REDIRECTED);
				continue;
			}
			CHECK(FROM_CT(rows[i].from), p[j], DROPPED, .loser = rows[i].from, .why = rows[i].why);
			CHECK(FROM_VETH(rows[i].from), p[j], DROPPED, .loser = rows[i].from, .why = rows[i].why);
		}
	}
}

static void kernel_routing_leaves_the_packet_to_the_host(void **state)
{
	static const char *const to4[] = { WIRE4, ALICE4, "198.51.100.1", "192.0.2.1", NARROW4 };
	static const char *const to6[] = { WIRE6, ALICE6, "2001:db8:100::1", "2001:db8:b::1", NARROW6 };

	(void)state;
	for (int i = 0; i < 5; i++) {
		CHECK(FROM_CT(KERNEL), PACKET(.from = "10.207.0.6", .to = to4[i], .ttl = 1, .payload = 1400), PASS_ON);
		CHECK(FROM_CT(KERNEL), PACKET(.from = "fd07::6", .to = to6[i], .ttl = 1, .payload = 1400), PASS_ON);
	}
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "10.207.0.6"), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "fd07::6"), PASS_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_to_the_wire_has_one_hop_less),
		TEST(the_checksum_is_right_whatever_it_was),
		TEST(a_packet_from_another_address_is_spoofed),
		TEST(an_endpoint_without_an_address_sends_from_none),
		TEST(an_unknown_interface_sends_nothing),
		TEST(what_is_not_ip_is_dropped),
		TEST(what_has_no_single_receiver_is_dropped),
		TEST(what_every_link_hears_is_not_called_spoofed),
		TEST(loopback_is_never_reached),
		TEST(a_neighbour_gets_the_packet_as_it_is),
		TEST(a_packet_to_oneself_comes_back),
		TEST(a_neighbour_with_a_mac_address_is_addressed_by_it),
		TEST(networks_that_isolate_or_are_internal_keep_to_themselves),
		TEST(kernel_routing_leaves_the_packet_to_the_host),
	};

	return cmocka_run_group_tests_name("from_ct", tests, setup, teardown);
}

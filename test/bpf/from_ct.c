// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The way out of a container: what is let out, to whom, and what is not. What is answered is in errors.c. */
#include "harness.h"

#define ALICE4 "10.207.0.2"
#define ALICE6 "fd07::2"

static void a_packet_to_the_wire_has_one_hop_less(void **state)
{
	static const int protocols[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_SCTP };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = protocols[i], .tos = 0xb9);

		CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
		CHECK(FROM_VETH(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
		p = PACKET(.from = ALICE6, .to = WIRE6, .protocol = i == 2 ? IPPROTO_ICMPV6 : protocols[i],
			   .tos = 0xb9);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
		CHECK(FROM_VETH(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	}
}

static void the_checksum_is_right_whatever_it_was(void **state)
{
	(void)state;
	for (int id = 0; id < 0x10000; id += 0x55) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 2 + id % 254);

		put16(p.data + IP4 + 4, id);
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	}
	/* The one that carries all the way round. */
	for (int id = 0; id < 0x10000; id++) {
		struct packet p = PACKET(.from = ALICE4, .to = WIRE4);

		put16(p.data + IP4 + 4, id);
		seal4(&p);
		if (p.data[IP4_CHECK] == 0xfe && p.data[IP4_CHECK + 1] == 0xff)
			CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	}
}

static void fragments_and_harmless_options_go_out(void **state)
{
	static const unsigned int fragments[] = { IP4_MF, IP4_MF | 185, 185, IP4_DF };
	static const struct { const char *bytes; size_t len; int next; } extras[] = {
		{ "\0\0\1\4\0\0\0\0", 8, IPPROTO_HOPOPTS },
		{ "\0\0\1\4\0\0\0\0", 8, IPPROTO_DSTOPTS },
		{ "\0\0\0\1\0\0\0\7", 8, IPPROTO_FRAGMENT },	/* first of several */
		{ "\0\0\5\270\0\0\0\7", 8, IPPROTO_FRAGMENT },	/* last */
		{ "\0\0\2\0\0\0\0\0" "\xfd\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 24, IPPROTO_ROUTING },	/* type 2 */
		{ "\0\1\0\0\0\0\0\0\0\0\0\0", 12, IPPROTO_AH },
	};
	struct packet p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .frag = fragments[i]);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	}
	p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\1\1\7\7\4\0\0\0\0\0\0\0", .extra_len = 12);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));	/* record route */
	p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\x94\4\0\0\0\x83\0\0", .extra_len = 8);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));	/* router alert; nothing past the end */
	for (size_t i = 0; i < sizeof(extras) / sizeof(*extras); i++) {
		char extra[32];

		memcpy(extra, extras[i].bytes, extras[i].len);
		extra[0] = IPPROTO_UDP;
		p = PACKET(.from = ALICE6, .to = WIRE6, .extra = extra, .extra_len = extras[i].len,
			   .next = extras[i].next);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
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

static void lengths_and_versions_that_lie_are_malformed(void **state)
{
	static const struct { int at, byte; } lies4[] = {
		{ IP4, 0x55 }, { IP4, 0x65 }, { IP4, 0x05 }, { IP4, 0x44 }, { IP4, 0x40 }, { IP4, 0x4f },
		{ IP4_TOT_LEN, 0xff }, { IP4_TOT_LEN + 1, 0 }, { IP4_TOT_LEN + 1, 19 }, { IP4_TOT_LEN + 1, 61 },
	};
	static const struct { int at, byte; } lies6[] = {
		{ IP6, 0x40 }, { IP6, 0x70 }, { IP6_PAYLOAD_LEN, 0xff }, { IP6_PAYLOAD_LEN + 1, 41 },
		{ IP6_PAYLOAD_LEN + 1, 0 },
	};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(lies4) / sizeof(*lies4); i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4);
		p.data[lies4[i].at] = lies4[i].byte;
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
		CHECK(FROM_VETH(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	/* The same with options. */
	for (int length = 0; length < 0x10000; length += length < 80 ? 1 : 4095) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\1\1\1\0", .extra_len = 4);
		if (length >= 24 && length <= (int)p.len - IP4)
			continue;
		put16(p.data + IP4_TOT_LEN, length);
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	for (size_t i = 0; i < sizeof(lies6) / sizeof(*lies6); i++) {
		p = PACKET(.from = ALICE6, .to = WIRE6);
		p.data[lies6[i].at] = lies6[i].byte;
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
}

static void padding_behind_the_packet_is_harmless(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .payload = ZERO);

	(void)state;
	p.len = 60;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	p = PACKET(.from = ALICE6, .to = WIRE6, .payload = ZERO);
	p.len += 4;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
}

static void a_packet_of_headers_alone_goes_out(void **state)
{
	struct packet p = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_NONE);

	(void)state;
	p.len = IP6 + 40;
	put16(p.data + IP6_PAYLOAD_LEN, 0);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	p = PACKET(.from = ALICE4, .to = WIRE4);
	p.len = IP4 + 20;
	put16(p.data + IP4_TOT_LEN, 20);
	seal4(&p);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
}

static void source_routes_are_malformed(void **state)
{
	static const struct { const char *bytes; size_t len; } options[] = {
		{ "\x83\7\4\n\xcf\0\3\0", 8 },		/* loose */
		{ "\x89\7\4\n\xcf\0\3\0", 8 },		/* strict */
		{ "\1\1\1\x89\7\4\n\xcf\0\3\0\0", 12 },	/* behind padding */
		{ "\7\3\0\x83\7\4\n\xcf\0\3\0\0", 12 },	/* behind another */
		{ "\7\1\0\0", 4 },			/* a length that goes nowhere */
		{ "\7\0\0\0", 4 },
		{ "\7\5\0\0", 4 },			/* past the end */
		{ "\1\1\1\7", 4 },			/* no length at all */
	};
	char type0[24] = { IPPROTO_UDP, 2, 0, 1 }, hidden[32] = { IPPROTO_ROUTING, 0, 1, 4 }, many[80] = { 0 };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .extra = options[i].bytes, .extra_len = options[i].len);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = type0, .extra_len = 24, .next = IPPROTO_ROUTING);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	memcpy(hidden + 8, type0, 24);
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = hidden, .extra_len = 32, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	/* One more header than anyone looks behind. */
	for (int i = 0; i < 9; i++)
		many[i * 8] = i == 8 ? IPPROTO_UDP : IPPROTO_DSTOPTS;
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = many, .extra_len = 72, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = many + 8, .extra_len = 64, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	/* A chain that is cut off. */
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = "\21\377\0\0\0\0\0\0", .extra_len = 8, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
}

static void a_neighbour_gets_the_packet_as_it_is(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = "10.207.0.3", .ttl = 1, .payload = 1400 - 28);

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED, .tx = ALICE, .rx = BOB);
	p = PACKET(.from = ALICE6, .to = "fd07::3", .ttl = 1, .payload = 1400 - 48);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED, .tx = ALICE, .rx = BOB);
}

static void a_packet_to_oneself_comes_back(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = ALICE4);

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE);
	CHECK(FROM_VETH(ALICE), p, REDIRECTED, .tx = ALICE, .rx = ALICE);
	p = PACKET(.from = ALICE6, .to = ALICE6);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE);
}

static void a_neighbour_with_a_mac_address_is_addressed_by_it(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = "10.207.0.7"), q;

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = macs(p, ETHER_MAC, ETHER_MAC));
	p = PACKET(.from = ALICE6, .to = "fd07::7");
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = macs(p, ETHER_MAC, ETHER_MAC));
	q = PACKET(.from = "10.207.0.7", .to = ALICE4, .mac_to = { 2, 1, 1, 1, 1, 1 }, .mac_from = { 2, 0, 0, 0, 0xc, 7 });
	CHECK(FROM_CT(ETHER), q, REDIRECTED, .tx = ETHER, .out = macs(q, NO_MAC, NO_MAC));
	CHECK(FROM_VETH(ETHER), q, REDIRECTED, .tx = ETHER, .rx = ALICE, .out = macs(q, NO_MAC, NO_MAC));
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
				CHECK(FROM_CT(rows[i].from), p[j], REDIRECTED, .tx = rows[i].from);
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
		CHECK(FROM_CT(KERNEL), PACKET(.from = "10.207.0.6", .to = to4[i], .ttl = 1, .payload = 1400), PASS_ON,
		      .tx = KERNEL);
		CHECK(FROM_CT(KERNEL), PACKET(.from = "fd07::6", .to = to6[i], .ttl = 1, .payload = 1400), PASS_ON,
		      .tx = KERNEL);
	}
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "10.207.0.6"), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "fd07::6"), PASS_ON, .tx = ALICE);
}

static void an_internal_network_reaches_the_host_and_no_further(void **state)
{
	static const enum who inmates[] = { HERMIT, CELL };

	(void)state;
	for (int i = 0; i < 2; i++) {
		enum who who = inmates[i];
		const char *const from4 = endpoints[who].address4, *const from6 = endpoints[who].address6;
		static const char *const beyond[] = {
			WIRE4, NARROW4, "192.0.2.1", "192.0.2.40", "192.0.2.130",
			WIRE6, NARROW6, "2001:db8:b::1", "2001:db8:c::1", "2001:db8:f::1",
		};

		CHECK(FROM_CT(who), PACKET(.from = from4, .to = "198.51.100.1"), PASS_ON, .tx = who);
		CHECK(FROM_CT(who), PACKET(.from = from6, .to = "2001:db8:100::1"), PASS_ON, .tx = who);
		for (int j = 0; j < 10; j++)
			CHECK(FROM_CT(who), PACKET(.from = j < 5 ? from4 : from6, .to = beyond[j], .payload = 1300),
			      DROPPED, .loser = who, .why = SHUNT_DROP_INTERNAL);
	}
}

static void the_host_itself_gets_the_packet_untouched(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "198.51.100.1", .ttl = 1), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:100::1", .ttl = 1), PASS_ON, .tx = ALICE);
	/* The uplink's broadcast address is the host's to judge. */
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "198.51.100.255"), PASS_ON, .tx = ALICE);
	shell("ip address add " GATEWAY4 "/32 dev lo && ip address add " GATEWAY6 "/128 dev lo");
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = GATEWAY4), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = GATEWAY6), PASS_ON, .tx = ALICE);
	shell("ip address del " GATEWAY4 "/32 dev lo && ip address del " GATEWAY6 "/128 dev lo");
}

/* The lookup cannot tell "no route" from "the host itself"; the stack does, and answers. */
static void without_a_route_the_host_answers(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "192.0.2.100"), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:e::1"), PASS_ON, .tx = ALICE);
}

static void routes_of_all_kinds_are_followed(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = NARROW4), v6 = PACKET(.from = ALICE6, .to = NARROW6);
	struct packet via6 = PACKET(.from = ALICE4, .to = "192.0.2.130");

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	CHECK(FROM_CT(ALICE), v6, REDIRECTED, .tx = ALICE, .out = hop(v6));
	CHECK(FROM_CT(ALICE), via6, REDIRECTED, .tx = ALICE, .out = hop(via6));
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "192.0.2.1"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:b::1"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	/* An encapsulating route is the stack's. */
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:f::1"), PASS_ON, .tx = ALICE);
}

static void rules_by_class_are_followed(void **state)
{
	(void)state;
	shell("ip -4 rule add pref 10 dsfield 0x10 blackhole && ip -6 rule add pref 10 dsfield 0x10 blackhole");
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4, .tos = 0x10), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = WIRE6, .tos = 0x10), PASS_ON, .tx = ALICE);
	shell("ip -4 rule del pref 10 && ip -6 rule del pref 10");
}

static void rules_by_port_are_followed_and_fragments_have_none(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP);
	struct packet first = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP, .frag = IP4_MF);
	struct packet v6 = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_TCP);

	(void)state;
	shell("ip -4 rule add pref 10 ipproto tcp dport 443 blackhole && ip -6 rule add pref 10 ipproto tcp sport 40000 "
	      "blackhole");
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), first, REDIRECTED, .tx = ALICE, .out = hop(first));
	/* In IPv6 the lookup says "not forwarded" for a rule's blackhole: the stack drops it. */
	CHECK(FROM_CT(ALICE), v6, PASS_ON, .tx = ALICE);
	shell("ip -4 rule del pref 10 && ip -6 rule del pref 10");
}

static void nothing_is_forwarded_where_forwarding_is_off(void **state)
{
	(void)state;
	CHECK(FROM_CT(STUCK), PACKET(.from = "10.207.0.9", .to = WIRE4), DROPPED, .loser = STUCK,
	      .why = SHUNT_DROP_NO_FORWARD);
	CHECK(FROM_CT(STUCK), PACKET(.from = "fd07::9", .to = WIRE6), DROPPED, .loser = STUCK,
	      .why = SHUNT_DROP_NO_FORWARD);
}

static void gso_packets_are_judged_by_their_segments(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP, .frag = IP4_DF, .payload = 2920);
	struct packet v6 = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_TCP, .payload = 2920);
	struct packet udp = PACKET(.from = ALICE4, .to = WIRE4, .frag = IP4_DF, .payload = 2944);

	(void)state;
	CHECK(FROM_CT(ALICE, .gso_size = 1460), p, REDIRECTED, .tx = ALICE, .out = hop(p));
	CHECK(FROM_CT(ALICE, .gso_size = 1440), v6, REDIRECTED, .tx = ALICE, .out = hop(v6));
	CHECK(FROM_CT(ALICE, .gso_size = 1472), udp, REDIRECTED, .tx = ALICE, .out = hop(udp));
	p = PACKET(.from = ALICE4, .to = "10.207.0.3", .protocol = IPPROTO_TCP, .frag = IP4_DF, .payload = 2720);
	CHECK(FROM_CT(ALICE, .gso_size = 1360), p, REDIRECTED, .tx = ALICE);
}

/* What may be fragmented is: by the host's stack, which forwards for the host end. */
static void what_is_too_big_without_df_is_left_to_the_host(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = NARROW4, .payload = 1300), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "10.207.0.3", .payload = 1400), PASS_ON, .tx = ALICE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4, .payload = 1480, .frag = IP4_MF), PASS_ON, .tx = ALICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_to_the_wire_has_one_hop_less),
		TEST(the_checksum_is_right_whatever_it_was),
		TEST(fragments_and_harmless_options_go_out),
		TEST(a_packet_from_another_address_is_spoofed),
		TEST(an_endpoint_without_an_address_sends_from_none),
		TEST(an_unknown_interface_sends_nothing),
		TEST(what_is_not_ip_is_dropped),
		TEST(what_has_no_single_receiver_is_dropped),
		TEST(what_every_link_hears_is_not_called_spoofed),
		TEST(loopback_is_never_reached),
		TEST(lengths_and_versions_that_lie_are_malformed),
		TEST(padding_behind_the_packet_is_harmless),
		TEST(a_packet_of_headers_alone_goes_out),
		TEST(source_routes_are_malformed),
		TEST(a_neighbour_gets_the_packet_as_it_is),
		TEST(a_packet_to_oneself_comes_back),
		TEST(a_neighbour_with_a_mac_address_is_addressed_by_it),
		TEST(networks_that_isolate_or_are_internal_keep_to_themselves),
		TEST(kernel_routing_leaves_the_packet_to_the_host),
		TEST(an_internal_network_reaches_the_host_and_no_further),
		TEST(the_host_itself_gets_the_packet_untouched),
		TEST(without_a_route_the_host_answers),
		TEST(routes_of_all_kinds_are_followed),
		TEST(rules_by_class_are_followed),
		TEST(rules_by_port_are_followed_and_fragments_have_none),
		TEST(nothing_is_forwarded_where_forwarding_is_off),
		TEST(gso_packets_are_judged_by_their_segments),
		TEST(what_is_too_big_without_df_is_left_to_the_host),
	};

	return cmocka_run_group_tests_name("from_ct", tests, setup, teardown);
}

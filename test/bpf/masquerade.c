// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Masqueraded packets, and their answers: each byte of them. Which ports they get is in ports.c, for how long in flows.c. */
#include "nat.h"

static void a_flow_leaves_with_the_host_s_address_and_is_answered(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		const int there = remote(protocol);
		struct spec out = leg(protocol, alice[v6], INSIDE, wire[v6], there), outside = out;
		struct spec back = leg(protocol, wire[v6], there, host[v6], INSIDE), as = back;
		int n;

		outside.sport = OUTSIDE;
		assert_int_equal(LEAVES(ALICE, out), INSIDE);
		as.to = alice[v6];
		ARRIVES_AS(ALICE, back, as);
		n = LEAVES(ALICE, outside);
		assert_in_range(n, LOW, HIGH);
		back.dport = n;
		as.dport = OUTSIDE;
		ARRIVES_AS(ALICE, back, as);
		/* Again, by what is known by now; and on veth, to the same effect. */
		assert_int_equal(LEAVES(ALICE, outside), n);
		ARRIVES_AS(ALICE, back, as);
		outside.from = host[v6];
		outside.sport = n;
		out.sport = OUTSIDE;
		CHECK(FROM_VETH(ALICE), packet_make(out), REDIRECTED, .out = hop(packet_make(outside)));
	}
}


static void the_driver_s_checksum_follows(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE), as = back;

		LEAVES(ALICE, leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol)));
		as.to = alice[v6];
		LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)));
		CHECK(FROM_WIRE(.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE), arriving(back), REDIRECTED,
		      .out = landed(as));
	}
}

static void a_udp_packet_without_checksum_gets_none(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct spec s = leg(IPPROTO_UDP, alice[v6], OUTSIDE, wire[v6], 443), back, as;

		s.unsummed = true;
		back = leg(IPPROTO_UDP, wire[v6], 443, host[v6], LEAVES(ALICE, s));
		as = leg(IPPROTO_UDP, wire[v6], 443, alice[v6], OUTSIDE);
		back.unsummed = as.unsummed = true;
		ARRIVES_AS(ALICE, back, as);
	}
}

/* Each sum that there is, so also the one of 0, which UDP sends as 0xffff, and others as it is. */
static void every_checksum_follows(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec out = leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol));
		const int n = LEAVES(ALICE, out), at = (v6 ? IP6 + 40 : IP4 + 20) + checksum_at(protocol);
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], n), as = back;
		int zeroes = 0;

		as.to = alice[v6];
		as.dport = OUTSIDE;
		for (int tweak = 1; tweak < 0x10000; tweak++) {
			struct spec sent = out;
			struct packet p;
			unsigned int sum;

			out.tweak = back.tweak = as.tweak = tweak;
			sent.from = host[v6];
			sent.sport = n;
			sent.tweak = tweak;
			p = packet_make(sent);
			sum = p.data[at] << 8 | p.data[at + 1];
			if (sum > 1 && sum < 0xffff && tweak % 1021)
				continue;
			LEAVES(ALICE, out);
			zeroes += sum == 0 || sum == 0xffff;
		}
		for (int tweak = 1; tweak < 0x10000; tweak++) {
			struct packet p;
			unsigned int sum;

			back.tweak = as.tweak = tweak;
			p = landed(as);
			sum = p.data[at] << 8 | p.data[at + 1];
			if (sum > 1 && sum < 0xffff && tweak % 1021)
				continue;
			ARRIVES_AS(ALICE, back, as);
			zeroes += sum == 0 || sum == 0xffff;
		}
		assert_in_range(zeroes, 2, 4);
	}
}

static void options_and_extension_headers_are_passed_over(void **state)
{
	static const struct { const char *bytes; size_t len; int next; } extra[2][2] = {
		{
			{ "\1\1\1\0", 4, 0 },
			{ "\44\4\0\0\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\0", 40, 0 },
		},
		{
			{ "\0\0\1\4\0\0\0\0", 8, IPPROTO_HOPOPTS },
			{ "\74\0\1\4\0\0\0\0\0\1\1\14\0\0\0\0\0\0\0\0\0\0\0\0", 24, IPPROTO_HOPOPTS },
		},
	};

	(void)state;
	for EACH_WAY(v6, protocol)
		for (int i = 0; i < 2; i++) {
			struct spec s = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)), due, back, as;
			char bytes[40];

			memcpy(bytes, extra[v6][i].bytes, extra[v6][i].len);
			if (v6)
				bytes[i == 0 ? 0 : 8] = s.protocol;
			s.extra = bytes;
			s.extra_len = extra[v6][i].len;
			s.next = extra[v6][i].next;
			due = s;
			due.from = host[v6];
			CHECK(FROM_CT(ALICE), packet_make(s), REDIRECTED, .out = hop(packet_make(due)));
			back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE);
			back.extra = bytes;
			back.extra_len = s.extra_len;
			back.next = s.next;
			as = back;
			as.to = alice[v6];
			ARRIVES_AS(ALICE, back, as);
		}
}

static void what_cannot_be_told_apart_stays(void **state)
{
	static const int protocols[] = { IPPROTO_SCTP, IPPROTO_GRE, IPPROTO_ESP, IPPROTO_UDPLITE, 253 };

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct spec s = { .from = alice[v6], .to = wire[v6] };

		for (int i = 0; i < 5; i++) {
			s.protocol = protocols[i];
			CHECK(FROM_CT(ALICE), packet_make(s), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
		}
		/* The other family's ICMP, a question that is not an echo, and an answer that nobody asked for. */
		s.protocol = icmp_of(!v6);
		CHECK(FROM_CT(ALICE), packet_make(s), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
		s.protocol = icmp_of(v6);
		s.type = v6 ? 133 : 13;
		CHECK(FROM_CT(ALICE), packet_make(s), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
		CHECK(FROM_CT(ALICE), packet_make(leg(IPPROTO_ICMP, alice[v6], 0, wire[v6], OUTSIDE)), DROPPED, .loser = ALICE,
		      .why = SHUNT_DROP_UNTRANSLATED);
		CHECK(FROM_CT(ALICE), packet_make(leg(IPPROTO_ICMP, alice[v6], 0, wire[v6], INSIDE)), DROPPED, .loser = ALICE,
		      .why = SHUNT_DROP_UNTRANSLATED);
	}
	assert_int_equal(count_entries(), 0);
}

/* Behind its own end a packet has no header, whatever the frame has there; nor has it by a shortcut. */
static void padding_is_no_header(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		const int header = protocol == IPPROTO_TCP ? 20 : 8, at = v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN;
		const struct packet whole = packet_make(leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)));
		struct hook hook = FROM_CT(ALICE);
		struct packet out;

		hook.program = quick_one(hook.program);
		for (int known = 0; known < 2; known++) {
			const int n = count_entries();

			/* IPv6's 0 says nothing, and is malformed by itself. */
			for (int length = v6 ? 1 : 20; length < (v6 ? 0 : 20) + header; length++) {
				struct packet p = whole;

				put16(p.data + at, length);
				if (!v6)
					seal4(&p);
				assert_int_equal(run("padding", hook, &p, &out), DROPPED);
				assert_int_equal(count_entries(), n);
			}
			assert_int_equal(run("whole", hook, &whole, &out), REDIRECTED);
		}
	}
}

/* By no uplink, and to other containers: as they are. */
static void what_stays_in_house_keeps_its_address(void **state)
{
	(void)state;
	take_uplink(NARROW);
	for EACH_WAY(v6, protocol) {
		struct spec s = leg(protocol, alice[v6], OUTSIDE, v6 ? NARROW6 : NARROW4, remote(protocol));

		CHECK(FROM_CT(ALICE), packet_make(s), PASS_ON);
		s.to = bob[v6];
		CHECK(FROM_CT(ALICE), packet_make(s), REDIRECTED);
		s.from = bob[v6];
		s.to = wire[v6];
		CHECK(FROM_CT(BOB), packet_make(s), REDIRECTED, .out = hop(packet_make(s)));
		s.to = host[v6];
		CHECK(FROM_CT(BOB), packet_make(s), PASS_ON);
	}
	put_uplink(NARROW);
	assert_int_equal(count_entries(), 0);
}

/* A container is told in its own words, and by its gateway. */
static void a_container_hears_what_is_wrong_with_its_own_packet(void **state)
{
	static const char *const gateway[2] = { GATEWAY4, GATEWAY6 };

	(void)state;
	for EACH_WAY(v6, protocol)
		for (int again = 0; again < 2; again++) {
			struct spec s = leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol));
			struct packet p, large;

			s.ttl = 1;
			p = packet_make(s);
			s.ttl = 64;
			s.payload = 1500;
			large = packet_make(s);
			CHECK(FROM_CT(ALICE), p, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TTL,
			      .out = icmp_error(&p, gateway[v6], v6 ? 3 : 11, 0, 0));
			CHECK(FROM_CT(ALICE), large, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TOO_BIG,
			      .out = icmp_error(&large, gateway[v6], v6 ? 2 : 3, v6 ? 0 : 4, 1500));
			/* To be cut by a device, it may be as large. */
			s.payload = 0;
			s.sport = LEAVES(ALICE, s);
			s.from = host[v6];
			s.payload = 1500;
			if (protocol == IPPROTO_TCP)
				CHECK(FROM_CT(ALICE, .gso_size = 1460 - 20 * v6), large, REDIRECTED,
				      .out = hop(packet_make(s)));
		}
}

/* Somebody out there knows the host, and nobody behind it. */
static void the_wire_hears_from_the_host_what_is_wrong(void **state)
{
	struct packet p;

	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE);

		LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)));
		back.ttl = 1;
		p = arriving(back);
		CHECK(FROM_WIRE(), p, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TTL,
		      .out = icmp_error(&p, host[v6], v6 ? 3 : 11, 0, 0));
		back.ttl = 0;
		back.payload = 1600;
		back.frag = IP4_DF;
		p = arriving(back);
		CHECK(FROM_WIRE(), p, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TOO_BIG,
		      .out = icmp_error(&p, host[v6], v6 ? 2 : 3, v6 ? 0 : 4, 1500));
	}
}

static void what_is_of_no_flow_is_the_host_s(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE), other = back;
		const bool tcp = protocol == IPPROTO_TCP;

		/* A reset would end what a container may still go on with. */
		back.flags = ACK;
		CHECK(FROM_WIRE(), arriving(back), tcp ? DROPPED : PASS_ON);
		back.flags = SYN;
		CHECK(FROM_WIRE(), arriving(back), PASS_ON);
		back.flags = SYN | ACK;
		CHECK(FROM_WIRE(), arriving(back), tcp ? DROPPED : PASS_ON);
		back.dport = OUTSIDE;
		CHECK(FROM_WIRE(), arriving(back), PASS_ON);
		back.dport = INSIDE;
		back.flags = ACK;
		/* And of one, but from another side. */
		LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)));
		other.from = v6 ? "2001:db8:9::a" : "192.0.2.201";
		other.flags = ACK;
		CHECK(FROM_WIRE(), arriving(other), tcp ? DROPPED : PASS_ON);
		/* Others whom the host forwards for may have such ports. */
		back.to = v6 ? NARROW6 : NARROW4;
		sysctl(v6 ? "ipv6" : "ipv4", "wire", "forwarding", "1");
		CHECK(FROM_WIRE(), arriving(back), PASS_ON);
		sysctl(v6 ? "ipv6" : "ipv4", "wire", "forwarding", "0");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(a_flow_leaves_with_the_host_s_address_and_is_answered),
		NAT_TEST(the_driver_s_checksum_follows),
		NAT_TEST(a_udp_packet_without_checksum_gets_none),
		NAT_TEST(every_checksum_follows),
		NAT_TEST(options_and_extension_headers_are_passed_over),
		NAT_TEST(what_cannot_be_told_apart_stays),
		NAT_TEST(padding_is_no_header),
		NAT_TEST(what_stays_in_house_keeps_its_address),
		NAT_TEST(a_container_hears_what_is_wrong_with_its_own_packet),
		NAT_TEST(the_wire_hears_from_the_host_what_is_wrong),
		NAT_TEST(what_is_of_no_flow_is_the_host_s),
	};

	return cmocka_run_group_tests_name("masquerade", tests, setup, teardown);
}

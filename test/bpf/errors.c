// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What a sender is told, by ICMP or ICMPv6, of a packet that does not go on; and who is told nothing. */
#include "harness.h"

enum { UNREACH4 = 3, EXCEEDED4 = 11, UNREACH6 = 1, TOO_BIG6 = 2, EXCEEDED6 = 3 };

/* Checks that a container gets @type, @code and @mtu in answer, from both drivers. */
static void answered(const char *file, int line, struct packet p, uint32_t gso_size, enum shunt_drop why, int type,
		     int code, unsigned int mtu)
{
	struct outcome o = { REDIRECTED, .loser = ALICE, .why = why,
			     .out = icmp_error(&p, is4(&p) ? GATEWAY4 : GATEWAY6, type, code, mtu) };

	check(file, line, FROM_CT(ALICE, .gso_size = gso_size), p, o);
	check(file, line, FROM_VETH(ALICE, .gso_size = gso_size), p, o);
}

#define ANSWERED(...) answered(__FILE__, __LINE__, __VA_ARGS__)

static void the_last_hop_is_answered(void **state)
{
	static const int ttls[] = { 1, ZERO };

	(void)state;
	for (int i = 0; i < 2; i++) {
		ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .ttl = ttls[i]), 0, SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
		ANSWERED(PACKET(.from = ALICE6, .to = WIRE6, .ttl = ttls[i]), 0, SHUNT_DROP_TTL, EXCEEDED6, 0, 0);
		/* What is too big besides is too big for a later router. */
		ANSWERED(PACKET(.from = ALICE4, .to = NARROW4, .ttl = ttls[i], .payload = 1300, .frag = IP4_DF), 0,
			 SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
		ANSWERED(PACKET(.from = ALICE6, .to = NARROW6, .ttl = ttls[i], .payload = 1300), 0, SHUNT_DROP_TTL,
			 EXCEEDED6, 0, 0);
	}
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4, .ttl = 2), REDIRECTED,
	      .out = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1));
}

static void packets_of_every_size_are_quoted(void **state)
{
	(void)state;
	for (int payload = 1; payload <= 1472; payload += payload > 700 ? 97 : 1)
		ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .payload = payload), 0, SHUNT_DROP_TTL,
			 EXCEEDED4, 0, 0);
	for (int payload = 1; payload <= 1452; payload += 7)
		ANSWERED(PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .payload = payload), 0, SHUNT_DROP_TTL,
			 EXCEEDED6, 0, 0);
}

static void the_answer_goes_to_the_frame_s_sender(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .mac_to = { 2, 1, 1, 1, 1, 1 },
				 .mac_from = { 2, 2, 2, 2, 2, 2 });

	(void)state;
	ANSWERED(p, 0, SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
}

static void what_is_too_big_is_answered_with_the_mtu(void **state)
{
	(void)state;
	ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .payload = 1473, .frag = IP4_DF), 0, SHUNT_DROP_TOO_BIG, UNREACH4,
		 4, 1500);
	ANSWERED(PACKET(.from = ALICE6, .to = WIRE6, .payload = 1453), 0, SHUNT_DROP_TOO_BIG, TOO_BIG6, 0, 1500);
	ANSWERED(PACKET(.from = ALICE4, .to = NARROW4, .payload = 1300, .frag = IP4_DF), 0, SHUNT_DROP_TOO_BIG,
		 UNREACH4, 4, 1280);
	ANSWERED(PACKET(.from = ALICE6, .to = NARROW6, .payload = 1300), 0, SHUNT_DROP_TOO_BIG, TOO_BIG6, 0, 1280);
	/* A route's own MTU counts where it is locked, as the kernel has it; and so does a neighbour's. */
	ANSWERED(PACKET(.from = ALICE4, .to = "203.0.113.200", .payload = 1300, .frag = IP4_DF), 0, SHUNT_DROP_TOO_BIG,
		 UNREACH4, 4, 1300);
	ANSWERED(PACKET(.from = ALICE4, .to = "10.207.0.3", .payload = 1373, .frag = IP4_DF, .ttl = 1), 0,
		 SHUNT_DROP_TOO_BIG, UNREACH4, 4, 1400);
	ANSWERED(PACKET(.from = ALICE6, .to = "fd07::3", .payload = 1353, .ttl = 1), 0, SHUNT_DROP_TOO_BIG, TOO_BIG6, 0,
		 1400);
}

/* The main case of path MTU discovery: TCP sends what the device shall segment, and each segment is too big. */
static void segments_that_are_too_big_are_answered_once(void **state)
{
	(void)state;
	ANSWERED(PACKET(.from = ALICE4, .to = NARROW4, .protocol = IPPROTO_TCP, .payload = 2482, .frag = IP4_DF), 1241,
		 SHUNT_DROP_TOO_BIG, UNREACH4, 4, 1280);
	ANSWERED(PACKET(.from = ALICE6, .to = NARROW6, .protocol = IPPROTO_TCP, .payload = 2442), 1221,
		 SHUNT_DROP_TOO_BIG, TOO_BIG6, 0, 1280);
	ANSWERED(PACKET(.from = ALICE6, .to = NARROW6, .protocol = IPPROTO_TCP, .payload = 2440,
			.extra = "\6\0\1\4\0\0\0\0", .extra_len = 8, .next = IPPROTO_DSTOPTS), 1220,
		 SHUNT_DROP_TOO_BIG, TOO_BIG6, 0, 1280);
	ANSWERED(PACKET(.from = ALICE4, .to = NARROW4, .payload = 2506, .frag = IP4_DF), 1253, SHUNT_DROP_TOO_BIG,
		 UNREACH4, 4, 1280);
	ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP, .payload = 2000, .ttl = 1), 1000,
		 SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
}

static void an_unclaimed_address_is_answered(void **state)
{
	static const char *const nobody4[] = { "10.207.9.9", "10.207.0.8", "10.207.0.0", "10.207.255.255" };
	static const char *const nobody6[] = { "fd07::9:9", "fd07::8", "fd07::" };

	(void)state;
	for (int i = 0; i < 4; i++)
		ANSWERED(PACKET(.from = ALICE4, .to = nobody4[i]), 0, SHUNT_DROP_NO_ENDPOINT, UNREACH4, 1, 0);
	for (int i = 0; i < 3; i++)
		ANSWERED(PACKET(.from = ALICE6, .to = nobody6[i]), 0, SHUNT_DROP_NO_ENDPOINT, UNREACH6, 3, 0);
	/* The gateway's address is on no interface: what asks for it must not leave by the default route. */
	ANSWERED(PACKET(.from = ALICE4, .to = GATEWAY4), 0, SHUNT_DROP_NO_ENDPOINT, UNREACH4, 1, 0);
	ANSWERED(PACKET(.from = ALICE6, .to = GATEWAY6), 0, SHUNT_DROP_NO_ENDPOINT, UNREACH6, 3, 0);
}

static void routes_that_refuse_are_answered(void **state)
{
	(void)state;
	ANSWERED(PACKET(.from = ALICE4, .to = "192.0.2.40"), 0, SHUNT_DROP_NO_ROUTE, UNREACH4, 1, 0);
	ANSWERED(PACKET(.from = ALICE6, .to = "2001:db8:c::1"), 0, SHUNT_DROP_NO_ROUTE, UNREACH6, 0, 0);
	ANSWERED(PACKET(.from = ALICE4, .to = "192.0.2.70"), 0, SHUNT_DROP_NO_ROUTE, UNREACH4, 13, 0);
	ANSWERED(PACKET(.from = ALICE6, .to = "2001:db8:d::1"), 0, SHUNT_DROP_NO_ROUTE, UNREACH6, 1, 0);
}

static void options_and_extension_headers_are_quoted(void **state)
{
	(void)state;
	ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .extra = "\7\7\4\0\0\0\0\0", .extra_len = 8,
			.protocol = IPPROTO_ICMP), 0, SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
	ANSWERED(PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .extra = "\72\0\1\4\0\0\0\0", .extra_len = 8,
			.next = IPPROTO_DSTOPTS, .protocol = IPPROTO_ICMPV6), 0, SHUNT_DROP_TTL, EXCEEDED6, 0, 0);
	ANSWERED(PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .extra = "\21\0\0\1\0\0\0\7", .extra_len = 8,
			.next = IPPROTO_FRAGMENT), 0, SHUNT_DROP_TTL, EXCEEDED6, 0, 0);
	ANSWERED(PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .frag = IP4_MF), 0, SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
}

static void errors_and_later_fragments_are_not_answered(void **state)
{
	static const int errors4[] = { 3, 4, 5, 11, 12, 30 }, errors6[] = { 1, 2, 3, 4, 100, 127, 137 };
	struct packet p;

	(void)state;
	for (int i = 0; i < 6; i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .protocol = IPPROTO_ICMP, .type = errors4[i]);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
		p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .protocol = IPPROTO_ICMP, .type = errors4[i],
			   .extra = "\1\1\1\0", .extra_len = 4);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
	}
	for (int i = 0; i < 7; i++) {
		p = PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .protocol = IPPROTO_ICMPV6, .type = errors6[i]);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
		p = PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .protocol = IPPROTO_ICMPV6, .type = errors6[i],
			   .extra = "\72\0\1\4\0\0\0\0", .extra_len = 8, .next = IPPROTO_HOPOPTS);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
	}
	p = PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .frag = 1);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
	p = PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .extra = "\21\0\0\10\0\0\0\7", .extra_len = 8,
		   .next = IPPROTO_FRAGMENT);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
}

/* Checks that a sender on the wire gets an answer from the gateway of the endpoint's network. */
static void bounced(const char *file, int line, struct packet p, uint32_t gso_size, enum who who, enum shunt_drop why,
		    int type, int code, unsigned int mtu)
{
	struct outcome o = { REDIRECTED, .loser = who, .why = why,
			     .out = icmp_error(&p, is4(&p) ? GATEWAY4 : GATEWAY6, type, code, mtu) };

	check(file, line, FROM_WIRE(.gso_size = gso_size), p, o);
}

#define BOUNCED(...) bounced(__FILE__, __LINE__, __VA_ARGS__)

static void the_wire_is_answered_too(void **state)
{
	(void)state;
	BOUNCED(ARRIVING(.from = WIRE4, .to = ALICE4, .ttl = 1), 0, ALICE, SHUNT_DROP_TTL, EXCEEDED4, 0, 0);
	BOUNCED(ARRIVING(.from = WIRE6, .to = ALICE6, .ttl = 1), 0, ALICE, SHUNT_DROP_TTL, EXCEEDED6, 0, 0);
	BOUNCED(ARRIVING(.from = WIRE4, .to = "10.207.0.3", .payload = 1400, .frag = IP4_DF), 0, BOB,
		SHUNT_DROP_TOO_BIG, UNREACH4, 4, 1400);
	BOUNCED(ARRIVING(.from = WIRE6, .to = "fd07::3", .payload = 1400), 0, BOB, SHUNT_DROP_TOO_BIG, TOO_BIG6, 0,
		1400);
	BOUNCED(ARRIVING(.from = WIRE4, .to = "10.207.0.3", .protocol = IPPROTO_TCP, .payload = 2722,
			 .frag = IP4_DF), 1361, BOB, SHUNT_DROP_TOO_BIG, UNREACH4, 4, 1400);
	BOUNCED(ARRIVING(.from = WIRE6, .to = "fd07::3", .protocol = IPPROTO_TCP, .payload = 2682), 1341, BOB,
		SHUNT_DROP_TOO_BIG, TOO_BIG6, 0, 1400);
}

static void the_wire_s_errors_and_crowds_are_not_answered(void **state)
{
	static const char *const crowds[] = {
		"240.0.0.1", "0.1.2.3", "224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1", "ff02::1", "::",
	};
	struct packet p;

	(void)state;
	for (int i = 0; i < 8; i++) {
		p = ARRIVING(.from = crowds[i], .to = strchr(crowds[i], ':') ? ALICE6 : ALICE4, .ttl = 1);
		/* Most are not believed in the first place. */
		CHECK(FROM_WIRE(), p, DROPPED, .loser = ALICE, .why = i < 2 ? SHUNT_DROP_TTL : SHUNT_DROP_SPOOFED);
	}
	p = ARRIVING(.from = WIRE4, .to = ALICE4, .ttl = 1, .protocol = IPPROTO_ICMP, .type = 11);
	CHECK(FROM_WIRE(), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
	p = ARRIVING(.from = WIRE6, .to = ALICE6, .ttl = 1, .protocol = IPPROTO_ICMPV6, .type = 3);
	CHECK(FROM_WIRE(), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
	/* No way back: the route to this source is a blackhole. */
	p = ARRIVING(.from = "192.0.2.1", .to = ALICE4, .ttl = 1);
	CHECK(FROM_WIRE(), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_TTL);
}

/* A burst is answered, a flood is not. Where it is cut depends on time: what must hold is that it is cut at all. */
static void a_flood_from_the_wire_is_not_answered_for_long(void **state)
{
	struct packet p = ARRIVING(.from = WIRE4, .to = ALICE4, .ttl = 1);
	struct __sk_buff ctx = { .ifindex = UPLINK, .ingress_ifindex = UPLINK };
	int answered = 0, i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p.data, .data_size_in = p.len, .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx));

		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.shunt_from_wire), &opts), 0);
		if (opts.retval == REDIRECTED)
			answered++;
		else
			break;
	}
	assert_true(answered > 0 && i < 20000);
	usleep(100000);
	assert_int_equal(fresh(state), 0);
	CHECK(FROM_WIRE(), p, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TTL,
	      .out = icmp_error(&p, GATEWAY4, EXCEEDED4, 0, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_hop_is_answered),
		TEST(packets_of_every_size_are_quoted),
		TEST(the_answer_goes_to_the_frame_s_sender),
		TEST(what_is_too_big_is_answered_with_the_mtu),
		TEST(segments_that_are_too_big_are_answered_once),
		TEST(an_unclaimed_address_is_answered),
		TEST(routes_that_refuse_are_answered),
		TEST(options_and_extension_headers_are_quoted),
		TEST(errors_and_later_fragments_are_not_answered),
		TEST(the_wire_is_answered_too),
		TEST(a_flood_from_the_wire_is_not_answered_for_long),
		TEST(the_wire_s_errors_and_crowds_are_not_answered),
	};

	return cmocka_run_group_tests_name("errors", tests, setup, teardown);
}

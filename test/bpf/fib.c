// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What the host's routing table says is done: by all kinds of routes, rules and answers. */
#include "harness.h"

static void the_host_itself_gets_the_packet_untouched(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "198.51.100.1", .ttl = 1), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:100::1", .ttl = 1), PASS_ON);
	/* The uplink's broadcast address is the host's to judge. */
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "198.51.100.255"), PASS_ON);
	shell("ip address add " GATEWAY4 "/32 dev lo && ip address add " GATEWAY6 "/128 dev lo nodad");
	await_local(getpid(), GATEWAY6);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = GATEWAY4), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = GATEWAY6), PASS_ON);
	shell("ip address del " GATEWAY4 "/32 dev lo && ip address del " GATEWAY6 "/128 dev lo");
}

/* The lookup cannot tell "no route" from "the host itself"; the stack does, and answers. */
static void without_a_route_the_host_answers(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "192.0.2.100"), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:e::1"), PASS_ON);
}

static void routes_of_all_kinds_are_followed(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = NARROW4), v6 = PACKET(.from = ALICE6, .to = NARROW6);
	struct packet via6 = PACKET(.from = ALICE4, .to = "192.0.2.130");

	(void)state;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	CHECK(FROM_CT(ALICE), v6, REDIRECTED, .out = hop(v6));
	CHECK(FROM_CT(ALICE), via6, REDIRECTED, .out = hop(via6));
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "192.0.2.1"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:b::1"), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	/* An encapsulating route is the stack's. */
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = "2001:db8:f::1"), PASS_ON);
}

/* Its TTL too: what another engine's bridge guards, its rules have a say in. */
static void what_is_no_uplink_is_the_stack_s(void **state)
{
	(void)state;
	take_uplink(NARROW);
	for (int ttl = 1; ttl < 3; ttl++) {
		CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = NARROW4, .ttl = ttl), PASS_ON);
		CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = NARROW6, .ttl = ttl), PASS_ON);
	}
	put_uplink(NARROW);
}

static void rules_by_class_are_followed(void **state)
{
	(void)state;
	shell("ip -4 rule add pref 10 dsfield 0x10 blackhole && ip -6 rule add pref 10 dsfield 0x10 blackhole");
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4, .tos = 0x10), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE6, .to = WIRE6, .tos = 0x10), PASS_ON);
	shell("ip -4 rule del pref 10 && ip -6 rule del pref 10");
}

static void rules_by_port_are_followed_and_fragments_have_none(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP);
	struct packet first = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP, .frag = IP4_MF);
	struct packet v6 = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_TCP);

	(void)state;
	shell("ip -4 rule add pref 10 ipproto tcp dport 443 blackhole && "
	      "ip -6 rule add pref 10 ipproto tcp sport 40000 blackhole");
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_NO_ROUTE);
	CHECK(FROM_CT(ALICE), first, REDIRECTED, .out = hop(first));
	/* In IPv6 the lookup says "not forwarded" for a rule's blackhole: the stack drops it. */
	CHECK(FROM_CT(ALICE), v6, PASS_ON);
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
	CHECK(FROM_CT(ALICE, .gso_size = 1460), p, REDIRECTED, .out = hop(p));
	CHECK(FROM_CT(ALICE, .gso_size = 1440), v6, REDIRECTED, .out = hop(v6));
	CHECK(FROM_CT(ALICE, .gso_size = 1472), udp, REDIRECTED, .out = hop(udp));
	p = PACKET(.from = ALICE4, .to = "10.207.0.3", .protocol = IPPROTO_TCP, .frag = IP4_DF, .payload = 2720);
	CHECK(FROM_CT(ALICE, .gso_size = 1360), p, REDIRECTED);

	/* Segments of 65536 bytes and more do not count as small ones. */
	p = PACKET(.from = ALICE4, .to = WIRE4, .protocol = IPPROTO_TCP, .payload = 1400);
	CHECK(FROM_CT(ALICE, .gso_size = 0xfff0), p, PASS_ON);
	v6 = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_TCP, .type = 1, .payload = 1200);
	CHECK(FROM_CT(ALICE, .gso_size = 0xfff0), v6, REDIRECTED, .loser = ALICE, .why = SHUNT_DROP_TOO_BIG,
	      .out = icmp_error(&v6, GATEWAY6, 2, 0, 1500));
}

/* What may be fragmented is: by the host's stack, which forwards for the host end. */
static void what_is_too_big_without_df_is_left_to_the_host(void **state)
{
	(void)state;
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = NARROW4, .payload = 1300), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = "10.207.0.3", .payload = 1400), PASS_ON);
	CHECK(FROM_CT(ALICE), PACKET(.from = ALICE4, .to = WIRE4, .payload = 1480, .frag = IP4_MF), PASS_ON);
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

		CHECK(FROM_CT(who), PACKET(.from = from4, .to = "198.51.100.1"), PASS_ON);
		CHECK(FROM_CT(who), PACKET(.from = from6, .to = "2001:db8:100::1"), PASS_ON);
		for (int j = 0; j < 10; j++)
			CHECK(FROM_CT(who), PACKET(.from = j < 5 ? from4 : from6, .to = beyond[j], .payload = 1300),
			      DROPPED, .loser = who, .why = SHUNT_DROP_INTERNAL);
	}
}

/* Sends to @n neighbours that nobody has heard of. Return: how many packets went out. */
static uint64_t seek(enum who who, const char *format, int n)
{
	struct __sk_buff ctx = { .ifindex = IFINDEX(who) };
	uint64_t sent = 0;
	char to[64];

	put_interface(who, 0);
	for (int i = 0; i < n; i++) {
		struct packet p;
		LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));

		snprintf(to, sizeof(to), format, i + 2);
		p = PACKET(.from = strchr(to, ':') ? endpoints[who].address6 : endpoints[who].address4, .to = to);
		opts.data_in = p.data;
		opts.data_size_in = p.len;
		assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.shunt_from_ct), &opts), 0);
		sent += opts.retval == REDIRECTED;
	}
	assert_int_equal(sent + counters_of(who).dropped[SHUNT_DROP_NO_NEIGHBOUR], n);
	return sent;
}

/* All share one neighbour table, which one container must not fill. */
static void unknown_neighbours_are_looked_for_in_bounds(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4), v6 = PACKET(.from = ALICE6, .to = WIRE6);

	(void)state;
	assert_in_range(seek(ALICE, "198.51.100.%d", 250), 1, 200);
	assert_in_range(seek(ALICE, "2001:db8:100::aa:%x", 1000), 0, 500);
	put_interface(ALICE, 0);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	CHECK(FROM_CT(ALICE), v6, REDIRECTED, .out = hop(v6));
	assert_int_equal(seek(STRANGER, "198.51.100.%d", 50), 50);
	put_interface(STRANGER, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_host_itself_gets_the_packet_untouched),
		TEST(without_a_route_the_host_answers),
		TEST(routes_of_all_kinds_are_followed),
		TEST(what_is_no_uplink_is_the_stack_s),
		TEST(rules_by_class_are_followed),
		TEST(rules_by_port_are_followed_and_fragments_have_none),
		TEST(nothing_is_forwarded_where_forwarding_is_off),
		TEST(gso_packets_are_judged_by_their_segments),
		TEST(what_is_too_big_without_df_is_left_to_the_host),
		TEST(an_internal_network_reaches_the_host_and_no_further),
		TEST(unknown_neighbours_are_looked_for_in_bounds),
	};

	return cmocka_run_group_tests_name("fib", tests, setup, teardown);
}

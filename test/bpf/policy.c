// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Which flows may begin where a network has rules, and that what is of one that did needs none. */
#include "nat.h"

static const char *const stranger[2] = { "10.210.0.2", "fd10::2" };

static void no_rules(void)
{
	empty(skel->maps.rules);
}

#define REFUSED_OUT(who, p) do { \
	struct packet _p = p; \
	CHECK(FROM_CT(who), _p, REDIRECTED, .loser = who, .why = SHUNT_DROP_NOT_ALLOWED, \
	      .out = icmp_error(&_p, is4(&_p) ? GATEWAY4 : GATEWAY6, is4(&_p) ? 3 : 1, is4(&_p) ? 13 : 1, 0)); \
} while (0)
#define GOES_OUT(who, s) CHECK(FROM_CT(who), packet_make(s), REDIRECTED, .out = hop(packet_make(s)))
#define COMES_IN(who, s) CHECK(FROM_WIRE(), arriving(s), REDIRECTED, .out = landed(s))
#define KEPT_OUT(who, s) CHECK(FROM_WIRE(), arriving(s), DROPPED, .loser = who, .why = SHUNT_DROP_NOT_ALLOWED)

static void only_what_a_rule_allows_goes_out(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_OUT | SHUNT_F_ALLOW_IN);
	for EACH_WAY(v6, protocol) {
		const struct spec s = leg(protocol, bob[v6], INSIDE, wire[v6], remote(protocol));
		struct spec back = leg(protocol, wire[v6], remote(protocol), bob[v6], INSIDE);
		const int low = protocol == IPPROTO_ICMP ? 0 : 443, high = low ? 443 : 65535;

		no_rules();
		REFUSED_OUT(BOB, packet_make(s));
		KEPT_OUT(BOB, back);
		rule(BOB, SHUNT_RULES_OUT, wire[v6], v6 ? 128 : 32, protocol == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP, 0, 65535);
		REFUSED_OUT(BOB, packet_make(s));
		rule(BOB, SHUNT_RULES_OUT, wire[v6], v6 ? 128 : 32, s.protocol, low, high);
		GOES_OUT(BOB, s);
		COMES_IN(BOB, back);
		REFUSED_OUT(BOB, packet_make(leg(protocol, bob[v6], INSIDE, v6 ? "2001:db8:9::a" : "192.0.2.201", remote(protocol))));
		if (protocol == IPPROTO_ICMP)
			continue;
		REFUSED_OUT(BOB, packet_make(leg(protocol, bob[v6], INSIDE, wire[v6], 442)));
		REFUSED_OUT(BOB, packet_make(leg(protocol, bob[v6], INSIDE, wire[v6], 444)));
		back.dport = INSIDE + 1;
		KEPT_OUT(BOB, back);
	}
}

static void only_what_a_rule_allows_comes_in(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_IN | SHUNT_F_ALLOW_OUT);
	for EACH_WAY(v6, protocol) {
		const int own = remote(protocol);
		struct spec s = leg(protocol, wire[v6], INSIDE, bob[v6], own), back = leg(protocol, bob[v6], own, wire[v6], INSIDE);

		no_rules();
		KEPT_OUT(BOB, s);
		rule(BOB, SHUNT_RULES_OUT, v6 ? "::" : "0.0.0.0", 0, 0, 0, 65535);
		KEPT_OUT(BOB, s);
		no_rules();
		rule(BOB, SHUNT_RULES_IN, wire[v6], v6 ? 64 : 24, s.protocol, own, own ?: 65535);
		COMES_IN(BOB, s);
		GOES_OUT(BOB, back);
		s.dport = own + 1;
		if (own)
			KEPT_OUT(BOB, s);
	}
}

/* Its entries say that it may: rules are not asked again. */
static void what_has_begun_needs_no_rule(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_OUT | SHUNT_F_ALLOW_IN);
	for EACH_WAY(v6, protocol) {
		const struct spec s = leg(protocol, bob[v6], INSIDE, wire[v6], remote(protocol));
		const struct spec back = leg(protocol, wire[v6], remote(protocol), bob[v6], INSIDE);

		rule(BOB, SHUNT_RULES_OUT, v6 ? "::" : "0.0.0.0", 0, 0, 0, 65535);
		GOES_OUT(BOB, s);
		no_rules();
		GOES_OUT(BOB, s);
		COMES_IN(BOB, back);
		/* Nor where one of its entries is lost, or a second has passed. */
		lose(back);
		age(s, 2);
		GOES_OUT(BOB, s);
		COMES_IN(BOB, back);
		lose(s);
		age(back, 2);
		COMES_IN(BOB, back);
		GOES_OUT(BOB, s);
		/* But behind its lifetime it is none. */
		age(s, 100000);
		age(back, 100000);
		REFUSED_OUT(BOB, packet_make(s));
		KEPT_OUT(BOB, back);
	}
}

static void the_longest_prefix_counts_and_families_are_apart(void **state)
{
	const struct spec v4 = leg(IPPROTO_UDP, WIRE4, 99, BOB4, 443), v6 = leg(IPPROTO_UDP, WIRE6, 99, BOB6, 443);

	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_IN);
	rule(BOB, SHUNT_RULES_IN, "::", 0, 0, 0, 65535);
	KEPT_OUT(BOB, v4);
	COMES_IN(BOB, v6);
	rule(BOB, SHUNT_RULES_IN, "192.0.0.0", 8, IPPROTO_UDP, 443, 443);
	COMES_IN(BOB, v4);
	forget_flows();
	/* The engine has put into the longer one what the shorter says; here it has not. */
	rule(BOB, SHUNT_RULES_IN, WIRE4, 32, IPPROTO_TCP, 443, 443);
	KEPT_OUT(BOB, v4);
	/* Another network's are another's. */
	no_rules();
	rule(STRANGER, SHUNT_RULES_IN, "0.0.0.0", 0, 0, 0, 65535);
	KEPT_OUT(BOB, v4);
}

static void errors_about_what_passed_pass(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_OUT | SHUNT_F_ALLOW_IN);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct spec s = leg(IPPROTO_UDP, bob[v6], INSIDE, wire[v6], 443), t = leg(IPPROTO_UDP, wire[v6], 9, bob[v6], 444);
		const struct packet p = hop(packet_make(s)), q = packet_make(t);
		struct packet error = macs(icmp_error(&p, router[v6], v6 ? 1 : 3, 1, 0), UPLINK_MAC, ROUTER_MAC);
		struct packet own = icmp_error(&q, bob[v6], v6 ? 1 : 3, v6 ? 4 : 3, 0);

		CHECK(FROM_WIRE(), error, DROPPED, .loser = BOB, .why = SHUNT_DROP_NOT_ALLOWED);
		CHECK(FROM_CT(BOB), own, DROPPED, .loser = BOB, .why = SHUNT_DROP_NOT_ALLOWED);
		rule(BOB, SHUNT_RULES_OUT, wire[v6], 32, IPPROTO_UDP, 443, 443);
		rule(BOB, SHUNT_RULES_IN, wire[v6], 32, IPPROTO_UDP, 444, 444);
		GOES_OUT(BOB, s);
		CHECK(FROM_WIRE(), error, REDIRECTED, .out = macs(hop(error), NO_MAC, NO_MAC));
		COMES_IN(BOB, t);
		CHECK(FROM_CT(BOB), own, REDIRECTED, .out = hop(own));
	}
}

static void fragments_go_with_their_first(void **state)
{
	struct spec first = leg(IPPROTO_UDP, WIRE4, 99, BOB4, 443), later = first;

	(void)state;
	first.frag = IP4_MF;
	later.frag = 8;
	restrict_to(BOB, SHUNT_F_ALLOW_IN);
	rule(BOB, SHUNT_RULES_IN, WIRE4, 32, IPPROTO_UDP, 443, 443);
	KEPT_OUT(BOB, later);
	COMES_IN(BOB, first);
	COMES_IN(BOB, later);
	/* A rule for all ports needs none. */
	forget_flows();
	empty(skel->maps.fragments);
	rule(BOB, SHUNT_RULES_IN, WIRE4, 32, IPPROTO_UDP, 0, 65535);
	COMES_IN(BOB, later);
}

static void what_has_no_flow_has_a_rule_each_way(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_IN | SHUNT_F_ALLOW_OUT);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct spec in = { .from = wire[v6], .to = bob[v6], .protocol = IPPROTO_SCTP };
		const struct spec out = { .from = bob[v6], .to = wire[v6], .protocol = IPPROTO_SCTP };

		rule(BOB, SHUNT_RULES_IN, wire[v6], 32, 0, 0, 65535);
		COMES_IN(BOB, in);
		REFUSED_OUT(BOB, packet_make(out));
		rule(BOB, SHUNT_RULES_OUT, wire[v6], 32, 0, 0, 65535);
		GOES_OUT(BOB, out);
		no_rules();
		KEPT_OUT(BOB, in);
	}
	assert_int_equal(count_entries(), 0);
}

static void networks_ask_each_other(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_OUT);
	restrict_to(STRANGER, SHUNT_F_ALLOW_IN | SHUNT_F_ALLOW_OUT);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct packet p = PACKET(.from = bob[v6], .to = stranger[v6], .protocol = IPPROTO_TCP, .sport = 9, .dport = 80);
		const struct packet back = PACKET(.from = stranger[v6], .to = bob[v6], .protocol = IPPROTO_TCP, .sport = 80, .dport = 9);

		no_rules();
		REFUSED_OUT(BOB, p);
		rule(BOB, SHUNT_RULES_OUT, stranger[v6], 32, IPPROTO_TCP, 80, 80);
		CHECK(FROM_CT(BOB), p, DROPPED, .loser = BOB, .why = SHUNT_DROP_NOT_ALLOWED);
		rule(STRANGER, SHUNT_RULES_IN, bob[v6], 32, IPPROTO_TCP, 80, 80);
		CHECK(FROM_CT(BOB), p, REDIRECTED);
		no_rules();
		CHECK(FROM_VETH(BOB), p, REDIRECTED);
		CHECK(FROM_CT(STRANGER), back, REDIRECTED);
		/* Within the network nobody is asked, nor known. */
		forget_flows();
		CHECK(FROM_CT(BOB), PACKET(.from = bob[v6], .to = alice[v6]), REDIRECTED);
		assert_int_equal(count_entries(), 0);
	}
}

static void the_host_has_a_rule_and_asks_for_none(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_OUT | SHUNT_F_ALLOW_IN);
	for EACH_WAY(v6, protocol) {
		const struct spec s = leg(protocol, bob[v6], INSIDE, host[v6], remote(protocol));
		const struct spec asked = leg(protocol, host[v6], INSIDE, bob[v6], remote(protocol));
		const struct spec answer = leg(protocol, bob[v6], remote(protocol), host[v6], INSIDE);

		no_rules();
		forget_flows();
		REFUSED_OUT(BOB, packet_make(s));
		REFUSED_OUT(BOB, packet_make(answer));
		CHECK(TO_CT(), packet_make(asked), PASS_ON);
		CHECK(FROM_CT(BOB), packet_make(answer), PASS_ON);
		CHECK(FROM_CT(BOB), packet_make(answer), PASS_ON);
		rule(BOB, SHUNT_RULES_OUT, host[v6], 32, s.protocol, 0, 65535);
		CHECK(FROM_CT(BOB), packet_make(s), PASS_ON);
		no_rules();
		CHECK(FROM_CT(BOB), packet_make(s), PASS_ON);
		/* A neighbour's packets come this way on netkit, and are nothing to remember. */
		forget_flows();
		CHECK(TO_CT(), packet_make(leg(protocol, alice[v6], 1, bob[v6], remote(protocol))), PASS_ON);
		assert_int_equal(count_entries(), 0);
	}
}

static void a_published_port_asks_for_the_container_s_own(void **state)
{
	(void)state;
	restrict_to(BOB, SHUNT_F_ALLOW_IN);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct spec s = leg(IPPROTO_TCP, wire[v6], 99, host[v6], 8080), as = leg(IPPROTO_TCP, wire[v6], 99, bob[v6], 80);
		const struct spec own = leg(IPPROTO_TCP, stranger[v6], 99, host[v6], 8080);

		publish(host[v6], 8080, IPPROTO_TCP, BOB, bob[v6], 80);
		rule(BOB, SHUNT_RULES_IN, v6 ? "::" : "0.0.0.0", 0, IPPROTO_TCP, 8080, 8080);
		KEPT_OUT(BOB, s);
		CHECK(FROM_CT(STRANGER), packet_make(own), DROPPED, .loser = STRANGER, .why = SHUNT_DROP_NOT_ALLOWED);
		assert_int_equal(count_entries(), 0);
		rule(BOB, SHUNT_RULES_IN, v6 ? "::" : "0.0.0.0", 0, IPPROTO_TCP, 80, 80);
		ARRIVES_AS(BOB, s, as);
		no_rules();
		ARRIVES_AS(BOB, s, as);
		forget_flows();
	}
}

static void a_masqueraded_flow_needs_a_rule_as_well(void **state)
{
	(void)state;
	restrict_to(ALICE, SHUNT_F_ALLOW_OUT);
	for EACH_WAY(v6, protocol) {
		struct spec s = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE), as = back;

		no_rules();
		REFUSED_OUT(ALICE, packet_make(s));
		rule(ALICE, SHUNT_RULES_OUT, wire[v6], 32, s.protocol, 0, 65535);
		assert_int_equal(LEAVES(ALICE, s), INSIDE);
		no_rules();
		assert_int_equal(LEAVES(ALICE, s), INSIDE);
		as.to = alice[v6];
		ARRIVES_AS(ALICE, back, as);
	}
}

static void what_is_excepted_keeps_its_address(void **state)
{
	(void)state;
	restrict_to(ALICE, SHUNT_F_EXCEPT);
	for EACH_WAY(v6, protocol) {
		const struct spec s = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
		const struct spec back = leg(protocol, wire[v6], remote(protocol), alice[v6], INSIDE);

		rule(ALICE, SHUNT_RULES_EXCEPT, wire[v6], v6 ? 64 : 24, 0, 0, 65535);
		GOES_OUT(ALICE, s);
		COMES_IN(ALICE, back);
		LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, v6 ? "2001:db8:a::9" : "192.0.4.200", remote(protocol)));
		no_rules();
		LEAVES(ALICE, s);
		/* Other protocols go as they are, there and nowhere else. */
		rule(ALICE, SHUNT_RULES_EXCEPT, wire[v6], v6 ? 64 : 24, 0, 0, 65535);
		GOES_OUT(ALICE, ((struct spec) { .from = alice[v6], .to = wire[v6], .protocol = IPPROTO_SCTP }));
		no_rules();
		CHECK(FROM_CT(ALICE), PACKET(.from = alice[v6], .to = wire[v6], .protocol = IPPROTO_SCTP), DROPPED, .loser = ALICE,
		      .why = SHUNT_DROP_UNTRANSLATED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(only_what_a_rule_allows_goes_out),
		NAT_TEST(only_what_a_rule_allows_comes_in),
		NAT_TEST(what_has_begun_needs_no_rule),
		NAT_TEST(the_longest_prefix_counts_and_families_are_apart),
		NAT_TEST(errors_about_what_passed_pass),
		NAT_TEST(fragments_go_with_their_first),
		NAT_TEST(what_has_no_flow_has_a_rule_each_way),
		NAT_TEST(networks_ask_each_other),
		NAT_TEST(the_host_has_a_rule_and_asks_for_none),
		NAT_TEST(a_published_port_asks_for_the_container_s_own),
		NAT_TEST(a_masqueraded_flow_needs_a_rule_as_well),
		NAT_TEST(what_is_excepted_keeps_its_address),
	};

	return cmocka_run_group_tests_name("policy", tests, setup, teardown);
}

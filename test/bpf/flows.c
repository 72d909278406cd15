// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* How long a flow lives, and what becomes of it when the map has lost some of it (bpf/flow.h: F2, F3, F5). */
#include "nat.h"

/* The flow that a test is about, and how its other side sees it. */
static struct spec going(int v6, int protocol)
{
	return leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
}

static struct spec coming(int v6, int protocol)
{
	return leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE);
}

static struct spec with(struct spec s, uint8_t flags)
{
	s.flags = flags;
	return s;
}

static void answered(int v6, int protocol, uint8_t flags)
{
	struct spec back = with(coming(v6, protocol), flags), as = back;

	as.to = alice[v6];
	ARRIVES_AS(ALICE, back, as);
}

/* Return: whether another container gets the port, for which it is the first choice as well. */
static bool taken_over(int v6, int protocol)
{
	struct spec rival = going(v6, protocol);

	rival.from = address_of(LONER, v6);
	return LEAVES(LONER, rival) == INSIDE;
}

static void age_both(int v6, int protocol, unsigned seconds)
{
	age(going(v6, protocol), seconds);
	age(coming(v6, protocol), seconds);
}

/* What happened to a flow, a letter for each packet: o out, i in, with TCP's flags behind it. */
static void happen(int v6, int protocol, const char *story)
{
	for (const char *at = story; *at; at++) {
		uint8_t flags = 0;
		const bool out = *at == 'o';

		for (; at[1] && at[1] != 'o' && at[1] != 'i'; at++)
			flags |= at[1] == 'S' ? SYN : at[1] == 'A' ? ACK : at[1] == 'F' ? FIN : RST;
		if (out)
			assert_int_equal(LEAVES(ALICE, with(going(v6, protocol), flags)), INSIDE);
		else
			answered(v6, protocol, flags);
	}
}

static const struct life {
	int protocol;
	const char *story;
	unsigned seconds;
	bool closed;	/* and its port to be had before its time */
} lives[] = {
	{ IPPROTO_UDP, "o", 60, false },
	{ IPPROTO_UDP, "oo", 60, false },
	{ IPPROTO_UDP, "oi", 300, false },
	{ IPPROTO_ICMP, "o", 60, false },
	{ IPPROTO_ICMP, "oi", 60, false },
	{ IPPROTO_TCP, "oS", 240, false },
	{ IPPROTO_TCP, "oSiSA", 86400, false },
	{ IPPROTO_TCP, "oSiSAoA", 86400, false },
	{ IPPROTO_TCP, "oSiSAoFA", 240, false },
	{ IPPROTO_TCP, "oSiSAiFA", 240, false },
	{ IPPROTO_TCP, "oSiSAoFAiFAoA", 60, true },
	{ IPPROTO_TCP, "oSiSAiFAoFA", 60, true },
	{ IPPROTO_TCP, "oSiSAiRA", 240, false },
	{ IPPROTO_TCP, "oSiRA", 240, false },
	{ IPPROTO_TCP, "oSiSAoR", 60, true },
	{ IPPROTO_TCP, "oR", 60, true },	/* a flow that begins so has ended */
	/* A new connection from the same port. */
	{ IPPROTO_TCP, "oSiSAoFAiFAoS", 240, false },
	{ IPPROTO_TCP, "oSiSAoFAiFAoSiSA", 86400, false },
	{ IPPROTO_TCP, "oSiSAoRoSiSA", 86400, false },
};

static void a_flow_s_port_is_its_own_for_its_lifetime(void **state)
{
	for (size_t i = 0; i < sizeof(lives) / sizeof(*lives); i++)
		for (int v6 = 0; v6 < 2; v6++) {
			const struct life *l = &lives[i];

			fresh_nat(state);
			masquerade(LONER, LOW, HIGH);
			happen(v6, l->protocol, l->story);
			age_both(v6, l->protocol, l->seconds - 3);
			assert_false(taken_over(v6, l->protocol));
			fresh_nat(state);
			masquerade(LONER, LOW, HIGH);
			happen(v6, l->protocol, l->story);
			age_both(v6, l->protocol, l->seconds + 3);
			assert_true(taken_over(v6, l->protocol));
		}
}

/* The container goes on, so that what said it was reset lied. */
static void a_reset_from_the_wire_is_nobody_s_last_word(void **state)
{
	(void)state;
	masquerade(LONER, LOW, HIGH);
	happen(0, IPPROTO_TCP, "oSiSAoAiR");
	age_both(0, IPPROTO_TCP, 2);
	happen(0, IPPROTO_TCP, "oA");
	age_both(0, IPPROTO_TCP, 10000);
	assert_false(taken_over(0, IPPROTO_TCP));
}

/* A packet of either side keeps both entries. */
static void who_speaks_keeps_the_flow_alive(void **state)
{
	masquerade(LONER, LOW, HIGH);
	for EACH_WAY(v6, protocol)
		for (int in = 0; in < 2; in++) {
			struct shunt_flow flow;

			fresh_nat(state);
			masquerade(LONER, LOW, HIGH);
			happen(v6, protocol, "oi");
			age_both(v6, protocol, 50);
			happen(v6, protocol, in ? "i" : "o");
			assert_true(has_flow(going(v6, protocol), &flow));
			assert_in_range(flow.seen, clock_now() - 1, clock_now());
			assert_true(has_flow(coming(v6, protocol), &flow));
			assert_in_range(flow.seen, clock_now() - 1, clock_now());
			assert_false(taken_over(v6, protocol));
		}
}

static void a_flow_whose_time_is_over_begins_anew(void **state)
{
	for (int wire_first = 0; wire_first < 2; wire_first++)
		for EACH_WAY(v6, protocol) {
			fresh_nat(state);
			masquerade(LONER, LOW, HIGH);
			happen(v6, protocol, "oi");
			age_both(v6, protocol, 100000);
			/* From the wire it is nobody's. */
			if (wire_first)
				CHECK(FROM_WIRE(), arriving(with(coming(v6, protocol), ACK)),
				      protocol == IPPROTO_TCP ? DROPPED : PASS_ON);
			happen(v6, protocol, "o");
			/* With all of its life before it. */
			assert_false(taken_over(v6, protocol));
			happen(v6, protocol, "i");
		}
}

/* F3, with each entry in its turn, and both. */
static void a_flow_outlives_the_loss_of_its_entries(void **state)
{
	for EACH_WAY(v6, protocol)
		for (int lost = 1; lost < 4; lost++)
			for (int port = OUTSIDE; port <= INSIDE; port += INSIDE - OUTSIDE) {
				struct spec out = leg(protocol, alice[v6], port, wire[v6], remote(protocol));
				struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], 0), as = back;

				fresh_nat(state);
				back.dport = LEAVES(ALICE, out);
				as.to = alice[v6];
				as.dport = port;
				ARRIVES_AS(ALICE, back, as);
				age(out, 2);
				age(back, 2);
				if (lost & 1)
					lose(out);
				if (lost & 2)
					lose(back);
				assert_int_equal(LEAVES(ALICE, out), back.dport);
				assert_true(has_flow(out, NULL));
				assert_true(has_flow(back, NULL));
				ARRIVES_AS(ALICE, back, as);
				assert_int_equal(count_entries(), 2);
			}
}

static void the_wire_brings_back_what_the_container_had(void **state)
{
	for EACH_WAY(v6, protocol) {
		fresh_nat(state);
		happen(v6, protocol, "oi");
		age(coming(v6, protocol), 2);
		lose(going(v6, protocol));
		happen(v6, protocol, "i");
		assert_true(has_flow(going(v6, protocol), NULL));
		happen(v6, protocol, "o");
		assert_int_equal(count_entries(), 2);
	}
}

/* Half of a connection that is over, found by the next one. */
static void what_is_left_of_an_old_connection_does_not_end_the_next(void **state)
{
	(void)state;
	masquerade(LONER, LOW, HIGH);
	happen(0, IPPROTO_TCP, "oSiSAoFAiFAoA");
	lose(going(0, IPPROTO_TCP));
	happen(0, IPPROTO_TCP, "oSiSAoA");
	age_both(0, IPPROTO_TCP, 10000);
	assert_false(taken_over(0, IPPROTO_TCP));
}

/* And what is left of a living one still is one. */
static void what_is_left_of_a_connection_remembers_how_it_was(void **state)
{
	(void)state;
	masquerade(LONER, LOW, HIGH);
	happen(0, IPPROTO_TCP, "oSiSAoA");
	lose(going(0, IPPROTO_TCP));
	happen(0, IPPROTO_TCP, "oA");
	age_both(0, IPPROTO_TCP, 10000);
	assert_false(taken_over(0, IPPROTO_TCP));
}

/* A port that has been given away takes the flow with it: who had it begins anew, and disturbs nobody. */
static void who_has_lost_its_port_gets_another(void **state)
{
	struct spec rival = leg(IPPROTO_UDP, endpoints[LONER].address4, INSIDE, WIRE4, 443);
	struct spec back = coming(0, IPPROTO_UDP), as = back;
	int n;

	(void)state;
	masquerade(LONER, LOW, HIGH);
	happen(0, IPPROTO_UDP, "o");
	age_both(0, IPPROTO_UDP, 100);
	assert_int_equal(LEAVES(LONER, rival), INSIDE);
	n = LEAVES(ALICE, going(0, IPPROTO_UDP));
	assert_int_not_equal(n, INSIDE);
	assert_int_equal(LEAVES(ALICE, going(0, IPPROTO_UDP)), n);
	as.to = rival.from;
	ARRIVES_AS(LONER, back, as);
	back.dport = n;
	as.to = ALICE4;
	ARRIVES_AS(ALICE, back, as);
	assert_int_equal(count_entries(), 4);
}

/* F5: another container has the address, and its host end another number. */
static void a_flow_is_not_inherited_with_the_address(void **state)
{
	for EACH_WAY(v6, protocol) {
		struct shunt_flow flow;
		const uint32_t gone = 9999;

		fresh_nat(state);
		masquerade(LONER, LOW, HIGH);
		happen(v6, protocol, "oi");
		assert_true(has_flow(going(v6, protocol), &flow));
		flow.from_ifindex = gone;
		set_flow(going(v6, protocol), &flow);
		assert_true(has_flow(coming(v6, protocol), &flow));
		flow.to_ifindex = gone;
		set_flow(coming(v6, protocol), &flow);
		/* To nobody; not to who has the address now. */
		CHECK(FROM_WIRE(), arriving(with(coming(v6, protocol), ACK)), protocol == IPPROTO_TCP ? DROPPED : PASS_ON);
		happen(v6, protocol, "oi");
		assert_int_equal(count_entries(), 2);
	}
}

static void the_ports_of_a_container_that_is_gone_are_free(void **state)
{
	const uint32_t ifindex = IFINDEX(ALICE);

	(void)state;
	masquerade(LONER, LOW, HIGH);
	happen(0, IPPROTO_TCP, "oSiSAoA");
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.interfaces), &ifindex), 0);
	bpf_map_delete_elem(bpf_map__fd(skel->maps.addresses4), &(uint32_t){ inet_addr(ALICE4) });
	put_interface(LONER, 0);
	{
		struct spec rival = leg(IPPROTO_TCP, endpoints[LONER].address4, INSIDE, WIRE4, 443), due = rival;

		due.from = HOST4;
		struct packet in = packet_make(rival), out, want = hop(packet_make(due));

		assert_int_equal(run("rival", FROM_CT(LONER), &in, &out), REDIRECTED);
		check_packet("rival", out.data, out.len, &want);
	}
	put_interface(ALICE, 0);
}

/* What somebody out there begins, to the container's own address, is answered with that address. */
static void a_routed_flow_keeps_its_address(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol)
		for (int again = 0; again < 2; again++) {
			struct spec in = leg(protocol, wire[v6], 5555, alice[v6], remote(protocol));
			struct spec back = leg(protocol, alice[v6], remote(protocol), wire[v6], 5555);

			ARRIVES_AS(ALICE, in, in);
			CHECK(FROM_CT(ALICE), packet_make(back), REDIRECTED, .out = hop(packet_make(back)));
			/* And no other. */
			back.to = v6 ? "2001:db8:9::a" : "192.0.2.201";
			if (protocol != IPPROTO_ICMP)
				LEAVES(ALICE, back);
		}
}

static void an_answer_to_a_masqueraded_flow_makes_no_routed_one(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec in = coming(v6, protocol);

		happen(v6, protocol, "oi");
		in.to = alice[v6];
		ARRIVES_AS(ALICE, in, in);
		happen(v6, protocol, "oi");
	}
}

static void networks_keep_their_rules(void **state)
{
	struct spec s;

	(void)state;
	masquerade(LONER, LOW, HIGH);
	masquerade(HERMIT, LOW, HIGH);
	for EACH_WAY(v6, protocol) {
		s = leg(protocol, address_of(LONER, v6), INSIDE, wire[v6], remote(protocol));
		assert_int_equal(LEAVES(LONER, s), INSIDE);
		s.to = alice[v6];
		CHECK(FROM_CT(LONER), packet_make(s), DROPPED, .loser = LONER, .why = SHUNT_DROP_ISOLATED);
		s = leg(protocol, address_of(HERMIT, v6), INSIDE, wire[v6], remote(protocol));
		CHECK(FROM_CT(HERMIT), packet_make(s), DROPPED, .loser = HERMIT, .why = SHUNT_DROP_INTERNAL);
		s.from = bob[v6];
		CHECK(FROM_CT(ALICE), packet_make(s), DROPPED, .loser = ALICE, .why = SHUNT_DROP_SPOOFED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(a_flow_s_port_is_its_own_for_its_lifetime),
		NAT_TEST(a_reset_from_the_wire_is_nobody_s_last_word),
		NAT_TEST(who_speaks_keeps_the_flow_alive),
		NAT_TEST(a_flow_whose_time_is_over_begins_anew),
		NAT_TEST(a_flow_outlives_the_loss_of_its_entries),
		NAT_TEST(the_wire_brings_back_what_the_container_had),
		NAT_TEST(what_is_left_of_an_old_connection_does_not_end_the_next),
		NAT_TEST(what_is_left_of_a_connection_remembers_how_it_was),
		NAT_TEST(who_has_lost_its_port_gets_another),
		NAT_TEST(a_flow_is_not_inherited_with_the_address),
		NAT_TEST(the_ports_of_a_container_that_is_gone_are_free),
		NAT_TEST(a_routed_flow_keeps_its_address),
		NAT_TEST(an_answer_to_a_masqueraded_flow_makes_no_routed_one),
		NAT_TEST(networks_keep_their_rules),
	};

	return cmocka_run_group_tests_name("flows", tests, setup, teardown);
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Which port a masqueraded flow gets (bpf/flow.h: F1, F2, F4). */
#include <sys/socket.h>

#include "nat.h"

enum { FEW = 64 };

static struct spec socket_at(int v6, int protocol, int port)
{
	return leg(protocol, alice[v6], port, wire[v6], remote(protocol));
}

static struct spec reply_to(int v6, int protocol, int port)
{
	return leg(protocol, wire[v6], remote(protocol), host[v6], port);
}

/* Only so many ports, from the first on. */
static void few_ports(enum who who, int n)
{
	const struct shunt_ports none = { 0 };

	for (uint32_t i = 0; i < 65536 / 64; i++)
		bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &i, &none, 0);
	masquerade(who, LOW, LOW + n - 1);
}

/* Flows from sockets with numbers from @first on, to one peer. Return: how many distinct ports they have. */
static int fill(int v6, int protocol, int first, int n)
{
	bool seen[FEW] = { 0 };
	int distinct = 0;

	for (int i = 0; i < n; i++) {
		int port = LEAVES(ALICE, socket_at(v6, protocol, first + i)) - LOW;

		assert_in_range(port, 0, FEW - 1);
		distinct += !seen[port];
		seen[port] = true;
	}
	return distinct;
}

#define REFUSED(who, s) CHECK(FROM_CT(who), packet_make(s), DROPPED, .loser = who, .why = SHUNT_DROP_NO_PORT)

static void a_full_range_is_no_reason_to_share(void **state)
{
	for EACH_WAY(v6, protocol) {
		fresh_nat(state);
		few_ports(ALICE, FEW);
		assert_int_equal(fill(v6, protocol, 1, FEW), FEW);
		REFUSED(ALICE, socket_at(v6, protocol, FEW + 1));
		REFUSED(ALICE, socket_at(v6, protocol, LOW));
		assert_int_equal(count_entries(), 2 * FEW);
		/* Those who have one go on, and to others there are as many. */
		assert_int_equal(fill(v6, protocol, 1, FEW), FEW);
		if (protocol == IPPROTO_ICMP)
			continue;
		for (int i = 1; i <= FEW; i++) {
			struct spec s = socket_at(v6, protocol, i);

			s.dport = 444;
			LEAVES(ALICE, s);
			s.dport = 443;
			s.to = v6 ? "2001:db8:9::a" : "192.0.2.201";
			LEAVES(ALICE, s);
		}
	}
}

static void a_port_whose_flow_has_died_is_free(void **state)
{
	for EACH_WAY(v6, protocol) {
		fresh_nat(state);
		few_ports(ALICE, FEW);
		fill(v6, protocol, 1, FEW);
		age(reply_to(v6, protocol, LOW + 17), 241);
		assert_int_equal(LEAVES(ALICE, socket_at(v6, protocol, FEW + 1)), LOW + 17);
		REFUSED(ALICE, socket_at(v6, protocol, FEW + 2));
	}
}

static void end(int v6, int from, int port)
{
	struct spec out = socket_at(v6, IPPROTO_TCP, from), back = reply_to(v6, IPPROTO_TCP, port), as = back;

	out.flags = FIN | ACK;
	assert_int_equal(LEAVES(ALICE, out), port);
	as.to = alice[v6];
	as.dport = from;
	as.flags = back.flags = FIN | ACK;
	ARRIVES_AS(ALICE, back, as);
}

/* The port of a closed connection is had at once, but only where no other is. */
static void a_closed_connection_s_port_is_taken_last(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		int closed, last;

		fresh_nat(state);
		few_ports(ALICE, FEW);
		closed = LEAVES(ALICE, socket_at(v6, IPPROTO_TCP, 1));
		fill(v6, IPPROTO_TCP, 2, FEW - 2);
		end(v6, 1, closed);
		last = LEAVES(ALICE, socket_at(v6, IPPROTO_TCP, FEW));
		assert_int_not_equal(last, closed);
		assert_int_equal(LEAVES(ALICE, socket_at(v6, IPPROTO_TCP, FEW + 1)), closed);
		REFUSED(ALICE, socket_at(v6, IPPROTO_TCP, FEW + 2));
		/* Nor has who had it anything to say there. */
		REFUSED(ALICE, socket_at(v6, IPPROTO_TCP, 1));
	}
}

/* One socket has one port, whoever it speaks with, and also when all has been forgotten; another one has another. */
static void a_socket_s_port_is_the_same_to_all(void **state)
{
	int n[2];

	(void)state;
	for EACH_WAY(v6, protocol) {
		n[0] = LEAVES(ALICE, socket_at(v6, protocol, OUTSIDE));
		n[1] = LEAVES(ALICE, socket_at(v6, protocol, OUTSIDE + 1));
		assert_int_not_equal(n[0], n[1]);
		forget_flows();
		for (int i = 1; i < 200; i++) {
			struct spec s = socket_at(v6, protocol, OUTSIDE + i % 2);
			char to[32];

			snprintf(to, sizeof(to), v6 ? "2001:db8:9::%x" : "192.0.2.%d", v6 ? i : 200 + i % 50);
			s.to = to;
			assert_int_equal(LEAVES(ALICE, s), n[i % 2]);
		}
	}
}

static void reserved_and_published_ports_are_left_out(void **state)
{
	for EACH_WAY(v6, protocol) {
		const struct shunt_ports bits = { .masquerade = 0xffff0000ffff0000 };
		uint32_t at = INSIDE / 64;

		fresh_nat(state);
		also[ALICE].port_low = at * 64;
		also[ALICE].port_high = at * 64 + 63;
		put_interface(ALICE, 0);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &at, &bits, 0), 0);
		mark_ports(at * 64 + 16, at * 64 + 31, true, protocol);
		/* Whatever is published is nobody's echo. */
		for (int i = 0; i < (protocol == IPPROTO_ICMP ? 32 : 16); i++)
			assert_true(bits.masquerade >> (LEAVES(ALICE, socket_at(v6, protocol, OUTSIDE + i)) % 64) & 1);
		REFUSED(ALICE, socket_at(v6, protocol, OUTSIDE + 32));
		REFUSED(ALICE, socket_at(v6, protocol, at * 64 + 32));
	}
}

/* A step that divides the range would meet few of it. */
static void all_of_a_range_is_tried_whatever_its_size(void **state)
{
	static const int sizes[] = { 64, 65, 7918, 7919, 7920, 2 * 7919, 3 * 7919, 30000 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		fresh_nat(state);
		also[ALICE].port_low = 20000;
		also[ALICE].port_high = 20000 + sizes[i] - 1;
		put_interface(ALICE, 0);
		mark_ports(20000, 20000 + sizes[i] - 1, true, 0);
		masquerade(LONER, 20000, 20000 + sizes[i] - 1);
		/* Whatever it would have, another one has. */
		for (int turn = 0; turn < 20; turn++) {
			struct spec s = socket_at(0, IPPROTO_UDP, 1), rival = s;
			const int had = LEAVES(ALICE, s);

			lose(s);
			lose(reply_to(0, IPPROTO_UDP, had));
			rival.from = endpoints[LONER].address4;
			rival.sport = had;
			assert_int_equal(LEAVES(LONER, rival), had);
		}
	}
}

/* Nine tenths of a range: who tries 64 ports at random finds one but for one time in a thousand. */
static void a_crowded_range_has_room(void **state)
{
	enum { PORTS = HIGH - LOW + 1, CROWD = PORTS * 9 / 10 };

	for (int v6 = 0; v6 < 2; v6++) {
		int refused = 0;

		fresh_nat(state);
		for (int i = 0; i < CROWD; i++) {
			struct packet in = packet_make(socket_at(v6, IPPROTO_UDP, OUTSIDE + i)), out;

			refused += run("crowd", FROM_CT(ALICE), &in, &out) == DROPPED;
		}
		assert_in_range(refused, 0, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(a_full_range_is_no_reason_to_share),
		NAT_TEST(a_port_whose_flow_has_died_is_free),
		NAT_TEST(a_closed_connection_s_port_is_taken_last),
		NAT_TEST(a_socket_s_port_is_the_same_to_all),
		NAT_TEST(reserved_and_published_ports_are_left_out),
		NAT_TEST(all_of_a_range_is_tried_whatever_its_size),
		NAT_TEST(a_crowded_range_has_room),
	};

	return cmocka_run_group_tests_name("ports", tests, setup, teardown);
}

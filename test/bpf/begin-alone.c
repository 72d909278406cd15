// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * A masqueraded connection that began by shortcut has its reply's entry alone. Whatever packet goes the long way next, of either
 * side, and whatever has happened meanwhile, it goes on from the same port. (F7 in flow.h)
 */
#include "begin.h"

/* A second connection between the same two, begun by shortcut, and its answers. */
struct alone {
	struct way way;
	struct spec there, back;
	int port;
};

static struct alone alone(void **state, int v6)
{
	struct alone a = { .way = known(state, false, v6) };
	const int n = count_entries();
	struct packet out;

	a.there = another(&a.way, 1);
	assert_true(sent(a.way.out, packet_make(a.there), &out));
	a.port = source_port(&out);
	a.back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], a.port);
	assert_int_equal(count_entries(), n + 1);
	assert_false(has_flow(a.there, NULL));
	assert_true(has_flow(a.back, NULL));
	return a;
}

/* Both entries are there, each the other's inverse, and both directions go on. */
static void goes_on(const struct alone *a, int v6)
{
	struct shunt_flow original, reply;
	struct packet out, want;

	forget_shortcuts();
	assert_true(sent(a->way.out, packet_make(with(a->there, ACK)), &out));
	assert_int_equal(source_port(&out), a->port);
	assert_true(sent(a->way.in, arriving(with(a->back, ACK)), &out));
	want = landed(with(leg(IPPROTO_TCP, wire[v6], 443, alice[v6], a->there.sport), ACK));
	check_packet("back", out.data, out.len, &want);
	assert_true(has_flow(a->there, &original));
	assert_true(has_flow(a->back, &reply));
	assert_int_equal(ntohs(original.to.sport), a->port);
	assert_int_equal(ntohs(reply.to.dport), a->there.sport);
	assert_int_equal(original.state, reply.state | SHUNT_FLOW_ORIGINAL);
	assert_int_equal(original.state & SHUNT_FLOW_ANSWERED, SHUNT_FLOW_ANSWERED);
}

static void either_side_s_packet_makes_the_other_entry(void **state)
{
	static const int out_flags[] = { SYN, ACK, FIN | ACK }, in_flags[] = { SYN | ACK, ACK, FIN | ACK };

	for (int v6 = 0; v6 < 2; v6++)
		for (int i = 0; i < 6; i++) {
			struct alone a = alone(state, v6);
			struct packet out;

			forget_shortcuts();
			if (i < 3)
				assert_true(sent(a.way.out, packet_make(with(a.there, out_flags[i])), &out));
			else
				assert_true(sent(a.way.in, arriving(with(a.back, in_flags[i - 3])), &out));
			assert_true(has_flow(a.there, NULL));
			goes_on(&a, v6);
		}
}

/* Its port may be published, or be taken from the range, once it has begun. */
static void its_port_stays_its_own(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct alone a = alone(state, v6);

		mark_ports(a.port, a.port, false, IPPROTO_TCP);
		goes_on(&a, v6);
	}
}

/* A socket's earlier connection had another port, as its first one was taken, and has lost its reply's entry since. */
static void left_behind(const struct alone *a, int port)
{
	struct shunt_tuple key = tuple_of(a->there);
	struct shunt_flow flow;

	assert_true(has_flow(a->back, &flow));
	flow.from_ifindex = flow.to_ifindex;
	flow.to_ifindex = 0;
	flow.state = SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_MASQUERADE | SHUNT_FLOW_ANSWERED;
	flow.to = tuple_of(a->back);
	memcpy(flow.to.source, tuple_of(a->back).destination, 16);
	memcpy(flow.to.destination, tuple_of(a->back).source, 16);
	flow.to.sport = htons(port);
	flow.to.dport = htons(443);
	flow.seen -= 10;
	assert_int_equal(bpf_map_update_elem(flows_fd(), &key, &flow, BPF_NOEXIST), 0);
}

static void what_is_left_of_an_earlier_one_does_not_count(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int in = 0; in < 2; in++) {
			struct alone a = alone(state, v6);
			struct packet out;

			left_behind(&a, a.port == LOW ? HIGH : LOW);
			forget_shortcuts();
			if (in)
				assert_true(sent(a.way.in, arriving(with(a.back, SYN | ACK)), &out));
			goes_on(&a, v6);
		}
}

/* But where it has its reply's entry, it is the one that goes on. */
static void the_flow_that_has_both_entries_goes_on(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct alone a = alone(state, v6);
		const int port = a.port == LOW ? HIGH : LOW;
		const struct spec back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], port);
		struct shunt_tuple key = tuple_of(back);
		struct shunt_flow reply;
		struct packet out;

		left_behind(&a, port);
		assert_true(has_flow(a.back, &reply));
		assert_int_equal(bpf_map_update_elem(flows_fd(), &key, &reply, BPF_NOEXIST), 0);
		forget_shortcuts();
		assert_true(sent(a.way.out, packet_make(with(a.there, ACK)), &out));
		assert_int_equal(source_port(&out), port);
		assert_false(sent(a.way.in, arriving(with(a.back, ACK)), &out));
		assert_false(has_flow(a.back, NULL));
		assert_true(sent(a.way.in, arriving(with(back, ACK)), &out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEGIN_TEST(either_side_s_packet_makes_the_other_entry),
		BEGIN_TEST(its_port_stays_its_own),
		BEGIN_TEST(what_is_left_of_an_earlier_one_does_not_count),
		BEGIN_TEST(the_flow_that_has_both_entries_goes_on),
	};

	return cmocka_run_group_tests_name("begin-alone", tests, setup, teardown);
}

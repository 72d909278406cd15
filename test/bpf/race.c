// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Two CPUs, each with the first packet of a flow, and one port that both would have. (bpf/flow.h: F1, F2) */
#include <pthread.h>
#include <stdatomic.h>

#include "nat.h"

enum { FIRST = 61 * 1024 };

static const enum who members[] = { ALICE, LONER, STRANGER };
static const int all[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

/* One of two that send at once, each on a CPU of its own. */
struct sender {
	enum who who;
	struct packet in, out;
	int verdict;
	bool wire;		/* sends from out there */
};

static atomic_int turn, done;

static void stay_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

static void send_one(struct sender *me)
{
	me->verdict = run("race", me->wire ? FROM_WIRE() : FROM_CT(me->who), &me->in, &me->out);
}

static void *send_in_turn(void *arg)
{
	stay_on(1);
	for (int next = 1; atomic_load(&turn) >= 0;) {
		if (atomic_load(&turn) != next)
			continue;
		send_one(arg);
		atomic_store(&done, next++);
	}
	return NULL;
}

static void both_send(struct sender *a)
{
	const int now = atomic_fetch_add(&turn, 1) + 1;

	send_one(a);
	while (atomic_load(&done) != now)
		;
}

static struct spec rival(enum who who, int v6, int protocol, int port)
{
	return leg(protocol, address_of(who, v6), port, wire[v6], remote(protocol));
}

/* A round: what is there before, both send, and what they have then. */
static void race(struct sender *a, struct sender *b, int v6, int protocol, int round)
{
	const struct spec reply = leg(protocol, wire[v6], remote(protocol), host[v6], FIRST);
	struct packet first;

	forget_flows();
	a->who = ALICE;
	b->who = round % 4 ? LONER : ALICE;
	if (round % 4 >= 2) {
		/* One that has died: both want it. */
		first = packet_make(rival(STRANGER, v6, protocol, FIRST));
		assert_int_equal(run("race", FROM_CT(STRANGER), &first, &a->out), REDIRECTED);
		age(reply, 100000);
		if (round % 4 == 3)
			lose(rival(STRANGER, v6, protocol, FIRST));
	}
	a->in = packet_make(rival(a->who, v6, protocol, FIRST));
	b->in = packet_make(rival(b->who, v6, protocol, FIRST));
	both_send(a);
	assert_int_equal(a->verdict, REDIRECTED);
	assert_int_equal(b->verdict, REDIRECTED);
	if (a->who == b->who) {
		assert_int_equal(source_port(&a->out), source_port(&b->out));
		assert_int_equal(count_entries(), 2);
	} else {
		assert_int_not_equal(source_port(&a->out), source_port(&b->out));
		assert_true(round % 4 == 2 ? count_entries() <= 5 : count_entries() == 4);
	}
	/* Both go on as they began. */
	for (int i = 0; i < 2; i++) {
		struct sender *s = i ? b : a;
		const int port = source_port(&s->out);

		assert_true(has_flow(rival(s->who, v6, protocol, FIRST), NULL));
		assert_true(has_flow(leg(protocol, wire[v6], remote(protocol), host[v6], port), NULL));
	}
}

static void two_cpus(void (*round)(struct sender *a, struct sender *b, int i), int rounds)
{
	static struct sender a, b;
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		masquerade(members[i], FIRST, FIRST + 31);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	atomic_store(&turn, 0);
	atomic_store(&done, 0);
	stay_on(0);
	assert_int_equal(pthread_create(&thread, NULL, send_in_turn, &b), 0);
	for (int i = 0; i < rounds; i++)
		round(&a, &b, i);
	atomic_store(&turn, -1);
	pthread_join(thread, NULL);
}

static void for_a_port(struct sender *a, struct sender *b, int i) { race(a, b, i / 4 % 2, all[i / 8 % 3], i); }

static void two_cpus_at_once_get_two_ports(void **state)
{
	(void)state;
	two_cpus(for_a_port, 4800);
}

/* An original entry is lost, and both sides speak at once: who comes second finds it made anew, and takes nothing back. */
static void both_sides(struct sender *a, struct sender *b, int i)
{
	const int v6 = i % 2, offset = i / 2 % 64;
	const struct spec there = rival(ALICE, v6, IPPROTO_TCP, FIRST);
	const struct spec back = leg(IPPROTO_TCP, wire[v6], remote(IPPROTO_TCP), host[v6], FIRST);

	forget_flows();
	a->who = ALICE;
	b->wire = true;
	a->in = packet_make(there);
	b->in = arriving(back);
	send_one(a);
	assert_int_equal(a->verdict, REDIRECTED);
	lose(there);
	age(back, 10);
	for (volatile int wait = 0; wait < offset * 20; wait++)
		;
	both_send(a);
	assert_int_equal(a->verdict, REDIRECTED);
	assert_int_equal(b->verdict, REDIRECTED);
	assert_int_equal(source_port(&a->out), FIRST);
	assert_true(has_flow(there, NULL));
	assert_true(has_flow(back, NULL));
}

static void both_sides_at_once_make_one_entry(void **state)
{
	(void)state;
	two_cpus(both_sides, 4800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(two_cpus_at_once_get_two_ports),
		NAT_TEST(both_sides_at_once_make_one_entry),
	};

	return cmocka_run_group_tests_name("race", tests, setup, teardown);
}

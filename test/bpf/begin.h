/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * begin.h - a connection that has begun, so that the next ones between the same addresses know how.
 */
#ifndef SHUNT_TEST_BEGIN_H
#define SHUNT_TEST_BEGIN_H

#include "nat.h"

/* One of each direction: who begins, where, and what becomes of it. */
struct way {
	struct hook out, in;		/* from the container, and from the wire, with shortcuts */
	struct spec first;		/* what begins it */
	bool in_first;
	const char *inside;		/* the container's address */
};

static inline struct hook quickly(struct hook hook)
{
	hook.program = quick_one(hook.program);
	return hook;
}

static inline struct packet begins(const struct way *way, struct spec s)
{
	return way->in_first ? arriving(s) : packet_make(s);
}

/* A connection like @way's first, from another port. */
static inline struct spec another(const struct way *way, int by)
{
	struct spec s = way->first;

	s.sport += by;
	return s;
}

static inline bool sent(struct hook hook, struct packet in, struct packet *out)
{
	const bool goes = run("begin", hook, &in, out) == REDIRECTED;

	unaddress(out, &in);
	return goes && out->len == in.len;
}

static inline void close_the_long_way(void)
{
	const uint32_t gone[] = { IFINDEX(ALICE), IFINDEX(BOB) };

	take_uplink(UPLINK);
	for (int i = 0; i < 2; i++)
		bpf_map_delete_elem(bpf_map__fd(skel->maps.interfaces), &gone[i]);
	empty(skel->maps.addresses4);
	empty(skel->maps.addresses6);
	empty(skel->maps.published);
}

static inline int fresh_begin(void **state)
{
	put_uplink(UPLINK);
	fresh_nat(state);
	masquerade(BOB, LOW, HIGH);
	forget_shortcuts();
	return 0;
}

/* Both ways in, when a first connection has been seen both ways. */
static inline struct way known(void **state, bool in_first, int v6)
{
	struct way way = { .in_first = in_first, .inside = in_first ? bob[v6] : alice[v6] };
	struct packet out, back;
	struct spec answer;

	fresh_begin(state);
	way.out = quickly(FROM_CT(in_first ? BOB : ALICE));
	way.in = quickly(FROM_WIRE());
	if (in_first) {
		publish(host[v6], 8080, IPPROTO_TCP, BOB, bob[v6], 80);
		way.first = leg(IPPROTO_TCP, wire[v6], OUTSIDE, host[v6], 8080);
	} else {
		way.first = leg(IPPROTO_TCP, alice[v6], OUTSIDE, wire[v6], 443);
	}
	way.first.flags = SYN;
	assert_true(sent(in_first ? way.in : way.out, begins(&way, way.first), &out));
	answer = in_first ? leg(IPPROTO_TCP, bob[v6], 80, wire[v6], OUTSIDE) :
			    leg(IPPROTO_TCP, wire[v6], 443, host[v6], source_port(&out));
	answer.flags = SYN | ACK;
	assert_true(sent(in_first ? way.out : way.in, in_first ? packet_make(answer) : arriving(answer), &back));
	return way;
}

#define EACH_WAY_TO_BEGIN(in_first, v6) (int in_first = 0, v6 = 0; in_first < 2; v6 ^= 1, in_first += !v6)

static inline struct hook hook_of(const struct way *way) { return way->in_first ? way->in : way->out; }

static inline struct spec with(struct spec s, int flags)
{
	s.flags = flags;
	return s;
}

#define BEGIN_TEST(name) cmocka_unit_test_setup(name, fresh_begin)

#endif

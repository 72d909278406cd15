// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The work that a packet can make is bounded: the worst that an enemy can think of costs some ordinary ones. */
#include "nat.h"

enum { ROUNDS = 400, WORST = 15 /* times an ordinary packet's work, IPv6's */, MASQUERADED = 6 /* the same; IPv6's choice of a source is most of it */, INSTRUCTIONS = 100000 };

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

/* Return: nanoseconds of the program for this packet, one run. */
static uint32_t run_once(struct hook hook, const struct packet *p)
{
	struct __sk_buff ctx = { .ifindex = hook.ifindex, .ingress_ifindex = hook.ingress_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->len, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(hook.program), &opts), 0);
	return opts.duration ?: 1;
}

/* How many times the ordinary packet's work this one is: the median of many pairs. A machine's speed changes by half from one
 * moment to the next, where others are at work beside; the two of a pair have the same. */
static double cost(const char *what, struct hook hook, const struct packet *p, struct hook usual_hook, const struct packet *usual)
{
	double times[ROUNDS], ns[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		const uint32_t usual_ns = run_once(usual_hook, usual);

		ns[i] = run_once(hook, p);
		times[i] = ns[i] / usual_ns;
	}
	qsort(ns, ROUNDS, sizeof(*ns), by_size);
	qsort(times, ROUNDS, sizeof(*times), by_size);
	print_message("%6.0f ns, %4.1f times the ordinary  %s: %s\n", ns[ROUNDS / 2], times[ROUNDS / 2], hook.name, what);
	return times[ROUNDS / 2];
}

static struct packet chain(const char *to, uint8_t type, unsigned int headers, unsigned int units, int ttl)
{
	static char extra[2048];
	struct packet p;

	memset(extra, 0, sizeof(extra));
	for (unsigned int i = 0; i < headers; i++) {
		extra[i * units * 8] = i + 1 < headers ? type : IPPROTO_UDP;
		extra[i * units * 8 + 1] = units - 1;
	}
	p = PACKET(.from = ALICE6, .to = to, .extra = extra, .extra_len = headers * units * 8, .next = type, .ttl = ttl,
		   .payload = 1400 - headers * units * 8);
	return p;
}

static void the_worst_packet_costs_some_ordinary_ones(void **state)
{
	char nops[40], stamps[40];
	struct packet plain = PACKET(.from = ALICE4, .to = WIRE4), plain6 = PACKET(.from = ALICE6, .to = WIRE6);
	struct packet in = ARRIVING(.from = WIRE4, .to = ALICE4), in6 = ARRIVING(.from = WIRE6, .to = ALICE6);
	double worst = 0;

	(void)state;
	memset(nops, 1, sizeof(nops));
	for (int i = 0; i < 40; i += 2)
		memcpy(stamps + i, "\x44\2", 2);
	cost("ordinary, IPv4", FROM_CT(ALICE), &plain, FROM_CT(ALICE), &plain6);
	cost("ordinary, IPv4", FROM_WIRE(), &in, FROM_CT(ALICE), &plain6);
	cost("ordinary, IPv6", FROM_WIRE(), &in6, FROM_CT(ALICE), &plain6);

	const struct { const char *what; struct packet p; } costly[] = {
		{ "forty options", PACKET(.from = ALICE4, .to = WIRE4, .extra = nops, .extra_len = 40) },
		{ "twenty options", PACKET(.from = ALICE4, .to = WIRE4, .extra = stamps, .extra_len = 40) },
		{ "forty options, no hops left", PACKET(.from = ALICE4, .to = WIRE4, .extra = nops, .extra_len = 40, .ttl = 1,
							.payload = 1400) },
		{ "an error that quotes all it may", PACKET(.from = ALICE4, .to = WIRE4, .ttl = 1, .payload = 1472) },
		{ "the same, IPv6", PACKET(.from = ALICE6, .to = WIRE6, .ttl = 1, .payload = 1452) },
		{ "eight extension headers", chain(WIRE6, IPPROTO_DSTOPTS, 8, 1, 64) },
		{ "nine", chain(WIRE6, IPPROTO_DSTOPTS, 9, 1, 64) },
		{ "a hundred", chain(WIRE6, IPPROTO_DSTOPTS, 100, 1, 64) },
		{ "eight, no hops left", chain(WIRE6, IPPROTO_DSTOPTS, 8, 1, 1) },
		{ "eight large ones, no hops left", chain(WIRE6, IPPROTO_DSTOPTS, 8, 20, 1) },
		{ "eight routing headers, no hops left", chain(WIRE6, IPPROTO_HOPOPTS, 8, 2, 1) },
	};
	for (size_t i = 0; i < sizeof(costly) / sizeof(*costly); i++) {
		const double times = cost(costly[i].what, FROM_CT(ALICE), &costly[i].p, FROM_CT(ALICE), &plain6);

		worst = times > worst ? times : worst;
	}
	print_message("the worst is %.1f times the ordinary\n", worst);
	assert_true(worst < WORST);
}

/* Both sides of a flow, when all is known of it, and its beginning. */
static void a_masqueraded_packet_costs_little_more(void **state)
{
	for EACH_WAY(v6, protocol) {
		fresh(state);
		const struct packet out = packet_make(leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol)));
		const int n = LEAVES(ALICE, leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol)));
		const struct packet back = arriving(leg(protocol, wire[v6], remote(protocol), host[v6], n));
		const char *stranger = address_of(STRANGER, v6);
		const struct packet plain = packet_make(leg(protocol, stranger, OUTSIDE, wire[v6], remote(protocol)));
		const struct packet in = arriving(leg(protocol, wire[v6], remote(protocol), stranger, OUTSIDE));

		print_message("IPv%d, protocol %d\n", v6 ? 6 : 4, protocol);
		assert_true(cost("masqueraded", FROM_CT(ALICE), &out, FROM_CT(STRANGER), &plain) < MASQUERADED);
		assert_true(cost("masqueraded", FROM_WIRE(), &back, FROM_WIRE(), &in) < MASQUERADED);
	}
}

/* The verifier has followed all ways through, loops to their last round. */
static void the_verifier_has_seen_the_end(void **state)
{
	struct shunt_bpf *all = shunt_bpf__open_and_load();
	struct bpf_program *program;

	(void)state;
	assert_non_null(all);
	bpf_object__for_each_program(program, all->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);

		assert_int_equal(bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
		print_message("%s: %u instructions verified, %zu loaded\n", bpf_program__name(program),
			      info.verified_insns, bpf_program__insn_cnt(program));
		assert_in_range(info.verified_insns, 1, INSTRUCTIONS);
	}
	shunt_bpf__destroy(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_worst_packet_costs_some_ordinary_ones),
		NAT_TEST(a_masqueraded_packet_costs_little_more),
		TEST(the_verifier_has_seen_the_end),
	};

	return cmocka_run_group_tests_name("work", tests, setup, teardown);
}

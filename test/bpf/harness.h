/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * harness.h - a host with endpoints and routes in a network namespace of its own, and one packet at a time.
 *
 * The kernel runs a program on a packet (BPF_PROG_TEST_RUN) but follows no redirect: what is checked is the verdict,
 * the whole packet that comes out, and every counter of every endpoint. Where packets really arrive is for live.c.
 */
#ifndef SHUNT_TEST_HARNESS_H
#define SHUNT_TEST_HARNESS_H

#include "host.h"

enum { PASS_ON = -1, DROPPED = 2, REDIRECTED = 7 };

#define FLOWS_MAX 4096		/* entries of each family: to walk them takes no time */

static struct shunt_bpf *quick;	/* the same programs, but that their shortcuts last */

/* A verifier takes its time, in an emulated guest ten seconds for all: sockets' programs are for scenarios, l3's are like others. */
static inline struct shunt_bpf *open_programs(bool l3)
{
	struct shunt_bpf *ret = shunt_bpf__open();
	struct bpf_program *program;

	assert_non_null(ret);
	bpf_object__for_each_program(program, ret->obj)
		if (bpf_program__type(program) != BPF_PROG_TYPE_SCHED_CLS || (!l3 && strstr(bpf_program__name(program), "_l3")))
			assert_int_equal(bpf_program__set_autoload(program, false), 0);
	return ret;
}

/* The same programs with the same maps, but for shortcuts, which last so many jiffies. */
static inline struct shunt_bpf *load_like(struct shunt_bpf *other, uint32_t ticks)
{
	struct shunt_bpf *ret = open_programs(bpf_program__autoload(other->progs.shunt_from_wire_l3));
	struct bpf_map *map, *theirs;

	ret->rodata->shortcut_ticks = ticks;
	bpf_object__for_each_map(map, ret->obj) {
		theirs = bpf_object__find_map_by_name(other->obj, bpf_map__name(map));
		if (theirs != other->maps.shortcuts && !bpf_map__is_internal(theirs))
			assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(theirs)), 0);
	}
	assert_int_equal(shunt_bpf__load(ret), 0);
	return ret;
}

static inline struct bpf_program *quick_one(const struct bpf_program *program)
{
	return bpf_object__find_program_by_name(quick->obj, bpf_program__name(program));
}

/* No packet is like any that was seen. */
static inline void forget_shortcuts(void)
{
	static uint8_t none[1 << 20];
	static uint32_t keys[1024];
	uint32_t n = bpf_map__max_entries(quick->maps.shortcuts);

	assert_true(n <= 1024 && n * bpf_map__value_size(quick->maps.shortcuts) * libbpf_num_possible_cpus() <= sizeof(none));
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	assert_int_equal(bpf_map_update_batch(bpf_map__fd(quick->maps.shortcuts), keys, none, &n, NULL), 0);
}

static inline void load(bool l3)
{
	skel = open_programs(l3);
	assert_int_equal(bpf_map__set_max_entries(skel->maps.flows4, FLOWS_MAX), 0);
	assert_int_equal(bpf_map__set_max_entries(skel->maps.flows6, FLOWS_MAX), 0);
	assert_int_equal(shunt_bpf__load(skel), 0);
	for (int who = NOBODY + 1; who < EVERYBODY; who++) {
		put_interface(who, 0);
		put_addresses(who);
	}
	put_uplink(UPLINK);
	put_uplink(NARROW);
	quick = load_like(skel, 1 << 30);
}

static inline int setup(void **state)
{
	cpu_set_t one;

	(void)state;
	/* What a packet leaves for the next one like it, it leaves on its own CPU. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (unshare(CLONE_NEWNET) || sched_setaffinity(0, sizeof(one), &one))
		return -1;
	make_devices();
	make_routes();
	load(false);
	return 0;
}

/* Before each test: what one that failed counted is not the next one's. */
static inline int fresh(void **state)
{
	(void)state;
	for (int who = NOBODY + 1; who < EVERYBODY; who++)
		put_interface(who, 0);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

static inline int teardown(void **state)
{
	(void)state;
	shunt_bpf__destroy(quick);
	shunt_bpf__destroy(skel);
	return 0;
}

/* Where a packet is met, and what accompanies it. */
struct hook {
	const char *name;
	struct bpf_program *program;
	uint32_t ifindex;
	uint32_t ingress_ifindex;
	uint32_t gso_size;
	uint32_t flags;
};

/* On netkit, no device has received the packet yet; on veth the host end has. */
#define FROM_CT(who, ...) \
	((struct hook){ "from_ct", skel->progs.shunt_from_ct, .ifindex = IFINDEX(who), __VA_ARGS__ })
#define FROM_VETH(who, ...) FROM_CT(who, .ingress_ifindex = IFINDEX(who), __VA_ARGS__)
/* In the container's namespace, where another interface may have any of our numbers. */
#define TO_CT() ((struct hook){ "to_ct", skel->progs.shunt_to_ct, .ifindex = IFINDEX(LONER) })
#define FROM_WIRE(...) \
	((struct hook){ "from_wire", skel->progs.shunt_from_wire, .ifindex = UPLINK, .ingress_ifindex = UPLINK, \
			__VA_ARGS__ })

/* From the router to the host. */
#define ARRIVING(...) PACKET(.mac_to = { 2, 0, 0, 0, 0, 200 }, .mac_from = { 2, 0, 0, 0, 0xff, 0xfe }, __VA_ARGS__)

struct outcome {
	int verdict;
	enum who loser;		/* who counted it as dropped, because: */
	enum shunt_drop why;
	struct packet out;	/* of no length: as it went in */
};

static inline void check_counters(const char *where, const struct outcome *want)
{
	for (int who = NOBODY + 1; who < EVERYBODY; who++) {
		struct shunt_counters have = counters_of(who), due = { 0 };

		if (who == (int)want->loser)
			due.dropped[want->why] = 1;
		for (size_t j = 0; j < sizeof(have) / sizeof(uint64_t); j++)
			if (((__u64 *)&have)[j] != ((__u64 *)&due)[j])
				fail_msg("%s: endpoint %d: counter %zu is %ju, not %ju", where, who, j,
					 (uintmax_t)((__u64 *)&have)[j], (uintmax_t)((__u64 *)&due)[j]);
		put_interface(who, 0);
	}
}

static inline void check_packet(const char *where, const uint8_t *have, size_t len, const struct packet *want)
{
	if (len != want->len)
		fail_msg("%s: %zu bytes came out, not %zu", where, len, want->len);
	for (size_t i = 0; i < len; i++)
		if (have[i] != want->data[i])
			fail_msg("%s: byte %zu is %02x, not %02x", where, i, have[i], want->data[i]);
}

/* Runs a program. @ret: the packet that came out. Return: the verdict. */
static inline int run(const char *where, struct hook hook, const struct packet *in, struct packet *ret)
{
	struct __sk_buff ctx = {
		.ifindex = hook.ifindex, .ingress_ifindex = hook.ingress_ifindex, .gso_size = hook.gso_size,
		.gso_segs = hook.gso_size ? 2 : 0,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = ret->data,
		    .data_size_out = sizeof(ret->data), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &ctx,
		    .ctx_size_out = sizeof(ctx), .flags = hook.flags);
	int r = bpf_prog_test_run_opts(bpf_program__fd(hook.program), &opts);

	if (r)
		fail_msg("%s: could not run: %s", where, strerror(-r));
	ret->len = opts.data_size_out;
	if (opts.retval != DROPPED && ret->len != in->len && ctx.gso_segs)
		fail_msg("%s: an answer of ours is still to be segmented", where);
	return opts.retval;
}

/* A shortcut to the wire addresses the frame itself: to whom else, the redirect's device does later. */
static inline void unaddress(struct packet *out, const struct packet *in)
{
	static const uint8_t neighbour[ETH_ALEN] = { 2, 0, 0, 0, 0xff, 0xfe }, own[ETH_ALEN - 1] = { 2, 0, 0, 0, 0 };

	if (memcmp(out->data, neighbour, sizeof(neighbour)) == 0 && memcmp(out->data + ETH_ALEN, own, sizeof(own)) == 0)
		memcpy(out->data, in->data, 2 * ETH_ALEN);
}

static inline void check_once(const char *where, struct hook hook, const struct packet *in, const struct outcome *want)
{
	struct packet out;
	int verdict = run(where, hook, in, &out);

	if (hook.program == quick->progs.shunt_from_ct)
		unaddress(&out, in);
	if (verdict != want->verdict)
		fail_msg("%s: verdict is %d, not %d", where, verdict, want->verdict);
	/* Nobody sees what is dropped, and a failed answer may have cut it. */
	if (want->verdict != DROPPED)
		check_packet(where, out.data, out.len, want->out.len ? &want->out : in);
	check_counters(where, want);
}

/* What was sent somewhere is sent again, and again by the shortcut that it may have left: nothing else becomes of it. */
static inline void check(const char *file, int line, struct hook hook, struct packet in, struct outcome want)
{
	char where[160];

	snprintf(where, sizeof(where), "%s:%d: %s", file, line, hook.name);
	check_once(where, hook, &in, &want);
	if (want.verdict != REDIRECTED)
		return;
	hook.program = quick_one(hook.program);
	forget_shortcuts();
	snprintf(where, sizeof(where), "%s:%d: %s again", file, line, hook.name);
	check_once(where, hook, &in, &want);
	snprintf(where, sizeof(where), "%s:%d: %s by shortcut", file, line, hook.name);
	check_once(where, hook, &in, &want);
}

#define CHECK(hook, packet, ...) check(__FILE__, __LINE__, hook, packet, (struct outcome){ __VA_ARGS__ })

#endif

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * programs.c - nanoseconds of each BPF program for an ordinary packet, compiled and on this machine's CPU, by
 * BPF_PROG_TEST_RUN: without the driver, the redirect that it asks for, and all else of the kernel. Which always has Ethernet
 * headers, and runs no program of sockets: from_wire_l3 and to_wire_l3 are as from_wire by the long way, and to_wire.
 *
 * Prints for each one line: bench-program {"program": ..., "what": ..., "ns": [LOWER QUARTILE, MEDIAN, UPPER QUARTILE]}.
 * A program that does nothing says what the clock and the call cost; it is in all of them.
 */
#include "../bpf/nat.h"

enum { ROUNDS = 20000, BATCH = 100 };

static struct turn {
	const char *program, *what;
	int fd;
	struct __sk_buff ctx;
	struct packet packet;
	uint32_t took[ROUNDS];
} turns[40];
static size_t n_turns;

static int nothing(void)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TCX_NEXT },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "nothing", "GPL", code, 2, NULL);
}

static void add(const char *what, struct hook hook, int fd, struct packet packet)
{
	struct turn *turn = &turns[n_turns++];

	assert_true(n_turns <= sizeof(turns) / sizeof(*turns));
	*turn = (struct turn){ hook.name, what, fd, { .ifindex = hook.ifindex, .ingress_ifindex = hook.ingress_ifindex }, packet };
}

static void take(struct turn *turn, size_t round)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = turn->packet.data, .data_size_in = turn->packet.len,
		    .ctx_in = &turn->ctx, .ctx_size_in = sizeof(turn->ctx));

	assert_int_equal(bpf_prog_test_run_opts(turn->fd, &opts), 0);
	turn->took[round] = opts.duration;
}

static int by_size(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : *(const uint32_t *)a > *(const uint32_t *)b;
}

static void each_program_takes_its_time(void **state)
{
	static const char *const plain[2] = { "10.210.0.2", "fd10::2" };	/* STRANGER's, who is not masqueraded */
	static const char *const whats[2][9] = {
		{ "to another machine, IPv4", "the same, masqueraded", "to another container, IPv4", "from another machine, IPv4",
		  "the same, to one that is masqueraded", "to another machine, IPv4, by the long way",
		  "from another machine, IPv4, by the long way", "from the host, IPv4", "routed by the kernel, masqueraded, IPv4" },
		{ "to another machine, IPv6", "the same, masqueraded", "to another container, IPv6", "from another machine, IPv6",
		  "the same, to one that is masqueraded", "to another machine, IPv6, by the long way",
		  "from another machine, IPv6, by the long way", "from the host, IPv6", "routed by the kernel, masqueraded, IPv6" },
	};
	const struct hook gate = { "gate", skel->progs.shunt_gate, .ifindex = UPLINK };
	const struct hook across = { "across", skel->progs.shunt_across, .ifindex = IFINDEX(ALICE), .ingress_ifindex = IFINDEX(ALICE) };
	const struct hook to_wire = { "to_wire", skel->progs.shunt_to_wire, .ifindex = UPLINK };

	(void)state;
	masquerade(KERNEL, LOW, HIGH);
	/* Those that remember what the packet before was like, as they do under load. */
#define ADD(what, hook, packet) add(what, hook, bpf_program__fd(quick_one(hook.program)), packet)
#define ADD_LONG(what, hook, packet) add(what, hook, bpf_program__fd(hook.program), packet)
	add("nothing", (struct hook){ "nothing", NULL, .ifindex = UPLINK }, nothing(),
	    arriving(leg(IPPROTO_UDP, WIRE4, 53, HOST4, 53)));
	for (int v6 = 0; v6 < 2; v6++) {
		const struct spec out = leg(IPPROTO_UDP, alice[v6], 5000, wire[v6], 53);
		const int port = LEAVES(ALICE, out);

		ADD(whats[v6][0], FROM_CT(STRANGER), packet_make(leg(IPPROTO_UDP, plain[v6], 5000, wire[v6], 53)));
		ADD(whats[v6][1], FROM_CT(ALICE), packet_make(out));
		ADD(whats[v6][2], FROM_CT(ALICE), packet_make(leg(IPPROTO_UDP, alice[v6], 5000, bob[v6], 53)));
		ADD(whats[v6][3], FROM_WIRE(), arriving(leg(IPPROTO_UDP, wire[v6], 53, plain[v6], 5000)));
		ADD(whats[v6][4], FROM_WIRE(), arriving(leg(IPPROTO_UDP, wire[v6], 53, host[v6], port)));
		ADD_LONG(whats[v6][5], FROM_CT(STRANGER), packet_make(leg(IPPROTO_UDP, plain[v6], 5000, wire[v6], 53)));
		ADD_LONG(whats[v6][6], FROM_WIRE(), arriving(leg(IPPROTO_UDP, wire[v6], 53, plain[v6], 5000)));
		ADD(whats[v6][7], TO_CT(), packet_make(leg(IPPROTO_UDP, host[v6], 53, plain[v6], 5000)));
		ADD(whats[v6][8], to_wire, packet_make(leg(IPPROTO_UDP, address_of(KERNEL, v6), 5000, wire[v6], 53)));
	}
	ADD("for nobody of ours, IPv4", FROM_WIRE(), arriving(leg(IPPROTO_UDP, WIRE4, 53, HOST4, 53)));
	ADD("of nobody of ours, IPv4", to_wire, packet_make(leg(IPPROTO_UDP, HOST4, 53, WIRE4, 53)));
	ADD("from a container to the host", across, packet_make(leg(IPPROTO_UDP, alice[0], 5000, HOST4, 53)));
	ADD("from a container to another", across, packet_make(leg(IPPROTO_UDP, alice[0], 5000, bob[0], 53)));
	turns[n_turns - 1].ctx.mark = SHUNT_MARK_ACROSS;
	turns[n_turns - 1].ctx.cb[0] = IFINDEX(BOB);
	ADD("from a container's end of veth", gate, packet_make(leg(IPPROTO_UDP, plain[0], 5000, WIRE4, 53)));

	/* Interleaved, in batches: a cache is warm as under load, and what happens to the machine happens to all. */
	for (size_t round = 0; round < ROUNDS; round += BATCH)
		for (struct turn *turn = turns; turn < turns + n_turns; turn++)
			for (size_t i = 0; i < BATCH; i++)
				take(turn, round + i);
	for (struct turn *turn = turns; turn < turns + n_turns; turn++) {
		qsort(turn->took, ROUNDS, sizeof(*turn->took), by_size);
		printf("bench-program {\"program\":\"%s\",\"what\":\"%s\",\"ns\":[%u,%u,%u]}\n", turn->program, turn->what,
		       turn->took[ROUNDS / 4], turn->took[ROUNDS / 2], turn->took[ROUNDS / 4 * 3]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { NAT_TEST(each_program_takes_its_time) };

	return cmocka_run_group_tests_name("programs", tests, setup, teardown);
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * From one container's netkit to another's by shunt_across. What arrives where, the scenarios see on netkit.
 */
#include "harness.h"

/* Runs a program at the packet's place. @ctx: as it was, and as it is then. Return: the verdict. */
static int run_with(struct bpf_program *program, const struct packet *in, struct __sk_buff *ctx)
{
	struct packet out;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = out.data,
		    .data_size_out = sizeof(out.data), .ctx_in = ctx, .ctx_size_in = sizeof(*ctx), .ctx_out = ctx,
		    .ctx_size_out = sizeof(*ctx));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
	assert_int_equal(opts.data_size_out, in->len);
	assert_memory_equal(out.data, in->data, in->len);
	return opts.retval;
}

/* The packet is as it was, and leads to BOB. @ctx: as shunt_from_ct left it */
static void leads_to_bob(const struct packet *in, struct __sk_buff *ctx)
{
	assert_int_equal(ctx->cb[0], IFINDEX(BOB));
	assert_int_equal(ctx->mark, SHUNT_MARK_ACROSS);
	assert_int_equal(run_with(skel->progs.shunt_across, in, ctx), REDIRECTED);
	assert_int_equal(ctx->mark, 0);
}

static const struct { const char *from, *to; } families[] = { { ALICE4, "10.207.0.3" }, { ALICE6, "fd07::3" } };

static void a_packet_passes_to_its_own_host_end_and_is_sent_in_from_there(void **state)
{
	(void)state;
	also[ALICE].flags = SHUNT_F_ACROSS;
	put_interface(ALICE, 0);
	for (int i = 0; i < 2; i++) {
		const struct packet in = PACKET(.from = families[i].from, .to = families[i].to);

		forget_shortcuts();
		/* The first by the long way, the second by its shortcut. */
		for (int turn = 0; turn < 2; turn++) {
			struct __sk_buff ctx = { .ifindex = IFINDEX(ALICE) };

			assert_int_equal(run_with(quick->progs.shunt_from_ct, &in, &ctx), 0);
			leads_to_bob(&in, &ctx);
		}
	}
	also[ALICE].flags = 0;
}

static void a_host_end_without_the_program_redirects(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct packet in = PACKET(.from = families[i].from, .to = families[i].to);

		forget_shortcuts();
		for (int turn = 0; turn < 2; turn++) {
			struct __sk_buff ctx = { .ifindex = IFINDEX(ALICE) };

			assert_int_equal(run_with(quick->progs.shunt_from_ct, &in, &ctx), REDIRECTED);
			assert_int_equal(ctx.mark, 0);
		}
	}
}

/* Whatever a control block has from before, and whatever mark somebody else has given. */
static void what_is_to_the_host_goes_on(void **state)
{
	static const uint32_t marks[] = { 0, 1, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		const struct packet in = PACKET(.from = ALICE4, .to = WIRE4);
		struct __sk_buff ctx = { .ifindex = IFINDEX(ALICE), .mark = marks[i], .cb = { IFINDEX(BOB), IFINDEX(BOB) } };

		assert_int_equal(run_with(skel->progs.shunt_across, &in, &ctx), PASS_ON);
		assert_int_equal(ctx.mark, marks[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_passes_to_its_own_host_end_and_is_sent_in_from_there),
		TEST(a_host_end_without_the_program_redirects),
		TEST(what_is_to_the_host_goes_on),
	};

	return cmocka_run_group_tests_name("across", tests, setup, teardown);
}

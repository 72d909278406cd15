// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * What a shortcut is taken by, and what not. That it does what the long way does, check() in harness.h sees for each packet of
 * each test; here the long way is closed, so that a packet which still goes has taken the shortcut.
 */
#include "nat.h"

static struct hook quickly(struct hook hook)
{
	hook.program = quick_one(hook.program);
	return hook;
}

/* Return: whether a packet is sent on; an answer of ours is another protocol's. */
static bool goes(struct hook hook, struct packet in)
{
	const size_t protocol = is4(&in) ? IP4 + 9 : IP6 + 6;
	struct packet out;

	return run("shortcut", hook, &in, &out) == REDIRECTED && out.data[protocol] == in.data[protocol];
}

static void close_the_long_way(void)
{
	take_uplink(UPLINK);
	forget_flows();
	empty(skel->maps.addresses4);
	empty(skel->maps.addresses6);
	empty(skel->maps.published);
}

static int open_the_long_way(void **state)
{
	const uint32_t kind = SHUNT_UPLINK_ETHERNET, uplink = UPLINK;

	bpf_map_update_elem(bpf_map__fd(skel->maps.uplinks), &uplink, &kind, BPF_ANY);
	return fresh_nat(state);
}

#define SHORTCUT_TEST(name) cmocka_unit_test_setup(name, open_the_long_way)

/* Of all shortcuts, those that leave the ports open. */
enum turn { OUT, OUT_MASQUERADED, ACROSS, IN, IN_MASQUERADED, IN_PUBLISHED, TURNS };

struct like {
	struct hook hook;
	struct spec spec;
	bool arrives, by_ports;
};

static struct packet made(const struct like *like, struct spec s)
{
	return like->arrives ? arriving(s) : packet_make(s);
}

/* A packet that has its shortcut, and no other way any more. */
static struct like learnt(enum turn turn, int v6, int protocol)
{
	const char *stranger = address_of(STRANGER, v6);
	struct like like = { .hook = turn >= IN ? FROM_WIRE() : FROM_CT(turn == OUT ? STRANGER : ALICE), .arrives = turn >= IN,
			     .by_ports = turn == OUT_MASQUERADED || turn >= IN_MASQUERADED };
	int port;

	switch (turn) {
	case OUT:
		like.spec = leg(protocol, stranger, 40000, wire[v6], 443);
		break;
	case OUT_MASQUERADED:
		like.spec = leg(protocol, alice[v6], OUTSIDE, wire[v6], 443);
		break;
	case ACROSS:
		like.spec = leg(protocol, alice[v6], 40000, address_of(STRANGER, v6), 443);
		break;
	case IN:
		like.spec = leg(protocol, wire[v6], 443, stranger, 40000);
		break;
	case IN_MASQUERADED:
		port = LEAVES(ALICE, leg(protocol, alice[v6], OUTSIDE, wire[v6], 443));
		like.spec = leg(protocol, wire[v6], 443, host[v6], port);
		break;
	default:
		publish(host[v6], 8080, protocol, BOB, bob[v6], 80);
		like.spec = leg(protocol, wire[v6], 40000, host[v6], 8080);
	}
	like.spec.flags = ACK;
	like.hook = quickly(like.hook);
	forget_shortcuts();
	assert_true(goes(like.hook, made(&like, like.spec)));
	close_the_long_way();
	return like;
}

#define EACH_SHORTCUT(turn, v6, protocol) \
	(int turn = OUT, v6 = 0, protocol = IPPROTO_TCP; turn < TURNS; \
	 protocol = protocol == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP, v6 ^= protocol == IPPROTO_TCP, \
	 turn += protocol == IPPROTO_TCP && !v6)

static void the_next_one_needs_no_look_up(void **state)
{
	for EACH_SHORTCUT(turn, v6, protocol) {
		open_the_long_way(state);
		struct like like = learnt(turn, v6, protocol);

		assert_true(goes(like.hook, made(&like, like.spec)));
		/* The other programs know nothing of it. */
		forget_shortcuts();
		assert_false(goes(like.hook, made(&like, like.spec)));
	}
}

static void connections_share_one_where_ports_mean_nothing(void **state)
{
	for EACH_SHORTCUT(turn, v6, protocol) {
		open_the_long_way(state);
		struct like like = learnt(turn, v6, protocol);
		struct spec other = like.spec;

		other.sport++;
		assert_int_equal(goes(like.hook, made(&like, other)), !like.by_ports);
		other = like.spec;
		other.dport++;
		other.flags = SYN;
		/* What is masqueraded begins by a shortcut of its own: begin.c. */
		if (turn != OUT_MASQUERADED || protocol != IPPROTO_TCP)
			assert_int_equal(goes(like.hook, made(&like, other)), !like.by_ports);
	}
}

static void a_packet_that_differs_goes_the_long_way(void **state)
{
	static const int flags[] = { SYN, SYN | ACK, FIN | ACK, RST };

	for EACH_SHORTCUT(turn, v6, protocol) {
		open_the_long_way(state);
		struct like like = learnt(turn, v6, protocol);
		const struct spec same = like.spec;
		struct hook elsewhere = like.hook;
		struct packet p;
		struct spec s;

#define GOES_LONG(text) \
		if (goes(like.hook, p)) \
			fail_msg("turn %d, IPv%d, protocol %d: %s", turn, v6 ? 6 : 4, protocol, text)
#define DIFFERS(text, change) \
		s = same; change; p = made(&like, s); GOES_LONG(text)
		DIFFERS("another source", s.from = v6 ? "fd07::99" : "10.207.0.99");
		DIFFERS("another destination", s.to = v6 ? "2001:db8:9::a" : "192.0.2.201");
		DIFFERS("another protocol", s.protocol = protocol == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP);
		DIFFERS("no hops left", s.ttl = 1);
		DIFFERS("too big", s.payload = 1600);
		if (!v6) {
			DIFFERS("a fragment", s.frag = IP4_MF);
			DIFFERS("a later fragment", s.frag = 10);
			DIFFERS("options", (s.extra = "\1\1\1\0", s.extra_len = 4));
		} else {
			DIFFERS("an extension header", (s.extra = "\6\0\1\4\0\0\0\0", s.extra_len = 8, s.next = IPPROTO_DSTOPTS));
		}
		if (turn == OUT) {
			DIFFERS("another class", s.tos = 0x20);
		}
		if (protocol == IPPROTO_TCP && like.by_ports)
			for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
				DIFFERS("what may change the flow's state", s.flags = flags[i]);
			}
		p = made(&like, same);
		p.len = v6 ? IP6 + 40 + 4 : IP4 + 20 + 4;
		GOES_LONG("truncated");
		if (!like.arrives) {
			p = made(&like, same);
			put16(p.data + (v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN), 1400);
			GOES_LONG("longer than it is");
		}
		elsewhere.ifindex = like.arrives ? NARROW : IFINDEX(BOB);
		p = made(&like, same);
		if (goes(elsewhere, p))
			fail_msg("turn %d: by another device", turn);
		/* Congestion is of no concern to anybody. */
		s = same;
		s.tos = 3;
		assert_true(goes(like.hook, made(&like, s)));
	}
}

static void it_is_forgotten_by_itself(void **state)
{
	struct shunt_bpf *lasting = quick;

	quick = load_like(skel, 1);
	for EACH_SHORTCUT(turn, v6, protocol) {
		open_the_long_way(state);
		struct like like = learnt(turn, v6, protocol);

		usleep(100000);	/* ten jiffies where they are longest */
		assert_false(goes(like.hook, made(&like, like.spec)));
	}
	shunt_bpf__destroy(quick);
	quick = lasting;
}

/* With a rule about ports, or next hops chosen by them, ports are looked at. */
static void ports_count_where_the_routing_table_looks_at_them(void **state)
{
	static const char *const settings[2][2] = {
		{ "echo %d >/proc/sys/net/ipv4/fib_multipath_hash_policy", "ip rule %s dport 9999 table main" },
		{ "echo %d >/proc/sys/net/ipv6/fib_multipath_hash_policy", "ip -6 rule %s dport 9999 table main" },
	};

	for (int v6 = 0; v6 < 2; v6++)
		for (int setting = 0; setting < 2; setting++) {
			struct like like;
			struct spec other;

			setting ? shell(settings[v6][1], "add") : shell(settings[v6][0], 1);
			open_the_long_way(state);
			like = learnt(OUT, v6, IPPROTO_TCP);
			other = like.spec;
			other.dport++;
			assert_true(goes(like.hook, made(&like, like.spec)));
			assert_false(goes(like.hook, made(&like, other)));
			setting ? shell(settings[v6][1], "del") : shell(settings[v6][0], 0);
		}
}

/* What ends before its ports do, or right behind them, is of no flow; what is whole and has the same ones may be. */
static void what_is_too_short_for_a_flow_leaves_no_shortcut(void **state)
{
	const struct hook in = quickly(FROM_WIRE()), out = quickly(FROM_CT(BOB));
	struct packet got, want;

	for (int v6 = 0; v6 < 2; v6++)
		for (int padded = 0; padded < 2; padded++) {
			struct packet whole = packet_make(leg(IPPROTO_TCP, bob[v6], 80, wire[v6], OUTSIDE)), part = whole;

			open_the_long_way(state);
			publish(host[v6], 8080, IPPROTO_TCP, BOB, bob[v6], 80);
			forget_shortcuts();
			assert_true(goes(in, arriving(leg(IPPROTO_TCP, wire[v6], OUTSIDE, host[v6], 8080))));
			put16(part.data + (v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN), v6 ? 8 : 20 + 8);
			if (!padded)
				part.len = v6 ? IP6 + 40 + 8 : IP4 + 20 + 8;
			assert_true(goes(out, part));
			assert_int_equal(run("whole", out, &whole, &got), REDIRECTED);
			unaddress(&got, &whole);
			want = hop(packet_make(leg(IPPROTO_TCP, host[v6], 8080, wire[v6], OUTSIDE)));
			check_packet("whole", got.data, got.len, &want);
		}
}

/* An IPv4 header's checksum follows the TTL by a sum of its own, whose carry goes around for some. */
static void the_header_is_summed_rightly_whatever_it_says(void **state)
{
	struct like like = learnt(OUT, 0, IPPROTO_TCP);
	struct packet p = made(&like, like.spec), got, want;

	(void)state;
	for (unsigned int id = 0; id <= 0xffff; id++) {
		put16(p.data + IP4 + 4, id);
		seal4(&p);
		want = hop(p);
		assert_int_equal(run("sum", like.hook, &p, &got), REDIRECTED);
		unaddress(&got, &p);
		check_packet("sum", got.data, got.len, &want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHORTCUT_TEST(the_next_one_needs_no_look_up),
		SHORTCUT_TEST(connections_share_one_where_ports_mean_nothing),
		SHORTCUT_TEST(a_packet_that_differs_goes_the_long_way),
		SHORTCUT_TEST(it_is_forgotten_by_itself),
		SHORTCUT_TEST(ports_count_where_the_routing_table_looks_at_them),
		SHORTCUT_TEST(what_is_too_short_for_a_flow_leaves_no_shortcut),
		SHORTCUT_TEST(the_header_is_summed_rightly_whatever_it_says),
	};

	return cmocka_run_group_tests_name("shortcut", tests, setup, teardown);
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Connections that begin by shortcut, are accepted and end by it. What becomes of a packet, and of its flow, is compared with what
 * the long way makes of the same; then the long way is closed, so that what still goes has gone by shortcut.
 */
#include <sys/socket.h>

#include "begin.h"

/* All that the map knows, by key. */
struct record {
	struct shunt_tuple key;
	struct shunt_flow flow;
};

static int by_key(const void *a, const void *b) { return memcmp(a, b, sizeof(struct shunt_tuple)); }

static int flows_now(struct record ret[static 8])
{
	struct shunt_tuple keys[8];
	const int n = entries(keys, 8);

	memset(ret, 0, 8 * sizeof(*ret));
	for (int i = 0; i < n; i++) {
		ret[i].key = keys[i];
		assert_true(entry_read(&keys[i], &ret[i].flow));
		assert_in_range(clock_now() - ret[i].flow.seen, 0, 1);
		ret[i].flow.seen = 0;
	}
	qsort(ret, n, sizeof(*ret), by_key);
	return n;
}

static uint64_t begun(int v6)
{
	struct shunt_publication_key key = { .ifindex = IFINDEX(BOB), .host = { .port = htons(8080), .protocol = IPPROTO_TCP } };
	struct shunt_publication p = { 0 };

	from_text(host[v6], key.host.address);
	bpf_map_lookup_elem(bpf_map__fd(skel->maps.publications), &key, &p);
	return p.flows;
}

static void it_does_what_the_long_way_does(void **state)
{
	for EACH_WAY_TO_BEGIN(in_first, v6) {
		struct way way = known(state, in_first, v6);
		const struct packet syn = begins(&way, another(&way, 1));
		struct record due[8], have[8];
		struct packet want, out;
		struct hook slow = hook_of(&way);
		uint64_t before;
		int n;

		forget_flows();
		slow.program = in_first ? skel->progs.shunt_from_wire : skel->progs.shunt_from_ct;
		assert_true(sent(slow, syn, &want));
		n = flows_now(due);
		assert_int_equal(n, 2);
		forget_flows();
		before = begun(v6);
		close_the_long_way();
		assert_false(sent(slow, syn, &out));
		assert_true(sent(hook_of(&way), syn, &out));
		check_packet("begun by shortcut", out.data, out.len, &want);
		assert_int_equal(flows_now(have), 2);
		assert_memory_equal(have, due, sizeof(due));
		assert_int_equal(begun(v6) - before, in_first);
	}
}

static uint32_t state_of(struct spec s)
{
	struct shunt_flow flow;

	assert_true(has_flow(s, &flow));
	return flow.state & ~(SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_MASQUERADE);
}

/* From SYN to FIN; each side's entry knows what its own packets said. */
static void it_is_accepted_and_ends_by_shortcut(void **state)
{
	for EACH_WAY_TO_BEGIN(in_first, v6) {
		struct way way = known(state, in_first, v6);
		const struct spec there = another(&way, 1);
		const struct hook to = hook_of(&way), from = in_first ? way.out : way.in;
		struct packet out, want;
		struct spec back, as;
		struct shunt_tuple key;
		struct shunt_flow flow;

		close_the_long_way();
		assert_true(sent(to, begins(&way, there), &out));
		back = in_first ? leg(IPPROTO_TCP, bob[v6], 80, wire[v6], there.sport) :
				  leg(IPPROTO_TCP, wire[v6], 443, host[v6], source_port(&out));
		as = in_first ? leg(IPPROTO_TCP, host[v6], 8080, wire[v6], there.sport) :
				leg(IPPROTO_TCP, wire[v6], 443, alice[v6], there.sport);
#define BACK(what) \
		assert_true(sent(from, in_first ? packet_make(with(back, what)) : arriving(with(back, what)), &out)); \
		want = in_first ? hop(packet_make(with(as, what))) : landed(with(as, what)); \
		check_packet("back", out.data, out.len, &want)
#define THERE(what) assert_true(sent(to, begins(&way, with(there, what)), &out))
		assert_int_equal(state_of(back), 0);
		BACK(SYN | ACK);
		assert_int_equal(state_of(back), SHUNT_FLOW_ANSWERED);
		THERE(ACK);
		BACK(ACK);
		assert_int_equal(state_of(there), 0);
		THERE(FIN | ACK);
		assert_int_equal(state_of(there), SHUNT_FLOW_FIN_ORIGINAL);
		assert_int_equal(state_of(back), SHUNT_FLOW_ANSWERED);
		BACK(FIN | ACK);
		assert_int_equal(state_of(back), SHUNT_FLOW_ANSWERED | SHUNT_FLOW_FIN_REPLY);
		THERE(ACK);
		/* What an entry that is about to go says is nobody's. */
		age(back, 0);
		assert_true(has_flow(back, &flow));
		flow.seen = 0;
		set_flow(back, &flow);
		assert_false(sent(from, in_first ? packet_make(with(back, FIN)) : arriving(with(back, FIN)), &out));
		flow.seen = clock_now();
		key = tuple_of(back);
		entry_write(&key, &flow, BPF_ANY);
		assert_true(sent(from, in_first ? packet_make(with(back, FIN)) : arriving(with(back, FIN)), &out));
		/* A reset is for the long way. */
		assert_false(sent(from, in_first ? packet_make(with(back, RST | ACK)) : arriving(with(back, RST | ACK)), &out));
		assert_false(sent(to, begins(&way, with(there, RST)), &out));
	}
}

/* Its end is known to whoever would have its port, although neither entry knows all of it. */
static void the_port_of_a_closed_one_is_to_be_had(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int closed = 0; closed < 2; closed++) {
			struct way way = known(state, false, v6);
			const struct spec there = another(&way, 1);
			const struct packet next = packet_make(another(&way, 2));
			struct packet out;
			struct spec back;
			int port;

			assert_true(sent(way.out, begins(&way, there), &out));
			port = source_port(&out);
			back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], port);
			assert_true(sent(way.in, arriving(with(back, SYN | ACK)), &out));
			assert_true(sent(way.out, packet_make(with(there, FIN | ACK)), &out));
			if (closed)
				assert_true(sent(way.in, arriving(with(back, FIN | ACK)), &out));
			masquerade(ALICE, port, port);
			assert_int_equal(run("next", FROM_CT(ALICE), &next, &out), closed ? REDIRECTED : DROPPED);
			if (closed)
				assert_int_equal(source_port(&out), port);
		}
}

/* Whatever is not exactly a connection's beginning goes the long way. */
static void nothing_else_begins(void **state)
{
	static const int flags[] = { ACK, FIN, RST, SYN | FIN, SYN | RST, SYN | FIN | ACK, 0 };

	for EACH_WAY_TO_BEGIN(in_first, v6) {
		struct way way = known(state, in_first, v6);
		const struct hook hook = hook_of(&way);
		struct spec s = another(&way, 1);
		struct packet out, p;
		int n;

		close_the_long_way();
		n = count_entries();
		for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
			assert_false(sent(hook, begins(&way, with(s, flags[i])), &out));
#define STAYS(change) \
		s = another(&way, 1); change; \
		assert_false(sent(hook, begins(&way, s), &out))
		STAYS(s.protocol = IPPROTO_UDP);
		STAYS(s.to = v6 ? "2001:db8:9::a" : "192.0.2.201");
		STAYS(s.from = v6 ? "fd07::99" : "10.207.0.99");
		if (in_first) {
			STAYS(s.dport++);
		}
		if (!v6) {
			STAYS(s.frag = IP4_MF);
		}
		p = begins(&way, another(&way, 1));
		p.len = v6 ? IP6 + 40 + 8 : IP4 + 20 + 8;
		assert_false(sent(hook, p, &out));
		/* Its header would be padding. */
		p = begins(&way, another(&way, 1));
		put16(p.data + (v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN), v6 ? 19 : 39);
		assert_false(sent(hook, p, &out));
		assert_int_equal(count_entries(), n);
		/* As it does, once all is right. */
		assert_true(sent(hook, begins(&way, another(&way, 1)), &out));
		assert_int_equal(count_entries(), n + 2);
	}
}

/* A port that is taken, or the host's own, is for the long way to go round; it finds another. */
static void a_port_that_is_taken_is_left_alone(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int listens = 0; listens < 2; listens++) {
			struct way way = known(state, false, v6);
			const struct packet syn = packet_make(another(&way, 1));
			struct packet out;
			int port, fd = -1, n;

			assert_true(sent(way.out, syn, &out));
			port = source_port(&out);
			if (listens) {
				struct sockaddr_storage any = { .ss_family = v6 ? AF_INET6 : AF_INET };

				((struct sockaddr_in *)&any)->sin_port = htons(port);
				fd = socket(any.ss_family, SOCK_STREAM, 0);
				assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
				assert_int_equal(listen(fd, 1), 0);
				forget_flows();
			} else {
				struct spec back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], port);
				struct shunt_tuple first = tuple_of(another(&way, 1));
				struct shunt_flow theirs;

				assert_true(has_flow(back, &theirs));
				theirs.to.dport = htons(1);
				set_flow(back, &theirs);
				entry_lose(&first);
			}
			n = count_entries();
			forget_shortcuts();
			way = (struct way) { .first = way.first, .out = way.out, .in = way.in };
			/* Another connection teaches it again. */
			assert_true(sent(way.out, packet_make(another(&way, 7)), &out));
			assert_true(sent(way.out, syn, &out));
			assert_int_not_equal(source_port(&out), port);
			assert_int_equal(count_entries(), n + 4);
			close_the_long_way();
			assert_false(sent(way.out, packet_make(with(another(&way, 1), SYN)), &out));
			put_uplink(UPLINK);
			if (fd >= 0)
				close(fd);
		}
}

/* Who has to be asked for each connection, is. */
static void rules_and_backends_are_asked_each_time(void **state)
{
	struct packet out;

	for EACH_WAY_TO_BEGIN(in_first, v6) {
		struct way way = known(state, in_first, v6);
		const struct hook hook = hook_of(&way);

		/* Rules about what may begin: of the first one, not of the next. */
		forget_shortcuts();
		restrict_to(in_first ? BOB : ALICE, in_first ? SHUNT_F_ALLOW_IN : SHUNT_F_ALLOW_OUT);
		rule(in_first ? BOB : ALICE, in_first ? SHUNT_RULES_IN : SHUNT_RULES_OUT, wire[v6], v6 ? 64 : 24, 0, 0, 65535);
		assert_true(sent(hook, begins(&way, another(&way, 1)), &out));
		assert_true(sent(hook, begins(&way, with(another(&way, 1), ACK)), &out));
		close_the_long_way();
		assert_false(sent(hook, begins(&way, another(&way, 2)), &out));
	}
	for (int v6 = 0; v6 < 2; v6++) {
		struct shunt_published_key key = { .port = htons(8080), .protocol = IPPROTO_TCP };
		struct way way = known(state, true, v6);
		struct shunt_published p;

		/* Containers that share a port. */
		from_text(host[v6], key.address);
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.published), &key, &p), 0);
		p.n = 2;
		p.backend[1] = p.backend[0];
		p.backend[1].port++;
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.published), &key, &p, 0), 0);
		forget_shortcuts();
		assert_true(sent(way.in, arriving(another(&way, 1)), &out));
		close_the_long_way();
		assert_false(sent(way.in, arriving(another(&way, 2)), &out));

		/* What is not masqueraded there, is nowhere. */
		way = known(state, false, v6);
		forget_shortcuts();
		restrict_to(ALICE, SHUNT_F_EXCEPT);
		rule(ALICE, SHUNT_RULES_EXCEPT, wire[v6], v6 ? 64 : 24, 0, 0, 65535);
		assert_true(sent(way.out, packet_make(another(&way, 1)), &out));
		close_the_long_way();
		assert_false(sent(way.out, packet_make(another(&way, 2)), &out));

		/* A rule of the routing table's about ports. */
		way = known(state, false, v6);
		forget_shortcuts();
		shell("ip -%d rule add dport 9999 table main", v6 ? 6 : 4);
		assert_true(sent(way.out, packet_make(another(&way, 1)), &out));
		close_the_long_way();
		assert_false(sent(way.out, packet_make(another(&way, 2)), &out));
		shell("ip -%d rule del dport 9999 table main", v6 ? 6 : 4);
	}
}

/* With Ethernet, what is answered is addressed to the container's own end. */
static void answers_are_addressed(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct spec s = leg(IPPROTO_TCP, address_of(ETHER, v6), OUTSIDE, wire[v6], 443), back;
		const struct hook out = quickly(FROM_VETH(ETHER)), in = quickly(FROM_WIRE());
		struct packet p;

		fresh_begin(state);
		masquerade(ETHER, LOW, HIGH);
		s.flags = SYN;
		assert_true(sent(out, packet_make(s), &p));
		s.sport++;
		close_the_long_way();
		assert_true(sent(out, packet_make(s), &p));
		back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], source_port(&p));
		assert_true(sent(in, arriving(with(back, SYN | ACK)), &p));
		assert_memory_equal(p.data, ETHER_MAC, ETH_ALEN);
		assert_memory_equal(p.data + ETH_ALEN, ETHER_MAC, ETH_ALEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEGIN_TEST(it_does_what_the_long_way_does),
		BEGIN_TEST(it_is_accepted_and_ends_by_shortcut),
		BEGIN_TEST(the_port_of_a_closed_one_is_to_be_had),
		BEGIN_TEST(nothing_else_begins),
		BEGIN_TEST(a_port_that_is_taken_is_left_alone),
		BEGIN_TEST(answers_are_addressed),
		BEGIN_TEST(rules_and_backends_are_asked_each_time),
	};

	return cmocka_run_group_tests_name("begin", tests, setup, teardown);
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Packets that are not what the connection before them would make one think: what the long way makes of them, a shortcut must not
 * make otherwise.
 */
#include <sys/socket.h>
#include <time.h>

#include "begin.h"

static struct hook slowly(struct hook hook)
{
	hook.program = hook.ifindex == UPLINK ? skel->progs.shunt_from_wire : skel->progs.shunt_from_ct;
	return hook;
}

/* What the long way, and then a shortcut, makes of the same. */
#define ALIKE(hook, p) \
	do { \
		struct packet a, b; \
		const int slow = run("slow", slowly(hook), &(p), &a); \
		assert_int_equal(run("quick", hook, &(p), &b), slow); \
	} while (0)

static int socket_at(bool v6, int port, struct sockaddr_storage *peer)
{
	struct sockaddr_storage own = { .ss_family = v6 ? AF_INET6 : AF_INET };
	int fd = socket(own.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	uint8_t mapped[16];

	*peer = own;
	((struct sockaddr_in *)&own)->sin_port = htons(port);
	((struct sockaddr_in *)peer)->sin_port = htons(OUTSIDE + 1);
	from_text(host[v6], mapped);
	memcpy(v6 ? (void *)&((struct sockaddr_in6 *)&own)->sin6_addr : &((struct sockaddr_in *)&own)->sin_addr, mapped + (v6 ? 0 : 12),
	       v6 ? 16 : 4);
	from_text(wire[v6], mapped);
	memcpy(v6 ? (void *)&((struct sockaddr_in6 *)peer)->sin6_addr : &((struct sockaddr_in *)peer)->sin_addr, mapped + (v6 ? 0 : 12),
	       v6 ? 16 : 4);
	assert_int_equal(bind(fd, (struct sockaddr *)&own, sizeof(own)), 0);
	return fd;
}

/* F4: simultaneous open, from a port that was published later. */
static void a_connection_of_the_host_s_own_goes_on(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct way way = known(state, true, v6);
		const struct packet syn = arriving(another(&way, 1));
		struct sockaddr_storage peer;
		int fd = socket_at(v6, 8080, &peer), n = count_entries();
		struct packet out;

		connect(fd, (struct sockaddr *)&peer, sizeof(peer));
		assert_int_equal(run("quick", way.in, &syn, &out), PASS_ON);
		assert_int_equal(count_entries(), n);
		close(fd);
		assert_true(sent(way.in, syn, &out));
	}
}

/* A port that another socket of the same container had just before. */
static void an_answer_reaches_who_asked(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct way way = known(state, false, v6);
		const struct spec back = leg(IPPROTO_TCP, wire[v6], 443, host[v6], LOW);
		struct packet out, want;

		fresh_begin(state);
		masquerade(ALICE, LOW, LOW);
		assert_true(sent(way.out, packet_make(way.first), &out));
		assert_true(sent(way.in, arriving(with(back, SYN | ACK)), &out));
		assert_true(sent(way.out, packet_make(with(way.first, FIN | ACK)), &out));
		assert_true(sent(way.in, arriving(with(back, FIN | ACK)), &out));
		assert_true(sent(way.out, packet_make(another(&way, 1)), &out));
		assert_int_equal(source_port(&out), LOW);
		assert_true(sent(way.in, arriving(with(back, SYN | ACK)), &out));
		want = landed(with(leg(IPPROTO_TCP, wire[v6], 443, alice[v6], OUTSIDE + 1), SYN | ACK));
		check_packet("SYN-ACK", out.data, out.len, &want);
	}
}

static struct packet labelled(struct spec s, uint8_t label)
{
	struct packet p = packet_make(s);

	p.data[IP6 + 3] = label;
	return p;
}

/* Each connection has a flow label of its own, which leads nowhere else, unless a rule says so. */
static void a_label_matters_to_rules(void **state)
{
	struct way way = known(state, false, 1);
	struct packet p = labelled(another(&way, 1), 1), out;

	close_the_long_way();
	assert_true(sent(way.out, p, &out));
	p = labelled(with(another(&way, 1), ACK), 2);
	assert_true(sent(way.out, p, &out));

	/* Linux before 6.14 has no such rules, and takes this one for one about everything. */
	shell("ip -6 rule add flowlabel 3 table 78");
	if (system("ip -6 rule show | grep -q 'flowlabel 0x3.*lookup 78'")) {
		shell("ip -6 rule del table 78");
		return;
	}
	shell("ip -6 route add blackhole default table 78");
	way = known(state, false, 1);
	assert_true(sent(way.out, labelled(another(&way, 2), 1), &out));
	p = labelled(another(&way, 3), 3);
	ALIKE(way.out, p);
	p = labelled(with(another(&way, 2), ACK), 3);
	ALIKE(way.out, p);
	assert_false(sent(way.out, p, &out));
	shell("ip -6 rule del flowlabel 3 table 78; ip -6 route flush table 78");
}

/* IPv6's traffic class may lead elsewhere, in the middle of a connection and at its beginning. */
static void each_class_goes_its_way(void **state)
{
	struct way way = known(state, false, 1);
	struct spec s = another(&way, 1);
	struct packet out, p;

	assert_true(sent(way.out, packet_make(s), &out));
	shell("ip -6 rule add tos 0x20 table 77; ip -6 route add blackhole default table 77");
	s.tos = 0x20;
	p = packet_make(with(s, ACK));
	ALIKE(way.out, p);
	shell("ip -6 route flush table 77; ip -6 address add 2001:db8:100::77/128 nodad preferred_lft 0 dev wire");
	await_local(getpid(), "2001:db8:100::77");
	shell("ip -6 route add default via 2001:db8:100::fe dev wire src 2001:db8:100::77 table 77");
	s = another(&way, 2);
	s.tos = 0x20;
	assert_true(sent(way.out, packet_make(s), &out));
	p.len = 0;
	from_text("2001:db8:100::77", p.data);
	assert_memory_equal(out.data + IP6 + 8, p.data, 16);
	shell("ip -6 rule del tos 0x20 table 77; ip -6 route flush table 77; ip -6 address del 2001:db8:100::77/128 dev wire");
}

/* The places of what one connection needs may be each other's, or those of what it is like: one in some hundred meets one. */
static void it_does_not_matter_where_their_places_are(void **state)
{
	for EACH_WAY_TO_BEGIN(in_first, v6) {
		struct way way = known(state, in_first, v6);
		struct packet out, want;
		struct spec s, back, as;

		for (int i = 1; i <= 6000; i++) {
			if (i % 200 == 0)
				forget_flows();
			s = another(&way, i);
			assert_true(sent(hook_of(&way), begins(&way, s), &out));
			if (in_first) {
				want = landed(with(leg(IPPROTO_TCP, wire[v6], s.sport, bob[v6], 80), SYN));
				check_packet("begun", out.data, out.len, &want);
			}
			back = in_first ? leg(IPPROTO_TCP, bob[v6], 80, wire[v6], s.sport) :
					  leg(IPPROTO_TCP, wire[v6], 443, host[v6], source_port(&out));
			as = in_first ? leg(IPPROTO_TCP, host[v6], 8080, wire[v6], s.sport) :
					leg(IPPROTO_TCP, wire[v6], 443, alice[v6], s.sport);
			assert_true(sent(in_first ? way.out : way.in,
					 in_first ? packet_make(with(back, SYN | ACK)) : arriving(with(back, SYN | ACK)), &out));
			want = in_first ? hop(packet_make(with(as, SYN | ACK))) : landed(with(as, SYN | ACK));
			check_packet("accepted", out.data, out.len, &want);
		}
	}
}

/* Shortcuts that are made of another are no younger. */
static void none_outlives_what_it_was_made_of(void **state)
{
	struct shunt_bpf *lasting = quick;
	struct timespec jiffy;
	struct packet out;
	struct way way;
	int n = 0;

	/* A second, in jiffies: a slow machine is done with what comes first by then. */
	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy), 0);
	quick = load_like(skel, 1000000000 / jiffy.tv_nsec);
	way = known(state, false, 0);
	close_the_long_way();
	/* A port may be taken, but hardly four times in a row. */
	for (int failed = 0; failed < 4; n++) {
		failed = sent(way.out, packet_make(another(&way, n + 1)), &out) ? 0 : failed + 1;
		assert_in_range(n, 0, 200);
		usleep(10000);
	}
	assert_true(n > 4);
	/* What they are all like has just become too old. */
	for (int i = 1; i <= n; i++)
		assert_false(sent(way.out, packet_make(with(another(&way, i), ACK)), &out));
	shunt_bpf__destroy(quick);
	quick = lasting;
}

static uint64_t spread(uint64_t hash, uint64_t more) { return (hash ^ more) * 0x9e3779b97f4a7c15ULL; }
static uint32_t place(uint64_t hash, uint32_t ports) { return (hash ^ ports) * 0xd1342543de82ef95ULL >> 54; }

/* IPv4's two addresses may be the first half of IPv6's source; ports choose where they meet. */
static void a_forger_has_no_shortcut(void **state)
{
	struct way way = known(state, false, 1);
	struct packet out, first = packet_make(way.first), p;
	uint64_t a[4], h4, h6;
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];
	int met = 0;

	memcpy(a, first.data + IP6 + 8, sizeof(a));
	h4 = spread(0, a[0]);
	h6 = spread(spread(spread(h4, a[1]), a[2]), a[3]);
	inet_ntop(AF_INET, first.data + IP6 + 8, from, sizeof(from));
	inet_ntop(AF_INET, first.data + IP6 + 12, to, sizeof(to));
	for (int i = 0; !met && i < 1 << 22; i++) {
		const int sport = 1024 + (i & 0x7ff), dport = 1 + (i >> 11);
		const uint16_t pair[2] = { htons(sport), htons(dport) };
		struct spec s = way.first;
		uint32_t ports;

		memcpy(&ports, pair, sizeof(ports));
		if (place(h4, ports) != place(h6, ports))
			continue;
		met++;
		s.sport = sport;
		s.dport = dport;
		assert_true(sent(way.out, packet_make(s), &out));
		s = (struct spec){ .from = from, .to = to, .protocol = IPPROTO_TCP, .sport = sport, .dport = dport, .flags = ACK };
		p = packet_make(s);
		assert_int_equal(run("forged", way.out, &p, &out), DROPPED);
	}
	assert_int_equal(met, 1);
}

/* What will be dropped anyway makes no flow, and takes no port. */
static void what_is_dropped_begins_nothing(void **state)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int what = 0; what < 3; what++) {
			struct way way = known(state, false, v6);
			struct spec s = another(&way, 1);
			struct packet p;
			int n;

			s.ttl = what == 1 ? 1 : s.ttl;
			s.payload = what == 2 ? 1600 : 0;
			p = packet_make(s);
			if (what == 0)
				put16(p.data + (v6 ? IP6_PAYLOAD_LEN : IP4_TOT_LEN), 1400);
			n = count_entries();
			ALIKE(way.out, p);
			assert_int_equal(count_entries(), n);
		}
}

/* A flow that was for a container of this host goes to the wire once its address is there, and the other way round. */
static void who_goes_to_an_address_that_moved_is_not_lost(void **state)
{
	static const char moved[] = "198.51.100.77";
	const struct packet p = packet_make(leg(IPPROTO_UDP, alice[0], OUTSIDE, moved, 8080));
	struct packet out, want;

	fresh_begin(state);
	shell("ip neigh add %s lladdr 02:00:00:00:ff:fe dev wire nud permanent", moved);
	publish(moved, 8080, IPPROTO_UDP, BOB, bob[0], 80);
	for (int turn = 0; turn < 2; turn++) {
		LEAVES(ALICE, leg(IPPROTO_UDP, alice[0], OUTSIDE, moved, 8080));
		shell("ip address add %s/32 dev wire", moved);
		assert_int_equal(run("came", FROM_CT(ALICE), &p, &out), REDIRECTED);
		want = packet_make(leg(IPPROTO_UDP, moved, source_port(&out), bob[0], 80));
		check_packet("came", out.data, out.len, &want);
		put_interface(ALICE, 0);
		shell("ip address del %s/32 dev wire", moved);
	}
	shell("ip neigh del %s dev wire", moved);
}

/* Where the host's stack has done the routing, what is another container's does not leave. */
static void what_was_across_does_not_leave(void **state)
{
	static const char moved[] = "198.51.100.77";
	const struct hook to_wire = { "to_wire", skel->progs.shunt_to_wire, .ifindex = UPLINK };
	const struct spec s = leg(IPPROTO_UDP, endpoints[KERNEL].address4, OUTSIDE, moved, 8080);
	const struct packet p = packet_make(s);
	struct packet out, want;

	fresh_begin(state);
	masquerade(KERNEL, LOW, HIGH);
	shell("ip address add %s/32 dev wire", moved);
	publish(moved, 8080, IPPROTO_UDP, BOB, bob[0], 80);
	assert_int_equal(run("hairpin", FROM_CT(KERNEL), &p, &out), REDIRECTED);
	shell("ip address del %s/32 dev wire; ip neigh add %s lladdr 02:00:00:00:ff:fe dev wire nud permanent", moved, moved);
	assert_int_equal(run("to_wire", to_wire, &p, &out), PASS_ON);
	want = packet_make(leg(IPPROTO_UDP, host[0], source_port(&out), moved, 8080));
	check_packet("moved", out.data, out.len, &want);
	shell("ip neigh del %s dev wire", moved);
}

/* A published container that the host's stack routes answers a neighbour that is not masqueraded, and has any port. */
static void a_hairpin_to_a_kernel_routed_one_is_answered(void **state)
{
	const char *kernel = endpoints[KERNEL].address4, *stranger = endpoints[STRANGER].address4;
	struct packet out, p;

	fresh_begin(state);
	may_publish(KERNEL);
	publish(host[0], 8080, IPPROTO_TCP, KERNEL, kernel, 80);
	p = packet_make(with(leg(IPPROTO_TCP, stranger, OUTSIDE, host[0], 8080), SYN));
	assert_int_equal(run("hairpin", FROM_CT(STRANGER), &p, &out), REDIRECTED);
	p = packet_make(with(leg(IPPROTO_TCP, kernel, 80, host[0], source_port(&out)), SYN | ACK));
	assert_int_equal(run("answer", FROM_CT(KERNEL), &p, &out), REDIRECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BEGIN_TEST(a_connection_of_the_host_s_own_goes_on),
		BEGIN_TEST(an_answer_reaches_who_asked),
		BEGIN_TEST(a_label_matters_to_rules),
		BEGIN_TEST(each_class_goes_its_way),
		BEGIN_TEST(it_does_not_matter_where_their_places_are),
		BEGIN_TEST(none_outlives_what_it_was_made_of),
		BEGIN_TEST(a_forger_has_no_shortcut),
		BEGIN_TEST(what_is_dropped_begins_nothing),
		BEGIN_TEST(who_goes_to_an_address_that_moved_is_not_lost),
		BEGIN_TEST(what_was_across_does_not_leave),
		BEGIN_TEST(a_hairpin_to_a_kernel_routed_one_is_answered),
	};

	return cmocka_run_group_tests_name("begin-unlike", tests, setup, teardown);
}

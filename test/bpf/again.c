// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Flows of published ports of which nothing is known any more, and whose containers speak first. (R1 to R4 in published.h) */
#include <sys/socket.h>

#include "nat.h"

enum { PUBLIC = 8080, OTHER = 8081, INNER = 80, CLIENT = 50000 };

#define TO_WIRE() ((struct hook){ "to_wire", skel->progs.shunt_to_wire, .ifindex = UPLINK })

static const char *const any[2] = { "0.0.0.0", "::" };

#define EACH_PORT(v6, protocol) EACH_WAY(v6, protocol) if (protocol != IPPROTO_ICMP)
#define EACH_CONNECTION(v6, protocol) EACH_WAY(v6, protocol) if (protocol == IPPROTO_TCP)

static struct spec asked(int v6, int protocol)
{
	return leg(protocol, wire[v6], CLIENT, host[v6], PUBLIC);
}

/* What a container says in the midst of a connection. */
static struct spec said(int v6, int protocol, enum who who)
{
	struct spec s = leg(protocol, address_of(who, v6), INNER, wire[v6], CLIENT);

	s.flags = ACK;
	return s;
}

/* How that leaves. */
static struct spec due(int v6, int protocol)
{
	struct spec s = leg(protocol, host[v6], PUBLIC, wire[v6], CLIENT);

	s.flags = ACK;
	return s;
}

static struct shunt_published_key port_of(const char *address, int port, int protocol)
{
	struct shunt_published_key key = { .port = htons(port), .protocol = protocol };

	from_text(address, key.address);
	return key;
}

/* As the engine does: and in "answers". */
static void publish_as(const char *at, int v6, int protocol, enum who who)
{
	const struct shunt_published_key from = port_of(address_of(who, v6), INNER, protocol), by = port_of(at, PUBLIC, protocol);

	publish(at, PUBLIC, protocol, who, address_of(who, v6), INNER);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.answers), &from, &by, BPF_ANY), 0);
}

/* BOB is masqueraded as well. */
static int fresh_again(void **state)
{
	fresh_nat(state);
	empty(skel->maps.answers);
	masquerade(BOB, LOW, HIGH);
	return 0;
}

#define AGAIN_TEST(name) cmocka_unit_test_setup(name, fresh_again)

/* What leaves is what BOB himself would have begun. */
static void is_his_own(int v6, int protocol)
{
	assert_in_range(LEAVES(BOB, said(v6, protocol, BOB)), LOW, HIGH);
}

static void answers_by_its_port(int v6, int protocol)
{
	CHECK(FROM_CT(BOB), packet_make(said(v6, protocol, BOB)), REDIRECTED, .out = hop(packet_make(due(v6, protocol))));
}

static void who_speaks_first_is_heard_as_ever(void **state)
{
	for EACH_CONNECTION(v6, protocol)
		for (int all = 0; all < 2; all++) {
			struct spec in = asked(v6, protocol), as = leg(protocol, wire[v6], CLIENT, bob[v6], INNER);
			struct shunt_flow flow, back;

			fresh_again(state);
			publish_as(all ? any[v6] : host[v6], v6, protocol, BOB);
			/* That the port which the client has out there is published here as well, is nothing to it. */
			publish(host[v6], CLIENT, protocol, KERNEL, address_of(KERNEL, v6), INNER);
			in.flags = as.flags = SYN;
			ARRIVES_AS(BOB, in, as);
			answers_by_its_port(v6, protocol);
			forget_flows();
			answers_by_its_port(v6, protocol);
			assert_int_equal(count_entries(), 2);
			assert_true(has_flow(in, &flow) && has_flow(said(v6, protocol, BOB), &back));
			assert_int_equal(flow.state, SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_ANSWERED);
			assert_int_equal(back.state, SHUNT_FLOW_ANSWERED);
			in.flags = as.flags = ACK;
			ARRIVES_AS(BOB, in, as);
			answers_by_its_port(v6, protocol);
			/* One entry that is left is the same flow's. */
			lose(said(v6, protocol, BOB));
			answers_by_its_port(v6, protocol);
			lose(asked(v6, protocol));
			ARRIVES_AS(BOB, in, as);
			assert_int_equal(count_entries(), 2);
		}
}

static void the_host_s_stack_routes_it_as_well(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		fresh_again(state);
		may_publish(KERNEL);
		masquerade(KERNEL, LOW, HIGH);
		publish_as(any[v6], v6, protocol, KERNEL);
		for (int i = 0; i < 2; i++)
			CHECK(TO_WIRE(), packet_make(said(v6, protocol, KERNEL)), PASS_ON, .out = packet_make(due(v6, protocol)));
		CHECK(FROM_WIRE(), arriving(asked(v6, protocol)), PASS_ON,
		      .out = arriving(leg(protocol, wire[v6], CLIENT, address_of(KERNEL, v6), INNER)));
		assert_int_equal(count_entries(), 2);
	}
}

static void what_it_begins_itself_is_masqueraded(void **state)
{
	for EACH_PORT(v6, protocol) {
		struct spec s = said(v6, protocol, BOB);

		fresh_again(state);
		publish_as(any[v6], v6, protocol, BOB);
		s.sport = INNER + 1;
		assert_in_range(LEAVES(BOB, s), LOW, HIGH);
		s.sport = INNER;
		s.flags = SYN;
		assert_in_range(LEAVES(BOB, s), LOW, HIGH);
	}
}

/* A datagram may be its own, and has the address that its way prefers, wherever else the port is published. */
static void a_datagram_is_masqueraded(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		fresh_again(state);
		publish_as(any[v6], v6, IPPROTO_UDP, BOB);
		is_his_own(v6, IPPROTO_UDP);
	}
}

static int socket_at(int v6, int protocol, int port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(v6 ? AF_INET6 : AF_INET, (protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)), 0);
	if (protocol == IPPROTO_TCP)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* R1: "answers" alone is no reason. */
static void what_could_not_begin_is_not_made_again(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		const char *nobody = v6 ? "2001:db8:77::77" : "192.0.2.201";
		int fd;

		fresh_again(state);
		publish_as(any[v6], v6, protocol, BOB);
		fd = socket_at(v6, protocol, PUBLIC);
		is_his_own(v6, protocol);
		close(fd);

		forget_flows();
		publish(any[v6], PUBLIC, protocol, BOB, bob[v6], INNER + 1);
		is_his_own(v6, protocol);
		publish(any[v6], PUBLIC, protocol, STRANGER, address_of(STRANGER, v6), INNER);
		forget_flows();
		is_his_own(v6, protocol);
		empty(skel->maps.published);
		forget_flows();
		is_his_own(v6, protocol);

		forget_flows();
		publish_as(nobody, v6, protocol, BOB);
		is_his_own(v6, protocol);
	}
}

static void rules_are_asked_as_for_its_beginning(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		struct packet p;

		fresh_again(state);
		publish_as(any[v6], v6, protocol, BOB);
		restrict_to(BOB, SHUNT_F_ALLOW_IN);
		is_his_own(v6, protocol);
		forget_flows();
		rule(BOB, SHUNT_RULES_IN, wire[v6], v6 ? 128 : 32, protocol, INNER, INNER);
		answers_by_its_port(v6, protocol);
		assert_int_equal(count_entries(), 2);

		/* Those for what goes out come first. */
		forget_flows();
		restrict_to(BOB, SHUNT_F_ALLOW_OUT);
		p = packet_make(said(v6, protocol, BOB));
		CHECK(FROM_CT(BOB), p, REDIRECTED, .loser = BOB, .why = SHUNT_DROP_NOT_ALLOWED,
		      .out = icmp_error(&p, v6 ? GATEWAY6 : GATEWAY4, v6 ? 1 : 3, v6 ? 1 : 13, 0));
		assert_int_equal(count_entries(), 0);
	}
}

/* R2 */
static void no_flow_gives_way_to_it(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		const char *other = address_of(STRANGER, v6);
		struct shunt_flow before, after;

		fresh_again(state);
		may_publish(STRANGER);
		publish_as(any[v6], v6, protocol, STRANGER);
		ARRIVES_AS(STRANGER, asked(v6, protocol), leg(protocol, wire[v6], CLIENT, other, INNER));
		assert_true(has_flow(asked(v6, protocol), &before));
		publish_as(any[v6], v6, protocol, BOB);
		is_his_own(v6, protocol);
		assert_true(has_flow(asked(v6, protocol), &after));
		assert_memory_equal(&before.to, &after.to, sizeof(after.to));
		assert_int_equal(after.to_ifindex, IFINDEX(STRANGER));
		assert_int_equal(count_entries(), 4);
	}
}

/* Each member of a service would answer by the same port, but only one of them has been asked. */
static void of_a_service_the_one_who_was_asked_answers(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		const struct shunt_published_key key = port_of(any[v6], PUBLIC, protocol);
		struct shunt_published p = { .n = 2 };
		int answered = 0;

		fresh_again(state);
		publish_as(any[v6], v6, protocol, ALICE);
		publish_as(any[v6], v6, protocol, BOB);
		also[ALICE].flags |= SHUNT_F_PUBLISHED;
		put_interface(ALICE, 0);
		for (int i = 0; i < 2; i++) {
			p.backend[i] = (struct shunt_backend){ .ifindex = IFINDEX(i ? BOB : ALICE), .port = htons(INNER) };
			from_text(i ? bob[v6] : alice[v6], p.backend[i].address);
		}
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.published), &key, &p, BPF_ANY), 0);
		for (int port = CLIENT; port < CLIENT + 8; port++)
			for (int who = ALICE; who <= BOB; who++) {
				struct spec s = said(v6, protocol, who), in = asked(v6, protocol);
				struct shunt_flow flow;

				s.dport = in.sport = port;
				forget_flows();
				if (LEAVES(who, s) != PUBLIC)
					continue;
				answered++;
				assert_true(has_flow(in, &flow));
				forget_flows();
				CHECK(FROM_WIRE(), arriving(in), REDIRECTED,
				      .out = landed(leg(protocol, wire[v6], port, address_of(who, v6), INNER)));
			}
		assert_int_equal(answered, 8);
	}
}

/* R3: as if somebody had asked it by its own address, whom nobody keeps a flow of. */
static void what_is_not_masqueraded_goes_as_it_is(void **state)
{
	for EACH_PORT(v6, protocol) {
		const struct spec s = said(v6, protocol, STRANGER);

		fresh_again(state);
		may_publish(STRANGER);
		publish_as(host[v6], v6, protocol, STRANGER);
		CHECK(FROM_CT(STRANGER), packet_make(s), REDIRECTED, .out = hop(packet_make(s)));
		assert_int_equal(count_entries(), 0);
	}
}

/* Who asked knows by which of its own ports; the one who answers waits for that, as it hears of no reset. */
static void another_container_s_flow_waits_for_it(void **state)
{
	for EACH_PORT(v6, protocol) {
		struct spec go = leg(protocol, alice[v6], INSIDE, host[v6], PUBLIC), come = leg(protocol, host[v6], INSIDE, bob[v6], INNER);
		struct spec back = leg(protocol, bob[v6], INNER, host[v6], INSIDE), heard = leg(protocol, host[v6], PUBLIC, alice[v6], INSIDE);
		int fd;

		fresh_again(state);
		publish_as(host[v6], v6, protocol, BOB);
		go.flags = come.flags = back.flags = heard.flags = ACK;
		CHECK(FROM_CT(ALICE), packet_make(go), REDIRECTED, .out = packet_make(come));
		CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = packet_make(heard));
		forget_flows();
		if (protocol == IPPROTO_TCP) {
			CHECK(FROM_CT(BOB), packet_make(back), DROPPED, .loser = BOB, .why = SHUNT_DROP_UNTRANSLATED);
			fd = socket_at(v6, protocol, INSIDE);
			CHECK(FROM_CT(BOB), packet_make(back), PASS_ON);
			close(fd);
			back.flags = SYN;
		}
		CHECK(FROM_CT(BOB), packet_make(back), PASS_ON);
		back.flags = ACK;
		assert_int_equal(count_entries(), 0);
		CHECK(FROM_CT(ALICE), packet_make(go), REDIRECTED, .out = packet_make(come));
		CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = packet_make(heard));
	}
}

/* Several ports lead to one: a guess, but who has asked by another is not lost for good. */
static void of_several_ports_it_is_the_one_that_is_told(void **state)
{
	for EACH_CONNECTION(v6, protocol) {
		struct spec in = asked(v6, protocol), as = leg(protocol, wire[v6], CLIENT, bob[v6], INNER), out = due(v6, protocol);

		fresh_again(state);
		publish_as(any[v6], v6, protocol, BOB);
		publish(any[v6], OTHER, protocol, BOB, bob[v6], INNER);
		in.dport = out.sport = OTHER;
		ARRIVES_AS(BOB, in, as);
		CHECK(FROM_CT(BOB), packet_make(said(v6, protocol, BOB)), REDIRECTED, .out = hop(packet_make(out)));
		forget_flows();
		ARRIVES_AS(BOB, in, as);
		CHECK(FROM_CT(BOB), packet_make(said(v6, protocol, BOB)), REDIRECTED, .out = hop(packet_make(out)));
		forget_flows();
		answers_by_its_port(v6, protocol);
	}
}

static void fragments_follow_their_first(void **state)
{
	struct spec first = said(0, IPPROTO_TCP, BOB), out = due(0, IPPROTO_TCP);
	struct packet later, want;

	fresh_again(state);
	publish_as(any[0], 0, IPPROTO_TCP, BOB);
	first.frag = out.frag = IP4_MF;
	CHECK(FROM_CT(BOB), packet_make(first), REDIRECTED, .out = hop(packet_make(out)));
	/* What is behind the first has no header, nor a sum in it. */
	first.frag = out.frag = 5;
	later = packet_make(first);
	want = packet_make(out);
	memcpy(want.data + IP4 + 20, later.data + IP4 + 20, want.len - IP4 - 20);
	CHECK(FROM_CT(BOB), later, REDIRECTED, .out = hop(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AGAIN_TEST(who_speaks_first_is_heard_as_ever),
		AGAIN_TEST(the_host_s_stack_routes_it_as_well),
		AGAIN_TEST(what_it_begins_itself_is_masqueraded),
		AGAIN_TEST(a_datagram_is_masqueraded),
		AGAIN_TEST(what_could_not_begin_is_not_made_again),
		AGAIN_TEST(rules_are_asked_as_for_its_beginning),
		AGAIN_TEST(no_flow_gives_way_to_it),
		AGAIN_TEST(of_a_service_the_one_who_was_asked_answers),
		AGAIN_TEST(what_is_not_masqueraded_goes_as_it_is),
		AGAIN_TEST(another_container_s_flow_waits_for_it),
		AGAIN_TEST(of_several_ports_it_is_the_one_that_is_told),
		AGAIN_TEST(fragments_follow_their_first),
	};

	return cmocka_run_group_tests_name("again", tests, setup, teardown);
}

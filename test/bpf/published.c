// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Published ports: from the wire and back, and from one container to another by way of the host's address. */
#include <sys/socket.h>

#include "nat.h"

enum { PUBLIC = 8080, INNER = 80, CLIENT = 50000 };

/* EACH_WAY() of what has ports. */
#define EACH_PORT(v6, protocol) EACH_WAY(v6, protocol) if (protocol != IPPROTO_ICMP)

static struct spec asked(int v6, int protocol)
{
	return leg(protocol, wire[v6], CLIENT, host[v6], PUBLIC);
}

static void publish_all(enum who who)
{
	for EACH_PORT(v6, protocol)
		publish(host[v6], PUBLIC, protocol, who, address_of(who, v6), INNER);
}

static uint64_t begun(int v6, int protocol, enum who who)
{
	struct shunt_publication_key key = { .ifindex = IFINDEX(who), .host.port = htons(PUBLIC), .host.protocol = protocol };
	struct shunt_publication p;

	from_text(host[v6], key.host.address);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.publications), &key, &p), 0);
	return p.flows;
}

static void the_wire_reaches_a_published_port_and_is_answered_by_it(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		struct spec in = asked(v6, protocol), as = leg(protocol, wire[v6], CLIENT, bob[v6], INNER);
		struct spec back = leg(protocol, bob[v6], INNER, wire[v6], CLIENT);
		const struct spec due = leg(protocol, host[v6], PUBLIC, wire[v6], CLIENT);

		for (int i = 0; i < 3; i++) {
			ARRIVES_AS(BOB, in, as);
			CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = hop(packet_make(due)));
		}
		assert_int_equal(begun(v6, protocol, BOB), 1);
		/* What is not an answer has its own address. */
		back.sport = INNER + 1;
		CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = hop(packet_make(back)));
		/* To another port, address or protocol, it is not what was published. */
		in.dport++;
		CHECK(FROM_WIRE(), arriving(in), PASS_ON);
		in = asked(v6, protocol);
		in.to = v6 ? NARROW6 : NARROW4;
		CHECK(FROM_WIRE(), arriving(in), PASS_ON);
		in = leg(IPPROTO_ICMP, wire[v6], PUBLIC, host[v6], 0);
		CHECK(FROM_WIRE(), arriving(in), PASS_ON);
	}
}

static void ports_of_all_addresses_are_those_of_the_host(void **state)
{
	(void)state;
	for EACH_PORT(v6, protocol) {
		struct spec in = asked(v6, protocol), as = leg(protocol, wire[v6], CLIENT, bob[v6], INNER);

		publish(v6 ? "::" : "0.0.0.0", PUBLIC, protocol, BOB, bob[v6], INNER);
		ARRIVES_AS(BOB, in, as);
		in.to = v6 ? NARROW6 : NARROW4;
		CHECK(FROM_WIRE(), arriving(in), PASS_ON);
	}
}

static void a_backend_has_its_own_ways(void **state)
{
	struct spec in = asked(0, IPPROTO_TCP), as = leg(IPPROTO_TCP, WIRE4, CLIENT, "10.207.0.7", INNER);

	(void)state;
	publish(HOST4, PUBLIC, IPPROTO_TCP, ETHER, as.to, INNER);
	CHECK(FROM_WIRE(), arriving(in), REDIRECTED, .out = macs(hop(packet_make(as)), ETHER_MAC, ETHER_MAC));
	forget_flows();
	as.to = "10.207.0.6";
	publish(HOST4, PUBLIC, IPPROTO_TCP, KERNEL, as.to, INNER);
	CHECK(FROM_WIRE(), arriving(in), PASS_ON, .out = arriving(as));
}

/* By both drivers: A -> H:h -> B, and back. Return: the port that B sees. */
static int hairpin(enum who a, enum who b, int v6, int protocol, int port)
{
	const char *from = address_of(a, v6), *to = address_of(b, v6);
	struct packet in = packet_make(leg(protocol, from, port, host[v6], PUBLIC)), out, want;
	struct spec back, due;
	int n;

	assert_int_equal(run("hairpin", FROM_CT(a), &in, &out), REDIRECTED);
	n = source_port(&out);
	want = packet_make(leg(protocol, host[v6], n, to, INNER));
	check_packet("hairpin", out.data, out.len, &want);
	check_counters("hairpin", &(struct outcome){ 0 });
	back = leg(protocol, to, INNER, host[v6], n);
	due = leg(protocol, host[v6], PUBLIC, from, port);
	CHECK(FROM_CT(b), packet_make(back), REDIRECTED, .out = packet_make(due));
	CHECK(FROM_VETH(a), in, REDIRECTED, .out = want);
	CHECK(FROM_VETH(b), packet_make(back), REDIRECTED, .out = packet_make(due));
	return n;
}

static void take_back(const char *at, int protocol, enum who who)
{
	struct shunt_publication_key key = { .ifindex = IFINDEX(who), .host.port = htons(PUBLIC), .host.protocol = protocol };

	from_text(at, key.host.address);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.publications), &key), 0);
}

/* Whoever else may have it by then: here nobody looks who has. */
static void a_port_that_is_taken_back_ends_its_flows(void **state)
{
	static const char *const any[2] = { "0.0.0.0", "::" };

	for EACH_PORT(v6, protocol) {
		for (int all = 0; all < 2; all++) {
			const char *at = all ? any[v6] : host[v6];
			struct spec in = asked(v6, protocol), as = leg(protocol, wire[v6], CLIENT, bob[v6], INNER);
			struct spec back = leg(protocol, bob[v6], INNER, wire[v6], CLIENT);
			const struct spec due = leg(protocol, host[v6], PUBLIC, wire[v6], CLIENT);
			struct spec across = leg(protocol, alice[v6], CLIENT, host[v6], PUBLIC);

			fresh_nat(state);
			publish(at, PUBLIC, protocol, BOB, bob[v6], INNER);
			ARRIVES_AS(BOB, in, as);
			/* Each is asked anew in each unit of the clock. */
			age(in, 2);
			ARRIVES_AS(BOB, in, as);
			age(back, 2);
			CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = hop(packet_make(due)));
			if (!all)
				hairpin(ALICE, BOB, v6, protocol, CLIENT);
			empty(skel->maps.published);
			take_back(at, protocol, BOB);
			age(back, 2);
			CHECK(FROM_CT(BOB), packet_make(back), REDIRECTED, .out = hop(packet_make(back)));
			age(in, 2);
			CHECK(FROM_WIRE(), arriving(in), PASS_ON);
			assert_false(has_flow(in, NULL));
			if (!all) {
				age(across, 2);
				CHECK(FROM_CT(ALICE), packet_make(across), PASS_ON);
				assert_false(has_flow(across, NULL));
			}
		}
	}
}

static void another_container_reaches_it_by_the_host_s_address(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		assert_int_equal(hairpin(ALICE, BOB, v6, protocol, INSIDE), INSIDE);
		assert_in_range(hairpin(ALICE, BOB, v6, protocol, OUTSIDE), LOW, HIGH);
		assert_int_equal(begun(v6, protocol, BOB), 2);
		/* One that is not masqueraded keeps its port where it can. */
		assert_int_equal(hairpin(STRANGER, BOB, v6, protocol, OUTSIDE), OUTSIDE);
		assert_int_not_equal(hairpin(STRANGER, BOB, v6, protocol, INSIDE), INSIDE);
		/* Nor has it one whose answers would be begun as flows to a third, were this one lost. */
		publish(host[v6], CLIENT, protocol, KERNEL, address_of(KERNEL, v6), INNER);
		assert_int_not_equal(hairpin(STRANGER, BOB, v6, protocol, CLIENT), CLIENT);
	}
}

/* That is about our own addresses: a port out there is whose it is. */
static void who_asks_from_a_port_that_is_published_here_keeps_it(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		publish(host[v6], CLIENT, protocol, KERNEL, address_of(KERNEL, v6), INNER);
		ARRIVES_AS(BOB, asked(v6, protocol), leg(protocol, wire[v6], CLIENT, bob[v6], INNER));
	}
}

static void a_container_reaches_its_own_port_by_the_host_s_address(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol)
		assert_int_equal(hairpin(BOB, BOB, v6, protocol, OUTSIDE), OUTSIDE);
	also[ALICE].flags |= SHUNT_F_PUBLISHED;
	put_interface(ALICE, 0);
	publish_all(ALICE);
	for EACH_PORT(v6, protocol)
		assert_in_range(hairpin(ALICE, ALICE, v6, protocol, OUTSIDE), LOW, HIGH);
}

static void a_published_port_is_no_way_out(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		const struct spec s = leg(protocol, address_of(HERMIT, v6), CLIENT, host[v6], PUBLIC);

		CHECK(FROM_CT(HERMIT), packet_make(s), PASS_ON);
	}
	assert_int_equal(count_entries(), 0);
}

/* What one container's flow is, no other's packet is of. */
static void a_flow_is_its_container_s(void **state)
{
	(void)state;
	publish_all(BOB);
	may_publish(STRANGER);
	for EACH_PORT(v6, protocol) {
		const char *other = address_of(STRANGER, v6);
		struct spec s = leg(protocol, other, INNER, wire[v6], CLIENT);

		ARRIVES_AS(BOB, asked(v6, protocol), leg(protocol, wire[v6], CLIENT, bob[v6], INNER));
		CHECK(FROM_CT(STRANGER), packet_make(s), REDIRECTED, .out = hop(packet_make(s)));
		s.from = bob[v6];
		CHECK(FROM_CT(STRANGER), packet_make(s), DROPPED, .loser = STRANGER, .why = SHUNT_DROP_SPOOFED);
	}
}

static int listen_at(int v6, int protocol, int port)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(v6 ? AF_INET6 : AF_INET, (protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);

	assert_int_equal(inet_pton(AF_INET, HOST4, &a4.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, HOST6, &a6.sin6_addr), 1);
	assert_int_equal(bind(fd, v6 ? (void *)&a6 : (void *)&a4, v6 ? sizeof(a6) : sizeof(a4)), 0);
	if (protocol == IPPROTO_TCP)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* F4 */
static void no_socket_of_the_host_loses_a_packet(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		int fd = listen_at(v6, protocol, PUBLIC);
		struct packet p = packet_make(leg(protocol, alice[v6], INSIDE, host[v6], PUBLIC));

		CHECK(FROM_WIRE(), arriving(asked(v6, protocol)), PASS_ON);
		CHECK(FROM_CT(ALICE), p, PASS_ON);
		close(fd);
		fd = listen_at(v6, protocol, INSIDE);
		assert_int_not_equal(hairpin(ALICE, BOB, v6, protocol, INSIDE), INSIDE);
		assert_int_not_equal(LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, wire[v6], 443)), INSIDE);
		close(fd);
	}
}

static void who_has_two_ways_to_one_socket_is_two_peers_to_it(void **state)
{
	(void)state;
	publish_all(BOB);
	for EACH_PORT(v6, protocol) {
		struct spec in = asked(v6, protocol), due;
		struct packet p, out, want;

		publish(host[v6], PUBLIC + 1, protocol, BOB, bob[v6], INNER);
		ARRIVES_AS(BOB, in, leg(protocol, wire[v6], CLIENT, bob[v6], INNER));
		in.dport++;
		p = arriving(in);
		assert_int_equal(run("second", FROM_WIRE(), &p, &out), REDIRECTED);
		assert_in_range(source_port(&out), 1024, 65535);
		assert_int_not_equal(source_port(&out), CLIENT);
		due = leg(protocol, wire[v6], source_port(&out), bob[v6], INNER);
		want = landed(due);
		check_packet("second", out.data, out.len, &want);
		put_interface(BOB, 0);
		CHECK(FROM_CT(BOB), packet_make(leg(protocol, bob[v6], INNER, wire[v6], due.sport)), REDIRECTED,
		      .out = hop(packet_make(leg(protocol, host[v6], PUBLIC + 1, wire[v6], CLIENT))));
	}
}

static void a_forged_source_begins_nothing(void **state)
{
	static const char *const sources[] = {
		ALICE4, BOB4, "127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.1.1", "255.255.255.255",
		ALICE6, BOB6, "::1", "::", "ff02::1", "fe80::1",
	};

	(void)state;
	publish_all(BOB);
	for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++)
		for (int tcp = 0; tcp < 2; tcp++)
			CHECK(FROM_WIRE(), arriving(leg(tcp ? IPPROTO_TCP : IPPROTO_UDP, sources[i], CLIENT,
				host[strchr(sources[i], ':') != NULL], PUBLIC)), PASS_ON);
	assert_int_equal(count_entries(), 0);
}

/* Who goes on sending to a published port reaches whoever answers there now (F5). */
static void a_backend_that_is_gone_has_a_successor(void **state)
{
	const uint32_t ifindex = IFINDEX(BOB);

	for EACH_PORT(v6, protocol)
		for (int same_address = 0; same_address < 2; same_address++) {
			const char *successor = same_address ? bob[v6] : address_of(STRANGER, v6);
			struct spec as = leg(protocol, wire[v6], CLIENT, successor, INNER), in = asked(v6, protocol), due = in;
			struct packet p = arriving(in), out, want = landed(as);

			fresh_nat(state);
			may_publish(STRANGER);
			publish_all(BOB);
			ARRIVES_AS(BOB, in, leg(protocol, wire[v6], CLIENT, bob[v6], INNER));
			assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.interfaces), &ifindex), 0);
			publish(host[v6], PUBLIC, protocol, STRANGER, successor, INNER);
			for (int again = 0; again < 2; again++) {
				assert_int_equal(run("successor", FROM_WIRE(), &p, &out), REDIRECTED);
				check_packet("successor", out.data, out.len, &want);
			}
			put_interface(BOB, 0);
			put_interface(STRANGER, 0);
			if (same_address)
				continue;
			due = leg(protocol, host[v6], PUBLIC, wire[v6], CLIENT);
			as = leg(protocol, successor, INNER, wire[v6], CLIENT);
			CHECK(FROM_CT(STRANGER), packet_make(as), REDIRECTED, .out = hop(packet_make(due)));
		}
}

/* The same from a container, whose entry the one before it with its address may have left as well. */
static void a_hairpin_begins_anew_where_an_end_of_it_is_gone(void **state)
{
	for EACH_PORT(v6, protocol)
		for (int end = 0; end < 2; end++) {
			struct spec out = leg(protocol, address_of(STRANGER, v6), CLIENT, host[v6], PUBLIC);
			struct spec back = leg(protocol, bob[v6], INNER, host[v6], CLIENT);
			struct shunt_flow flow;

			fresh_nat(state);
			publish_all(BOB);
			assert_int_equal(hairpin(STRANGER, BOB, v6, protocol, CLIENT), CLIENT);
			age(out, 2);
			age(back, 2);
			assert_true(has_flow(out, &flow));
			*(end ? &flow.to_ifindex : &flow.from_ifindex) = 9999;
			set_flow(out, &flow);
			assert_true(has_flow(back, &flow));
			*(end ? &flow.from_ifindex : &flow.to_ifindex) = 9999;
			set_flow(back, &flow);
			assert_int_equal(hairpin(STRANGER, BOB, v6, protocol, CLIENT), CLIENT);
			/* Nor does age matter to who begins anew. */
			age(out, 100000);
			age(back, 100000);
			assert_int_equal(hairpin(STRANGER, BOB, v6, protocol, CLIENT), CLIENT);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(the_wire_reaches_a_published_port_and_is_answered_by_it),
		NAT_TEST(ports_of_all_addresses_are_those_of_the_host),
		NAT_TEST(a_backend_has_its_own_ways),
		NAT_TEST(a_port_that_is_taken_back_ends_its_flows),
		NAT_TEST(another_container_reaches_it_by_the_host_s_address),
		NAT_TEST(who_asks_from_a_port_that_is_published_here_keeps_it),
		NAT_TEST(a_container_reaches_its_own_port_by_the_host_s_address),
		NAT_TEST(a_published_port_is_no_way_out),
		NAT_TEST(a_flow_is_its_container_s),
		NAT_TEST(no_socket_of_the_host_loses_a_packet),
		NAT_TEST(who_has_two_ways_to_one_socket_is_two_peers_to_it),
		NAT_TEST(a_forged_source_begins_nothing),
		NAT_TEST(a_backend_that_is_gone_has_a_successor),
		NAT_TEST(a_hairpin_begins_anew_where_an_end_of_it_is_gone),
	};

	return cmocka_run_group_tests_name("published", tests, setup, teardown);
}

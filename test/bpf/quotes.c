// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Flows in parts: fragments, and what ICMP errors quote of them. */
#include "nat.h"

/* The part of a packet's payload (behind the network header) from @from up to @to, both multiples of 8 but at the end. */
static struct packet part(const struct packet *whole, size_t from, size_t to, uint32_t id)
{
	const size_t head = ETH_HLEN + (is4(whole) ? 20 : 40), size = whole->len - head;
	const bool more = to < size;
	struct packet p = *whole;
	uint8_t *ip = p.data + ETH_HLEN, *at = p.data + head;

	if (to > size)
		to = size;
	if (is4(whole)) {
		put16(ip + 4, id);
		put16(ip + 6, (more ? IP4_MF : 0) | from / 8);
	} else {
		const uint8_t header[8] = { ip[6], 0, from >> 8, from | more, id >> 24, id >> 16, id >> 8, id };

		ip[6] = IPPROTO_FRAGMENT;
		memcpy(at, header, 8);
		at += 8;
	}
	memcpy(at, whole->data + head + from, to - from);
	p.len = at + (to - from) - p.data;
	put16(ip + (is4(whole) ? 2 : 4), p.len - head + (is4(whole) ? 20 : 0));
	if (is4(whole))
		seal4(&p);
	return p;
}

enum { FIRST = 1 << 0, SECOND = 1 << 1, LAST = 1 << 2 };

static struct packet third(const struct packet *whole, int which, uint32_t id)
{
	const int from = which == FIRST ? 0 : which == SECOND ? 1000 : 2000;

	return part(whole, from, which == LAST ? whole->len : from + 1000U, id);
}

static struct spec large(struct spec s)
{
	s.payload = 2500;
	return s;
}

static void fragments_follow_the_first(void **state)
{
	uint32_t id = 0x1000;

	(void)state;
	for EACH_WAY(v6, protocol) {
		const int there = remote(protocol);
		struct packet in = packet_make(large(leg(protocol, alice[v6], INSIDE, wire[v6], there)));
		struct packet out = hop(packet_make(large(leg(protocol, host[v6], INSIDE, wire[v6], there))));
		struct packet back = arriving(large(leg(protocol, wire[v6], there, host[v6], INSIDE)));
		struct packet as = landed(large(leg(protocol, wire[v6], there, alice[v6], INSIDE)));
		static const int order[][3] = { { FIRST, SECOND, LAST }, { FIRST, LAST, SECOND } };

		for (int i = 0; i < 4; i++, id++)
			for (int j = 0; j < 3; j++) {
				const int which = order[i % 2][j];

				CHECK(FROM_CT(ALICE), third(&in, which, id), REDIRECTED,
				      .out = third(&out, which, id));
				CHECK(FROM_WIRE(), third(&back, which, id), REDIRECTED,
				      .out = third(&as, which, id));
			}
	}
}

static void fragments_of_nobody_knows_what_stay(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		const int there = remote(protocol);
		struct packet in = packet_make(large(leg(protocol, alice[v6], INSIDE, wire[v6], there)));
		struct packet back = arriving(large(leg(protocol, wire[v6], there, host[v6], INSIDE)));

		for (int which = SECOND; which <= LAST; which <<= 1) {
			CHECK(FROM_CT(ALICE), third(&in, which, 7), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
			CHECK(FROM_WIRE(), third(&back, which, 7), PASS_ON);
		}
		/* A header in parts. */
		if (protocol == IPPROTO_TCP)
			CHECK(FROM_CT(ALICE), part(&in, 0, 16, 8), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
	}
	assert_int_equal(count_entries(), 0);
}

/* Another datagram of the same identification, that is of no flow. */
static void an_identification_comes_again(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet back = arriving(large(leg(IPPROTO_UDP, wire[v6], 443, host[v6], INSIDE)));
		struct packet other = arriving(large(leg(IPPROTO_UDP, wire[v6], 444, host[v6], INSIDE)));
		struct packet in = third(&back, FIRST, 9), out;

		LEAVES(ALICE, leg(IPPROTO_UDP, alice[v6], INSIDE, wire[v6], 443));
		assert_int_equal(run("first", FROM_WIRE(), &in, &out), REDIRECTED);
		put_interface(ALICE, 0);
		CHECK(FROM_WIRE(), third(&other, FIRST, 9), PASS_ON);
		CHECK(FROM_WIRE(), third(&other, SECOND, 9), PASS_ON);
	}
}

static void fragments_reach_a_published_port_from_anywhere(void **state)
{
	uint32_t id = 0x2000;

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *stranger = address_of(STRANGER, v6);
		struct packet in = arriving(large(leg(IPPROTO_UDP, wire[v6], 5000, host[v6], 8080)));
		struct packet as = landed(large(leg(IPPROTO_UDP, wire[v6], 5000, bob[v6], 80)));
		struct packet pin = packet_make(large(leg(IPPROTO_UDP, stranger, 5000, host[v6], 8080)));
		struct packet pas = packet_make(large(leg(IPPROTO_UDP, host[v6], 5000, bob[v6], 80)));
		struct packet back = packet_make(large(leg(IPPROTO_UDP, bob[v6], 80, host[v6], 5000)));
		struct packet bas = packet_make(large(leg(IPPROTO_UDP, host[v6], 8080, stranger, 5000)));

		publish(host[v6], 8080, IPPROTO_UDP, BOB, bob[v6], 80);
		for (int which = FIRST; which <= LAST; which <<= 1) {
			CHECK(FROM_WIRE(), third(&in, which, id), REDIRECTED, .out = third(&as, which, id));
			CHECK(FROM_CT(STRANGER), third(&pin, which, id), REDIRECTED,
			      .out = third(&pas, which, id));
			CHECK(FROM_CT(BOB), third(&back, which, id), REDIRECTED, .out = third(&bas, which, id));
		}
	}
}

/* All that is quoted, and as little as there may be; of TCP also up to its checksum, and not so far. */
static const size_t quotes[] = { 8, 12, 16, 18, 20, 40 };

static struct packet error_about(const struct packet *offender, const char *teller, size_t quote)
{
	const bool v4 = is4(offender);

	return icmp_quoting(offender, teller, v4 ? 3 : 1, v4 ? 1 : 3, 0, quote + (v4 ? 20 : 40));
}

/* Of a router on the way, and of the other end itself. */
static void an_error_from_the_wire_is_told_in_the_container_s_words(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol)
		for (int unsummed = 0; unsummed <= (protocol == IPPROTO_UDP); unsummed++)
			for (int i = 0; i < 12; i++) {
				struct spec s = leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol));
				const char *teller = i < 6 ? router[v6] : wire[v6];
				struct packet sent, known, in, as;

				s.unsummed = unsummed;
				known = hop(packet_make(s));
				s.sport = LEAVES(ALICE, s);
				s.from = host[v6];
				sent = hop(packet_make(s));
				in = macs(error_about(&sent, teller, quotes[i % 6]), UPLINK_MAC, ROUTER_MAC);
				as = macs(hop(error_about(&known, teller, quotes[i % 6])), NO_MAC, NO_MAC);
				CHECK(FROM_WIRE(), in, REDIRECTED, .out = as);
				CHECK(FROM_WIRE(.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE), in, REDIRECTED,
				      .out = as);
			}
}

/* About what it got: as the host, and about what the wire sent. */
static void a_container_s_error_is_told_in_the_host_s_words(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol)
		for (int i = 0; i < 6; i++) {
			struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], 0), as = back;
			struct packet got, sent;

			back.dport = LEAVES(ALICE, leg(protocol, alice[v6], OUTSIDE, wire[v6], remote(protocol)));
			as.to = alice[v6];
			as.dport = OUTSIDE;
			got = macs(hop(packet_make(as)), NO_MAC, NO_MAC);
			sent = macs(hop(packet_make(back)), NO_MAC, NO_MAC);
			CHECK(FROM_CT(ALICE), error_about(&got, alice[v6], quotes[i]), REDIRECTED,
			      .out = hop(error_about(&sent, host[v6], quotes[i])));
		}
}

static void errors_find_their_way_through_a_hairpin(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++)
		for (int tcp = 0; tcp < 2; tcp++) {
			const int protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
			struct packet in = packet_make(leg(protocol, alice[v6], INSIDE, host[v6], 8080));
			struct packet as = packet_make(leg(protocol, host[v6], INSIDE, bob[v6], 80));
			struct packet back = packet_make(leg(protocol, bob[v6], 80, host[v6], INSIDE));
			struct packet home = packet_make(leg(protocol, host[v6], 8080, alice[v6], INSIDE));

			publish(host[v6], 8080, protocol, BOB, bob[v6], 80);
			CHECK(FROM_CT(ALICE), in, REDIRECTED, .out = as);
			CHECK(FROM_CT(BOB), error_about(&as, bob[v6], 8), REDIRECTED,
			      .out = error_about(&in, host[v6], 8));
			CHECK(FROM_CT(ALICE), error_about(&home, alice[v6], 8), REDIRECTED,
			      .out = error_about(&back, host[v6], 8));
		}
}

#define TO_WIRE() ((struct hook){ "to_wire", skel->progs.shunt_to_wire, .ifindex = UPLINK })

/* What it did not let through to a container, and has seen with the container's address: for a published port, and masqueraded. */
static void an_error_of_the_host_s_stack_is_told_in_the_host_s_words(void **state)
{
	(void)state;
	masquerade(KERNEL, LOW, HIGH);
	may_publish(KERNEL);
	for EACH_WAY(v6, protocol) {
		const char *kernel = address_of(KERNEL, v6);
		struct spec asked = leg(protocol, wire[v6], 5000, host[v6], 8080), as = leg(protocol, wire[v6], 5000, kernel, 80);
		struct packet out = packet_make(leg(protocol, kernel, INSIDE, wire[v6], 0)), in, seen;

		if (protocol == IPPROTO_ICMP) {
			asked = leg(protocol, wire[v6], 0, host[v6], INSIDE);
			as = leg(protocol, wire[v6], 0, kernel, INSIDE);
			CHECK(TO_WIRE(), out, PASS_ON, .out = packet_make(leg(protocol, host[v6], INSIDE, wire[v6], 0)));
		} else {
			publish(host[v6], 8080, protocol, KERNEL, kernel, 80);
		}
		in = arriving(asked);
		seen = arriving(as);
		CHECK(FROM_WIRE(), in, PASS_ON, .out = seen);
		for (int i = 0; i < 6; i++)
			CHECK(TO_WIRE(), error_about(&seen, host[v6], quotes[i]), PASS_ON,
			      .out = error_about(&in, host[v6], quotes[i]));
	}
}

/* About what came to the host itself, and to a container by its own address; and what is no error. */
static void what_else_the_host_tells_stays(void **state)
{
	(void)state;
	masquerade(KERNEL, LOW, HIGH);
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet own = arriving(leg(IPPROTO_UDP, wire[v6], 5000, host[v6], 8080));
		struct packet seen = arriving(leg(IPPROTO_UDP, wire[v6], 5000, address_of(KERNEL, v6), 80));

		CHECK(TO_WIRE(), error_about(&own, host[v6], 8), PASS_ON);
		CHECK(TO_WIRE(), error_about(&seen, host[v6], 8), PASS_ON);
		CHECK(FROM_WIRE(), seen, PASS_ON);
		CHECK(TO_WIRE(), error_about(&seen, host[v6], 8), PASS_ON);
		CHECK(TO_WIRE(), packet_make(leg(IPPROTO_ICMP, host[v6], 7, wire[v6], 0)), PASS_ON);
	}
}

static void what_quotes_nothing_of_ours_is_not_ours(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct packet sent = hop(packet_make(leg(protocol, host[v6], INSIDE, wire[v6], remote(protocol)))), e, p = sent;

		/* Unknown; of another version; cut; quoting options or an extension header, or a later fragment. */
		CHECK(FROM_WIRE(), macs(error_about(&sent, router[v6], 8), UPLINK_MAC, ROUTER_MAC), PASS_ON);
		LEAVES(ALICE, leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol)));
		CHECK(FROM_WIRE(), macs(error_about(&sent, router[v6], 7), UPLINK_MAC, ROUTER_MAC), PASS_ON);
		e = macs(error_about(&sent, router[v6], 8), UPLINK_MAC, ROUTER_MAC);
		e.data[ETH_HLEN + (v6 ? 48 : 28)] = v6 ? 0x50 : 0x46;
		CHECK(FROM_WIRE(), e, PASS_ON);
		p = v6 ? part(&sent, 0, 16, 1) : part(&sent, 8, 16, 1);
		CHECK(FROM_WIRE(), macs(error_about(&p, router[v6], 8), UPLINK_MAC, ROUTER_MAC), PASS_ON);
		/* To another than whom it would be about; from nobody who could be out there. */
		e = macs(error_about(&sent, router[v6], 8), UPLINK_MAC, ROUTER_MAC);
		e.data[v6 ? IP6 + 39 : IP4 + 19]++;
		CHECK(FROM_WIRE(), e, PASS_ON);
		CHECK(FROM_WIRE(), macs(error_about(&sent, alice[v6], 8), UPLINK_MAC, ROUTER_MAC), PASS_ON);
		CHECK(FROM_WIRE(), macs(error_about(&sent, v6 ? "::1" : "127.0.0.1", 8), UPLINK_MAC, ROUTER_MAC), PASS_ON);
	}
}

/* A container may quote what it likes. */
static void an_error_harms_nobody_else_s_flow(void **state)
{
	(void)state;
	masquerade(LONER, LOW, HIGH);
	for EACH_WAY(v6, protocol) {
		struct spec out = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE);
		struct packet got = packet_make(leg(protocol, wire[v6], remote(protocol), alice[v6], INSIDE));
		struct packet sent = packet_make(back);
		const char *loner = address_of(LONER, v6);
		struct packet e;

		LEAVES(ALICE, out);
		CHECK(FROM_CT(LONER), error_about(&got, loner, 8), DROPPED, .loser = LONER, .why = SHUNT_DROP_UNTRANSLATED);
		CHECK(FROM_CT(LONER), error_about(&sent, loner, 8), DROPPED, .loser = LONER, .why = SHUNT_DROP_UNTRANSLATED);
		assert_true(has_flow(out, NULL));
		assert_true(has_flow(back, NULL));
		/* Nor does its sender's own go where it should not. */
		e = error_about(&got, alice[v6], 8);
		inet_pton(v6 ? AF_INET6 : AF_INET, router[v6], e.data + (v6 ? IP6 + 24 : IP4 + 16));
		if (!v6)
			seal4(&e);
		CHECK(FROM_CT(ALICE), e, DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
	}
}

/* RFC 5508, 3.2 */
static void an_error_keeps_no_flow_alive_and_ends_none(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct spec out = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
		struct spec back = leg(protocol, wire[v6], remote(protocol), host[v6], INSIDE);
		struct packet sent = hop(packet_make(leg(protocol, host[v6], INSIDE, wire[v6], remote(protocol))));
		struct packet in = macs(error_about(&sent, router[v6], 8), UPLINK_MAC, ROUTER_MAC);
		struct packet as = hop(error_about(&sent, router[v6], 8));
		struct shunt_flow before, after;

		LEAVES(ALICE, out);
		age(back, 20);
		assert_true(has_flow(back, &before));
		assert_int_equal(run("error", FROM_WIRE(), &in, &as), REDIRECTED);
		assert_true(has_flow(back, &after));
		assert_memory_equal(&before, &after, sizeof(before));
		put_interface(ALICE, 0);
		age(back, 1000);
		CHECK(FROM_WIRE(), in, PASS_ON);
		assert_true(has_flow(out, NULL));
	}
}

/* IPv6's packets can have addresses that look like IPv4's in a tuple, and no flow: not by themselves, nor by what they quote. */
static void mapped_addresses_are_of_no_flow(void **state)
{
	static const char there[] = "::ffff:" WIRE4, inside[] = "::ffff:" ALICE4, outside[] = "::ffff:" HOST4;
	struct spec back = leg(IPPROTO_TCP, there, 443, outside, INSIDE);
	struct shunt_flow before, after;
	struct packet got = packet_make(leg(IPPROTO_TCP, there, 443, inside, OUTSIDE)), sent;

	(void)state;
	back.dport = LEAVES(ALICE, leg(IPPROTO_TCP, ALICE4, OUTSIDE, WIRE4, 443));
	assert_true(has_flow(back, &before));
	/* It would leave with the container's own address: the flow has no other for it. */
	CHECK(FROM_CT(ALICE), error_about(&got, ALICE6, 8), DROPPED, .loser = ALICE, .why = SHUNT_DROP_UNTRANSLATED);
	CHECK(FROM_CT(ALICE), packet_make(leg(IPPROTO_TCP, ALICE6, OUTSIDE, there, 443)), DROPPED, .loser = ALICE,
	      .why = SHUNT_DROP_UNTRANSLATED);
	back.flags = RST;
	CHECK(FROM_WIRE(), arriving(back), PASS_ON);
	sent = packet_make(leg(IPPROTO_TCP, outside, back.dport, there, 443));
	CHECK(FROM_WIRE(), macs(error_about(&sent, ROUTER6, 8), UPLINK_MAC, ROUTER_MAC), PASS_ON);
	assert_true(has_flow(back, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	/* Nor does one begin: which of the host's sockets has it, could not be asked. */
	publish(HOST6, 8080, IPPROTO_TCP, BOB, BOB6, 80);
	CHECK(FROM_WIRE(), arriving(leg(IPPROTO_TCP, there, OUTSIDE, HOST6, 8080)), PASS_ON);
	assert_int_equal(count_entries(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(fragments_follow_the_first),
		NAT_TEST(fragments_of_nobody_knows_what_stay),
		NAT_TEST(an_identification_comes_again),
		NAT_TEST(fragments_reach_a_published_port_from_anywhere),
		NAT_TEST(an_error_from_the_wire_is_told_in_the_container_s_words),
		NAT_TEST(a_container_s_error_is_told_in_the_host_s_words),
		NAT_TEST(errors_find_their_way_through_a_hairpin),
		NAT_TEST(an_error_of_the_host_s_stack_is_told_in_the_host_s_words),
		NAT_TEST(what_else_the_host_tells_stays),
		NAT_TEST(what_quotes_nothing_of_ours_is_not_ours),
		NAT_TEST(an_error_harms_nobody_else_s_flow),
		NAT_TEST(an_error_keeps_no_flow_alive_and_ends_none),
		NAT_TEST(mapped_addresses_are_of_no_flow),
	};

	return cmocka_run_group_tests_name("quotes", tests, setup, teardown);
}

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Where packets really arrive, frame by frame. */
#include "live.h"

static void the_wire_gets_what_a_container_sends(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4));

	(void)state;
	inject(CT1, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = WIRE6));
	inject(CT1, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
}

static void a_container_gets_what_the_wire_sends(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT2]), UPLINK_MAC, ROUTER_MAC);

	(void)state;
	inject(WIRE, &p);
	ARRIVES(CT2, macs(hop(p), NO_MAC, NO_MAC));
	p = macs(PACKET(.from = WIRE6, .to = ct6[CT2]), UPLINK_MAC, ROUTER_MAC);
	inject(WIRE, &p);
	ARRIVES(CT2, macs(hop(p), NO_MAC, NO_MAC));
}

static void a_wire_without_mac_header_carries_both_ways(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = NARROW4));
	struct packet in = PACKET(.from = NARROW4, .to = ct4[CT1]);

	(void)state;
	inject(CT1, &p);
	ARRIVES(TUNNEL, hop(p));
	inject(TUNNEL, &in);
	ARRIVES(CT1, hop(in));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = NARROW6));
	inject(CT1, &p);
	ARRIVES(TUNNEL, hop(p));
	in = PACKET(.from = NARROW6, .to = ct6[CT1]);
	inject(TUNNEL, &in);
	ARRIVES(CT1, hop(in));
}

static void a_wire_without_mac_header_is_answered(void **state)
{
	struct packet p = PACKET(.from = NARROW4, .to = ct4[CT1], .ttl = 1);

	(void)state;
	inject(TUNNEL, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY4, 11, 0, 0));
	p = PACKET(.from = NARROW6, .to = ct6[CT1], .ttl = 1);
	inject(TUNNEL, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY6, 3, 0, 0));
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_TTL], 2);
}

/* The host's own packets stay as they are, without a MAC header: it answers a ping. */
static void a_wire_without_mac_header_still_reaches_the_host(void **state)
{
	struct packet p = PACKET(.from = NARROW4, .to = "198.51.100.1", .protocol = IPPROTO_ICMP);
	struct pollfd wait = { .fd = place[TUNNEL], .events = POLLIN };
	uint8_t reply[PACKET_MAX];

	(void)state;
	inject(TUNNEL, &p);
	do {
		assert_int_equal(poll(&wait, 1, 2000), 1);
		assert_true(read(place[TUNNEL], reply, sizeof(reply)) > 20);
	} while (reply[0] != 0x45 || reply[9] != IPPROTO_ICMP);
	assert_int_equal(reply[20], 0);
	assert_memory_equal(reply + 16, p.data + IP4 + 12, 4);
}

static void the_wire_is_answered_by_the_way_that_the_route_says(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT1], .ttl = 1), UPLINK_MAC, ROUTER_MAC);

	(void)state;
	inject(WIRE, &p);
	ARRIVES(WIRE, icmp_error(&p, GATEWAY4, 11, 0, 0));
	/* Came by the wire, but its sender is behind the tunnel. */
	p = macs(PACKET(.from = NARROW6, .to = ct6[CT1], .ttl = 1), UPLINK_MAC, ROUTER_MAC);
	inject(WIRE, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY6, 3, 0, 0));
}

static void a_container_gets_what_another_sends(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = ct4[CT2]));

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT2, p);
	p = from(CT2, PACKET(.from = ct6[CT2], .to = ct6[CT1]));
	inject(CT2, &p);
	ARRIVES(CT1, p);
}

static void the_wire_gets_what_is_sent_in_the_sender_s_context(void **state)
{
	struct packet p = PACKET(.from = "10.207.0.7", .to = WIRE4);

	(void)state;
	inject(NK, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
	p = PACKET(.from = "fd07::7", .to = NARROW6);
	inject(NK, &p);
	ARRIVES(TUNNEL, hop(p));
}

/* The frame goes by CT2's host end. */
static void a_container_gets_what_is_sent_in_the_sender_s_context(void **state)
{
	struct packet p = PACKET(.from = "10.207.0.7", .to = ct4[CT2]);

	(void)state;
	inject(NK, &p);
	ARRIVES(CT2, p);
}

/* A packet socket says what protocol a frame is of, and may lie: veth would believe the frame. */
static void a_frame_that_is_not_what_it_is_said_to_be_is_malformed(void **state)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = IFINDEX(NK_OWNER) };
	struct packet p[] = {
		PACKET(.from = "10.207.0.7", .to = ct4[CT2]),
		PACKET(.from = "fd07::7", .to = ct6[CT2]),
	};
	struct shunt_counters c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		to.sll_protocol = htons(i ? ETH_P_IPV6 : ETH_P_IP);
		put16(p[i].data + 12, ETH_P_ARP);
		/* A drop on the way out is the sender's to know, as on netkit. */
		assert_int_equal(sendto(place[NK], p[i].data, p[i].len, 0, (struct sockaddr *)&to, sizeof(to)), -1);
	}
	c = counters_of(NK_OWNER);
	assert_int_equal(c.dropped[SHUNT_DROP_MALFORMED], 2);
}

static void a_container_gets_what_it_sends_to_itself(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = ct4[CT1]));

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT1, p);
}

static void a_container_is_answered_by_its_own_link(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4, .ttl = 1));
	struct shunt_counters c;

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT1, icmp_error(&p, GATEWAY4, 11, 0, 0));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = NARROW6, .payload = 1400));
	inject(CT1, &p);
	ARRIVES(CT1, icmp_error(&p, GATEWAY6, 2, 0, 1420));
	c = counters_of(ALICE);
	assert_int_equal(c.dropped[SHUNT_DROP_TTL], 1);
	assert_int_equal(c.dropped[SHUNT_DROP_TOO_BIG], 1);
}

/* What is no route: NEXT leads up the stack, and the stack says so. */
static void the_host_answers_for_want_of_a_route(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = "192.0.2.100"));
	uint8_t frame[PACKET_MAX];
	struct pollfd wait = { .fd = place[CT1], .events = POLLIN };

	(void)state;
	shell("ip -4 route add throw 192.0.2.96/27; ip -6 route add throw 2001:db8:e::/64");
	for (int v6 = 0; v6 < 2; v6++) {
		bool told = false;

		if (v6)
			p = from(CT1, PACKET(.from = ct6[CT1], .to = "2001:db8:e::1"));
		inject(CT1, &p);
		while (!told && poll(&wait, 1, 2000) == 1 && read(place[CT1], frame, sizeof(frame)) > 60)
			told = v6 ? frame[20] == IPPROTO_ICMPV6 && frame[54] == 1 && frame[55] == 0 :
				    frame[23] == IPPROTO_ICMP && frame[34] == 3 && frame[35] == 0;
		assert_true(told);
	}
	shell("ip -4 route del throw 192.0.2.96/27; ip -6 route del throw 2001:db8:e::/64");
}

/* What may be fragmented is: by the host, by the route that the packet would have taken. */
static void the_host_fragments_what_may_be(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = NARROW4, .payload = 1440));
	uint8_t part[PACKET_MAX];
	struct pollfd wait = { .fd = place[TUNNEL], .events = POLLIN };

	(void)state;
	inject(CT1, &p);
	do {
		assert_int_equal(poll(&wait, 1, 2000), 1);
		assert_true(read(place[TUNNEL], part, sizeof(part)) > 20);
	} while (part[0] != 0x45);
	assert_int_equal(part[6] & 0x20, 0x20);	/* more to come */
	assert_memory_equal(part + 12, p.data + IP4 + 12, 8);
}

static void what_is_too_short_or_tagged_is_malformed(void **state)
{
	struct packet p4 = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4));
	struct packet p6 = from(CT1, PACKET(.from = ct6[CT1], .to = WIRE6)), tagged = p4;
	uint64_t due = 0;

	(void)state;
	for (size_t len = 14; len < 34; len++, due++) {
		p4.len = len;
		inject_in_vain(CT1, &p4);
	}
	for (size_t len = 14; len < 54; len++, due++) {
		p6.len = len;
		inject_in_vain(CT1, &p6);
	}
	memmove(tagged.data + 16, tagged.data + 12, tagged.len - 12);
	memcpy(tagged.data + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	tagged.len += 4;
	inject_in_vain(CT1, &tagged);
	due += !netkit;		/* veth's receiver takes the tag off; netkit has none, and to it this is not IP */
	for (int i = 0; i < 200 && counters_of(ALICE).dropped[SHUNT_DROP_MALFORMED] < due; i++)
		usleep(10000);
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_MALFORMED], due);
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_PROTOCOL], netkit);
}

static void what_is_tagged_is_of_another_wire(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT1]), UPLINK_MAC, ROUTER_MAC), due = p;

	(void)state;
	memmove(p.data + 16, p.data + 12, p.len - 12);
	memcpy(p.data + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	p.len += 4;
	inject(WIRE, &p);
	due = macs(hop(due), NO_MAC, NO_MAC);
	assert_false(arrives(CT1, &due, 100));
}

static void what_is_spoofed_arrives_nowhere(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT2], .to = WIRE4)), q = p;

	(void)state;
	inject_in_vain(CT1, &p);
	q = from(CT1, PACKET(.from = "10.207.0.77", .to = ct4[CT2]));
	inject_in_vain(CT1, &q);
	assert_false(arrives(WIRE, &(struct packet[]){ macs(hop(p), ROUTER_MAC, UPLINK_MAC) }[0], 100));
	assert_false(arrives(CT2, &q, 100));
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_SPOOFED], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(the_wire_gets_what_a_container_sends),
		LIVE(a_container_gets_what_the_wire_sends),
		LIVE(a_wire_without_mac_header_carries_both_ways),
		LIVE(a_wire_without_mac_header_is_answered),
		LIVE(a_wire_without_mac_header_still_reaches_the_host),
		LIVE(the_wire_is_answered_by_the_way_that_the_route_says),
		LIVE(a_container_gets_what_another_sends),
		LIVE(the_wire_gets_what_is_sent_in_the_sender_s_context),
		LIVE(a_container_gets_what_is_sent_in_the_sender_s_context),
		LIVE(a_frame_that_is_not_what_it_is_said_to_be_is_malformed),
		LIVE(a_container_gets_what_it_sends_to_itself),
		LIVE(a_container_is_answered_by_its_own_link),
		LIVE(the_host_answers_for_want_of_a_route),
		LIVE(the_host_fragments_what_may_be),
		LIVE(what_is_too_short_or_tagged_is_malformed),
		LIVE(what_is_tagged_is_of_another_wire),
		LIVE(what_is_spoofed_arrives_nowhere),
	};

	return RUN_LIVE("live", tests, setup_live, teardown_live);
}

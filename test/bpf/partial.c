// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Checksums that a device will complete behind us, as of all that a socket sends: masqueraded, the wire gets them whole. Sent by
 * a packet socket, which can ask for more than a socket would.
 */
#include "live.h"

#include "nat.h"

#include <linux/virtio_net.h>

static int sender;	/* in the first container, with PACKET_VNET_HDR */

static int setup_partial(void **state)
{
	int one = 1;

	setup_live(state);
	sender = open_in_container(holder[CT1]);
	assert_int_equal(setsockopt(sender, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	return 0;
}

static int teardown_partial(void **state)
{
	close(sender);
	return teardown_live(state);
}

static int quiet_nat(void **state)
{
	fresh_nat(state);
	return quiet(state);
}

/* Sends with a checksum to be completed. Return: whether it could be. */
static bool send_partial(const struct packet *p, int start, int offset, int gso)
{
	struct {
		struct virtio_net_hdr header;
		uint8_t data[PACKET_MAX];
	} __attribute__((packed)) frame = {
		.header = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = start, .csum_offset = offset },
	};
	const size_t len = sizeof(frame.header) + p->len;

	if (gso) {
		frame.header.gso_type = is4(p) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
		frame.header.gso_size = gso;
		frame.header.hdr_len = start + 20;
	}
	memcpy(frame.data, p->data, p->len);
	return write(sender, &frame, len) == (ssize_t)len;
}

static int transport_of(const struct packet *p)
{
	return is4(p) ? IP4 + 20 : IP6 + 40;
}

/* As a socket leaves it: the sum of the pseudo header. */
static void unseal(struct packet *p, int protocol)
{
	const int at = transport_of(p);

	put16(p->data + at + checksum_at(protocol), ~finish(pseudo(p, p->len - at, protocol)));
}

static void the_wire_gets_whole_checksums(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		struct packet p, due;

		if (protocol == IPPROTO_ICMP)
			continue;
		for (int port = OUTSIDE; port <= INSIDE; port += INSIDE - OUTSIDE) {
			const struct spec out = leg(protocol, alice[v6], port, wire[v6], 443);
			struct shunt_flow flow = { 0 };

			p = from(CT1, packet_make(out));
			unseal(&p, protocol);
			for (int again = 0; again < 2; again++) {
				struct spec as = out;

				assert_true(send_partial(&p, transport_of(&p), checksum_at(protocol), 0));
				for (int i = 0; i < 200 && !has_flow(out, &flow); i++)
					usleep(10000);
				as.from = host[v6];
				as.sport = ntohs(flow.to.sport);
				due = macs(hop(packet_make(as)), ROUTER_MAC, UPLINK_MAC);
				ARRIVES(WIRE, due);
			}
		}
	}
}

/* Return: how many packets come that have this port and address, each with the checksums that it should have. */
static int segments(int v6, size_t payload)
{
	struct pollfd wait = { .fd = place[WIRE], .events = POLLIN };
	struct packet p = { 0 };
	size_t came = 0;
	int n = 0;

	while (came < payload && poll(&wait, 1, 2000) == 1) {
		ssize_t len = read(place[WIRE], p.data, sizeof(p.data));
		const size_t at = ETH_HLEN + (v6 ? 40 : 20);

		p.len = len;
		if (len < (ssize_t)at + 20 || is4(&p) == v6 || source_port(&p) != INSIDE)
			continue;
		if (!v6)
			assert_int_equal(finish(sum16(p.data + IP4, 20, 0)), 0);
		assert_int_equal(finish(sum16(p.data + at, p.len - at, pseudo(&p, p.len - at, IPPROTO_TCP))), 0);
		came += p.len - at - 20;
		n++;
	}
	assert_int_equal(came, payload);
	return n;
}

static void what_a_device_cuts_is_whole_in_each_part(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct spec out = leg(IPPROTO_TCP, alice[v6], INSIDE, wire[v6], 443);
		struct packet p;

		out.payload = 2500;
		p = from(CT1, packet_make(out));
		unseal(&p, IPPROTO_TCP);
		assert_true(send_partial(&p, transport_of(&p), 16, 1000));
		assert_int_equal(segments(v6, 2500), 3);
	}
}

/* Sends a packet with a sum to be written to each field of its transport header but its own checksum's, none of which gets out. */
static void send_sums(struct spec out)
{
	const int protocol = out.protocol == IPPROTO_ICMPV6 ? IPPROTO_ICMP : out.protocol;
	const int last = protocol == IPPROTO_TCP ? 20 : 8, own = checksum_at(protocol);
	const struct packet p = from(CT1, packet_make(out));
	uint64_t due = counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED];

	for (int field = 0; field < last; field += 2) {
		if (field == own)
			continue;
		send_partial(&p, transport_of(&p), field, 0);
		due++;
	}
	for (int i = 0; i < 200 && counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED] < due; i++)
		usleep(10000);
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED], due);
}

/* Its ports, or what an error quotes, would be of the sender's choice. */
static void a_sum_is_written_to_no_port(void **state)
{
	(void)state;
	for EACH_WAY(v6, protocol) {
		const struct spec out = leg(protocol, alice[v6], INSIDE, wire[v6], remote(protocol));
		struct packet p = from(CT1, packet_make(out));

		quiet_nat(state);
		send_sums(out);
		assert_int_equal(count_entries(), 0);
		/* Nor by the shortcut of a packet without fault. */
		assert_int_equal(write(place[CT1], p.data, p.len), p.len);
		for (int i = 0; i < 200 && count_entries() == 0; i++)
			usleep(10000);
		assert_int_equal(count_entries(), 2);
		send_sums(out);
	}
}

static void a_sum_is_written_to_nothing_that_is_quoted(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		const int head = ETH_HLEN + (v6 ? 40 : 20);
		struct packet got = packet_make(leg(IPPROTO_UDP, wire[v6], 443, alice[v6], INSIDE)), e;

		quiet_nat(state);
		e = from(CT1, packet_make(leg(IPPROTO_UDP, alice[v6], INSIDE, wire[v6], 443)));
		assert_int_equal(write(place[CT1], e.data, e.len), e.len);
		for (int i = 0; i < 200 && !count_entries(); i++)
			usleep(10000);
		e = from(CT1, icmp_error(&got, alice[v6], v6 ? 1 : 3, 3, 0));
		/* The quoted datagram's source port. */
		send_partial(&e, head, 8 + (v6 ? 40 : 20), 0);
		for (int i = 0; i < 200 && !counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED]; i++)
			usleep(10000);
		assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED], 1);
	}
}

/* Where one connection has shown the way, what will be dropped for its sum takes no port. */
static void a_forged_sum_begins_nothing(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct spec out = leg(IPPROTO_TCP, alice[v6], INSIDE, wire[v6], 443);
		struct packet p;

		quiet_nat(state);
		forget_shortcuts();
		out.flags = SYN;
		p = from(CT1, packet_make(out));
		assert_int_equal(write(place[CT1], p.data, p.len), p.len);
		for (int tries = 0; tries < 200 && count_entries() < 2; tries++)
			usleep(10000);
		for (out.sport++; out.sport < INSIDE + 10; out.sport++) {
			p = from(CT1, packet_make(out));
			send_partial(&p, transport_of(&p), 2, 0);	/* on netkit the sender is told */
		}
		for (int tries = 0; tries < 1000 && counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED] < 9; tries++)
			usleep(1000);
		assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_UNTRANSLATED], 9);
		assert_int_equal(count_entries(), 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_wire_gets_whole_checksums, quiet_nat),
		cmocka_unit_test_setup(what_a_device_cuts_is_whole_in_each_part, quiet_nat),
		cmocka_unit_test_setup(a_sum_is_written_to_no_port, quiet_nat),
		cmocka_unit_test_setup(a_sum_is_written_to_nothing_that_is_quoted, quiet_nat),
		cmocka_unit_test_setup(a_forged_sum_begins_nothing, quiet_nat),
	};

	return RUN_LIVE("partial", tests, setup_partial, teardown_partial);
}

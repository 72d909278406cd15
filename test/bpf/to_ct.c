// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The ways into a container: from the wire, and from the host. What is answered is in errors.c. */
#include "harness.h"

static void a_packet_from_the_wire_has_one_hop_less_and_no_macs(void **state)
{
	static const int protocols[] = { IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP };
	struct packet p;

	(void)state;
	for (int i = 0; i < 3; i++) {
		p = ARRIVING(.from = WIRE4, .to = ALICE4, .protocol = protocols[i], .tos = 3);
		CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), NO_MAC, NO_MAC));
		p = ARRIVING(.from = WIRE6, .to = ALICE6, .protocol = i == 2 ? IPPROTO_ICMPV6 : protocols[i], .tos = 3);
		CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), NO_MAC, NO_MAC));
	}
	p = ARRIVING(.from = WIRE4, .to = "10.207.0.7", .ttl = 2);
	CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), ETHER_MAC, ETHER_MAC));
	p = ARRIVING(.from = WIRE6, .to = "fd07::7", .ttl = 2);
	CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), ETHER_MAC, ETHER_MAC));
}

/* A driver's checksum over the whole packet stays true; else the container's kernel calls the hardware faulty. */
static void the_driver_s_checksum_follows(void **state)
{
	struct packet p = ARRIVING(.from = WIRE4, .to = ALICE4), v6 = ARRIVING(.from = WIRE6, .to = ALICE6);

	(void)state;
#ifndef BPF_F_TEST_SKB_CHECKSUM_COMPLETE
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)
#endif
	CHECK(FROM_WIRE(.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE), p, REDIRECTED,
	      .out = macs(hop(p), NO_MAC, NO_MAC));
	CHECK(FROM_WIRE(.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE), v6, REDIRECTED,
	      .out = macs(hop(v6), NO_MAC, NO_MAC));
}

static void fragments_options_and_extension_headers_come_in(void **state)
{
	struct packet p[] = {
		ARRIVING(.from = WIRE4, .to = ALICE4, .frag = 185),
		ARRIVING(.from = WIRE4, .to = ALICE4, .extra = "\1\1\1\0", .extra_len = 4),
		ARRIVING(.from = WIRE6, .to = ALICE6, .extra = "\21\0\5\270\0\0\0\7", .extra_len = 8,
			 .next = IPPROTO_FRAGMENT),
	};

	(void)state;
	for (int i = 0; i < 3; i++)
		CHECK(FROM_WIRE(), p[i], REDIRECTED, .out = macs(hop(p[i]), NO_MAC, NO_MAC));
}

static void what_is_not_ours_goes_on(void **state)
{
	static const char *const to[] = {
		"198.51.100.1", "192.0.2.7", "224.0.0.1", "255.255.255.255", "10.207.9.9", "10.207.0.8", "10.207.0.1",
		"2001:db8:100::1", "ff02::1", "fe80::1", "fd07::9:9", "fd07::8", "fd07::1",
	};
	static const int types[] = { ETH_P_ARP, ETH_P_8021Q, ETH_P_LLDP };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++) {
		p = ARRIVING(.from = strchr(to[i], ':') ? WIRE6 : WIRE4, .to = to[i], .ttl = 1);
		CHECK(FROM_WIRE(), p, PASS_ON);
	}
	p = ARRIVING(.from = WIRE4, .to = ALICE4);
	for (int i = 0; i < 3; i++) {
		put16(p.data + 12, types[i]);
		CHECK(FROM_WIRE(), p, PASS_ON);
	}
	/* Not to this host, but seen by a promiscuous interface; or to everyone. */
	CHECK(FROM_WIRE(), PACKET(.from = WIRE4, .to = ALICE4, .mac_to = { 2, 9, 9, 9, 9, 9 }), PASS_ON);
	CHECK(FROM_WIRE(), PACKET(.from = WIRE4, .to = ALICE4, .mac_to = { 255, 255, 255, 255, 255, 255 }), PASS_ON);
	CHECK(FROM_WIRE(), PACKET(.from = WIRE6, .to = ALICE6, .mac_to = { 0x33, 0x33, 0, 0, 0, 1 }), PASS_ON);
}

static void what_is_malformed_is_the_host_s_to_judge(void **state)
{
	struct packet p = ARRIVING(.from = WIRE4, .to = ALICE4);

	(void)state;
	p.data[IP4] = 0x65;
	CHECK(FROM_WIRE(), p, PASS_ON);
	p = ARRIVING(.from = WIRE6, .to = ALICE6);
	p.data[IP6] = 0x40;
	CHECK(FROM_WIRE(), p, PASS_ON);
}

/* Invariant 2, from outside: an endpoint's address is not out there. */
static void our_own_addresses_do_not_come_from_the_wire(void **state)
{
	static const char *const ours[] = {
		"10.207.0.2", "10.207.0.3", "10.207.0.8", "10.208.0.2", "10.209.0.2",
		"fd07::2", "fd07::3", "fd07::8", "fd08::2", "fd09::2",
	};

	(void)state;
	for (int i = 0; i < 10; i++) {
		CHECK(FROM_WIRE(), ARRIVING(.from = ours[i], .to = i < 5 ? ALICE4 : ALICE6), DROPPED, .loser = ALICE,
		      .why = SHUNT_DROP_SPOOFED);
		CHECK(FROM_WIRE(), ARRIVING(.from = ours[i], .to = i < 5 ? "10.207.0.6" : "fd07::6"), DROPPED,
		      .loser = KERNEL, .why = SHUNT_DROP_SPOOFED);
	}
}

static void nobody_s_addresses_do_not_come_from_the_wire(void **state)
{
	static const char *const martians[] = {
		"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "169.254.1.1",
		"::1", "::", "ff02::1", "fe80::1", "::192.0.2.1",
	};

	(void)state;
	for (int i = 0; i < 10; i++)
		CHECK(FROM_WIRE(), ARRIVING(.from = martians[i], .to = i < 5 ? ALICE4 : ALICE6), DROPPED, .loser = ALICE,
		      .why = SHUNT_DROP_SPOOFED);
}

static void internal_networks_hear_nothing_from_the_wire(void **state)
{
	(void)state;
	CHECK(FROM_WIRE(), ARRIVING(.from = WIRE4, .to = "10.209.0.2"), DROPPED, .loser = HERMIT,
	      .why = SHUNT_DROP_INTERNAL);
	CHECK(FROM_WIRE(), ARRIVING(.from = WIRE6, .to = "fd09::2"), DROPPED, .loser = HERMIT,
	      .why = SHUNT_DROP_INTERNAL);
	CHECK(FROM_WIRE(), ARRIVING(.from = WIRE4, .to = "10.209.0.4"), DROPPED, .loser = CELL,
	      .why = SHUNT_DROP_INTERNAL);
}

static void isolation_is_between_containers_and_not_from_the_wire(void **state)
{
	struct packet p = ARRIVING(.from = WIRE4, .to = "10.208.0.2"), v6 = ARRIVING(.from = WIRE6, .to = "fd08::2");

	(void)state;
	CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), NO_MAC, NO_MAC));
	CHECK(FROM_WIRE(), v6, REDIRECTED, .out = macs(hop(v6), NO_MAC, NO_MAC));
}

static void kernel_routing_takes_its_packets_through_the_host(void **state)
{
	(void)state;
	CHECK(FROM_WIRE(), ARRIVING(.from = WIRE4, .to = "10.207.0.6", .ttl = 1), PASS_ON);
	CHECK(FROM_WIRE(), ARRIVING(.from = WIRE6, .to = "fd07::6", .ttl = 1), PASS_ON);
}

static void what_exceeds_the_container_s_mtu_may_come_in_without_df(void **state)
{
	struct packet p = ARRIVING(.from = WIRE4, .to = "10.207.0.3", .payload = 1400);

	(void)state;
	CHECK(FROM_WIRE(), p, REDIRECTED, .out = macs(hop(p), NO_MAC, NO_MAC));
	p = ARRIVING(.from = WIRE4, .to = "10.207.0.3", .protocol = IPPROTO_TCP, .payload = 2720, .frag = IP4_DF);
	CHECK(FROM_WIRE(.gso_size = 1360), p, REDIRECTED, .out = macs(hop(p), NO_MAC, NO_MAC));
}

static void what_the_host_sends_goes_on(void **state)
{
	(void)state;
	CHECK(TO_CT(), PACKET(.from = "198.51.100.1", .to = ALICE4, .ttl = 1), PASS_ON);
	CHECK(TO_CT(), PACKET(.from = "2001:db8:100::1", .to = ALICE6, .ttl = 1), PASS_ON);
	CHECK(TO_CT(), PACKET(.from = "198.51.100.1", .to = "10.207.0.6"), PASS_ON);
	CHECK(TO_CT(), PACKET(.from = "fd09::1", .to = "fd09::2"), PASS_ON);
}

static void what_is_to_no_endpoint_does_not_enter_a_container(void **state)
{
	static const char *const to[] = {
		"10.207.9.9", "10.207.0.8", "224.0.0.251", "255.255.255.255", "fd07::9:9", "fd07::8", "ff02::1",
		"fe80::200:ff:fe00:0",
	};
	struct packet p;

	(void)state;
	for (int i = 0; i < 8; i++)
		CHECK(TO_CT(), PACKET(.from = strchr(to[i], ':') ? "fe80::1" : "198.51.100.1", .to = to[i]), DROPPED);
	p = PACKET(.from = "198.51.100.1", .to = ALICE4);
	put16(p.data + 12, ETH_P_ARP);
	CHECK(TO_CT(), p, DROPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_packet_from_the_wire_has_one_hop_less_and_no_macs),
		TEST(the_driver_s_checksum_follows),
		TEST(fragments_options_and_extension_headers_come_in),
		TEST(what_is_not_ours_goes_on),
		TEST(what_is_malformed_is_the_host_s_to_judge),
		TEST(our_own_addresses_do_not_come_from_the_wire),
		TEST(nobody_s_addresses_do_not_come_from_the_wire),
		TEST(internal_networks_hear_nothing_from_the_wire),
		TEST(isolation_is_between_containers_and_not_from_the_wire),
		TEST(kernel_routing_takes_its_packets_through_the_host),
		TEST(what_exceeds_the_container_s_mtu_may_come_in_without_df),
		TEST(what_the_host_sends_goes_on),
		TEST(what_is_to_no_endpoint_does_not_enter_a_container),
	};

	return cmocka_run_group_tests_name("to_ct", tests, setup, teardown);
}

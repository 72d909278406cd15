// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Published ports: which entry answers for an address, and which of its backends. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include <shunt/abi.h>

#include "test/bpf/programs/publish.skel.h"

static struct publish_bpf *skel;

static int setup(void **state)
{
	(void)state;
	skel = publish_bpf__open_and_load();
	return skel ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	publish_bpf__destroy(skel);
	return 0;
}

static void address(const char *text, uint8_t ret[static 16])
{
	memset(ret, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, ret), 1);
		return;
	}
	memset(ret + 10, 0xff, 2);
	assert_int_equal(inet_pton(AF_INET, text, ret + 12), 1);
}

/* Backends are 10.207.0.N and fd07::N, port 8000 + N, host end 100 + N. */
static struct shunt_backend backend(unsigned n, int family)
{
	struct shunt_backend b = { .ifindex = 100 + n, .port = htons(8000 + n) };

	address(family == AF_INET ? "10.207.0.0" : "fd07::", b.address);
	b.address[15] = n;
	return b;
}

static struct shunt_published_key key_of(const char *host, uint16_t port, uint8_t protocol)
{
	struct shunt_published_key key = { .port = htons(port), .protocol = protocol };

	address(host, key.address);
	return key;
}

/* Publishes a port for the backends of a list, each with a publication that counts. */
static void publish(const char *host, uint16_t port, uint8_t protocol, int family, const unsigned *list, unsigned n)
{
	struct shunt_published_key key = key_of(host, port, protocol);
	struct shunt_published p = { .n = n };
	struct shunt_ports bits = { 0 };
	uint32_t at = port / 64;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.ports), &at, &bits), 0);
	*(protocol == IPPROTO_TCP ? &bits.tcp : &bits.udp) |= UINT64_C(1) << port % 64;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &at, &bits, 0), 0);
	for (unsigned i = 0; i < n; i++) {
		struct shunt_publication_key mine = { .host = key, .ifindex = 100 + list[i] };
		struct shunt_publication counter = { 0 };

		p.backend[i] = backend(list[i], family);
		bpf_map_update_elem(bpf_map__fd(skel->maps.publications), &mine, &counter, BPF_NOEXIST);
	}
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.published), &key, &p, 0), 0);
}

static uint64_t flows(const char *host, uint16_t port, uint8_t protocol, unsigned n)
{
	struct shunt_publication_key key = { .host = key_of(host, port, protocol), .ifindex = 100 + n };
	struct shunt_publication p;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.publications), &key, &p), 0);
	return p.flows;
}

static int fresh(void **state)
{
	const struct shunt_ports none = { 0 };
	struct shunt_publication_key mine;
	struct shunt_published_key key;

	(void)state;
	while (bpf_map_get_next_key(bpf_map__fd(skel->maps.published), NULL, &key) == 0)
		bpf_map_delete_elem(bpf_map__fd(skel->maps.published), &key);
	while (bpf_map_get_next_key(bpf_map__fd(skel->maps.publications), NULL, &mine) == 0)
		bpf_map_delete_elem(bpf_map__fd(skel->maps.publications), &mine);
	for (uint32_t i = 0; i < 1024; i++)
		bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &i, &none, 0);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

/* Return: the number of the backend that answers, 0 for none */
static unsigned ask(const char *from, uint16_t sport, const char *to, uint16_t dport, uint8_t protocol)
{
	uint8_t packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

	skel->bss->tuple = (struct shunt_tuple){ .sport = htons(sport), .dport = htons(dport), .protocol = protocol };
	address(from, skel->bss->tuple.source);
	address(to, skel->bss->tuple.destination);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.ask), &opts), 0);
	if (!skel->bss->found)
		return 0;
	/* Whole, and of the family that was asked for. */
	assert_int_equal(ntohs(skel->bss->backend.port), 8000 + skel->bss->backend.address[15]);
	assert_int_equal(skel->bss->backend.ifindex, 100 + skel->bss->backend.address[15]);
	assert_int_equal(skel->bss->backend.address[0], strchr(to, ':') ? 0xfd : 0);
	return skel->bss->backend.address[15];
}

static void an_entry_answers_for_its_address_port_and_protocol(void **state)
{
	(void)state;
	publish("198.51.100.1", 80, IPPROTO_TCP, AF_INET, (unsigned[]){ 1 }, 1);
	publish("2001:db8::1", 80, IPPROTO_TCP, AF_INET6, (unsigned[]){ 2 }, 1);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 80, IPPROTO_TCP), 1);
	assert_int_equal(ask("2001:db8::9", 4000, "2001:db8::1", 80, IPPROTO_TCP), 2);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.2", 80, IPPROTO_TCP), 0);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 80, IPPROTO_UDP), 0);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 81, IPPROTO_TCP), 0);
	assert_int_equal(ask("2001:db8::9", 4000, "2001:db8::2", 80, IPPROTO_TCP), 0);
}

static void an_entry_for_all_addresses_answers_for_its_family_alone(void **state)
{
	(void)state;
	publish("0.0.0.0", 80, IPPROTO_UDP, AF_INET, (unsigned[]){ 1 }, 1);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 80, IPPROTO_UDP), 1);
	assert_int_equal(ask("2001:db8::9", 4000, "2001:db8::1", 80, IPPROTO_UDP), 0);
	publish("::", 80, IPPROTO_UDP, AF_INET6, (unsigned[]){ 2 }, 1);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 80, IPPROTO_UDP), 1);
	assert_int_equal(ask("2001:db8::9", 4000, "2001:db8::1", 80, IPPROTO_UDP), 2);
}

static void the_very_address_goes_before_all_of_them(void **state)
{
	(void)state;
	publish("0.0.0.0", 80, IPPROTO_TCP, AF_INET, (unsigned[]){ 1 }, 1);
	publish("198.51.100.1", 80, IPPROTO_TCP, AF_INET, (unsigned[]){ 2 }, 1);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.1", 80, IPPROTO_TCP), 2);
	assert_int_equal(ask("192.0.2.9", 4000, "198.51.100.2", 80, IPPROTO_TCP), 1);
}

/* ::1 reaches a container that has only IPv4, by its socket; a packet cannot. */
static void a_backend_of_another_family_is_none_for_a_packet(void **state)
{
	(void)state;
	publish("::", 80, IPPROTO_TCP, AF_INET, (unsigned[]){ 1, 2 }, 2);
	assert_int_equal(ask("2001:db8::9", 4000, "2001:db8::1", 80, IPPROTO_TCP), 0);
}

static void a_port_is_known_by_its_bit(void **state)
{
	static const uint16_t numbers[] = { 1, 63, 64, 65, 8080, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		publish("0.0.0.0", numbers[i], IPPROTO_UDP, AF_INET, (unsigned[]){ 1 }, 1);
		for (size_t j = 0; j < sizeof(numbers) / sizeof(*numbers); j++) {
			ask("192.0.2.9", 4000, "198.51.100.1", numbers[j], IPPROTO_UDP);
			assert_int_equal(skel->bss->open, j <= i);
			ask("192.0.2.9", 4000, "198.51.100.1", numbers[j], IPPROTO_TCP);
			assert_false(skel->bss->open);
		}
	}
	ask("192.0.2.9", 0, "198.51.100.1", 80, IPPROTO_ICMP);
	assert_false(skel->bss->open);
}

static void a_flow_keeps_its_backend_and_all_get_their_share(void **state)
{
	unsigned list[SHUNT_MAX_BACKENDS], share[SHUNT_MAX_BACKENDS + 1] = { 0 }, total = 0;

	(void)state;
	for (unsigned i = 0; i < SHUNT_MAX_BACKENDS; i++)
		list[i] = i + 1;
	publish("0.0.0.0", 80, IPPROTO_TCP, AF_INET, list, SHUNT_MAX_BACKENDS);
	for (unsigned port = 1; port <= 6400; port++) {
		unsigned n = ask("192.0.2.9", port, "198.51.100.1", 80, IPPROTO_TCP);

		assert_true(n >= 1 && n <= SHUNT_MAX_BACKENDS);
		share[n]++;
		assert_int_equal(ask("192.0.2.9", port, "198.51.100.77", 80, IPPROTO_TCP), n);
	}
	/* 200 each; six deviations are 84. */
	for (unsigned n = 1; n <= SHUNT_MAX_BACKENDS; n++) {
		assert_in_range(share[n], 200 - 84, 200 + 84);
		assert_int_equal(flows("0.0.0.0", 80, IPPROTO_TCP, n), 2 * share[n]);
		total += share[n];
	}
	assert_int_equal(total, 6400);
}

static void one_that_leaves_takes_only_its_own_flows(void **state)
{
	static unsigned before[1000];
	unsigned moved[6] = { 0 };

	(void)state;
	publish("::", 53, IPPROTO_UDP, AF_INET6, (unsigned[]){ 1, 2, 3, 4, 5 }, 5);
	for (unsigned i = 0; i < 1000; i++)
		before[i] = ask("2001:db8::9", i, "2001:db8::1", 53, IPPROTO_UDP);
	/* And the others stand where they did not. */
	publish("::", 53, IPPROTO_UDP, AF_INET6, (unsigned[]){ 5, 4, 1, 2 }, 4);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned now = ask("2001:db8::9", i, "2001:db8::1", 53, IPPROTO_UDP);

		if (before[i] != 3)
			assert_int_equal(now, before[i]);
		else
			moved[now]++;
	}
	/* Some 200, in four parts. */
	for (unsigned n = 1; n <= 5; n++)
		assert_in_range(moved[n], n == 3 ? 0 : 15, n == 3 ? 0 : 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_answers_for_its_address_port_and_protocol),
		TEST(an_entry_for_all_addresses_answers_for_its_family_alone),
		TEST(the_very_address_goes_before_all_of_them),
		TEST(a_backend_of_another_family_is_none_for_a_packet),
		TEST(a_port_is_known_by_its_bit),
		TEST(a_flow_keeps_its_backend_and_all_get_their_share),
		TEST(one_that_leaves_takes_only_its_own_flows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

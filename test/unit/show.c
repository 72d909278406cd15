// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <arpa/inet.h>

#include "show.h"
#include "table.h"

static struct shunt_info example(void)
{
	struct shunt_info info = {
		.id = "web",
		.interface = "eth0",
		.status = SHUNT_STATUS_READY,
		.endpoint = {
			.driver = SHUNT_DRIVER_NETKIT,
			.mode = SHUNT_MODE_L3,
			.flags = SHUNT_F_ADDRESS4 | SHUNT_F_ADDRESS6 | SHUNT_F_ISOLATE,
			.ifindex = 7,
			.mtu = 1500,
			.netns_ino = 4026532000,
			.created = UINT64_C(1767225600123456789),
			.address4 = htonl(0x0acf0304),
			.address6 = { 0xfd, [15] = 3 },
			.network = "default",
			.host = "nkf1180e1579c7e",
		},
		.traffic = { .known = true, .rx_packets = 1, .rx_bytes = 2, .tx_packets = 3, .tx_bytes = UINT64_MAX },
		.counters.dropped[SHUNT_DROP_SPOOFED] = 5,
	};

	return info;
}

/* Two ports of the example's in a row, one of another's, and one more. */
static const struct shunt_port ports[] = {
	{ { { .address = { [10] = 0xff, 0xff }, .port = 0x901f, .protocol = IPPROTO_TCP }, 6 }, { .port = 0x5000 } },
	{ { { .address = { [10] = 0xff, 0xff }, .port = 0x901f, .protocol = IPPROTO_TCP }, 7 }, { .port = 0x5000 } },
	{ { { .address = { [10] = 0xff, 0xff }, .port = 0x911f, .protocol = IPPROTO_TCP }, 7 }, { .port = 0x5100 } },
	{ { { .address = { [15] = 1 }, .port = 0x3500, .protocol = IPPROTO_UDP }, 7 }, { .port = 0x3500, .service = "names" } },
};

/* The JSON of one endpoint as text, for free(). */
static char *json_text(const struct shunt_info *info)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	char *text = NULL;

	assert_int_equal(show_json(info, ports, ELEMENTSOF(ports), &json), 0);
	assert_true(sd_json_variant_format(json, 0, &text) >= 0);
	return text;
}

static void json_is_what_the_manual_says(void **state)
{
	const struct shunt_info info = example();
	_cleanup_free_ char *text = json_text(&info);

	(void)state;
	assert_string_equal(text,
			    "{\"id\":\"web\",\"network\":\"default\",\"driver\":\"netkit\",\"mode\":\"l3\",\"mtu\":1500,"
			    "\"addresses\":[\"10.207.3.4/32\",\"fd00::3/128\"],"
			    "\"interface\":{\"name\":\"nkf1180e1579c7e\",\"index\":7},"
			    "\"peer\":{\"name\":\"eth0\",\"netns\":4026532000},"
			    "\"state\":\"ready\",\"created\":\"2026-01-01T00:00:00.123456Z\","
			    "\"published\":[\"0.0.0.0:8080-8081:80-81/tcp\",\"[::1]:53:53/udp\"],"
			    "\"counters\":{\"rx_packets\":1,\"rx_bytes\":2,\"tx_packets\":3,\"tx_bytes\":18446744073709551615,"
			    "\"dropped\":{\"spoofed\":5,\"malformed\":0,\"protocol\":0,\"multicast\":0,\"isolated\":0,"
			    "\"internal\":0,\"no_endpoint\":0,\"no_route\":0,\"no_forward\":0,\"too_big\":0,\"ttl\":0,\"no_neighbour\":0,\"no_port\":0,\"untranslated\":0,\"not_allowed\":0}}}");
}

static void stale_endpoint_says_why_and_none_has_no_address(void **state)
{
	struct shunt_info info = example();
	_cleanup_free_ char *text = NULL;

	(void)state;
	info.status = SHUNT_STATUS_STALE;
	strcpy(info.stale_reason, "gone");
	info.endpoint.flags = 0;
	text = json_text(&info);
	assert_non_null(strstr(text, "\"state\":\"stale\",\"stale_reason\":\"gone\""));
	assert_non_null(strstr(text, "\"addresses\":[]"));
}

static void longest_texts_fit(void **state)
{
	struct shunt_info info = example();
	_cleanup_free_ char *text = NULL;

	(void)state;
	memset(info.id, 'a', SHUNT_ID_MAX);
	info.endpoint.address4 = UINT32_MAX;
	memset(info.endpoint.address6, 0xff, sizeof(info.endpoint.address6));
	info.endpoint.created = UINT64_MAX;
	text = json_text(&info);
	assert_non_null(strstr(text, "\"255.255.255.255/32\",\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128\""));
}

static void line_is_what_attach_prints(void **state)
{
	const struct shunt_info info = example();
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	show_line(&info, f);
	fclose(f);
	assert_string_equal(text, "web eth0 10.207.3.4/32 fd00::3/128 mtu 1500 netkit l3\n");
}

static void details_say_whose_port_it_is(void **state)
{
	const struct shunt_info info = example();
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	show_details(&info, ports, ELEMENTSOF(ports), f);
	fclose(f);
	assert_non_null(strstr(text, "\npublished  0.0.0.0:8080-8081:80-81/tcp\npublished  [::1]:53:53/udp (service names)\nreceived"));
}

static void what_is_not_known_is_not_said(void **state)
{
	struct shunt_info info = example();
	_cleanup_free_ char *json = NULL, *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	info.traffic.known = false;
	json = json_text(&info);
	assert_non_null(strstr(json, "\"counters\":{\"dropped\":{\"spoofed\":5,"));
	show_details(&info, NULL, 0, f);
	assert_int_equal(show_table(&info, 1, NULL, 0, f), 0);
	fclose(f);
	assert_non_null(strstr(text, "\nreceived   unknown\nsent       unknown\ndropped    5 packets\n"));
	assert_non_null(strstr(text, " -   -   5\n"));
}

static void table_is_aligned_and_has_no_empty_cell(void **state)
{
	static const char *const headings[] = { "A", "LONG", NULL };
	_cleanup_(table_done) struct table table = {};
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(table_init(&table, headings), 0);
	assert_int_equal(table_add(&table, "%s", "wide"), 0);
	assert_int_equal(table_add(&table, "%s", ""), 0);
	table_print(&table, f);
	fclose(f);
	assert_string_equal(text, "A     LONG\nwide  -\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_what_the_manual_says),
		cmocka_unit_test(stale_endpoint_says_why_and_none_has_no_address),
		cmocka_unit_test(longest_texts_fit),
		cmocka_unit_test(line_is_what_attach_prints),
		cmocka_unit_test(details_say_whose_port_it_is),
		cmocka_unit_test(what_is_not_known_is_not_said),
		cmocka_unit_test(table_is_aligned_and_has_no_empty_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

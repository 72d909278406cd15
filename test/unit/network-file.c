// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-network.h"

#include "address.h"

static void left_out_keys_have_their_defaults(void **state)
{
	struct shunt_network network = parsed("{" V4 "}");

	(void)state;
	assert_string_equal(network.name, "web");
	assert_int_equal(network.subnet4.length, 16);
	assert_int_equal(network.subnet6.family, 0);
	assert_int_equal(network.mode, SHUNT_MODE_L3);
	assert_int_equal(network.mtu, 0);
	assert_true(network.uplinks_auto);
	assert_int_equal(network.routing, SHUNT_ROUTING_BPF);
	assert_true(network.masquerade);
	assert_true(network.isolate);
	assert_false(network.internal);
	assert_false(network.big_tcp);
	for (size_t kind = 0; kind < SHUNT_RULES_KINDS; kind++)
		assert_false(network.rules[kind].given);
}

static void each_key_is_read(void **state)
{
	struct shunt_network network = parsed("{\"subnets\": [\"fd00:1::/64\", \"10.1.0.0/16\"], \"mode\": \"l2\", "
					      "\"mtu\": 9000, \"uplinks\": [\"eth0\", \"wlan0\"], \"routing\": \"kernel\", "
					      "\"masquerade\": false, \"isolate\": false, \"internal\": true, \"big_tcp\": true}");

	(void)state;
	assert_int_equal(network.subnet4.family, AF_INET);
	assert_int_equal(network.subnet6.family, AF_INET6);
	assert_int_equal(network.mode, SHUNT_MODE_L2);
	assert_int_equal(network.mtu, 9000);
	assert_false(network.uplinks_auto);
	assert_int_equal(network.n_uplinks, 2);
	assert_string_equal(network.uplinks[1], "wlan0");
	assert_int_equal(network.routing, SHUNT_ROUTING_KERNEL);
	assert_false(network.masquerade);
	assert_false(network.isolate);
	assert_true(network.internal);
	assert_true(network.big_tcp);
}

/* Each text, and what its line must say: the place and the thing. */
static const struct {
	const char *text;
	const char *about;
} bad[] = {
	{ "", "web.json: empty" },
	{ "nope", "web.json:1:1" },
	{ "{" V4, "web.json:1:" },
	{ "{" V4 "} {}", "web.json:1:" },
	{ "[]", "JSON object" },
	{ "7", "JSON object" },
	{ "{}", "\"subnets\"" },
	{ "{\n " V4 ",\n \"subnet\": 1}", "web.json:3:2: unknown key \"subnet\"" },
	{ "{" V4 ", \"mtu\": 1500, \"mtu\": 1400}", "key \"mtu\" is there twice" },
	{ "{\"subnets\": []}", "subnets" },
	{ "{\"subnets\": \"10.1.0.0/16\"}", "subnets" },
	{ "{\"subnets\": [7]}", "subnets" },
	{ "{\"subnets\": [\"10.1.0.0\"]}", "10.1.0.0" },
	{ "{\"subnets\": [\"10.1.0.1/16\"]}", "10.1.0.0/16?" },
	{ "{\"subnets\": [\"10.0.0.0/7\"]}", "/8 to /30" },
	{ "{\"subnets\": [\"10.1.0.0/31\"]}", "/8 to /30" },
	{ "{\"subnets\": [\"fd00::/47\"]}", "/48 to /120" },
	{ "{\"subnets\": [\"fd00::/121\"]}", "/48 to /120" },
	{ "{\"subnets\": [\"10.1.0.0/16\", \"10.2.0.0/16\"]}", "second of IPv4" },
	{ "{\"subnets\": [\"127.0.0.0/8\"]}", "reserved" },
	{ "{\"subnets\": [\"224.1.0.0/16\"]}", "reserved" },
	{ "{\"subnets\": [\"169.254.7.0/24\"]}", "reserved" },
	{ "{\"subnets\": [\"fe80::/64\"]}", "reserved" },
	{ "{\"subnets\": [\"::ffff:10.0.0.0/104\"]}", "reserved" },
	{ "{" V4 ", \"mode\": \"l4\"}", "\"l3\" or \"l2\"" },
	{ "{" V4 ", \"mode\": 3}", "mode" },
	{ "{" V4 ", \"mtu\": 575}", "mtu" },
	{ "{" V4 ", \"mtu\": 65536}", "mtu" },
	{ "{" V4 ", \"mtu\": -1}", "mtu" },
	{ "{" V4 ", \"mtu\": \"1500\"}", "mtu" },
	{ "{" V4 ", \"mtu\": 1500.5}", "mtu" },
	{ "{" V6 ", \"mtu\": 1279}", "mtu" },
	{ "{\"mtu\": 1279, " V6 "}", "mtu" },
	{ "{" V4 ", \"uplinks\": \"eth0\"}", "uplinks" },
	{ "{" V4 ", \"uplinks\": []}", "uplinks" },
	{ "{" V4 ", \"uplinks\": [\"1234567890123456\"]}", "1234567890123456" },
	{ "{" V4 ", \"uplinks\": [\"eth0\", \"eth0\"]}", "twice" },
	{ "{" V4 ", \"uplinks\": [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\","
	  "\"p\",\"q\"]}", "1 to 16" },
	{ "{" V4 ", \"uplinks\": [null]}", "uplinks" },
	{ "{" V4 ", \"routing\": \"host\"}", "routing" },
	{ "{" V4 ", \"masquerade\": 1}", "masquerade" },
	{ "{" V4 ", \"masquerade_except\": \"10.0.0.0/8\"}", "web.json:1:51: masquerade_except must be a list of 256 subnets" },
	{ "{" V4 ", \"masquerade_except\": [\"10.0.0.0/8\",\n \"x\"]}", "web.json:2:2: masquerade_except: \"x\" is no subnet" },
	{ "{" V4 ", \"masquerade_except\": [7]}", "web.json:1:52: masquerade_except" },
	{ "{" V4 ", \"masquerade_except\": [\"10.0.0.0/8 tcp\"]}", "is no subnet" },
	{ "{" V4 ", \"masquerade_except\": [\"tcp/443\"]}", "is no subnet" },
	{ "{" V4 ", \"masquerade_except\": [\"10.1.0.0/8\"]}", "10.0.0.0/8?" },
	{ "{" V4 ", \"masquerade_except\": [\"fd00::1/64\"]}", "fd00::/64?" },
	{ "{" V4 ",\n \"allow\": [\"tcp/443\"]}", "web.json:2:11: allow must be an object" },
	{ "{" V4 ",\n \"allow\": {\"inn\": []}}", "web.json:2:12: allow: unknown key \"inn\"" },
	{ "{" V4 ",\n \"allow\": {\"in\": [], \"in\": []}}", "web.json:2:22: allow: key \"in\" is there twice" },
	{ "{" V4 ",\n \"allow\": {\"out\": \"tcp\"}}", "web.json:2:19: allow: out must be a list of 256 rules" },
	{ "{" V4 ",\n \"allow\": {\"out\": [\"tcp\",\n  \"tcp/0\"]}}", "web.json:3:3: allow: out: \"tcp/0\" is no rule" },
	{ "{" V4 ",\n \"allow\": {\"in\": [\"10.0.0.1/8 tcp\"]}}", "web.json:2:19: allow: in: 10.0.0.1/8 tcp has bits set behind its "
	  "length; 10.0.0.0/8?" },
	{ "{" V4 ",\n \"allow\": {\"in\": [null]}}", "web.json:2:19: allow: in: \"\" is no rule" },
	{ "{" V4 ",\n \"allow\": null}", "web.json:2:11: allow" },
	{ "{" V4 ", \"flows\": 1023}", "web.json:1:39: flows must be a number from 1024 to 4194304" },
	{ "{" V4 ", \"flows\": 4194305}", "flows must be" },
	{ "{" V4 ", \"flows\": \"65536\"}", "flows must be" },
	{ "{" V4 ", \"flows\": -1}", "flows must be" },
	{ "{" V4 ", \"big_tcp\": 1}", "web.json:1:41: big_tcp must be true or false" },
	{ "{" V4 ", \"isolate\": \"true\"}", "isolate" },
	{ "{" V4 ", \"internal\": null}", "internal" },
};

static void bad_text_is_refused_with_place_and_thing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct shunt_network network = { .mtu = 77 };
		struct shunt_error error = {};

		assert_refused(network_parse("web", bad[i].text, "web.json", &network, &error), -EINVAL, &error, bad[i].about);
		assert_non_null(strstr(error.text, "web.json"));
		assert_int_equal(network.mtu, 77);
	}
}

static void exceptions_are_subnets_and_addresses(void **state)
{
	struct shunt_network network = parsed("{" V4 ", \"masquerade_except\": [\"192.168.0.0/16\", \"fd00:1::/32\", \"192.0.2.7\", "
					      "\"::/0\"]}");
	const struct shunt_rule_list *list = &network.rules[SHUNT_RULES_EXCEPT];

	(void)state;
	assert_int_equal(list->n, 4);
	assert_int_equal(list->rule[0].remote.length, 16);
	assert_int_equal(list->rule[1].remote.family, AF_INET6);
	assert_int_equal(list->rule[2].remote.length, 32);
	assert_int_equal(list->rule[3].remote.length, 0);
	assert_true(parsed("{" V4 ", \"masquerade_except\": []}").rules[SHUNT_RULES_EXCEPT].given);
}

static void allowed_flows_are_read(void **state)
{
	struct shunt_network network = parsed("{" V4 ", \"allow\": {\"out\": [\"10.0.0.0/8 tcp/443\", \"udp/53\"]}}");
	const struct shunt_rule_list *out = &network.rules[SHUNT_RULES_OUT];

	(void)state;
	assert_false(network.rules[SHUNT_RULES_IN].given);
	assert_true(out->given);
	assert_int_equal(out->n, 2);
	assert_int_equal(out->rule[0].port_low, 443);
	assert_int_equal(out->rule[1].remote.family, 0);
	network = parsed("{" V4 ", \"allow\": {\"in\": []}}");
	assert_true(network.rules[SHUNT_RULES_IN].given);
	assert_int_equal(network.rules[SHUNT_RULES_IN].n, 0);
	assert_false(network.rules[SHUNT_RULES_OUT].given);
}

/* More ranges than an entry has room for: the line is about the rule whose addresses they are for. */
static void too_many_ranges_are_refused(void **state)
{
	char text[8192] = "{" V4 ", \"allow\": {\"in\": [\n\"10.0.0.0/8 udp\"", *end = text + strlen(text);
	struct shunt_network network;
	struct shunt_error error;

	(void)state;
	for (int port = 1; port < SHUNT_MAX_RANGES; port++)
		end += sprintf(end, ",\n\"10.0.0.0/8 tcp/%d\"", 2 * port);
	strcpy(end, "]}}");
	assert_int_equal(network_parse("web", text, "web.json", &network, &error), 0);
	strcpy(end, ",\n\"tcp/999\"]}}");
	assert_refused(network_parse("web", text, "web.json", &network, &error), -EINVAL, &error,
		       "web.json:2:1: allow: in: more than 64 ranges of ports for the addresses of \"10.0.0.0/8 udp\"");
}

static void smallest_mtu_depends_on_the_families(void **state)
{
	(void)state;
	assert_int_equal(parsed("{" V4 ", \"mtu\": 576}").mtu, 576);
	assert_int_equal(parsed("{" V6 ", \"mtu\": 1280}").mtu, 1280);
}

static void default_network_may_leave_out_its_subnets(void **state)
{
	struct shunt_network network;
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_int_equal(network_parse("default", "{\"mtu\": 1400}", "x", &network, NULL), 0);
	assert_string_equal(prefix_format(&network.subnet4, text), "10.207.0.0/16");
	/* RFC 4193: fd, 40 bits, subnet 0. */
	assert_int_equal(network.subnet6.bytes[0], 0xfd);
	assert_int_equal(network.subnet6.length, 64);
	assert_false(prefix_has_host_bits(&network.subnet6));
	assert_int_equal(network.subnet6.bytes[6] | network.subnet6.bytes[7], 0);
	/* One file key replaces both. */
	assert_int_equal(network_parse("default", "{" V4 "}", "x", &network, NULL), 0);
	assert_int_equal(network.subnet6.family, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(left_out_keys_have_their_defaults),
		cmocka_unit_test(each_key_is_read),
		cmocka_unit_test(bad_text_is_refused_with_place_and_thing),
		cmocka_unit_test(exceptions_are_subnets_and_addresses),
		cmocka_unit_test(allowed_flows_are_read),
		cmocka_unit_test(too_many_ranges_are_refused),
		cmocka_unit_test(smallest_mtu_depends_on_the_families),
		cmocka_unit_test(default_network_may_leave_out_its_subnets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

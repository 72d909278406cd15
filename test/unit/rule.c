// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "rule.h"

static struct shunt_rule parsed(const char *text)
{
	struct shunt_rule rule;

	if (rule_parse(text, &rule) < 0)
		fail_msg("%s is no rule", text);
	return rule;
}

static void rules_are_written_as_they_are_read(void **state)
{
	static const char *const texts[] = {
		"10.0.0.0/8", "fd00::/8", "0.0.0.0/0", "10.0.0.0/8 tcp", "10.0.0.0/8 tcp/443", "fd00::/8 udp/1000-2000",
		"192.0.2.0/24 icmp", "tcp/443", "udp/1-65535", "icmp", "tcp", "::/0 icmp",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128 tcp/60000-65535",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		const struct shunt_rule rule = parsed(texts[i]);
		char text[RULE_TEXT_MAX];
		struct shunt_rule again;

		rule_format(&rule, text);
		if (!strchr(texts[i], '.') || strchr(texts[i], '.') < strchr(texts[i], '/'))
			assert_int_equal(rule_parse(text, &again), 0);
		if (i + 1 < ELEMENTSOF(texts))
			assert_string_equal(text, texts[i]);
	}
	assert_int_equal(parsed("10.0.0.1").remote.length, 32);
}

static void what_is_no_rule_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " ", "x", "10.0.0.0/33", "10.0.0.0/8 ", " tcp", "10.0.0.0/8  tcp", "10.0.0.0/8 sctp", "10.0.0.0/8 tcp/",
		"10.0.0.0/8 tcp/0", "10.0.0.0/8 tcp/65536", "tcp/2000-1000", "tcp/1-", "tcp/-1", "tcp/1-2-3", "tcp/443,444", "tcp/+1",
		"icmp/8", "tcp 10.0.0.0/8", "10.0.0.0/8 10.0.0.0/8", "10.0.0.0/8 tcp udp", "TCP", "tcp/443 ", "tcpx", "tc",
		"tcp/000000443", "fe80::1%eth0",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct shunt_rule rule;

		if (rule_parse(texts[i], &rule) != -EINVAL)
			fail_msg("\"%s\" is a rule", texts[i]);
	}
}

static struct shunt_rule_list list_of(size_t n, const char *const *texts)
{
	struct shunt_rule_list list = { .given = true, .n = n };

	for (size_t i = 0; i < n; i++)
		list.rule[i] = parsed(texts[i]);
	return list;
}

#define LIST(...) list_of(sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), (const char *[]){ __VA_ARGS__ })

static struct shunt_rules merged(struct shunt_rule_list list, const char *prefix)
{
	const struct shunt_rule at = parsed(prefix);
	struct shunt_rules rules;

	assert_int_equal(rules_merge(&list, &at.remote, &rules), 0);
	return rules;
}

static void assert_range(const struct shunt_rules *rules, size_t i, int protocol, int low, int high)
{
	assert_true(i < rules->n);
	assert_int_equal(rules->range[i].protocol, protocol);
	assert_int_equal(rules->range[i].low, low);
	assert_int_equal(rules->range[i].high, high);
}

static void longer_prefixes_have_the_rules_of_shorter_ones(void **state)
{
	const struct shunt_rule_list list = LIST("10.0.0.0/8 tcp/80", "10.1.0.0/16 tcp/443", "10.1.2.0/24 udp", "10.2.0.0/16 icmp",
						 "udp/53", "fd00::/8 tcp/22");
	struct shunt_rules rules = merged(list, "10.1.2.0/24");

	(void)state;
	assert_int_equal(rules.n, 3);
	assert_range(&rules, 0, IPPROTO_TCP, 80, 80);
	assert_range(&rules, 1, IPPROTO_TCP, 443, 443);
	assert_range(&rules, 2, IPPROTO_UDP, 0, 65535);
	rules = merged(list, "0.0.0.0/0");
	assert_int_equal(rules.n, 1);
	assert_range(&rules, 0, IPPROTO_UDP, 53, 53);
	rules = merged(list, "fd00::/8");
	assert_int_equal(rules.n, 2);
	assert_range(&rules, 0, IPPROTO_TCP, 22, 22);
	assert_range(&rules, 1, IPPROTO_UDP, 53, 53);
}

static void ranges_that_meet_are_one(void **state)
{
	struct shunt_rules rules = merged(LIST("tcp/20-30", "tcp/31", "tcp/25-40", "tcp/42", "udp/41", "tcp/1-2"), "0.0.0.0/0");

	(void)state;
	assert_int_equal(rules.n, 4);
	assert_range(&rules, 0, IPPROTO_TCP, 1, 2);
	assert_range(&rules, 1, IPPROTO_TCP, 20, 40);
	assert_range(&rules, 2, IPPROTO_TCP, 42, 42);
	assert_range(&rules, 3, IPPROTO_UDP, 41, 41);
	rules = merged(LIST("tcp/20-30", "10.0.0.0/8", "udp"), "10.0.0.0/8");
	assert_int_equal(rules.n, 1);
	assert_range(&rules, 0, 0, 0, 65535);
	rules = merged(LIST("tcp/65535", "tcp/65534", "tcp/1-65535"), "::/0");
	assert_int_equal(rules.n, 1);
	assert_range(&rules, 0, IPPROTO_TCP, 1, 65535);
}

static void icmp_is_that_of_the_family(void **state)
{
	struct shunt_rules rules = merged(LIST("icmp"), "::/0");

	(void)state;
	assert_range(&rules, 0, IPPROTO_ICMPV6, 0, 65535);
	rules = merged(LIST("icmp"), "0.0.0.0/0");
	assert_range(&rules, 0, IPPROTO_ICMP, 0, 65535);
}

static void there_are_only_so_many_ranges(void **state)
{
	const struct shunt_rule any = parsed("0.0.0.0/0");
	struct shunt_rule_list list = { .given = true };
	struct shunt_rules rules;

	(void)state;
	for (; list.n < SHUNT_MAX_RANGES; list.n++)
		list.rule[list.n] = (struct shunt_rule) { .protocol = IPPROTO_TCP, .port_low = (uint16_t)(2 * list.n + 1),
							  .port_high = (uint16_t)(2 * list.n + 1) };
	assert_int_equal(rules_merge(&list, &any.remote, &rules), 0);
	assert_int_equal(rules.n, SHUNT_MAX_RANGES);
	list.rule[list.n++] = parsed("udp");
	assert_int_equal(rules_merge(&list, &any.remote, &rules), -E2BIG);
}

static void fingerprints_differ_where_rules_do(void **state)
{
	struct shunt_network none = {}, empty = {}, one = {}, other = {}, same = {};

	(void)state;
	empty.rules[0].given = true;
	one.rules[0] = LIST("10.0.0.0/8", "icmp");
	same.rules[0] = LIST("10.0.0.0/8", "icmp");
	other.rules[0] = LIST("10.0.0.0/9", "icmp");
	assert_int_equal(rules_fingerprint(&none), 0);
	assert_true(rules_fingerprint(&empty) != 0);
	assert_true(rules_fingerprint(&empty) != rules_fingerprint(&one));
	assert_true(rules_fingerprint(&one) != rules_fingerprint(&other));
	assert_true(rules_fingerprint(&one) == rules_fingerprint(&same));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_written_as_they_are_read),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(longer_prefixes_have_the_rules_of_shorter_ones),
		cmocka_unit_test(ranges_that_meet_are_one),
		cmocka_unit_test(icmp_is_that_of_the_family),
		cmocka_unit_test(there_are_only_so_many_ranges),
		cmocka_unit_test(fingerprints_differ_where_rules_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

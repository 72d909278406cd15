// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "resolver.h"

#define BOTH (RESOLVER_IPV4 | RESOLVER_IPV6)
#define STUB "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n"
#define HEAD(file) "# From " file ", by `shunt run`: servers that can be reached from this network.\n"
#define HOST HEAD("/etc/resolv.conf")
#define UPSTREAM HEAD("/run/systemd/resolve/resolv.conf")

static void assert_composed(const char *host, const char *upstream, unsigned families, const char *expected)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(resolver_compose(host, upstream, families, &text), 0);
	if (!expected)
		assert_null(text);
	else
		assert_string_equal(text, expected);
}

static void assert_none(const char *host, const char *upstream, unsigned families)
{
	char *text = NULL;

	assert_int_equal(resolver_compose(host, upstream, families, &text), -EHOSTUNREACH);
	assert_null(text);
}

static void what_can_be_reached_stays(void **state)
{
	(void)state;
	assert_composed("nameserver 192.0.2.53\n", NULL, BOTH, NULL);
	assert_composed("nameserver\t2001:db8::53 # why\nnameserver 192.0.2.53;\r\n", STUB, BOTH, NULL);
	assert_composed("nameserver 64:ff9b::808:808\n", NULL, RESOLVER_IPV6, NULL);
	/* Resolvers heed three. */
	assert_composed("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver ::1\n", NULL, BOTH, NULL);
}

static void without_servers_nothing_is_said(void **state)
{
	(void)state;
	assert_composed("", STUB, BOTH, NULL);
	assert_composed("# nameserver 127.0.0.1\n;nameserver ::1\n nameserver ::1\nnameserver\nnameservers ::1\n", NULL, BOTH, NULL);
}

static void stub_gives_way_to_what_it_asks(void **state)
{
	(void)state;
	assert_composed(STUB, "# comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch .\n", BOTH,
			UPSTREAM "options edns0\nsearch example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n");
	assert_composed("options trust-ad\nnameserver ::1", "nameserver 192.0.2.53", BOTH,
			UPSTREAM "options\nnameserver 192.0.2.53\n");
}

static void what_cannot_be_reached_is_dropped(void **state)
{
	static const char *const out_of_reach[] = {
		"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.53", "::ffff:192.0.2.1", "fe80::1%eth0", "fe80::1",
		"169.254.169.254", "224.0.0.251", "ff02::fb", "255.255.255.255", "127.1", "192.0.2.1/32", "192.0.2.1:53", "what",
		"2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:2001:db8",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(out_of_reach); i++) {
		char host[256];

		snprintf(host, sizeof(host), "nameserver %s\nnameserver 192.0.2.53\noptions trust-ad ndots:2\n", out_of_reach[i]);
		assert_composed(host, "nameserver 192.0.2.54\n", BOTH, HOST "options trust-ad ndots:2\nnameserver 192.0.2.53\n");
		snprintf(host, sizeof(host), "nameserver %s", out_of_reach[i]);
		assert_none(host, host, BOTH);
		assert_none(host, NULL, BOTH);
	}
}

static void servers_of_a_missing_family_are_dropped(void **state)
{
	static const char host[] = "nameserver 192.0.2.53\nnameserver 2001:db8::53\n";

	(void)state;
	assert_composed(host, NULL, RESOLVER_IPV4, HOST "nameserver 192.0.2.53\n");
	assert_composed(host, NULL, RESOLVER_IPV6, HOST "nameserver 2001:db8::53\n");
	assert_composed(STUB, host, RESOLVER_IPV6, UPSTREAM "options edns0\nsearch example.org\nnameserver 2001:db8::53\n");
	assert_none("nameserver 192.0.2.53\n", NULL, RESOLVER_IPV6);
	assert_none(STUB, "nameserver 192.0.2.53\n", RESOLVER_IPV6);
}

static void at_most_three_are_given(void **state)
{
	(void)state;
	assert_composed(STUB, "nameserver 192.0.2.1\nnameserver ::1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
			BOTH, UPSTREAM "options edns0\nsearch example.org\n"
			"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n");
}

static void only_what_is_understood_is_written(void **state)
{
	(void)state;
	assert_composed("domain a\nlookup file\nsortlist 192.0.2.0/24\n# trust\nnameserver ::1\n", "search b\nnameserver 192.0.2.1\n", BOTH,
			UPSTREAM "domain a\nsortlist 192.0.2.0/24\nnameserver 192.0.2.1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_reached_stays),
		cmocka_unit_test(without_servers_nothing_is_said),
		cmocka_unit_test(stub_gives_way_to_what_it_asks),
		cmocka_unit_test(what_cannot_be_reached_is_dropped),
		cmocka_unit_test(servers_of_a_missing_family_are_dropped),
		cmocka_unit_test(at_most_three_are_given),
		cmocka_unit_test(only_what_is_understood_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

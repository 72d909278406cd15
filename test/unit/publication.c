// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <arpa/inet.h>

#include "publication.h"

static const struct {
	const char *text;
	struct publication p;
} good[] = {
	{ "8080:80", { {}, 8080, 8080, 80, IPPROTO_TCP } },
	{ "1:65535/udp", { {}, 1, 1, 65535, IPPROTO_UDP } },
	{ "80:80/tcp", { {}, 80, 80, 80, IPPROTO_TCP } },
	{ "8000-8009:80", { {}, 8000, 8009, 80, IPPROTO_TCP } },
	{ "8000-8009:80-89", { {}, 8000, 8009, 80, IPPROTO_TCP } },
	{ "8000-8000:80-80", { {}, 8000, 8000, 80, IPPROTO_TCP } },
	{ "1-65535:1-65535/udp", { {}, 1, 65535, 1, IPPROTO_UDP } },
	{ "10.1.2.3:8080:80", { { AF_INET, { 10, 1, 2, 3 }, 32 }, 8080, 8080, 80, IPPROTO_TCP } },
	{ "0.0.0.0:8080:80", { { AF_INET, {}, 32 }, 8080, 8080, 80, IPPROTO_TCP } },
	{ "[::]:8080:80", { { AF_INET6, {}, 128 }, 8080, 8080, 80, IPPROTO_TCP } },
	{ "[fd00::9]:53-54:53/udp", { { AF_INET6, { 0xfd, [15] = 9 }, 128 }, 53, 54, 53, IPPROTO_UDP } },
};

static void what_users_write_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++) {
		struct publication p;
		struct shunt_error error = {};

		if (publication_parse(good[i].text, &p, &error) < 0)
			fail_msg("%s", error.text);
		assert_int_equal(p.host.family, good[i].p.host.family);
		assert_memory_equal(p.host.bytes, good[i].p.host.bytes, sizeof(p.host.bytes));
		assert_int_equal(p.first, good[i].p.first);
		assert_int_equal(p.last, good[i].p.last);
		assert_int_equal(p.target, good[i].p.target);
		assert_int_equal(p.protocol, good[i].p.protocol);
	}
}

/* What the line must say; bad-input.sh has more of them. */
static const char *const bad[][2] = {
	{ "", "no port of the container" },
	{ "80", "no port of the container" },
	{ "80:0", "from 1 to 65535" },
	{ "0:80", "from 1 to 65535" },
	{ "80:80/sctp", "tcp or udp" },
	{ "80-90:80-91", "same length" },
	{ "80-90:80-80", "same length" },
	{ "80-90:65530", "same length" },
	{ "80:80-81", "same length" },
	{ "90-80:80", "goes up" },
	{ "fd00::1:80:80", "brackets" },
	{ "[fd00::1:80:80", "no ] behind [" },
	{ "[10.0.0.1]:80:80", "no IPv6 address" },
	{ "[fe80::1]:80:80", "no host's" },
	{ "0.0.0.1:80:80", "no host's" },
	{ "host:80:80", "no address" },
};

static void what_means_nothing_is_refused_with_the_reason(void **state)
{
	char longest[200] = "";

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct shunt_error error = {};
		struct publication p;

		assert_refused(publication_parse(bad[i][0], &p, &error), -EINVAL, &error, bad[i][1]);
		assert_refused(publication_parse(bad[i][0], &p, &error), -EINVAL, &error, bad[i][0]);
	}
	memset(longest, '1', sizeof(longest) - 1);
	for (size_t n = 100; n < sizeof(longest) - 1; n++) {
		struct shunt_error error = {};
		struct publication p;

		assert_refused(publication_parse(longest + n, &p, &error), -EINVAL, &error, "publishes nothing");
	}
}

static const struct {
	const char *texts[2];
	int r;
} pairs[] = {
	{ { "80:80", "80:81" }, -EEXIST },
	{ { "80:80", "80:80/udp" }, 0 },
	{ { "80:80", "81:80" }, 0 },
	{ { "80-90:80", "90-100:90" }, -EEXIST },
	{ { "80-90:80", "91-100:90" }, 0 },
	{ { "80:80", "10.0.0.1:80:80" }, -EEXIST },
	{ { "[::1]:80:80", "80:80" }, -EEXIST },
	{ { "0.0.0.0:80:80", "10.0.0.1:80:80" }, -EEXIST },
	{ { "0.0.0.0:80:80", "[::]:80:80" }, 0 },
	{ { "10.0.0.2:80:80", "10.0.0.1:80:80" }, 0 },
	{ { "[fd00::1]:80:80", "[::]:80:80" }, -EEXIST },
};

static void no_port_of_an_address_is_published_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
		struct shunt_error error = {};
		struct publication p[2];
		int r = publications_parse(pairs[i].texts, 2, p, &error);

		if (r != pairs[i].r)
			fail_msg("%s and %s: %d: %s", pairs[i].texts[0], pairs[i].texts[1], r, error.text);
	}
}

static struct shunt_port port(const char *host, uint16_t first, uint16_t target, uint8_t protocol)
{
	struct shunt_port p = { .key = { .host = { .port = htons(first), .protocol = protocol } }, .value = { .port = htons(target) } };
	struct shunt_prefix address = { .family = strchr(host, ':') ? AF_INET6 : AF_INET };

	assert_int_equal(inet_pton(address.family, host, address.bytes), 1);
	mapped_address(&address, p.key.host.address);
	return p;
}

static void neighbours_are_shown_as_a_range(void **state)
{
	struct shunt_port list[] = {
		port("0.0.0.0", 80, 8080, IPPROTO_TCP),
		port("0.0.0.0", 81, 8081, IPPROTO_TCP),
		port("0.0.0.0", 82, 8090, IPPROTO_TCP),
		port("255.255.255.254", 65535, 65535, IPPROTO_UDP),
		port("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1", 65534, 65534, IPPROTO_UDP),
		port("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1", 65535, 65535, IPPROTO_UDP),
	};
	char text[PORT_TEXT_MAX];

	(void)state;
	assert_int_equal(port_format(list, 6, text), 2);
	assert_string_equal(text, "0.0.0.0:80-81:8080-8081/tcp");
	assert_int_equal(port_format(list, 1, text), 1);
	assert_string_equal(text, "0.0.0.0:80:8080/tcp");
	assert_int_equal(port_format(list + 2, 4, text), 1);
	assert_string_equal(text, "0.0.0.0:82:8090/tcp");
	assert_int_equal(port_format(list + 3, 3, text), 1);
	assert_string_equal(text, "255.255.255.254:65535:65535/udp");
	assert_int_equal(port_format(list + 4, 2, text), 2);
	assert_string_equal(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff1]:65534-65535:65534-65535/udp");
	strcpy(list[1].value.service, "web");
	assert_int_equal(port_format(list, 6, text), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_users_write_is_read),
		cmocka_unit_test(what_means_nothing_is_refused_with_the_reason),
		cmocka_unit_test(no_port_of_an_address_is_published_twice),
		cmocka_unit_test(neighbours_are_shown_as_a_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

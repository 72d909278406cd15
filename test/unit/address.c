// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "address.h"

static struct shunt_prefix parsed(const char *text)
{
	struct shunt_prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void assert_text(const struct shunt_prefix *prefix, const char *expected)
{
	char text[PREFIX_TEXT_MAX];

	assert_string_equal(prefix_format(prefix, text), expected);
}

static void text_survives_parse_and_format(void **state)
{
	static const char *const texts[] = {
		"10.207.0.9/32", "0.0.0.0/0", "255.255.255.255/1", "fd00::9/64", "::/0", "::1/128",
		"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
	};
	char text[PREFIX_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i + 1 < ELEMENTSOF(texts); i++) {
		struct shunt_prefix prefix = parsed(texts[i]);

		assert_string_equal(prefix_format(&prefix, text), texts[i]);
	}
	/* The longest text there is. */
	parsed(texts[ELEMENTSOF(texts) - 1]);
}

static void address_without_length_has_the_full_one(void **state)
{
	(void)state;
	assert_int_equal(parsed("10.0.0.1").length, 32);
	assert_int_equal(parsed("fd00::1").length, 128);
	assert_int_equal(parsed("fd00::1").family, AF_INET6);
}

static void bad_text_is_refused_and_ret_untouched(void **state)
{
	static const char *const texts[] = {
		"", "/", "/24", "10", "10.0.0", "10.0.0.0.0", "10.0.0.256", "10.0.0.01", "0x0a.0.0.1", " 10.0.0.1", "10.0.0.1 ",
		"10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "10.0.0.1/+1", "10.0.0.1/ 8", "10.0.0.1/08", "10.0.0.1/8/8",
		"fd00::1/129", "fd00:::1", "fe80::1%eth0", "fe80::1%1/64", "[::1]", "::1/99999999999999999999", "localhost",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};
	struct shunt_prefix prefix = { .family = 77 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (prefix_parse(texts[i], &prefix) != -EINVAL || prefix.family != 77)
			fail_msg("\"%s\" was taken", texts[i]);
}

static void contains_compares_only_the_outer_length(void **state)
{
	struct shunt_prefix outer = parsed("10.0.0.0/9"), inside = parsed("10.127.255.255"), outside = parsed("10.128.0.0");
	struct shunt_prefix all = parsed("0.0.0.0/0"), other = parsed("::/0");

	(void)state;
	assert_true(prefix_contains(&outer, &inside));
	assert_false(prefix_contains(&outer, &outside));
	assert_true(prefix_contains(&all, &outside));
	assert_false(prefix_contains(&other, &outside));
}

static void overlap_is_symmetric(void **state)
{
	struct shunt_prefix wide = parsed("fd00::/8"), narrow = parsed("fd00:1::/64"), other = parsed("fc00::/8");

	(void)state;
	assert_true(prefix_overlap(&wide, &narrow));
	assert_true(prefix_overlap(&narrow, &wide));
	assert_false(prefix_overlap(&wide, &other));
	assert_false(prefix_overlap(&other, &narrow));
}

static void mask_clears_the_host_bits_alone(void **state)
{
	struct shunt_prefix prefix = parsed("10.207.255.255/17"), six = parsed("fd00:0:0:ffff::1/60");

	(void)state;
	assert_true(prefix_has_host_bits(&prefix));
	prefix_mask(&prefix);
	assert_text(&prefix, "10.207.128.0/17");
	assert_false(prefix_has_host_bits(&prefix));
	prefix_mask(&six);
	assert_text(&six, "fd00:0:0:fff0::/60");
}

static void netmask_has_length_bits(void **state)
{
	uint8_t mask[16];

	(void)state;
	for (unsigned length = 0; length <= 128; length++) {
		prefix_netmask(length, mask);
		for (unsigned bit = 0; bit < 128; bit++)
			assert_int_equal(mask[bit / 8] >> (7 - bit % 8) & 1, bit < length);
	}
}

static void host_and_number_are_inverse(void **state)
{
	static const char *const subnets[] = { "10.207.0.0/16", "10.0.0.0/8", "192.0.2.8/30", "fd00:1:2:3::/64", "fd00::/48",
					       "fd00::ff00/120" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(subnets); i++) {
		struct shunt_prefix subnet = parsed(subnets[i]);
		uint64_t first, pool = prefix_pool(&subnet, &first);
		const uint64_t numbers[] = { 0, 1, first, first + pool / 2, first + pool - 1 };

		for (size_t j = 0; j < ELEMENTSOF(numbers); j++) {
			struct shunt_prefix host;

			prefix_host(&subnet, numbers[j], &host);
			assert_int_equal(host.length, family_bits(subnet.family));
			assert_true(prefix_contains(&subnet, &host));
			assert_int_equal(prefix_host_number(&subnet, &host), numbers[j]);
		}
	}
}

static void pool_leaves_out_what_is_reserved(void **state)
{
	struct shunt_prefix subnet;
	uint64_t first;

	(void)state;
	subnet = parsed("10.207.0.0/16");
	assert_int_equal(prefix_pool(&subnet, &first), 65536 - 3);
	assert_int_equal(first, 2);
	subnet = parsed("192.0.2.8/30");
	assert_int_equal(prefix_pool(&subnet, &first), 1);
	subnet = parsed("192.0.2.8/32");
	assert_int_equal(prefix_pool(&subnet, &first), 0);
	subnet = parsed("fd00::/120");
	assert_int_equal(prefix_pool(&subnet, &first), 254);
	subnet = parsed("fd00::/48");
	assert_int_equal(prefix_pool(&subnet, &first), UINT64_C(1) << 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_survives_parse_and_format),
		cmocka_unit_test(address_without_length_has_the_full_one),
		cmocka_unit_test(bad_text_is_refused_and_ret_untouched),
		cmocka_unit_test(contains_compares_only_the_outer_length),
		cmocka_unit_test(overlap_is_symmetric),
		cmocka_unit_test(mask_clears_the_host_bits_alone),
		cmocka_unit_test(netmask_has_length_bits),
		cmocka_unit_test(host_and_number_are_inverse),
		cmocka_unit_test(pool_leaves_out_what_is_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "names.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A128 A16 A16 A16 A16 A16 A16 A16 A16

static void ids_of_the_alphabet_are_taken(void **state)
{
	static const char *const ids[] = { "a", "_", "+", "0", "web-1.example_com+2", "_.-", A128 };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ids); i++)
		assert_int_equal(id_check(ids[i], NULL), 0);
}

static void other_ids_are_refused_with_a_line(void **state)
{
	static const char *const ids[] = { "", ".", "..", ".a", "-a", "a/b", "a b", "a\n", "\xc3\xa4", "a:b", A128 "a" };
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ids); i++)
		assert_refused(id_check(ids[i], &error), -EINVAL, &error, "ID");
}

static void interface_names_of_the_kernel_are_taken(void **state)
{
	static const char *const names[] = { "e", "eth0", "123456789012345", "a.b", "a@b", "-x" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(interface_name_check(names[i], NULL), 0);
}

static void other_interface_names_are_refused_with_a_line(void **state)
{
	static const char *const names[] = { "", ".", "..", "1234567890123456", "a/b", "a:b", "a b", "a\tb", "eth%d", "\x7f",
					     "\xc3\xa4", "lo", "all", "default", A128 };
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_refused(interface_name_check(names[i], &error), -EINVAL, &error, "interface name");
}

static void network_names_are_files_and_no_paths(void **state)
{
	static const char *const good[] = { "default", "0", "a_b.c-d", "123456789012345" };
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", "-a", "_a", "1234567890123456", "a b" };
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_int_equal(network_name_check(good[i], NULL), 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_refused(network_name_check(bad[i], &error), -EINVAL, &error, "network");
}

/* Pins and device names of a running host depend on it: another hash is another host end. */
static void host_name_is_the_same_forever(void **state)
{
	char name[SHUNT_IFNAME_MAX];

	(void)state;
	host_name("web", "eth0", name);
	assert_string_equal(name, "nkf1180e1579c7e");
	assert_int_equal(interface_name_check(name, NULL), 0);
}

static void hash_tells_parts_apart(void **state)
{
	(void)state;
	assert_int_not_equal(name_hash("ab", "c"), name_hash("a", "bc"));
	assert_int_not_equal(name_hash("ab", ""), name_hash("", "ab"));
	/* Neighbours differ where host_name() looks, too. */
	assert_int_not_equal(name_hash("web1", "eth0") >> 12, name_hash("web2", "eth0") >> 12);
	assert_int_not_equal(name_hash("web", "eth0") >> 56, name_hash("web", "eth1") >> 56);
}

static void numbers_are_digits_in_range(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_int_equal(number_parse("0", 0, 9, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(number_parse("18446744073709551615", 0, UINT64_MAX, &n), 0);
	assert_int_equal(n, UINT64_MAX);
	assert_int_equal(number_parse("1500", 576, 65535, &n), 0);
	assert_int_equal(n, 1500);
}

static void other_numbers_are_refused_and_ret_untouched(void **state)
{
	static const char *const texts[] = { "", " 1", "1 ", "+1", "-1", "0x1", "01", "00", "1e3", "1.0", "one", "\n1" };
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		assert_int_equal(number_parse(texts[i], 0, 9999, &n), -EINVAL);
	assert_int_equal(number_parse("18446744073709551616", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(number_parse("99999999999999999999999", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(number_parse("575", 576, 65535, &n), -ERANGE);
	assert_int_equal(number_parse("65536", 576, 65535, &n), -ERANGE);
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_the_alphabet_are_taken),
		cmocka_unit_test(other_ids_are_refused_with_a_line),
		cmocka_unit_test(interface_names_of_the_kernel_are_taken),
		cmocka_unit_test(other_interface_names_are_refused_with_a_line),
		cmocka_unit_test(network_names_are_files_and_no_paths),
		cmocka_unit_test(host_name_is_the_same_forever),
		cmocka_unit_test(hash_tells_parts_apart),
		cmocka_unit_test(numbers_are_digits_in_range),
		cmocka_unit_test(other_numbers_are_refused_and_ret_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

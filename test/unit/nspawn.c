// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "nspawn.h"

static void a_machine_is_called_as_systemd_allows(void **state)
{
	static const char *const good[] = { "web", "a", "0", "web-1", "web.example.org", "A--b" };
	static const char *const bad[] = {
		"", ".", "..", "-", "-a", "a-", ".a", "a.", "a..b", "a.-b", "a-.b", "a_b", "a+b", "a b", "a/b", "../a", "a@b", "a%i",
		"a\\x2db", "a\nb", "\xc3\xa4",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(good); i++)
		assert_int_equal(machine_name_check(good[i], &error), 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_refused(machine_name_check(bad[i], &error), -EINVAL, &error, "machinectl rename");
}

static void the_argument_is_what_nspawn_takes(void **state)
{
	struct nspawn_request request = { .request.id = "web" };
	_cleanup_free_ char *interface = NULL, *namespace = NULL;
	char parked[SHUNT_IFNAME_MAX], expected[64];

	(void)state;
	shunt_parked_name("web", "host0", parked);
	snprintf(expected, sizeof(expected), "%s:host0", parked);
	assert_int_equal(nspawn_argument(&request, &interface), 0);
	assert_string_equal(interface, expected);
	request.mode = NSPAWN_MODE_NAMESPACE;
	assert_int_equal(nspawn_argument(&request, &namespace), 0);
	assert_string_equal(namespace, "/run/shunt/nspawn/web.netns");
}

static void a_mode_is_one_of_two(void **state)
{
	enum nspawn_mode mode = NSPAWN_MODE_INTERFACE;
	struct shunt_error error;

	(void)state;
	assert_int_equal(nspawn_mode_parse("namespace", &mode, &error), 0);
	assert_int_equal(mode, NSPAWN_MODE_NAMESPACE);
	assert_int_equal(nspawn_mode_parse("interface", &mode, &error), 0);
	assert_int_equal(mode, NSPAWN_MODE_INTERFACE);
	assert_refused(nspawn_mode_parse("l2", &mode, &error), -EINVAL, &error, "interface or namespace");
}

static void stop_needs_nothing(void **state)
{
	struct shunt_error error;

	(void)state;
	assert_int_equal(nspawn_stop("/nonexistent/bpffs/shunt", "shunt-unit-test-nobody", &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_machine_is_called_as_systemd_allows),
		cmocka_unit_test(the_argument_is_what_nspawn_takes),
		cmocka_unit_test(a_mode_is_one_of_two),
		cmocka_unit_test(stop_needs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

static void failure_is_one_line_and_returns_the_errno(void **state)
{
	struct shunt_error error;

	(void)state;
	assert_int_equal(shunt_fail(&error, -ENOENT, "%s: %d", "a", 1), -ENOENT);
	assert_string_equal(error.text, "a: 1");
}

static void quoted_text_cannot_end_the_line(void **state)
{
	struct shunt_error error;

	(void)state;
	shunt_fail(&error, -EINVAL, "key \"%s\"", "a\nshunt: all is well\r\x1b[2J\x7f\t");
	assert_string_equal(error.text, "key \"a?shunt: all is well??[2J??\"");
}

static void long_text_is_cut(void **state)
{
	struct shunt_error error;
	char text[2 * sizeof(error.text)];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	shunt_fail(&error, -EINVAL, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(shunt_fail(NULL, -EIO, "%s", "x"), -EIO);
}

static void every_reason_has_its_own_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= SHUNT_DROP_TTL; i++) {
		assert_string_not_equal(shunt_drop_name(i), "other");
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(shunt_drop_name(i), shunt_drop_name(j));
	}
	assert_string_equal(shunt_drop_name(SHUNT_DROP_MAX), "other");
	assert_string_equal(shunt_drop_name(SHUNT_DROP_MAX - 1), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_is_one_line_and_returns_the_errno),
		cmocka_unit_test(quoted_text_cannot_end_the_line),
		cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(every_reason_has_its_own_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static void what_is_no_character_is_not_passed_on(void **state)
{
	static const struct {
		const char *text, *harmless;
	} cases[] = {
		{ "b\xc3\xb6x \xe2\x82\xac \xf0\x9f\x90\xb3", "b\xc3\xb6x \xe2\x82\xac \xf0\x9f\x90\xb3" },
		{ "a\xc2\x9b" "31mb", "a??31mb" },	/* a terminal takes U+009B for ESC [ */
		{ "a\xff\xc3", "a??" },
		{ "\xe2\x82", "??" },
		{ "\xc0\x8a", "??" },		/* a line feed, in more bytes than it needs */
		{ "\xed\xa0\x80", "???" },	/* half a surrogate pair */
		{ "\xf4\x90\x80\x80\xf8", "?????" },
		{ "\xef\xbf\xbf", "???" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct shunt_error error;

		shunt_fail(&error, -EINVAL, "%s", cases[i].text);
		assert_string_equal(error.text, cases[i].harmless);
	}
}

static void long_text_loses_its_middle(void **state)
{
	struct shunt_error error;
	char text[2 * sizeof(error.text)];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	shunt_fail(&error, -EINVAL, "address \"%s\" is none", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(strncmp(error.text, "address \"aaa", 12), 0);
	assert_non_null(strstr(error.text, "aaa...aaa"));
	assert_string_equal(error.text + strlen(error.text) - strlen("\" is none"), "\" is none");
}

static void no_character_is_cut_in_two(void **state)
{
	struct shunt_error error;
	char text[2 * sizeof(error.text) + 1] = "";

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xb6", 2);
	for (size_t i = 0; i < 2; i++) {
		shunt_fail(&error, -EINVAL, "%s%s%s", i ? "x" : "", text, i ? "x" : "");
		assert_null(strchr(error.text, '?'));
		assert_true(strlen(error.text) > sizeof(error.text) - 6);
	}
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(shunt_fail(NULL, -EIO, "%s", "x"), -EIO);
}

static void every_reason_has_its_own_word(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= SHUNT_DROP_NO_NEIGHBOUR; i++) {
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
		cmocka_unit_test(what_is_no_character_is_not_passed_on),
		cmocka_unit_test(long_text_loses_its_middle),
		cmocka_unit_test(no_character_is_cut_in_two),
		cmocka_unit_test(nobody_need_listen),
		cmocka_unit_test(every_reason_has_its_own_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

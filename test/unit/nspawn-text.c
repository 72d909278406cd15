// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <sys/stat.h>

#include "nspawn-text.h"

static void words_are_filled_in(void **state)
{
	static const struct text_word words[] = { { "a", "1" }, { "bb", "" } };
	_cleanup_free_ char *text = text_fill("@a@@bb@ systemd-nspawn@@a@.service @c@ @", words, ELEMENTSOF(words));

	(void)state;
	assert_string_equal(text, "1 systemd-nspawn@1.service @c@ @");
}

/* Every word of every text is known to who fills it in. */
static void no_text_is_left_with_a_word(void **state)
{
	static const char *const texts[] = {
		nspawn_interface_conf, nspawn_namespace_conf, nspawn_interface_nspawn, nspawn_namespace_nspawn,
		nspawn_host0_network,
	};
	static const struct text_word words[] = {
		{ "machine", "web" }, { "program", "/usr/bin/shunt" }, { "options", "" }, { "state", "" },
		{ "interface", "np0" }, { "resolv", "off" }, { "addresses", "" }, { "routes", "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		_cleanup_free_ char *text = text_fill(texts[i], words, ELEMENTSOF(words));

		assert_true(text_has_section(text, i < 2 ? "Service" : i < 4 ? "Exec" : "Network"));
		for (const char *at = text; (at = strchr(at, '@')); at++)
			assert_memory_equal(at, "@.service", 9);
	}
}

static const struct {
	const char *text;
	bool found;
} settings[] = {
	{ "[Network]\nInterface=np0:host0\n", true },
	{ " [Network] \r\n\tInterface = np0:host0 \r\n", true },
	{ "[Network]\nInterface=np0:host0", true },
	{ "[Exec]\nBoot=yes\n[Network]\n\nPrivate=yes\nInterface=np0:host0\n", true },
	{ "", false },
	{ "[Network]", false },
	{ "[Network]\n#Interface=np0:host0\n", false },
	{ "[Network]\nInterface\n", false },
	{ "[Network]\nInterface=\n", false },
	{ "[Network]\nInterface=np0:host01\n", false },
	{ "[Network]\nInterface=np0\n", false },
	{ "[Network]\nInterfaces=np0:host0\n", false },
	{ "[Exec]\nInterface=np0:host0\n", false },
	{ "[Network]\n[Exec]\nInterface=np0:host0\n", false },
	{ "Interface=np0:host0\n", false },
	{ "[\nInterface=np0:host0\n[]\n]", false },
};

static void a_setting_is_found_in_its_section_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(settings); i++)
		if (text_has_setting(settings[i].text, "Network", "Interface", "np0:host0") != settings[i].found)
			fail_msg("\"%s\"", settings[i].text);
	assert_true(text_has_setting("[Exec]\nPrivateUsers=\n", "Exec", "PrivateUsers", NULL));
	assert_false(text_has_setting("[Exec]\n", "Exec", "PrivateUsers", NULL));
}

static void an_empty_section_has_nothing(void **state)
{
	(void)state;
	assert_true(text_has_section("[Network]\nPrivate=yes\n", "Network"));
	assert_false(text_has_section("[Network]\n; Private=yes\n\n[Exec]\nBoot=yes\n", "Network"));
}

static void what_is_written_is_read(void **state)
{
	char directory[] = "/tmp/nspawn-text.XXXXXX", path[64], parent[64];
	_cleanup_free_ char *text = NULL;
	struct shunt_error error;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(parent, sizeof(parent), "%s/a", directory);
	snprintf(path, sizeof(path), "%s/a/b.conf", directory);
	assert_int_equal(text_read(path, &text), -ENOENT);
	assert_int_equal(text_write(path, "one\n", &error), 0);
	assert_int_equal(text_write(path, "two\n", &error), 0);
	assert_int_equal(text_read(path, &text), 0);
	assert_string_equal(text, "two\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(stat(parent, &st), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(unlink(path), 0);
	/* The file itself was all that was left. */
	assert_int_equal(rmdir(parent), 0);

	assert_int_equal(symlink("/proc/nowhere", parent), 0);
	assert_refused(text_write(path, "three\n", &error), -ENOENT, &error, directory);
	assert_int_equal(unlink(parent), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_filled_in),
		cmocka_unit_test(no_text_is_left_with_a_word),
		cmocka_unit_test(a_setting_is_found_in_its_section_alone),
		cmocka_unit_test(an_empty_section_has_nothing),
		cmocka_unit_test(what_is_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

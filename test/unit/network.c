// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-network.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "address.h"

static void address_of_the_subnet_is_taken(void **state)
{
	struct shunt_network network = parsed("{\"subnets\": [\"10.1.0.0/16\", \"fd00:1::/64\"]}");
	static const char *const texts[] = { "10.1.0.2", "10.1.255.254", "10.1.0.9/16", "10.1.0.9/32", "fd00:1::2",
					     "fd00:1::ffff:ffff:ffff:ffff/64", "fd00:1::1:0" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct shunt_prefix address;

		assert_int_equal(network_address(&network, texts[i], &address, NULL), 0);
		assert_int_equal(address.length, family_bits(address.family));
	}
}

static void other_addresses_are_refused_with_a_line(void **state)
{
	struct shunt_network network = parsed("{\"subnets\": [\"10.1.0.0/16\", \"fd00:1::/64\"]}");
	struct shunt_network only4 = parsed("{" V4 "}");
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{ "", -EINVAL },	  { "web", -EINVAL },	     { "10.1.0.300", -EINVAL }, { "10.1.0.9/24", -EINVAL },
		{ "10.1.0.0", -ERANGE },  { "10.1.0.1", -ERANGE },   { "10.1.255.255", -ERANGE }, { "10.2.0.9", -ERANGE },
		{ "fd00:1::", -ERANGE },  { "fd00:1::1", -ERANGE },  { "fd00:2::9", -ERANGE },
	};
	struct shunt_prefix address;
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_refused(network_address(&network, cases[i].text, &address, &error), cases[i].r, &error, cases[i].text);
	assert_refused(network_address(&only4, "fd00:1::9", &address, &error), -ERANGE, &error, "no IPv6 subnet");
}

/* A directory of files for shunt_network_load(), removed with its test. */
struct directory {
	char path[64];
};

static int make_directory(void **state)
{
	struct directory *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	strcpy(d->path, "/tmp/shunt-unit-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	assert_int_equal(setenv("SHUNT_NETWORKS", d->path, 1), 0);
	*state = d;
	return 0;
}

static int remove_directory(void **state)
{
	struct directory *d = *state;
	DIR *dir = opendir(d->path);

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	closedirp(&dir);
	rmdir(d->path);
	unsetenv("SHUNT_NETWORKS");
	free(d);
	return 0;
}

static void in_directory(void **state, const char *file, char path[static 128])
{
	const struct directory *d = *state;

	snprintf(path, 128, "%s/%s", d->path, file);
}

static void write_file(void **state, const char *file, const char *text, size_t size)
{
	char path[128];
	FILE *f;

	in_directory(state, file, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void unknown_network_is_named_and_default_is_not_unknown(void **state)
{
	struct shunt_network network;
	struct shunt_error error;

	(void)state;
	assert_refused(shunt_network_load("nope", &network, &error), -ENOENT, &error, "nope");
	assert_refused(shunt_network_load("../etc", &network, &error), -EINVAL, &error, "../etc");
	assert_int_equal(shunt_network_load("default", &network, &error), 0);
	assert_int_equal(shunt_network_load(NULL, &network, &error), 0);
	assert_string_equal(network.name, "default");
}

static void file_overrides_the_default(void **state)
{
	struct shunt_network network;

	write_file(state, "default.json", "{\"mtu\": 1400}", 13);
	assert_int_equal(shunt_network_load("default", &network, NULL), 0);
	assert_int_equal(network.mtu, 1400);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	struct shunt_network network;
	struct shunt_error error;
	char path[128];

	in_directory(state, "fifo.json", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(shunt_network_load("fifo", &network, &error), -EINVAL, &error, "fifo.json");
	in_directory(state, "dir.json", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_refused(shunt_network_load("dir", &network, &error), -EINVAL, &error, "dir.json");
}

static void link_to_nowhere_is_no_absence(void **state)
{
	struct shunt_network network;
	struct shunt_error error;
	char path[128];

	in_directory(state, "default.json", path);
	(void)unlink(path);
	assert_int_equal(symlink("/nonexistent/default.json", path), 0);
	assert_refused(shunt_network_load("default", &network, &error), -ENOENT, &error, "default.json");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(shunt_network_load("default", &network, NULL), 0);
}

static void large_or_binary_files_are_refused(void **state)
{
	_cleanup_free_ char *big = calloc(1, NETWORK_FILE_MAX + 1);
	struct shunt_network network;
	struct shunt_error error;

	assert_non_null(big);
	memset(big, ' ', NETWORK_FILE_MAX + 1);
	write_file(state, "big.json", big, NETWORK_FILE_MAX + 1);
	assert_refused(shunt_network_load("big", &network, &error), -EFBIG, &error, "big.json");
	write_file(state, "nul.json", "{\0}", 3);
	assert_refused(shunt_network_load("nul", &network, &error), -EINVAL, &error, "nul.json");
}

static void most_flows_that_any_file_asks_for_count(void **state)
{
	assert_int_equal(network_flows_wanted(), SHUNT_FLOWS);
	write_file(state, "broken.json", "{", 1);
	write_file(state, "some.json", "{" V4 ", \"flows\": 2048}", strlen("{" V4 ", \"flows\": 2048}"));
	assert_int_equal(network_flows_wanted(), 2048);
	write_file(state, "default.json", "{\"flows\": 4194304}", strlen("{\"flows\": 4194304}"));
	assert_int_equal(network_flows_wanted(), 4194304);
}

static void names_are_sorted_and_include_the_default_once(void **state)
{
	_cleanup_(strv_freep) char **names = NULL;

	write_file(state, "web.json", "", 0);
	write_file(state, "default.json", "", 0);
	write_file(state, "a.json", "", 0);
	write_file(state, "a.json~", "", 0);
	write_file(state, ".hidden.json", "", 0);
	write_file(state, "README", "", 0);
	assert_int_equal(shunt_network_names(&names, NULL), 0);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "default");
	assert_string_equal(names[2], "web");
	assert_null(names[3]);
}

int main(void)
{
#define IN_DIRECTORY(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_of_the_subnet_is_taken),
		cmocka_unit_test(other_addresses_are_refused_with_a_line),
		IN_DIRECTORY(unknown_network_is_named_and_default_is_not_unknown),
		IN_DIRECTORY(file_overrides_the_default),
		IN_DIRECTORY(what_is_no_file_is_refused_at_once),
		IN_DIRECTORY(link_to_nowhere_is_no_absence),
		IN_DIRECTORY(large_or_binary_files_are_refused),
		IN_DIRECTORY(most_flows_that_any_file_asks_for_count),
		IN_DIRECTORY(names_are_sorted_and_include_the_default_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

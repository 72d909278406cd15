// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include "oci-state.h"

static void states_of_real_runtimes_are_read(void **state)
{
	/* As runc 1.1 and crun 1.21 write them, in createRuntime and in poststop. */
	static const struct {
		const char *text;
		enum oci_status status;
		pid_t pid;
		size_t annotations;
	} cases[] = {
		{ "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"status\":\"creating\",\"pid\":4711,\"bundle\":\"/b\",\"annotations\":"
		  "{\"org.x\":\"y\",\"shunt.network\":\"default\"}}", OCI_STATUS_CREATING, 4711, 1 },
		{ "{\"ociVersion\":\"1.0\",\"id\":\"web\",\"pid\":4711,\"root\":\"/run/crun/web\",\"bundle\":\"/\",\"status\":"
		  "\"created\",\"annotations\":{}}", OCI_STATUS_CREATED, 4711, 0 },
		{ "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"status\":\"stopped\",\"bundle\":\"/b\"}", OCI_STATUS_STOPPED, 0, 0 },
		{ "{\"id\":\"web\",\"pid\":0,\"status\":\"stopped\",\"annotations\":null}", OCI_STATUS_STOPPED, 0, 0 },
		{ "{\"id\":\"web\",\"status\":\"paused\",\"later\":[{\"id\":7}]}", OCI_STATUS_OTHER, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(oci_state_done) struct oci_state parsed = {};

		assert_int_equal(oci_state_parse(cases[i].text, strlen(cases[i].text), &parsed, NULL), 0);
		assert_string_equal(parsed.id, "web");
		assert_int_equal(parsed.status, cases[i].status);
		assert_int_equal(parsed.pid, cases[i].pid);
		assert_int_equal(parsed.n_annotations, cases[i].annotations);
	}
}

static void only_our_annotations_are_kept(void **state)
{
	static const char text[] = "{\"id\":\"a\",\"annotations\":{\"shunt\":\"0\",\"shunts.x\":7,\"shunt.mtu\":\"1400\","
				   "\"shunt.\":\"\"}}";
	_cleanup_(oci_state_done) struct oci_state parsed = {};

	(void)state;
	assert_int_equal(oci_state_parse(text, strlen(text), &parsed, NULL), 0);
	assert_int_equal(parsed.n_annotations, 2);
	assert_string_equal(parsed.annotations[0].key, "shunt.mtu");
	assert_string_equal(parsed.annotations[0].value, "1400");
	assert_string_equal(parsed.annotations[1].key, "shunt.");
}

static const struct {
	const char *text;
	const char *about;
} bad[] = {
	{ "", "empty" },
	{ "this is no JSON", "no JSON" },
	{ "{\"id\":\"a\"", "no JSON" },
	{ "{\"id\":\"a\"} trailing", "no JSON" },
	{ "{\"id\":\"\\ud800\"}", "no JSON" },
	{ "[\"id\"]", "object" },
	{ "null", "object" },
	{ "{}", "\"id\"" },
	{ "{\"ID\":\"a\"}", "\"id\"" },
	{ "{\"id\":null}", "\"id\"" },
	{ "{\"id\":7}", "\"id\"" },
	{ "{\"id\":\"\"}", "ID" },
	{ "{\"id\":\"../a\"}", "../a" },
	{ "{\"id\":\"a/b\"}", "a/b" },
	{ "{\"id\":\"-a\"}", "-a" },
	{ "{\"id\":\"a\",\"id\":\"b\"}", "\"id\" is there twice" },
	{ "{\"id\":\"a\",\"pid\":-1}", "\"pid\"" },
	{ "{\"id\":\"a\",\"pid\":\"1\"}", "\"pid\"" },
	{ "{\"id\":\"a\",\"pid\":2147483648}", "\"pid\"" },
	{ "{\"id\":\"a\",\"pid\":1.5}", "\"pid\"" },
	{ "{\"id\":\"a\",\"pid\":1,\"pid\":2}", "\"pid\" is there twice" },
	{ "{\"id\":\"a\",\"status\":1}", "\"status\"" },
	{ "{\"id\":\"a\",\"annotations\":[]}", "\"annotations\"" },
	{ "{\"id\":\"a\",\"annotations\":{\"shunt.mtu\":1400}}", "shunt.mtu" },
	{ "{\"id\":\"a\",\"annotations\":{\"shunt.mtu\":\"1\",\"shunt.mtu\":\"2\"}}", "shunt.mtu" },
};

static void bad_states_are_refused_with_the_thing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		struct oci_state parsed = { .pid = 77 };
		struct shunt_error error = {};

		assert_refused(oci_state_parse(bad[i].text, strlen(bad[i].text), &parsed, &error), -EINVAL, &error, bad[i].about);
		assert_int_equal(parsed.pid, 77);
	}
}

static void the_id_is_read_whatever_stands_beside_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		_cleanup_(oci_state_done) struct oci_state parsed = {};
		struct shunt_error error = {};
		/* Those from the first with a bad "pid" on have a good "id". */
		bool good = strstr(bad[i].text, "\"pid\"") || strstr(bad[i].text, "\"status\"") ||
			    strstr(bad[i].text, "\"annotations\"");
		int r = oci_state_parse_id(bad[i].text, strlen(bad[i].text), &parsed, &error);

		if (!good) {
			assert_refused(r, -EINVAL, &error, bad[i].about);
			continue;
		}
		assert_int_equal(r, 0);
		assert_string_equal(parsed.id, "a");
		assert_int_equal(parsed.n_annotations, 0);
	}
}

static void size_counts_and_not_a_nul(void **state)
{
	static const char text[] = "{\"id\":\"a\"}garbage", nul[] = "{\"id\":\0\"a\"}";
	_cleanup_(oci_state_done) struct oci_state parsed = {};
	struct shunt_error error;

	(void)state;
	assert_int_equal(oci_state_parse(text, 10, &parsed, NULL), 0);
	assert_refused(oci_state_parse(nul, sizeof(nul) - 1, &parsed, &error), -EINVAL, &error, "NUL");
}

static void two_mebibytes_are_refused(void **state)
{
	_cleanup_free_ char *big = malloc(2 * OCI_STATE_MAX);
	struct oci_state parsed;
	struct shunt_error error;

	(void)state;
	assert_non_null(big);
	memset(big, ' ', 2 * OCI_STATE_MAX);
	assert_refused(oci_state_parse(big, 2 * OCI_STATE_MAX, &parsed, &error), -EFBIG, &error, "1024 KiB");
}

static void deep_nesting_is_refused(void **state)
{
	enum { DEPTH = 100000 };
	_cleanup_free_ char *deep = malloc(DEPTH);
	struct oci_state parsed;
	struct shunt_error error;

	(void)state;
	assert_non_null(deep);
	memset(deep, '[', DEPTH);
	assert_refused(oci_state_parse(deep, DEPTH, &parsed, &error), -EINVAL, &error, "no JSON");
}

static void too_many_annotations_are_refused(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct oci_state parsed;
	struct shunt_error error;
	size_t size;
	FILE *f;

	(void)state;
	f = open_memstream(&text, &size);
	assert_non_null(f);
	fprintf(f, "{\"id\":\"a\",\"annotations\":{");
	for (int i = 0; i < 20000; i++)
		fprintf(f, "%s\"shunt.%d\":\"\"", i ? "," : "", i);
	fprintf(f, "}}");
	fclose(f);
	assert_refused(oci_state_parse(text, size, &parsed, &error), -EINVAL, &error, "annotations");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_of_real_runtimes_are_read),
		cmocka_unit_test(only_our_annotations_are_kept),
		cmocka_unit_test(bad_states_are_refused_with_the_thing),
		cmocka_unit_test(the_id_is_read_whatever_stands_beside_it),
		cmocka_unit_test(size_counts_and_not_a_nul),
		cmocka_unit_test(two_mebibytes_are_refused),
		cmocka_unit_test(deep_nesting_is_refused),
		cmocka_unit_test(too_many_annotations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

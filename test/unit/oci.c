// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "oci.h"

#define NOWHERE "/nonexistent/bpffs/shunt"

static struct oci_state parsed(const char *text)
{
	struct oci_state state;
	struct shunt_error error;

	if (oci_state_parse(text, strlen(text), &state, &error) < 0)
		fail_msg("%s", error.text);
	return state;
}

static void annotations_become_a_request(void **state)
{
	_cleanup_(oci_state_done) struct oci_state container = parsed(
		"{\"id\":\"web\",\"pid\":1,\"annotations\":{\"shunt.network\":\"n\",\"shunt.address\":\"10.0.0.9,fd00::9\","
		"\"shunt.interface\":\"net0\",\"shunt.mtu\":\"1400\",\"shunt.mode\":\"l2\"}}");
	_cleanup_(oci_request_done) struct oci_request request = {};

	(void)state;
	assert_int_equal(oci_request(&container, &request, NULL), 0);
	assert_string_equal(request.request.id, "web");
	assert_string_equal(request.request.network, "n");
	assert_int_equal(request.request.n_addresses, 2);
	assert_string_equal(request.request.addresses[0], "10.0.0.9");
	assert_string_equal(request.request.addresses[1], "fd00::9");
	assert_string_equal(request.request.interface, "net0");
	assert_int_equal(request.request.mtu, 1400);
	assert_int_equal(request.request.mode, SHUNT_MODE_L2);
	assert_int_equal(request.request.netns_fd, -1);
}

static void no_annotation_is_the_default(void **state)
{
	_cleanup_(oci_state_done) struct oci_state container = parsed("{\"id\":\"web\",\"pid\":1}");
	_cleanup_(oci_request_done) struct oci_request request = {};

	(void)state;
	assert_int_equal(oci_request(&container, &request, NULL), 0);
	assert_null(request.request.network);
	assert_null(request.request.interface);
	assert_int_equal(request.request.n_addresses, 0);
	assert_int_equal(request.request.mtu, 0);
	assert_int_equal(request.request.mode, 0);
}

/* What create refuses before it touches anything, and what the line must name. */
static const struct {
	const char *text;
	int r;
	const char *about;
} bad[] = {
	{ "{\"id\":\"w\",\"status\":\"created\"}", -EINVAL, "\"pid\"" },
	{ "{\"id\":\"w\",\"status\":\"created\",\"pid\":0}", -EINVAL, "\"pid\"" },
	{ "{\"id\":\"w\",\"status\":\"stopped\",\"pid\":1}", -EINVAL, "stopped" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.network\":\"nope\"}}", -ENOENT, "\"nope\"" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.network\":\"\"}}", -EINVAL, "network" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.network\":\"../../etc/passwd\"}}", -EINVAL, "../../etc" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.adress\":\"10.207.0.9\"}}", -EINVAL, "shunt.adress" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.a\\nb\":\"\"}}", -EINVAL, "shunt.a?b" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.publish\":\"80\"}}", -EINVAL, "\"80\"" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.publish\":\"80:80,81:0\"}}", -EINVAL, "\"81:0\"" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.publish\":\"80:80,80:81\"}}", -EEXIST, "the same port" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.publish\":\"\"}}", -EINVAL, "\"\"" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.service\":\"a\"}}", -EINVAL, "without a published port" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.publish\":\"80:80\",\"shunt.service\":\"-a\"}}", -EINVAL, "\"-a\"" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"192.0.2.1\"}}", -ERANGE, "192.0.2.1" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"10.207.0.1\"}}", -ERANGE, "reserved" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"10.207.0\"}}", -EINVAL, "10.207.0" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"\"}}", -EINVAL, "address" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"10.207.0.8,10.207.0.9\"}}", -EINVAL,
	  "second of IPv4" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.address\":\"1,2,3\"}}", -E2BIG, "shunt.address" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.interface\":\"1234567890123456\"}}", -EINVAL, "1234567890123456" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.mtu\":\"65536\"}}", -ERANGE, "shunt.mtu" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.mtu\":\"1279\"}}", -ERANGE, "1279" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.mtu\":\"1400 \"}}", -EINVAL, "shunt.mtu" },
	{ "{\"id\":\"w\",\"pid\":1,\"annotations\":{\"shunt.mode\":\"bridge\"}}", -EINVAL, "shunt.mode" },
};

static void bad_input_is_refused_before_anything_is_made(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		_cleanup_(oci_state_done) struct oci_state container = parsed(bad[i].text);
		struct shunt_error error = {};
		struct shunt_info info;

		assert_refused(oci_create(NOWHERE, &container, &info, &error), bad[i].r, &error, bad[i].about);
	}
}

/* A process ID that was somebody's and is nobody's. */
static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void dead_process_and_host_namespace_are_refused(void **state)
{
	_cleanup_(oci_state_done) struct oci_state container = parsed("{\"id\":\"w\",\"status\":\"created\",\"pid\":1}");
	struct shunt_error error = {};
	struct shunt_info info;

	(void)state;
	container.pid = dead_pid();
	assert_refused(oci_create(NOWHERE, &container, &info, &error), -ESRCH, &error, "gone");
	container.pid = getpid();
	assert_refused(oci_create(NOWHERE, &container, &info, &error), -EXDEV, &error, "host networking");
}

static void poststop_of_the_unknown_succeeds(void **state)
{
	/* Nothing is loaded; annotations, pid and status do not matter. */
	_cleanup_(oci_state_done) struct oci_state container = parsed(
		"{\"id\":\"w\",\"pid\":1,\"status\":\"running\",\"annotations\":{\"shunt.what\":\"\"}}");

	(void)state;
	assert_int_equal(oci_poststop(NOWHERE, &container, NULL), 0);
}

static void stages_are_those_that_concern_us(void **state)
{
	enum oci_stage stage;
	struct shunt_error error;

	(void)state;
	assert_int_equal(oci_stage_parse("createRuntime", &stage, NULL), 0);
	assert_int_equal(stage, OCI_CREATE_RUNTIME);
	assert_int_equal(oci_stage_parse("prestart", &stage, NULL), 0);
	assert_int_equal(stage, OCI_CREATE_RUNTIME);
	assert_int_equal(oci_stage_parse("poststop", &stage, NULL), 0);
	assert_int_equal(stage, OCI_POSTSTOP);
	assert_refused(oci_stage_parse("poststart", &stage, &error), -EINVAL, &error, "poststart");
}

static int file_of(size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void input_is_read_to_its_end_and_bounded(void **state)
{
	static const struct {
		size_t size;
		int r;
	} cases[] = { { 0, 0 }, { 1, 0 }, { OCI_STATE_MAX, 0 }, { OCI_STATE_MAX + 1, -EFBIG }, { 3 * OCI_STATE_MAX, -EFBIG } };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_close_ int fd = file_of(cases[i].size);
		_cleanup_free_ char *buffer = NULL;
		struct shunt_error error;
		size_t size = 77;

		assert_int_equal(oci_read(fd, &buffer, &size, &error), cases[i].r);
		assert_int_equal(size, cases[i].r == 0 ? cases[i].size : 77);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), cases[i].size);
	}
}

static void what_never_ends_is_refused(void **state)
{
	_cleanup_close_ int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buffer = NULL;
	struct shunt_error error;
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	assert_refused(oci_read(fd, &buffer, &size, &error), -EFBIG, &error, "1024 KiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(annotations_become_a_request),
		cmocka_unit_test(no_annotation_is_the_default),
		cmocka_unit_test(bad_input_is_refused_before_anything_is_made),
		cmocka_unit_test(dead_process_and_host_namespace_are_refused),
		cmocka_unit_test(poststop_of_the_unknown_succeeds),
		cmocka_unit_test(stages_are_those_that_concern_us),
		cmocka_unit_test(input_is_read_to_its_end_and_bounded),
		cmocka_unit_test(what_never_ends_is_refused),
	};

	/* The networks of this machine are not the test's. */
	setenv("SHUNT_NETWORKS", "/nonexistent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

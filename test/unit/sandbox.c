// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 6 besides: whatever the child does to its namespaces, ours stay. */
#include "unit.h"

#include <fcntl.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "netns.h"
#include "rights.h"
#include "sandbox.h"

static ino_t own_netns(void)
{
	struct stat st;

	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	return st.st_ino;
}

/* Starts, releases and waits. Return: the status, or what sandbox_release() said */
static int run(const char *const *command, struct shunt_error *error)
{
	_cleanup_(sandbox_done) struct sandbox sandbox = SANDBOX_NONE;
	sigset_t before;
	int r;

	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
	assert_int_equal(sandbox_start((char **)command, &sandbox, error), 0);
	r = sandbox_release(&sandbox, command[0], NULL, error);
	if (r == 0)
		r = sandbox_wait(&sandbox);
	/* Others than this program leave after one. */
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	return r;
}

static void status_is_the_command_s(void **state)
{
	static const char *const exits[] = { "/bin/sh", "-c", "exit 7", NULL };
	static const char *const dies[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	struct shunt_error error;

	(void)state;
	assert_int_equal(run(exits, &error), 7);
	assert_int_equal(run(dies, &error), 128 + SIGKILL);
}

static void missing_command_is_named(void **state)
{
	static const char *const missing[] = { "/nonexistent/command", NULL };
	static const char *const text[] = { "/etc/passwd", NULL };
	struct shunt_error error;

	(void)state;
	assert_refused(run(missing, &error), -ENOENT, &error, "/nonexistent/command");
	assert_refused(run(text, &error), -EACCES, &error, "/etc/passwd");
}

static void command_sees_only_loopback_which_is_up(void **state)
{
	static const char *const command[] = {
		"/bin/sh", "-c", "[ \"$(echo /sys/class/net/*)\" = /sys/class/net/lo ] && "
				 "[ \"$(cat /sys/class/net/lo/flags)\" = 0x9 ]", NULL,
	};
	struct shunt_error error;
	ino_t before = own_netns();

	(void)state;
	assert_int_equal(run(command, &error), 0);
	assert_int_equal(own_netns(), before);
}

static void signal_is_passed_on(void **state)
{
	static const char *const command[] = { "/bin/sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID; while :; do sleep 0.05; done",
					       NULL };
	struct shunt_error error;

	(void)state;
	assert_int_equal(run(command, &error), 5);
}

static void unreleased_child_is_gone_with_done(void **state)
{
	static const char *const command[] = { "/bin/true", NULL };
	struct sandbox sandbox = SANDBOX_NONE;
	struct shunt_error error;
	pid_t pid;
	int netns;

	(void)state;
	assert_int_equal(sandbox_start((char **)command, &sandbox, &error), 0);
	netns = netns_open_pid(sandbox.pid, &error);
	assert_true(netns >= 0);
	close(netns);
	pid = sandbox.pid;
	sandbox_done(&sandbox);
	assert_int_equal(sandbox.pid, 0);
	assert_refused(netns_open_pid(pid, &error), -ESRCH, &error, "gone");
}

static void what_is_no_namespace_of_others_is_refused(void **state)
{
	struct shunt_error error;

	(void)state;
	assert_refused(netns_open_path("/proc/self/ns/net", &error), -EXDEV, &error, "host's own");
	assert_refused(netns_open_path("/proc/self/ns/mnt", &error), -EINVAL, &error, "/proc/self/ns/mnt");
	assert_refused(netns_open_path("/dev/null", &error), -EINVAL, &error, "/dev/null");
	assert_refused(netns_open_path("/nonexistent", &error), -ENOENT, &error, "/nonexistent");
	assert_refused(netns_open_pid(getpid(), &error), -EXDEV, &error, "host networking");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_namespace_of_others_is_refused),
		cmocka_unit_test(status_is_the_command_s),
		cmocka_unit_test(missing_command_is_named),
		cmocka_unit_test(command_sees_only_loopback_which_is_up),
		cmocka_unit_test(signal_is_passed_on),
		cmocka_unit_test(unreleased_child_is_gone_with_done),
	};

	if (rights_check(RIGHTS_ATTACH, NULL) < 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "process.h"

/* A child that waits for its end, under a name that looks like the rest of the line. */
static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "a) Z 1 (b");
	for (;;)
		pause();
}

static void the_living_outlive(void **state)
{
	uint64_t started, again;
	pid_t pid = child();

	(void)state;
	assert_int_equal(process_started(pid, &started), 0);
	assert_int_equal(process_started(pid, &again), 0);
	assert_true(started > 0 && started == again);
	assert_true(process_outlives(pid, started, 0));
	assert_true(process_outlives(pid, started, 20));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void the_dead_do_not_even_while_nobody_has_asked_for_them(void **state)
{
	uint64_t started;
	pid_t pid = child();

	(void)state;
	assert_int_equal(process_started(pid, &started), 0);
	kill(pid, SIGKILL);
	assert_false(process_outlives(pid, started, 10000));
	assert_int_equal(process_started(pid, &started), -ESRCH);
	assert_false(process_outlives(pid, started, 10000));
	waitpid(pid, NULL, 0);
	assert_int_equal(process_started(pid, &started), -ESRCH);
	assert_false(process_outlives(pid, started, 10000));
}

static void another_of_the_same_number_is_another(void **state)
{
	uint64_t started;

	(void)state;
	assert_int_equal(process_started(getpid(), &started), 0);
	assert_false(process_outlives(getpid(), started - 1, 10000));
	assert_false(process_outlives(0, 0, 10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_living_outlive),
		cmocka_unit_test(the_dead_do_not_even_while_nobody_has_asked_for_them),
		cmocka_unit_test(another_of_the_same_number_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's grace periods are as they were, whoever worked at once, and whoever was killed. */
#include "unit-instance.h"

#include <signal.h>

#include "expedite.h"

static void write_knob(const char *value)
{
	FILE *f = fopen(EXPEDITE_KNOB, "we");

	assert_system(f && fprintf(f, "%s\n", value) > 0 && fclose(f) == 0, EXPEDITE_KNOB);
}

#define knob_is(wanted) \
	do { \
		FILE *_f = fopen(EXPEDITE_KNOB, "re"); \
		char _value[16] = ""; \
\
		assert_system(_f && fgets(_value, sizeof(_value), _f), EXPEDITE_KNOB); \
		fclose(_f); \
		assert_string_equal(_value, wanted "\n"); \
	} while (0)

/* A file in its place: the kernel's own is for all who test here at once. */
static int fresh_knob(void **state)
{
	fresh_instance(state);
	shell("echo 0 >/tmp/knob; mount --bind /tmp/knob " EXPEDITE_KNOB);
	return 0;
}

static void it_is_set_while_one_works(void **state)
{
	struct expedite e = expedite_begin(STATE);

	(void)state;
	knob_is(EXPEDITE_MARK);
	expedite_endp(&e);
	knob_is("0");
}

static void the_last_of_many_takes_it_back(void **state)
{
	struct expedite first = expedite_begin(STATE), second = expedite_begin(STATE);

	(void)state;
	expedite_endp(&first);
	knob_is(EXPEDITE_MARK);
	expedite_endp(&second);
	knob_is("0");
	/* These would be two processes. */
	assert_int_equal(sigprocmask(SIG_SETMASK, &first.signals, NULL), 0);
}

static void what_an_administrator_has_set_stays(void **state)
{
	struct expedite e;

	(void)state;
	write_knob("1");
	e = expedite_begin(STATE);
	knob_is("1");
	expedite_endp(&e);
	knob_is("1");

	write_knob("0");
	e = expedite_begin(STATE);
	write_knob("1");
	expedite_endp(&e);
	knob_is("1");
}

static void the_mark_of_who_was_killed_goes_with_the_next(void **state)
{
	struct expedite e;

	(void)state;
	write_knob(EXPEDITE_MARK);
	e = expedite_begin(STATE);
	expedite_mend(STATE);
	knob_is(EXPEDITE_MARK);
	expedite_endp(&e);
	knob_is("0");

	write_knob(EXPEDITE_MARK);
	expedite_mend(STATE);
	knob_is("0");
}

static volatile sig_atomic_t ended;

static void note_end(int signal)
{
	ended = signal;
}

static void who_is_told_to_end_takes_it_back_first(void **state)
{
	struct expedite e;

	(void)state;
	assert_true(signal(SIGTERM, note_end) != SIG_ERR);
	e = expedite_begin(STATE);
	raise(SIGTERM);
	assert_int_equal(ended, 0);
	expedite_endp(&e);
	assert_int_equal(ended, SIGTERM);
	knob_is("0");
}

static void where_it_cannot_be_written_nothing_happens(void **state)
{
	struct expedite e;

	(void)state;
	shell("mount -o remount,bind,ro " EXPEDITE_KNOB);
	e = expedite_begin(STATE);
	expedite_endp(&e);
	knob_is("0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_is_set_while_one_works, fresh_knob, close_instance),
		cmocka_unit_test_setup_teardown(the_last_of_many_takes_it_back, fresh_knob, close_instance),
		cmocka_unit_test_setup_teardown(what_an_administrator_has_set_stays, fresh_knob, close_instance),
		cmocka_unit_test_setup_teardown(the_mark_of_who_was_killed_goes_with_the_next, fresh_knob, close_instance),
		cmocka_unit_test_setup_teardown(who_is_told_to_end_takes_it_back_first, fresh_knob, close_instance),
		cmocka_unit_test_setup_teardown(where_it_cannot_be_written_nothing_happens, fresh_knob, close_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

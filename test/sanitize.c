// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sanitize.c - what the sanitizers do, in whatever environment a hook is started; `make SANITIZE=1` alone has it.
 *
 * A finding goes to a file of its own, since nobody may look at the standard error or the status of who made it.
 */
#define OPTIONS "exitcode=99:log_path=" FINDING ":detect_stack_use_after_return=1"

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return OPTIONS;
}

const char *__ubsan_default_options(void)
{
	return OPTIONS ":print_stacktrace=1";
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit.h - what the unit tests have in common.
 *
 * Each file is one program for one file of src/ or hooks/. Tests are static, so that one which is not registered is
 * unused, and fails the build. A test's name is its post-condition.
 */
#ifndef SHUNT_UNIT_H
#define SHUNT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shunt/shunt.h"
#include "util.h"

/* A failure is one line without control characters, and names what it is about. */
#define assert_refused(r, expected, error, about) \
	do { \
		assert_int_equal(r, expected); \
		assert_int_not_equal((error)->text[0], '\0'); \
		assert_null(strchr((error)->text, '\n')); \
		if (!strstr((error)->text, about)) \
			fail_msg("\"%s\" does not name \"%s\"", (error)->text, about); \
	} while (0)

#endif

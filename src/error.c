// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - a failure is one line.
 */
#include <stdarg.h>

#include "shunt/shunt.h"
#include "util.h"

int shunt_fail(struct shunt_error *error, int r, const char *format, ...)
{
	va_list ap;

	if (!error)
		return r;

	va_start(ap, format);
	vsnprintf(error->text, sizeof(error->text), format, ap);
	va_end(ap);

	/* Texts quote annotations and configuration: what those contain must neither end the line nor move a cursor. */
	for (char *c = error->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - a failure is one line.
 */
#include <stdarg.h>

#include "shunt/shunt.h"
#include "util.h"

#define CUT "..."

/* How many bytes the UTF-8 character at @s has, and which it is; 0 if there is none that JSON and a journal take. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;
	uint32_t c = n < 2 ? s[0] : s[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (n == 0 || c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c >= 0xfdd0 && c < 0xfdf0) ||
	    (c & 0xfffe) == 0xfffe)
		return 0;
	*ret = c;
	return n;
}

/*
 * Texts quote annotations, arguments and configuration: what those contain must neither end the line, nor move a cursor
 * (there are control characters behind DEL too), nor be what JSON cannot carry.
 */
static void make_harmless(char *text)
{
	for (unsigned char *s = (unsigned char *)text; *s;) {
		uint32_t c;
		size_t n = decode(s, &c);

		if (n == 0 || c < ' ' || (c >= 0x7f && c < 0xa0)) {
			memset(s, '?', n ?: 1);
			n = n ?: 1;
		}
		s += n;
	}
}

/* Where a character begins: at @s, or as little before it as need be. Keeps off text that is not UTF-8. */
static const char *character(const char *s, const char *begin)
{
	const char *at = s;

	while (at > begin && s - at < 3 && ((unsigned char)*at & 0xc0) == 0x80)
		at--;
	return at;
}

/* What is quoted stands in the middle; who it is about, what is wrong with it and what to do about it around that. */
static void cut_middle(char *ret, size_t size, const char *text)
{
	size_t head = size / 2, tail = size - 1 - strlen(CUT) - head;
	const char *rest = text + strlen(text) - tail;

	while (((unsigned char)*rest & 0xc0) == 0x80)
		rest++;
	snprintf(ret, size, "%.*s%s%s", (int)(character(text + head, text) - text), text, CUT, rest);
}

int shunt_fail(struct shunt_error *error, int r, const char *format, ...)
{
	_cleanup_free_ char *whole = NULL;
	va_list ap, again;
	int n;

	if (!error)
		return r;

	va_start(ap, format);
	va_copy(again, ap);
	n = vsnprintf(error->text, sizeof(error->text), format, ap);
	if (n >= (int)sizeof(error->text) && vasprintf(&whole, format, again) >= 0)
		cut_middle(error->text, sizeof(error->text), whole);
	va_end(again);
	va_end(ap);
	make_harmless(error->text);
	return r;
}

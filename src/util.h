/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * util.h - ownership that is visible in one function.
 *
 * A _cleanup_ variable starts as NULL or -1, is released wherever its scope ends, and leaves it only by TAKE_PTR or TAKE_FD.
 */
#ifndef SHUNT_UTIL_H
#define SHUNT_UTIL_H

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define TAKE_PTR(p) \
	({ \
		__auto_type _taken = (p); \
		(p) = NULL; \
		_taken; \
	})
#define TAKE_FD(fd) \
	({ \
		int _taken = (fd); \
		(fd) = -EBADF; \
		_taken; \
	})
#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))

static inline void freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

static inline void closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}
#define _cleanup_close_ _cleanup_(closep)

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define _cleanup_fclose_ _cleanup_(fclosep)

static inline void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define _cleanup_closedir_ _cleanup_(closedirp)

/* readdir() without what begins with a dot. Behind the last entry errno is 0, behind a failure it is not. */
static inline struct dirent *next_entry(DIR *d)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(d);
	} while (entry && entry->d_name[0] == '.');
	return entry;
}

static inline char **strv_free(char **v)
{
	if (v)
		for (char **s = v; *s; s++)
			free(*s);
	free(v);
	return NULL;
}

static inline void strv_freep(char ***v)
{
	strv_free(*v);
}

/* Copies @text into a field that is zero behind it; false if it does not fit with its NUL. */
static inline bool copy_name(char *field, size_t size, const char *text)
{
	if (strlen(text) >= size)
		return false;
	memset(field, 0, size);
	memcpy(field, text, strlen(text));
	return true;
}

#endif

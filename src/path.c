// SPDX-License-Identifier: GPL-2.0-or-later
#include "path.h"

#include <sys/stat.h>

#include "util.h"

/* The group root has nobody in it who is not root. */
static bool is_safe(const struct stat *st)
{
	const mode_t others = S_IWOTH | (st->st_gid != 0 ? S_IWGRP : 0);

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return false;
	return !(st->st_mode & others) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX);
}

static int check(const char *path, struct shunt_error *error)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));
	return is_safe(&st) ? 0 : shunt_fail(error, -EPERM, "%s is not root's alone (owner %u, group %u, mode %04o), so that "
					     "others could say what is done as root; chown it to root and take the right to "
					     "write from others", path, st.st_uid, st.st_gid, st.st_mode & 07777);
}

int path_resolve(const char *path, char **ret, struct shunt_error *error)
{
	_cleanup_free_ char *whole = realpath(path, NULL), *part = NULL;
	char *slash;
	int r;

	if (!whole)
		return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));
	part = strdup(whole);
	if (!part)
		return shunt_fail(error, -ENOMEM, "%s: out of memory", path);
	r = check(part, error);
	while (r >= 0 && part[1] && (slash = strrchr(part, '/'))) {
		slash[slash == part] = '\0';
		r = check(part, error);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(whole);
	return 0;
}

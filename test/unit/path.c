// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-netns.h"

#include "path.h"

/* How each is made below /tmp, which is sticky; and which part the line names, or what a good one leads to. */
static const struct {
	const char *made;
	const char *path;
	int r;
	const char *about;
} paths[] = {
	{ "mkdir -p d/e; touch d/e/f", "/tmp/d/e/f", 0, "/tmp/d/e/f" },
	{ "mkdir d", "/tmp/d/../d//", 0, "/tmp/d" },
	{ ":", "/", 0, "/" },
	{ "mkdir d; touch d/f; ln -s d/f l", "/tmp/l", 0, "/tmp/d/f" },
	{ "mkdir d; touch d/f; chmod 0664 d/f", "/tmp/d/f", 0, "/tmp/d/f" },
	{ "mkdir -m 1777 d; touch d/f", "/tmp/d/f", 0, "/tmp/d/f" },
	{ ":", "/tmp/none", -ENOENT, "/tmp/none" },
	{ "ln -s a b; ln -s b a", "/tmp/a", -ELOOP, "/tmp/a" },
	{ "touch f; ln -s f/g l", "/tmp/l", -ENOTDIR, "/tmp/l" },
	{ "touch f; chown 1 f", "/tmp/f", -EPERM, "/tmp/f is not root's alone (owner 1, group 0, mode 0644)" },
	{ "touch f; chmod 0666 f", "/tmp/f", -EPERM, "mode 0666" },
	{ "touch f; chmod 1666 f", "/tmp/f", -EPERM, "mode 1666" },
	{ "touch f; chgrp 1 f; chmod 0660 f", "/tmp/f", -EPERM, "group 1, mode 0660" },
	{ "mkdir -p d/e; touch d/e/f; chmod 0777 d", "/tmp/d/e/f", -EPERM, "/tmp/d is not" },
	{ "mkdir -p d/e; touch d/e/f; chown 1 d", "/tmp/d/e/f", -EPERM, "/tmp/d is not" },
	{ "mkdir -m 1777 d; touch d/f; chown 1 d", "/tmp/d/f", -EPERM, "/tmp/d is not" },
	/* The link is root's and the place that it leads to is not. */
	{ "mkdir d; touch d/f; chmod 0777 d; ln -s d/f l", "/tmp/l", -EPERM, "/tmp/d is not" },
};

static void only_what_root_alone_can_change_is_followed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
		_cleanup_free_ char *resolved = NULL;
		struct shunt_error error;
		int r;

		fresh_host(NULL);
		shell("chmod 1777 /tmp; umask 022; cd /tmp; %s", paths[i].made);
		r = path_resolve(paths[i].path, &resolved, &error);
		if (paths[i].r == 0) {
			assert_done(r, &error);
			assert_string_equal(resolved, paths[i].about);
		} else {
			assert_refused(r, paths[i].r, &error, paths[i].about);
			assert_null(resolved);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_root_alone_can_change_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

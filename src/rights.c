// SPDX-License-Identifier: GPL-2.0-or-later
#include "rights.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "util.h"

/* The kernel's PROC_USER_INIT_INO, which newer headers have as USER_NS_INIT_INO. It never changed. */
#define INITIAL_USER_NAMESPACE 0xEFFFFFFDU

/* By its number: root can give any user namespace the map of the initial one, but no rights of it. */
static bool in_initial_user_namespace(void)
{
	struct stat st;

	/* No user namespaces in this kernel, or no /proc; the second will be noticed elsewhere. */
	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == INITIAL_USER_NAMESPACE;
}

static bool have_capability(cap_t caps, cap_value_t cap, cap_flag_t set)
{
	cap_flag_value_t value = CAP_CLEAR;

	return cap_get_flag(caps, cap, set, &value) == 0 && value == CAP_SET;
}

static void cap_freep(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

int rights_check(uint64_t needed, struct shunt_error *error)
{
	_cleanup_(cap_freep) cap_t caps = cap_get_proc();
	static const struct {
		cap_value_t value;
		const char *name;
	} known[] = { { CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_SYS_ADMIN, "CAP_SYS_ADMIN" } };

	if (!in_initial_user_namespace())
		return shunt_fail(error, -EPERM, "this is a user namespace (a rootless container?) with no rights over the host's "
				  "network; use pasta there (podman: --network=pasta)");
	if (!caps)
		return shunt_fail(error, -errno, "capabilities: %s", strerror(errno));
	for (size_t i = 0; i < ELEMENTSOF(known); i++)
		if (needed & RIGHT(known[i].value) && !have_capability(caps, known[i].value, CAP_EFFECTIVE))
			return shunt_fail(error, -EPERM, "%s is missing; run as root (rootless containers: use pasta)",
					  known[i].name);
	return 0;
}

/* Those of @kept that are there, and nothing inheritable, from which the kernel takes the ambient ones too. */
static int set_capabilities(uint64_t kept)
{
	_cleanup_(cap_freep) cap_t before = cap_get_proc(), after = cap_init();

	if (!before || !after)
		return -errno;
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++) {
		if (!(kept & RIGHT(cap)) || !have_capability(before, cap, CAP_PERMITTED))
			continue;
		if (cap_set_flag(after, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		    cap_set_flag(after, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0)
			return -errno;
	}
	return cap_set_proc(after) < 0 ? -errno : 0;
}

int rights_keep(uint64_t kept, struct shunt_error *error)
{
	int r;

	/* Root without CAP_DAC_OVERRIDE: what we make must be open to ourselves, whatever the caller's mask says. */
	umask(0022);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return shunt_fail(error, -errno, "no_new_privs: %s", strerror(errno));
	/* What a program would get that we never start; only who has CAP_SETPCAP may empty it, which is root or not at all. */
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		if (cap_drop_bound(cap) < 0)
			break;
	r = set_capabilities(kept);
	return r < 0 ? shunt_fail(error, r, "cannot give capabilities up: %s", strerror(-r)) : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "rights.h"

#include <sys/capability.h>
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

static bool have_capability(cap_t caps, cap_value_t cap)
{
	cap_flag_value_t value = CAP_CLEAR;

	return cap_get_flag(caps, cap, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

static void cap_freep(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

int rights_check(struct shunt_error *error)
{
	_cleanup_(cap_freep) cap_t caps = cap_get_proc();
	/* setns() and mount() ask for CAP_SYS_ADMIN, which also is CAP_BPF. */
	static const struct {
		cap_value_t value;
		const char *name;
	} needed[] = { { CAP_NET_ADMIN, "CAP_NET_ADMIN" }, { CAP_SYS_ADMIN, "CAP_SYS_ADMIN" } };

	if (!in_initial_user_namespace())
		return shunt_fail(error, -EPERM, "this is a user namespace (a rootless container?) with no rights over the host's "
				  "network; use pasta there (podman: --network=pasta)");
	if (!caps)
		return shunt_fail(error, -errno, "capabilities: %s", strerror(errno));
	for (size_t i = 0; i < ELEMENTSOF(needed); i++)
		if (!have_capability(caps, needed[i].value))
			return shunt_fail(error, -EPERM, "%s is missing; run as root (rootless containers: use pasta)",
					  needed[i].name);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rights.h - what we may do, and what we give up of it.
 */
#ifndef SHUNT_RIGHTS_H
#define SHUNT_RIGHTS_H

#include <linux/capability.h>

#include "shunt/shunt.h"

#define RIGHT(capability) (UINT64_C(1) << (capability))

/*
 * What the engine's work takes; the table of verbs has what each keeps. Pins are root's, and nothing but loading programs
 * asks for more than that file: so looking needs no capability, but at what a container's own interface has counted.
 *
 * Detaching is rtnetlink. Attaching is setns(), mount() and loading programs too, and CAP_SYS_ADMIN is CAP_BPF and
 * CAP_PERFMON as well.
 */
#define RIGHTS_NONE UINT64_C(0)
#define RIGHTS_LOOK RIGHT(CAP_NET_ADMIN)
#define RIGHTS_DETACH RIGHT(CAP_NET_ADMIN)
#define RIGHTS_ATTACH (RIGHTS_DETACH | RIGHT(CAP_SYS_ADMIN))
/* A container's process may have any capability, and the kernel wants as many of who looks at its namespaces. */
#define RIGHTS_ATTACH_PROCESS (RIGHTS_ATTACH | RIGHT(CAP_SYS_PTRACE))
/* A namespace may be kept in a directory of another user's. */
#define RIGHTS_ATTACH_ANY (RIGHTS_ATTACH_PROCESS | RIGHT(CAP_DAC_READ_SEARCH))
/* Not at the start: for `run`, whose command gets what its caller has. */
#define RIGHTS_ALL UINT64_MAX

/*
 * Root in a user namespace looks like root, and fails at each single step with a different EPERM; this says it once.
 * @needed is RIGHTS_ATTACH or RIGHTS_DETACH.
 * Return: 0, or -EPERM with a line that names what to use instead.
 */
int rights_check(uint64_t needed, struct shunt_error *error);

/*
 * Gives up, for good, all capabilities but those of @kept; which may be fewer still where there were fewer. None of
 * them is inheritable or ambient, the bounding set is empty, and no program gives us any (no_new_privs). Who has no
 * rights over files but its owner's makes them for itself: umask is 0022.
 */
int rights_keep(uint64_t kept, struct shunt_error *error);

#endif

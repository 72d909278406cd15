// SPDX-License-Identifier: GPL-2.0-or-later
#include "environment.h"

#include "util.h"

/* SHUNT_NETWORKS is shunt(1)'s, MAINPID is what systemd tells to `nspawn post`. */
static const char *const known[] = { "SHUNT_NETWORKS", "MAINPID" };

static char *ours[ELEMENTSOF(known) + 1];
static char **callers;

/* The entry NAME=VALUE; of two, the one that getenv() would find. */
static char *find(char **environment, const char *name)
{
	size_t size = strlen(name);

	for (char **entry = environment; entry && *entry; entry++)
		if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=')
			return *entry;
	return NULL;
}

void environment_leave(void)
{
	size_t n = 0;

	callers = environ;
	for (size_t i = 0; i < ELEMENTSOF(known); i++) {
		ours[n] = find(callers, known[i]);
		n += !!ours[n];
	}
	environ = ours;
}

void environment_enter(void)
{
	if (callers)
		environ = callers;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit-instance.h - an instance on a fresh host, for the tests of what works on one.
 */
#ifndef SHUNT_UNIT_INSTANCE_H
#define SHUNT_UNIT_INSTANCE_H

#include "unit-netns.h"

#include "address.h"
#include "instance.h"
#include "names.h"

static inline struct shunt_instance *open_instance(void)
{
	struct shunt_instance *instance = NULL;
	struct shunt_error error;

	assert_done(shunt_open(STATE, true, &instance, &error), &error);
	return instance;
}

/* Set-up and teardown of a test: *state is the instance. */
static inline int fresh_instance(void **state)
{
	fresh_host(NULL);
	*state = open_instance();
	return 0;
}

static inline int close_instance(void **state)
{
	*state = shunt_close(*state);
	return 0;
}

#define on_fresh_instance(test) cmocka_unit_test_setup_teardown(test, fresh_instance, close_instance)

static inline struct shunt_prefix parsed(const char *text)
{
	struct shunt_prefix prefix;

	if (prefix_parse(text, &prefix) < 0)
		fail_msg("%s is no prefix", text);
	return prefix;
}

/* Writes the file of a network, or of the default one. */
static inline void write_network(const char *name, const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), NETWORKS "/%s.json", name);
	f = fopen(path, "we");
	assert_system(f && fputs(text, f) >= 0 && fclose(f) == 0, path);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit-instance.h - an instance on a fresh host, for the tests of what works on one.
 */
#ifndef SHUNT_UNIT_INSTANCE_H
#define SHUNT_UNIT_INSTANCE_H

#include "unit-netns.h"

#include <bpf/bpf.h>

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

/*
 * An instance on a host with a way out by a0, for a default network of 10.207.0.0/16 and fd00:207::/64 and one named
 * "small" with a single address, 10.208.0.2.
 */
static inline int fresh_networks(void **state)
{
	fresh_instance(state);
	write_network("default", "{\"subnets\": [\"10.207.0.0/16\", \"fd00:207::/64\"]}");
	write_network("small", "{\"subnets\": [\"10.208.0.0/30\"]}");
	shell("ip link add a0 mtu 1400 type veth peer name a1; ip link set a1 up; ip link set a0 up; "
	      "ip route add default dev a0");
	return 0;
}

#define on_fresh_networks(test) cmocka_unit_test_setup_teardown(test, fresh_networks, close_instance)

static inline struct shunt_info attached(struct shunt_instance *instance, const struct shunt_request *request)
{
	struct shunt_error error;
	struct shunt_info info;

	assert_done(shunt_attach(instance, request, &info, &error), &error);
	return info;
}

/* Lets an endpoint's container die, as far as the host sees. */
static inline void kill_host_end(struct shunt_instance *instance, const struct shunt_info *info)
{
	struct shunt_error error;

	assert_done(link_delete(instance->host, info->endpoint.ifindex, &error), &error);
}

static inline bool map_is_empty(int fd)
{
	char key[256];

	return bpf_map_get_next_key(fd, NULL, key) < 0 && errno == ENOENT;
}

/* Nothing in the kernel is an endpoint's any more. */
static inline void assert_nothing_left(const struct shunt_instance *instance)
{
	for (size_t i = 0; i < MAP_META; i++)
		if (!map_is_empty(instance->datapath.fd[i]))
			fail_msg("map %zu is not empty", i);
	assert_int_equal(count_entries(STATE "/endpoints"), 0);
	assert_int_equal(count_entries(STATE "/uplinks"), 0);
	shell("test -z \"$(ip -o link show | grep ': nk'; ip route show table all proto 207; "
	      "ip -6 route show table all proto 207)\"");
}

#endif

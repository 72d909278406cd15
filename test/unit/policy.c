// SPDX-License-Identifier: GPL-2.0-or-later
/* The rules of networks, from their files into the map and out of it again. */
#include "unit.h"

#include "policy.h"
#include "registry.h"
#include "unit-instance.h"

#define FILE_OF(rules) "{\"subnets\": [\"10.207.0.0/16\", \"fd00:207::/64\"], \"allow\": {\"out\": [" rules "]}}"

static struct shunt_info attach_as(struct shunt_instance *instance, const char *id)
{
	const struct shunt_request request = { .id = id, .netns_fd = make_netns(), .driver = SHUNT_DRIVER_VETH };

	return attached(instance, &request);
}

static unsigned count_rules(const struct shunt_instance *instance, uint32_t policy)
{
	struct shunt_rules_key key = {}, next;
	unsigned n = 0;

	for (void *at = NULL; bpf_map_get_next_key(instance->datapath.fd[MAP_RULES], at, &next) == 0; at = &key) {
		key = next;
		n += SHUNT_RULES_POLICY(key.set) == policy;
	}
	return n;
}

static bool looked_up(const struct shunt_instance *instance, uint32_t policy, const char *address, struct shunt_rules *ret)
{
	const struct shunt_prefix prefix = parsed(address);
	const bool v6 = prefix.family == AF_INET6;
	struct shunt_rules_key key = { .length = 160, .set = SHUNT_RULES_SET(policy, SHUNT_RULES_OUT, v6) };

	if (!v6)
		key.address[10] = key.address[11] = 0xff;
	memcpy(key.address + (v6 ? 0 : 12), prefix.bytes, v6 ? 16 : 4);
	return bpf_map_lookup_elem(instance->datapath.fd[MAP_RULES], &key, ret) == 0;
}

static void first_endpoint_writes_what_the_file_says(void **state)
{
	struct shunt_instance *instance = *state;
	struct shunt_rules rules;
	struct shunt_info one;

	write_network("default", FILE_OF("\"10.0.0.0/8 tcp/80\", \"10.1.0.0/16 tcp/443\", \"udp/53\""));
	one = attach_as(instance, "one");
	assert_true(one.endpoint.policy > 0);
	assert_true(one.endpoint.flags & SHUNT_F_ALLOW_OUT);
	assert_false(one.endpoint.flags & SHUNT_F_ALLOW_IN);
	/* Two prefixes, any address of either family, and the mark. */
	assert_int_equal(count_rules(instance, one.endpoint.policy), 5);
	assert_true(looked_up(instance, one.endpoint.policy, "10.1.2.3", &rules));
	assert_int_equal(rules.n, 3);
	assert_true(looked_up(instance, one.endpoint.policy, "10.2.2.3", &rules));
	assert_int_equal(rules.n, 2);
	assert_true(looked_up(instance, one.endpoint.policy, "2001:db8::1", &rules));
	assert_int_equal(rules.n, 1);
	assert_int_equal(rules.range[0].protocol, IPPROTO_UDP);
	assert_int_equal(attach_as(instance, "two").endpoint.policy, one.endpoint.policy);
}

static void another_file_is_another_set_and_gc_removes_the_first_behind_its_last(void **state)
{
	struct shunt_instance *instance = *state;
	struct shunt_gc_result result;
	struct shunt_info one, two;
	struct shunt_error error;

	write_network("default", FILE_OF("\"tcp\""));
	one = attach_as(instance, "one");
	write_network("default", FILE_OF(""));
	two = attach_as(instance, "two");
	assert_true(two.endpoint.policy > 0 && two.endpoint.policy != one.endpoint.policy);
	assert_int_equal(count_rules(instance, two.endpoint.policy), 1);
	assert_done(shunt_gc(STATE, &result, &error), &error);
	assert_int_equal(count_rules(instance, one.endpoint.policy), 3);
	assert_done(shunt_detach(instance, "one", &error), &error);
	assert_done(shunt_gc(STATE, &result, &error), &error);
	assert_int_equal(count_rules(instance, one.endpoint.policy), 0);
	assert_int_equal(count_rules(instance, two.endpoint.policy), 1);
	/* And one without rules has none. */
	write_network("default", "{\"subnets\": [\"10.207.0.0/16\", \"fd00:207::/64\"]}");
	assert_int_equal(attach_as(instance, "three").endpoint.policy, 0);
	assert_done(shunt_detach(instance, "two", &error), &error);
	assert_done(shunt_detach(instance, "three", &error), &error);
	assert_nothing_left(instance);
}

static void what_a_failed_attempt_wrote_is_nobody_s(void **state)
{
	struct shunt_instance *instance = *state;
	struct shunt_network network;
	struct shunt_error error;
	uint32_t first, second;

	write_network("default", FILE_OF("\"tcp\""));
	assert_done(shunt_network_load("default", &network, &error), &error);
	assert_done(policy_put(&instance->datapath, &network, &first, &error), &error);
	assert_done(policy_put(&instance->datapath, &network, &second, &error), &error);
	assert_int_equal(second, first + 1);
	assert_int_equal(attach_as(instance, "one").endpoint.policy, second + 1);
	assert_done(policy_collect(&instance->datapath, &error), &error);
	assert_int_equal(count_rules(instance, first) + count_rules(instance, second), 0);
	assert_int_equal(count_rules(instance, second + 1), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_networks(first_endpoint_writes_what_the_file_says),
		on_fresh_networks(another_file_is_another_set_and_gc_removes_the_first_behind_its_last),
		on_fresh_networks(what_a_failed_attempt_wrote_is_nobody_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

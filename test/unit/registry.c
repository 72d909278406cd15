// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 5, one address, one owner, as far as it is a map's. */
#include "unit-instance.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "names.h"
#include "registry.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A127 A16 A16 A16 A16 A16 A16 A16 "aaaaaaaaaaaaaaa"

static const char *const addresses[] = { "10.207.0.9", "fd00::9" };

/* A record that can be told from others by its index. */
static void put(struct datapath *datapath, const char *id, const char *interface, uint32_t ifindex)
{
	struct shunt_endpoint endpoint = { .state = SHUNT_READY, .ifindex = ifindex, .network = "default" };
	struct shunt_endpoint_key key;

	registry_key(id, interface, &key);
	host_name(id, interface, endpoint.host);
	assert_int_equal(registry_put(datapath, &key, &endpoint), 0);
}

static void record_is_found_by_id_and_interface_until_it_is_deleted(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	struct shunt_endpoint endpoint = { .ifindex = 77 };
	struct shunt_endpoint_key key, other;

	registry_key("web", "eth0", &key);
	registry_key("web", "eth1", &other);
	assert_int_equal(registry_is_empty(datapath), 1);
	assert_int_equal(registry_get(datapath, &key, &endpoint), -ENOENT);
	assert_int_equal(endpoint.ifindex, 77);
	put(datapath, "web", "eth0", 1);
	put(datapath, "web", "eth1", 2);
	put(datapath, "web", "eth0", 3);
	assert_int_equal(registry_get(datapath, &key, &endpoint), 0);
	assert_int_equal(endpoint.ifindex, 3);
	assert_int_equal(registry_is_empty(datapath), 0);

	assert_int_equal(registry_delete(datapath, &key), 0);
	assert_int_equal(registry_delete(datapath, &key), 0);
	assert_int_equal(registry_get(datapath, &key, &endpoint), -ENOENT);
	assert_int_equal(registry_get(datapath, &other, &endpoint), 0);
	assert_int_equal(registry_delete(datapath, &other), 0);
	assert_int_equal(registry_is_empty(datapath), 1);
}

static void list_is_whole_over_many_batches(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	_cleanup_free_ struct registry_entry *list = NULL;
	static bool seen[1000];
	size_t n;

	assert_int_equal(registry_list(datapath, NULL, &list, &n), 0);
	assert_int_equal(n, 0);
	freep(&list);
	for (uint32_t i = 0; i < ELEMENTSOF(seen); i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%u", i);
		put(datapath, id, "eth0", i);
	}
	assert_int_equal(registry_list(datapath, NULL, &list, &n), 0);
	assert_int_equal(n, ELEMENTSOF(seen));
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(strtoul(list[i].key.id + 1, NULL, 10), list[i].endpoint.ifindex);
		assert_false(seen[list[i].endpoint.ifindex]);
		seen[list[i].endpoint.ifindex] = true;
	}
}

static void list_of_an_id_has_its_interfaces_and_no_other_s(void **state)
{
	static const struct {
		const char *id;
		size_t n;
	} ids[] = {
		{ "web", 2 }, { "we", 0 }, { "web1", 1 }, { "webb", 0 }, { A127, 1 }, { A127 "a", 2 }, { A127 "b", 0 },
	};
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;

	put(datapath, "web", "eth0", 1);
	put(datapath, "web", "eth1", 1);
	put(datapath, "web1", "eth0", 1);
	put(datapath, A127, "eth0", 1);
	/* As long as its field: there is no NUL behind. */
	put(datapath, A127 "a", "eth0", 1);
	put(datapath, A127 "a", "eth1", 1);
	put(datapath, A127 "c", "eth0", 1);
	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		_cleanup_free_ struct registry_entry *list = NULL;
		size_t n;

		assert_int_equal(registry_list(datapath, ids[i].id, &list, &n), 0);
		if (n != ids[i].n)
			fail_msg("%s: %zu", ids[i].id, n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(strncmp(list[k].key.id, ids[i].id, SHUNT_ID_MAX), 0);
	}
}

static void registry_holds_what_is_promised_and_says_that_it_is_full(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	_cleanup_free_ struct registry_entry *list = NULL;
	struct shunt_endpoint endpoint = {};
	struct shunt_endpoint_key key;
	size_t n;

	for (unsigned i = 0; i < SHUNT_MAX_ENDPOINTS; i++) {
		char id[16];

		snprintf(id, sizeof(id), "c%u", i);
		put(datapath, id, "eth0", i);
	}
	registry_key("web", "eth0", &key);
	assert_int_equal(registry_put(datapath, &key, &endpoint), -E2BIG);
	assert_int_equal(registry_list(datapath, NULL, &list, &n), 0);
	assert_int_equal(n, SHUNT_MAX_ENDPOINTS);
}

/* Whoever is root can write it, and nothing but that. */
static void what_shunt_did_not_write_is_refused_and_left_alone(void **state)
{
	struct shunt_instance *instance = *state;
	static const struct {
		const char *id;
		const char *interface;
		const char *network;
		const char *host;	/* NULL: as it should be */
	} unsound[] = {
		{ "../..", "eth0", "web", NULL },
		{ "", "eth0", "web", NULL },
		{ "a\nb", "eth0", "web", NULL },
		{ "web", "", "web", NULL },
		{ "web", "eth/0", "web", NULL },
		{ "web", "0123456789abcdef", "web", NULL },
		{ "web", "eth0", "", NULL },
		{ "web", "eth0", "../web", NULL },
		{ "web", "eth0", "0123456789abcdef", NULL },
		{ "web", "eth0", "web", "nk0123456789abc" },
		{ "web", "eth0", "web", "../../../../tmp/" },
		{ "web", "eth0", "web", "" },
	};
	struct shunt_error error;

	for (size_t i = 0; i < ELEMENTSOF(unsound); i++) {
		struct shunt_endpoint endpoint = { .state = SHUNT_PENDING };
		struct registry_entry *list;
		struct shunt_gc_result result;
		struct shunt_endpoint_key key = {};
		struct shunt_info *infos;
		size_t n;

		/* Fields that are full have no NUL. */
		memcpy(key.id, unsound[i].id, strlen(unsound[i].id));
		memcpy(key.interface, unsound[i].interface, strlen(unsound[i].interface));
		memcpy(endpoint.network, unsound[i].network, strlen(unsound[i].network));
		host_name(unsound[i].id, unsound[i].interface, endpoint.host);
		if (unsound[i].host)
			memcpy(endpoint.host, unsound[i].host, strlen(unsound[i].host) + (strlen(unsound[i].host) < 16));
		put(&instance->datapath, "sound", "eth0", 1);
		assert_int_equal(registry_put(&instance->datapath, &key, &endpoint), 0);

		assert_int_equal(registry_get(&instance->datapath, &key, &endpoint), -EUCLEAN);
		assert_int_equal(registry_list(&instance->datapath, NULL, &list, &n), -EUCLEAN);
		assert_refused(shunt_list(instance, NULL, &infos, &n, &error), -EUCLEAN, &error, "rm -r");
		assert_refused(shunt_detach(instance, "web", &error), -EUCLEAN, &error, "rm -r");
		assert_refused(shunt_gc(STATE, &result, &error), -EUCLEAN, &error, "rm -r");
		assert_int_equal(registry_delete(&instance->datapath, &key), 0);
	}
}

static void unfinished_is_what_was_put_until_it_is_deleted(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	struct shunt_endpoint_key keys[3], found[3];

	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		char id[2] = { (char)('a' + i) };

		registry_key(id, "eth0", &keys[i]);
		assert_int_equal(unfinished_list(datapath, found, ELEMENTSOF(found)), i);
		assert_int_equal(unfinished_put(datapath, &keys[i]), 0);
		assert_int_equal(unfinished_put(datapath, &keys[i]), 0);
	}
	assert_int_equal(unfinished_list(datapath, found, 2), 2);
	assert_int_equal(unfinished_delete(datapath, &keys[0]), 0);
	assert_int_equal(unfinished_delete(datapath, &keys[0]), 0);
	assert_int_equal(unfinished_delete(datapath, &keys[2]), 0);
	assert_int_equal(unfinished_list(datapath, found, ELEMENTSOF(found)), 1);
	assert_memory_equal(&found[0], &keys[1], sizeof(keys[1]));
}

static void address_is_its_first_claimant_s(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;

	for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
		struct shunt_prefix address = parsed(addresses[i]);
		char owner[SHUNT_IFNAME_MAX] = "untouched";

		assert_int_equal(address_owner(datapath, &address, owner), -ENOENT);
		assert_string_equal(owner, "untouched");
		assert_int_equal(address_claim(datapath, &address, "nk0123456789abc"), 0);
		assert_int_equal(address_claim(datapath, &address, "nk0123456789abc"), 0);
		assert_int_equal(address_claim(datapath, &address, "nk0123456789abd"), -EEXIST);
		assert_int_equal(address_claim(datapath, &address, "nk0123456789ab"), -EEXIST);
		assert_int_equal(address_owner(datapath, &address, owner), 0);
		assert_string_equal(owner, "nk0123456789abc");
		assert_int_equal(address_is_of(datapath, &address, "nk0123456789abc"), 1);
		assert_int_equal(address_is_of(datapath, &address, "nk0123456789abd"), 0);
	}
}

static void address_is_released_by_its_owner_alone(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;

	for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
		struct shunt_prefix address = parsed(addresses[i]);
		char owner[SHUNT_IFNAME_MAX];

		assert_int_equal(address_release(datapath, &address, "a"), 0);
		assert_int_equal(address_claim(datapath, &address, "a"), 0);
		assert_int_equal(address_release(datapath, &address, "b"), 0);
		assert_int_equal(address_owner(datapath, &address, owner), 0);
		assert_int_equal(address_release(datapath, &address, "a"), 0);
		assert_int_equal(address_owner(datapath, &address, owner), -ENOENT);
		assert_int_equal(address_claim(datapath, &address, "b"), 0);
	}
}

static void claimed_address_leads_nowhere_until_it_is_published(void **state)
{
	static const enum datapath_object maps[] = { MAP_ADDRESSES4, MAP_ADDRESSES6 };
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	const struct shunt_address there = { .ifindex = 7, .mtu = 1400, .network = "default", .owner = "a" };

	for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
		struct shunt_prefix address = parsed(addresses[i]);
		struct shunt_address value;

		/* Nobody's address is given to anyone. */
		assert_int_equal(address_publish(datapath, &address, &there), -ENOENT);
		assert_int_equal(address_claim(datapath, &address, "a"), 0);
		assert_int_equal(bpf_map_lookup_elem(datapath->fd[maps[i]], address.bytes, &value), 0);
		assert_int_equal(value.ifindex, 0);
		assert_int_equal(address_publish(datapath, &address, &there), 0);
		assert_int_equal(bpf_map_lookup_elem(datapath->fd[maps[i]], address.bytes, &value), 0);
		assert_memory_equal(&value, &there, sizeof(value));
		/* Claimed once more, it leads where it led. */
		assert_int_equal(address_claim(datapath, &address, "a"), 0);
		assert_int_equal(bpf_map_lookup_elem(datapath->fd[maps[i]], address.bytes, &value), 0);
		assert_int_equal(value.ifindex, 7);
	}
}

static void counters_are_the_sum_of_the_cpus(void **state)
{
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	const struct shunt_interface fresh = { .mtu = 1400, .network = "default" };
	const uint32_t ifindex = 7;
	const int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ struct shunt_interface *values = calloc((size_t)cpus, sizeof(*values));
	struct shunt_counters counters = { .dropped = { 77 } };
	const uint64_t sum = (uint64_t)cpus * (uint64_t)(cpus + 1) / 2;

	assert_int_equal(interface_counters(datapath, ifindex, &counters), -ENOENT);
	assert_int_equal(counters.dropped[0], 77);
	assert_int_equal(interface_put(datapath, ifindex, &fresh), 0);
	assert_int_equal(interface_counters(datapath, ifindex, &counters), 0);
	assert_memory_equal(&counters, &(struct shunt_counters){}, sizeof(counters));

	assert_int_equal(bpf_map_lookup_elem(datapath->fd[MAP_INTERFACES], &ifindex, values), 0);
	for (int i = 0; i < cpus; i++) {
		assert_int_equal(values[i].mtu, 1400);
		for (size_t k = 0; k < sizeof(values[i].counters) / 8; k++)
			((uint64_t *)&values[i].counters)[k] = (uint64_t)(i + 1) * (1000 + k);
	}
	assert_int_equal(bpf_map_update_elem(datapath->fd[MAP_INTERFACES], &ifindex, values, BPF_ANY), 0);
	assert_int_equal(interface_counters(datapath, ifindex, &counters), 0);
	for (size_t k = 0; k < sizeof(counters) / 8; k++)
		assert_int_equal(((uint64_t *)&counters)[k], sum * (1000 + k));

	assert_int_equal(interface_delete(datapath, ifindex), 0);
	assert_int_equal(interface_delete(datapath, ifindex), 0);
	assert_int_equal(interface_counters(datapath, ifindex, &counters), -ENOENT);
}

static void networks_are_recorded_until_nobody_is_of_them(void **state)
{
	static const char *const names[] = { "default", "defaul", "123456789012345", "123456789012346" };
	struct datapath *datapath = &((struct shunt_instance *)*state)->datapath;
	const struct registry_entry left[] = {
		{ .endpoint.network = "default" }, { .endpoint.network = "123456789012346" }, { .endpoint.network = "none" },
	};
	struct shunt_network_record record = {};

	assert_int_equal(network_records_keep(datapath, NULL, 0), 0);
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		assert_int_equal(network_record_get(datapath, names[i], &record), -ENOENT);
		record.length4 = (uint8_t)(i + 8);
		assert_int_equal(network_record_put(datapath, names[i], &record), 0);
	}
	for (size_t i = 0; i < ELEMENTSOF(names); i++) {
		assert_int_equal(network_record_get(datapath, names[i], &record), 0);
		assert_int_equal(record.length4, i + 8);
	}
	assert_int_equal(network_records_keep(datapath, left, ELEMENTSOF(left)), 0);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(network_record_get(datapath, names[i], &record), i == 0 || i == 3 ? 0 : -ENOENT);
	assert_int_equal(network_records_keep(datapath, NULL, 0), 0);
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		assert_int_equal(network_record_get(datapath, names[i], &record), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_instance(record_is_found_by_id_and_interface_until_it_is_deleted),
		on_fresh_instance(list_is_whole_over_many_batches),
		on_fresh_instance(list_of_an_id_has_its_interfaces_and_no_other_s),
		on_fresh_instance(registry_holds_what_is_promised_and_says_that_it_is_full),
		on_fresh_instance(what_shunt_did_not_write_is_refused_and_left_alone),
		on_fresh_instance(unfinished_is_what_was_put_until_it_is_deleted),
		on_fresh_instance(address_is_its_first_claimant_s),
		on_fresh_instance(address_is_released_by_its_owner_alone),
		on_fresh_instance(claimed_address_leads_nowhere_until_it_is_published),
		on_fresh_instance(counters_are_the_sum_of_the_cpus),
		on_fresh_instance(networks_are_recorded_until_nobody_is_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

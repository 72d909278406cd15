// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariants 3 and 5: intent first, and one address, one owner. */
#include "unit-instance.h"

#include "ipam.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A127 A16 A16 A16 A16 A16 A16 A16 "aaaaaaaaaaaaaaa"

static const struct shunt_prefix any = {};

/* An endpoint as attach begins it. */
struct client {
	struct shunt_endpoint_key key;
	struct shunt_endpoint endpoint;
};

static struct client new_client(const char *id)
{
	struct client client = { .endpoint = { .state = SHUNT_PENDING, .network = "web" } };

	registry_key(id, "eth0", &client.key);
	host_name(id, "eth0", client.endpoint.host);
	return client;
}

static int claim(struct shunt_instance *instance, struct client *client, const char *subnet, const char *wanted,
		 struct shunt_error *error)
{
	const struct shunt_prefix in = parsed(subnet), address = wanted ? parsed(wanted) : any;

	return ipam_claim(instance, &client->key, &client->endpoint, &in, &address, error);
}

/* The address of a client in text, "" for none. */
static const char *address_of(const struct client *client, int family, char *text)
{
	struct shunt_prefix address;

	text[0] = '\0';
	return endpoint_address(&client->endpoint, family, &address) ? prefix_format_address(&address, text) : text;
}

static const char *got(struct shunt_instance *instance, const char *id, const char *subnet, char *text)
{
	struct client client = new_client(id);
	struct shunt_error error;

	assert_done(claim(instance, &client, subnet, NULL, &error), &error);
	return address_of(&client, parsed(subnet).family, text);
}

static void address_of_a_record_is_what_was_set(void **state)
{
	static const char *const texts[] = { "10.207.0.9", "fd00::9" };
	struct shunt_endpoint endpoint = {};
	struct shunt_prefix address;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct shunt_prefix set = parsed(texts[i]);

		assert_false(endpoint_address(&endpoint, set.family, &address));
		endpoint_set_address(&endpoint, &set);
	}
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct shunt_prefix set = parsed(texts[i]);

		assert_true(endpoint_address(&endpoint, set.family, &address));
		assert_memory_equal(&address, &set, sizeof(set));
		endpoint_clear_address(&endpoint, set.family);
		assert_false(endpoint_address(&endpoint, set.family, &address));
	}
	assert_memory_equal(&endpoint, &(struct shunt_endpoint){}, sizeof(endpoint));
}

static void one_name_begins_at_one_address_in_every_run(void **state)
{
	char text[PREFIX_TEXT_MAX];

	assert_string_equal(got(*state, "web", "10.207.0.0/16", text), "10.207.70.213");
	/* Again, it is its own already. */
	assert_string_equal(got(*state, "web", "10.207.0.0/16", text), "10.207.70.213");
	assert_string_equal(got(*state, "web", "fd00:1::/64", text), "fd00:1::e15:79c7:ece7");
	assert_string_not_equal(got(*state, "web1", "10.207.0.0/16", text), "10.207.70.213");
}

static void ids_that_differ_in_their_last_byte_begin_elsewhere(void **state)
{
	char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX];

	/* In subnets of their own, where neither is in the other's way. */
	assert_string_not_equal(got(*state, A127 "a", "10.207.0.0/16", a) + strlen("10.207"),
				got(*state, A127 "b", "10.208.0.0/16", b) + strlen("10.208"));
}

static void subnet_is_given_out_to_its_last_address(void **state)
{
	static const struct {
		const char *subnet;
		unsigned pool, first;
	} subnets[] = { { "10.1.0.0/27", 32 - 3, 2 }, { "10.2.0.8/30", 1, 10 }, { "fd00:2::/123", 32 - 2, 2 } };

	for (size_t i = 0; i < ELEMENTSOF(subnets); i++) {
		const struct shunt_prefix subnet = parsed(subnets[i].subnet);
		struct shunt_error error;
		struct client client;
		bool seen[256] = {};
		char id[16];

		for (unsigned n = 0; n < subnets[i].pool; n++) {
			struct shunt_prefix address;

			snprintf(id, sizeof(id), "c%zu.%u", i, n);
			client = new_client(id);
			assert_done(claim(*state, &client, subnets[i].subnet, NULL, &error), &error);
			assert_true(endpoint_address(&client.endpoint, subnet.family, &address));
			assert_true(prefix_contains(&subnet, &address));
			assert_false(seen[address.bytes[subnet.family == AF_INET ? 3 : 15]]);
			seen[address.bytes[subnet.family == AF_INET ? 3 : 15]] = true;
		}
		for (unsigned n = 0; n < sizeof(seen); n++)
			assert_int_equal(seen[n], n >= subnets[i].first && n < subnets[i].first + subnets[i].pool);

		client = new_client("late");
		assert_refused(claim(*state, &client, subnets[i].subnet, NULL, &error), -ENOSPC, &error, "network web");
		assert_non_null(strstr(error.text, subnets[i].subnet));
		assert_int_equal(client.endpoint.flags, 0);
	}
}

static void released_address_is_found_in_a_full_subnet(void **state)
{
	struct shunt_instance *instance = *state;
	char first[PREFIX_TEXT_MAX], text[PREFIX_TEXT_MAX], id[16];
	struct client client = new_client("c0");
	struct shunt_prefix address;

	got(instance, "c0", "10.1.0.0/28", first);
	for (unsigned n = 1; n < 16 - 3; n++) {
		snprintf(id, sizeof(id), "c%u", n);
		got(instance, id, "10.1.0.0/28", text);
	}
	address = parsed(first);
	assert_int_equal(address_release(&instance->datapath, &address, client.endpoint.host), 0);
	assert_string_equal(got(instance, "late", "10.1.0.0/28", text), first);
}

static void wanted_address_is_given_or_its_owner_named(void **state)
{
	static const char *const addresses[][2] = { { "10.207.0.0/16", "10.207.0.9" }, { "fd00:1::/64", "fd00:1::9" } };

	for (size_t i = 0; i < ELEMENTSOF(addresses); i++) {
		struct client mine = new_client(A127 "a"), theirs = new_client(A127 "b");
		const char *subnet = addresses[i][0], *wanted = addresses[i][1];
		const int family = parsed(wanted).family;
		char text[PREFIX_TEXT_MAX];
		struct shunt_error error;

		assert_done(claim(*state, &mine, subnet, wanted, &error), &error);
		assert_string_equal(address_of(&mine, family, text), wanted);
		assert_done(claim(*state, &mine, subnet, wanted, &error), &error);

		assert_refused(claim(*state, &theirs, subnet, wanted, &error), -EADDRINUSE, &error, wanted);
		assert_non_null(strstr(error.text, "in use by " A127 "a (its eth0)"));
		assert_string_equal(address_of(&theirs, family, text), "");
	}
}

static void owner_without_a_record_is_named_by_its_host_end(void **state)
{
	struct shunt_instance *instance = *state;
	const struct shunt_prefix address = parsed("10.207.0.9");
	struct client client = new_client("web");
	struct shunt_error error;

	assert_int_equal(address_claim(&instance->datapath, &address, "nk0123456789abc"), 0);
	assert_refused(claim(instance, &client, "10.207.0.0/16", "10.207.0.9", &error), -EADDRINUSE, &error,
		       "nk0123456789abc");
}

/* A teardown finds it whatever happens behind the claim. */
static void record_has_the_address_that_is_claimed(void **state)
{
	struct shunt_instance *instance = *state;
	struct client client = new_client("web");
	struct shunt_endpoint recorded;
	struct shunt_error error;

	assert_done(claim(instance, &client, "10.207.0.0/16", NULL, &error), &error);
	assert_done(claim(instance, &client, "fd00:1::/64", "fd00:1::9", &error), &error);
	assert_int_equal(registry_get(&instance->datapath, &client.key, &recorded), 0);
	assert_memory_equal(&recorded, &client.endpoint, sizeof(recorded));
	assert_int_equal(recorded.flags, SHUNT_F_ADDRESS4 | SHUNT_F_ADDRESS6);
}

/* Without a registry to say it in, nothing is claimed. */
static void nothing_is_claimed_before_it_is_recorded(void **state)
{
	struct shunt_instance *instance = *state;
	const struct shunt_prefix address = parsed("10.207.0.9");
	const int registry = instance->datapath.fd[MAP_REGISTRY];
	struct client client = new_client("web");
	char owner[SHUNT_IFNAME_MAX];
	struct shunt_error error;
	int r;

	instance->datapath.fd[MAP_REGISTRY] = -1;
	r = claim(instance, &client, "10.207.0.0/16", "10.207.0.9", &error);
	instance->datapath.fd[MAP_REGISTRY] = registry;
	assert_refused(r, -EBADF, &error, "claim");
	assert_int_equal(address_owner(&instance->datapath, &address, owner), -ENOENT);
	assert_int_equal(client.endpoint.flags, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_of_a_record_is_what_was_set),
		on_fresh_instance(one_name_begins_at_one_address_in_every_run),
		on_fresh_instance(ids_that_differ_in_their_last_byte_begin_elsewhere),
		on_fresh_instance(subnet_is_given_out_to_its_last_address),
		on_fresh_instance(released_address_is_found_in_a_full_subnet),
		on_fresh_instance(wanted_address_is_given_or_its_owner_named),
		on_fresh_instance(owner_without_a_record_is_named_by_its_host_end),
		on_fresh_instance(record_has_the_address_that_is_claimed),
		on_fresh_instance(nothing_is_claimed_before_it_is_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "registry.h"
#include "rule.h"
#include "util.h"

static const int families[] = { AF_INET, AF_INET6 };

/* All keys; *ret is the caller's to free. */
static int list_keys(const struct datapath *datapath, struct shunt_rules_key **ret, size_t *ret_n)
{
	_cleanup_free_ struct shunt_rules_key *keys = NULL;
	struct shunt_rules_key key;
	size_t n = 0;

	while (bpf_map_get_next_key(datapath->fd[MAP_RULES], n ? &keys[n - 1] : NULL, &key) == 0) {
		struct shunt_rules_key *more = n < 2 * SHUNT_MAX_RULES ? reallocarray(keys, n + 1, sizeof(key)) : NULL;

		if (!more)
			return -ENOMEM;
		keys = more;
		keys[n++] = key;
	}
	if (errno != ENOENT)
		return -errno;
	*ret = TAKE_PTR(keys);
	*ret_n = n;
	return 0;
}

static void fill_key(uint32_t number, enum shunt_rules_kind kind, const struct shunt_prefix *prefix, struct shunt_rules_key *ret)
{
	*ret = (struct shunt_rules_key) {
		.set = SHUNT_RULES_SET(number, kind, prefix->family == AF_INET6), .length = 32U + prefix->length,
	};
	if (prefix->family == AF_INET6) {
		memcpy(ret->address, prefix->bytes, 16);
		return;
	}
	ret->length += 96;
	ret->address[10] = ret->address[11] = 0xff;
	memcpy(ret->address + 12, prefix->bytes, 4);
}

static int put_list(const struct datapath *datapath, uint32_t number, enum shunt_rules_kind kind, const struct shunt_rule_list *list)
{
	for (size_t i = 0; i < list->n * ELEMENTSOF(families); i++) {
		struct shunt_rules_key key;
		struct shunt_prefix prefix;
		struct shunt_rules value;
		int r;

		if (!rule_prefix(&list->rule[i / ELEMENTSOF(families)], families[i % ELEMENTSOF(families)], &prefix))
			continue;
		r = rules_merge(list, &prefix, &value);
		if (r < 0)
			return r;
		fill_key(number, kind, &prefix, &key);
		if (bpf_map_update_elem(datapath->fd[MAP_RULES], &key, &value, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

int policy_put(const struct datapath *datapath, const struct shunt_network *network, uint32_t *ret_number, struct shunt_error *error)
{
	struct shunt_rules_key mark = { .length = 32 };
	_cleanup_free_ struct shunt_rules_key *keys = NULL;
	const struct shunt_rules none = {};
	uint32_t number = 0;
	size_t n;
	int r = list_keys(datapath, &keys, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		if (SHUNT_RULES_POLICY(keys[i].set) > number)
			number = SHUNT_RULES_POLICY(keys[i].set);
	number++;
	mark.set = SHUNT_RULES_SET(number, SHUNT_RULES_MARK, false);
	if (r >= 0 && bpf_map_update_elem(datapath->fd[MAP_RULES], &mark, &none, BPF_NOEXIST) < 0)
		r = -errno;
	for (size_t kind = 0; kind < SHUNT_RULES_KINDS && r >= 0; kind++)
		r = put_list(datapath, number, kind, &network->rules[kind]);
	if (r == -ENOSPC)
		return shunt_fail(error, r, "network %s: all networks together have more than %d rules; run 'shunt gc', or take some out",
				  network->name, SHUNT_MAX_RULES);
	if (r < 0)
		return shunt_fail(error, r, "network %s: cannot write its rules: %s", network->name, strerror(-r));
	*ret_number = number;
	return 0;
}

static bool is_in_use(const uint32_t *numbers, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* The numbers that anybody names, each once; *ret is the caller's to free. */
static int list_used(const struct datapath *datapath, uint32_t **ret, size_t *ret_n)
{
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_free_ uint32_t *numbers = NULL;
	size_t n, used = 0;
	int r = registry_list(datapath, NULL, &entries, &n);

	if (r < 0)
		return r;
	numbers = calloc(n + SHUNT_MAX_NETWORKS, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!is_in_use(numbers, used, entries[i].endpoint.policy))
			numbers[used++] = entries[i].endpoint.policy;
	r = network_records_policies(datapath, numbers + used, SHUNT_MAX_NETWORKS);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(numbers);
	*ret_n = used + (size_t)r;
	return 0;
}

static int collect(const struct datapath *datapath)
{
	_cleanup_free_ struct shunt_rules_key *keys = NULL;
	_cleanup_free_ uint32_t *used = NULL;
	size_t n, n_used;
	int r = list_keys(datapath, &keys, &n);

	if (r < 0 || n == 0)
		return r;
	r = list_used(datapath, &used, &n_used);
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (!is_in_use(used, n_used, SHUNT_RULES_POLICY(keys[i].set)) &&
		    bpf_map_delete_elem(datapath->fd[MAP_RULES], &keys[i]) < 0 && errno != ENOENT)
			r = -errno;
	return r;
}

int policy_collect(const struct datapath *datapath, struct shunt_error *error)
{
	int r = collect(datapath);

	return r < 0 ? shunt_fail(error, r, "cannot remove rules that are nobody's: %s", strerror(-r)) : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: what is taken for an address means the same when it is written and read again; so does its place in a subnet. */
#include "address.h"
#include "network.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const struct shunt_prefix *a, const struct shunt_prefix *b)
{
	return a->family == b->family && a->length == b->length && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static void check_text(const struct shunt_prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];
	struct shunt_prefix again;

	if (prefix_parse(prefix_format(prefix, text), &again) < 0 || !same(prefix, &again))
		__builtin_trap();
}

/* The subnet that an address with a length is in, and who else is. */
static void check_subnet(const struct shunt_prefix *address)
{
	struct shunt_prefix subnet = *address, host;
	uint64_t first, pool;

	prefix_mask(&subnet);
	pool = prefix_pool(&subnet, &first);
	if (prefix_has_host_bits(&subnet) || !prefix_contains(&subnet, address) || !prefix_overlap(address, &subnet))
		__builtin_trap();
	if (pool == 0)
		return;
	for (uint64_t i = 0; i < 2; i++) {
		prefix_host(&subnet, first + (i ? pool - 1 : 0), &host);
		if (!prefix_contains(&subnet, &host) || prefix_host_number(&subnet, &host) != first + (i ? pool - 1 : 0))
			__builtin_trap();
	}
}

/* An address that may be asked for is one that the pool has. */
static void check_request(const char *text)
{
	struct shunt_network network = { .name = "web" };
	struct shunt_prefix address, *subnet;
	struct shunt_error error;
	uint64_t first, pool, n;

	if (prefix_parse("10.207.0.0/16", &network.subnet4) < 0 || prefix_parse("fd00:207::/64", &network.subnet6) < 0)
		__builtin_trap();
	if (network_address(&network, text, &address, &error) < 0)
		return;
	subnet = address.family == AF_INET ? &network.subnet4 : &network.subnet6;
	pool = prefix_pool(subnet, &first);
	n = prefix_host_number(subnet, &address);
	if (address.length != family_bits(address.family) || n < first || (address.family == AF_INET && n - first >= pool))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	struct shunt_prefix prefix;

	if (!text)
		return 0;
	check_request(text);
	if (prefix_parse(text, &prefix) < 0)
		return 0;
	check_text(&prefix);
	check_subnet(&prefix);
	return 0;
}

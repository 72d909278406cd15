// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * address.c - addresses and prefixes. An address is a string of bits with the first bit in byte 0; what differs
 * between the families is only how many there are.
 */
#include "address.h"

#include <arpa/inet.h>

#include "names.h"
#include "util.h"

#define POOL6_MAX (UINT64_C(1) << 48)

unsigned family_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static unsigned family_bytes(int family)
{
	return family_bits(family) / 8;
}

int prefix_parse(const char *text, struct shunt_prefix *ret)
{
	struct shunt_prefix prefix = {};
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t length;

	if (size >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, size);
	address[size] = '\0';

	prefix.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(prefix.family, address, prefix.bytes) != 1)
		return -EINVAL;

	length = family_bits(prefix.family);
	if (slash && number_parse(slash + 1, 0, family_bits(prefix.family), &length) < 0)
		return -EINVAL;
	prefix.length = length;

	*ret = prefix;
	return 0;
}

const char *prefix_format_address(const struct shunt_prefix *prefix, char *text)
{
	/* Cannot fail: the family is one of two, and the text has room for either. */
	if (!inet_ntop(prefix->family, prefix->bytes, text, PREFIX_TEXT_MAX))
		text[0] = '\0';
	return text;
}

const char *prefix_format(const struct shunt_prefix *prefix, char *text)
{
	size_t used;

	prefix_format_address(prefix, text);
	used = strlen(text);
	snprintf(text + used, PREFIX_TEXT_MAX - used, "/%u", prefix->length);
	return text;
}

void prefix_netmask(unsigned length, uint8_t *mask)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = length > i * 8 ? length - i * 8 : 0;

		mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
	}
}

static bool same_bits(const struct shunt_prefix *a, const struct shunt_prefix *b, unsigned length)
{
	uint8_t mask[16];

	if (a->family != b->family)
		return false;
	prefix_netmask(length, mask);
	for (unsigned i = 0; i < family_bytes(a->family); i++)
		if ((a->bytes[i] ^ b->bytes[i]) & mask[i])
			return false;
	return true;
}

bool prefix_contains(const struct shunt_prefix *outer, const struct shunt_prefix *inner)
{
	return same_bits(outer, inner, outer->length);
}

bool prefix_overlap(const struct shunt_prefix *a, const struct shunt_prefix *b)
{
	/* Two prefixes are either disjoint or one lies in the other. */
	return same_bits(a, b, a->length < b->length ? a->length : b->length);
}

bool prefix_is_ula(const struct shunt_prefix *prefix)
{
	return prefix->family == AF_INET6 && (prefix->bytes[0] & 0xfe) == 0xfc;
}

void prefix_mask(struct shunt_prefix *prefix)
{
	uint8_t mask[16];

	prefix_netmask(prefix->length, mask);
	for (unsigned i = 0; i < sizeof(mask); i++)
		prefix->bytes[i] &= mask[i];
}

bool prefix_has_host_bits(const struct shunt_prefix *prefix)
{
	struct shunt_prefix masked = *prefix;

	prefix_mask(&masked);
	return memcmp(masked.bytes, prefix->bytes, family_bytes(prefix->family)) != 0;
}

void prefix_host(const struct shunt_prefix *subnet, uint64_t n, struct shunt_prefix *ret)
{
	struct shunt_prefix address = *subnet;
	unsigned bytes = family_bytes(subnet->family);

	address.length = family_bits(subnet->family);
	for (unsigned i = bytes; i > 0 && n; i--, n >>= 8)
		address.bytes[i - 1] |= (uint8_t)n;
	*ret = address;
}

uint64_t prefix_host_number(const struct shunt_prefix *subnet, const struct shunt_prefix *address)
{
	unsigned bytes = family_bytes(subnet->family);
	uint8_t mask[16];
	uint64_t n = 0;

	prefix_netmask(subnet->length, mask);
	for (unsigned i = bytes > 8 ? bytes - 8 : 0; i < bytes; i++)
		n = n << 8 | (uint8_t)(address->bytes[i] & ~mask[i]);
	return n;
}

uint64_t prefix_pool(const struct shunt_prefix *subnet, uint64_t *ret_first)
{
	unsigned host_bits = family_bits(subnet->family) - subnet->length;
	uint64_t reserved = subnet->family == AF_INET ? 3 : 2;
	uint64_t total;

	*ret_first = 2;
	if (subnet->family == AF_INET6 && host_bits > 48)
		return POOL6_MAX;
	total = UINT64_C(1) << host_bits;
	return total > reserved ? total - reserved : 0;
}

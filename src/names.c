// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - which names are names. All sets are ASCII and spelled out, so that no locale has a say.
 */
#include "names.h"

#include "util.h"

#define DIGITS "0123456789"
#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS

int id_check(const char *id, struct shunt_error *error)
{
	size_t size = strlen(id);

	if (size == 0)
		return shunt_fail(error, -EINVAL, "the ID is empty; it must be 1 to %d of A-Z a-z 0-9 _ . + -", SHUNT_ID_MAX);
	if (size > SHUNT_ID_MAX)
		return shunt_fail(error, -EINVAL, "ID \"%.32s...\" has %zu characters; at most %d are allowed", id, size,
				  SHUNT_ID_MAX);
	if (id[0] == '.' || id[0] == '-' || strspn(id, ALNUM "_.+-") != size)
		return shunt_fail(error, -EINVAL,
				  "ID \"%s\" is not allowed: only A-Z a-z 0-9 _ . + -, and neither . nor - in front", id);
	return 0;
}

/* Names that the kernel takes for a device at most by accident: its own interface, and its directories in /proc/sys. */
static bool interface_name_taken(const char *name)
{
	static const char *const taken[] = { ".", "..", "lo", "all", "default" };

	for (size_t i = 0; i < ELEMENTSOF(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return true;
	return false;
}

int interface_name_check(const char *name, struct shunt_error *error)
{
	size_t size = strlen(name);

	if (size == 0)
		return shunt_fail(error, -EINVAL, "the interface name is empty");
	if (size >= IFNAMSIZ)
		return shunt_fail(error, -EINVAL, "interface name \"%.32s%s\" has %zu characters; the kernel allows %d", name,
				  size > 32 ? "..." : "", size, IFNAMSIZ - 1);
	for (const char *c = name; *c; c++)
		/* '%' is not refused by the kernel, but taken for a template such as eth%d. */
		if (*c <= ' ' || *c >= 0x7f || strchr("/:%", *c))
			return shunt_fail(error, -EINVAL,
					  "interface name \"%s\" is not allowed: printable ASCII without blanks, / : %%", name);
	if (interface_name_taken(name))
		return shunt_fail(error, -EINVAL, "interface name \"%s\" is not allowed: the kernel uses it itself", name);
	return 0;
}

int network_name_check(const char *name, struct shunt_error *error)
{
	size_t size = strlen(name);

	if (size == 0)
		return shunt_fail(error, -EINVAL, "the network's name is empty");
	if (size >= SHUNT_NETWORK_MAX)
		return shunt_fail(error, -EINVAL, "network name \"%.32s%s\" has %zu characters; at most %d are allowed", name,
				  size > 32 ? "..." : "", size, SHUNT_NETWORK_MAX - 1);
	if (!strchr(ALNUM, name[0]) || strspn(name, ALNUM "_.-") != size)
		return shunt_fail(error, -EINVAL,
				  "network name \"%s\" is not allowed: only A-Z a-z 0-9 _ . -, a letter or digit in front", name);
	return 0;
}

uint64_t name_hash(const char *a, const char *b)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	const char *const parts[] = { a, b };

	/* The NUL behind each part counts, so that ("ab", "c") and ("a", "bc") differ. */
	for (size_t i = 0; i < ELEMENTSOF(parts); i++)
		for (size_t j = 0; j <= strlen(parts[i]); j++)
			hash = (hash ^ (uint8_t)parts[i][j]) * UINT64_C(0x100000001b3);

	/* FNV hardly moves the high bits for a change in the last byte; those are what host_name() shows. */
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

void host_name(const char *id, const char *interface, char ret[static SHUNT_IFNAME_MAX])
{
	char name[24];

	snprintf(name, sizeof(name), "nk%013llx", (unsigned long long)(name_hash(id, interface) >> 12));
	copy_name(ret, SHUNT_IFNAME_MAX, name);
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	/* No leading zero: what reads them as octal elsewhere would disagree with us. */
	if (!*text || strspn(text, DIGITS) != strlen(text) || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (const char *c = text; *c; c++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(*c - '0'), &n))
			return -ERANGE;
	if (n < min || n > max)
		return -ERANGE;

	*ret = n;
	return 0;
}

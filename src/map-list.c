// SPDX-License-Identifier: GPL-2.0-or-later
#include "map-list.h"

#include <bpf/bpf.h>

#include "util.h"

#define BATCH 256	/* entries a call; more than any bucket of the hash will hold */

struct sizes {
	size_t key, value;	/* bytes */
};

static int append(struct sizes size, uint8_t **list, size_t *n, const uint8_t *keys, const uint8_t *values, uint32_t count)
{
	const size_t each = size.key + size.value;
	uint8_t *larger = reallocarray(*list, *n + count + 1, each);

	if (!larger)
		return -ENOMEM;
	*list = larger;
	for (uint32_t i = 0; i < count; i++, (*n)++) {
		memcpy(larger + *n * each, keys + i * size.key, size.key);
		memcpy(larger + *n * each + size.key, values + i * size.value, size.value);
	}
	return 0;
}

int map_list(int fd, size_t key_size, size_t value_size, void **ret, size_t *ret_n)
{
	_cleanup_free_ uint8_t *keys = calloc(BATCH, key_size), *values = calloc(BATCH, value_size), *list = NULL;
	uint32_t token = 0;
	bool first = true, last;
	size_t n = 0;

	if (!keys || !values)
		return -ENOMEM;
	do {
		uint32_t count = BATCH;
		int r = bpf_map_lookup_batch(fd, first ? NULL : &token, &token, keys, values, &count, NULL);

		if (r < 0 && errno != ENOENT)
			return -errno;
		last = r < 0;
		r = append((struct sizes){ key_size, value_size }, &list, &n, keys, values, count);
		if (r < 0)
			return r;
		first = false;
	} while (!last);
	*ret = TAKE_PTR(list);
	*ret_n = n;
	return 0;
}

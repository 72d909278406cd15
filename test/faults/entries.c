// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * entries DIRECTORY: what is in the maps that are pinned there, a line each: the map's name, then its keys in hex and in
 * order. Of interfaces only the number, as theirs change with each device.
 */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 64
#define KEY_MAX 256

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY_MAX);
}

static void print_map(const char *directory, const char *name)
{
	static unsigned char keys[KEYS][KEY_MAX];
	struct bpf_map_info info = {};
	unsigned size = sizeof(info);
	char path[4096];
	size_t n = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_get_info_by_fd(fd, &info, &size) < 0 || info.key_size > KEY_MAX) {
		printf("%s: absent\n", name);
		return;
	}
	memset(keys, 0, sizeof(keys));
	while (n < KEYS && bpf_map_get_next_key(fd, n ? keys[n - 1] : NULL, keys[n]) == 0)
		n++;
	qsort(keys, n, KEY_MAX, compare);
	printf("%s: %zu", name, n);
	for (size_t i = 0; i < n && strcmp(name, "interfaces") != 0 && strcmp(name, "publications") != 0; i++) {
		putchar(' ');
		for (size_t k = 0; k < info.key_size; k++)
			printf("%02x", keys[i][k]);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const char *const maps[] = { "unfinished", "registry", "interfaces", "addresses4", "addresses6", "networks",
		"published", "publications", "answers" };

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++)
		print_map(argv[1], maps[i]);
	return 0;
}

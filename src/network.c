// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * network.c - networks: files of the administrator in one directory, and the built-in default.
 */
#include "network.h"

#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "address.h"
#include "file.h"
#include "names.h"
#include "path.h"
#include "util.h"

#define DEFAULT_DIRECTORY "/etc/shunt/networks"
#define SUFFIX ".json"

/* Tells our use of the machine id from everybody else's, so that neither can be computed from the other. */
#define APPLICATION_ID SD_ID128_MAKE(8a, 1c, 57, 9e, 2f, 60, 4b, 0d, 93, 44, e1, 7b, 6d, 20, c8, 35)

int network_builtin_subnets(struct shunt_network *network, struct shunt_error *error)
{
	sd_id128_t id;
	int r;

	r = sd_id128_get_machine_app_specific(APPLICATION_ID, &id);
	if (r < 0)
		/* Images without a machine id yet: the network is the same until the next boot, as are its endpoints. */
		r = sd_id128_get_boot_app_specific(APPLICATION_ID, &id);
	if (r < 0)
		return shunt_fail(error, r, "network \"%s\": neither a machine id nor a boot id to derive its subnet from: %s",
				  SHUNT_DEFAULT_NETWORK, strerror(-r));

	/* RFC 4193, section 3.1: fd, 40 bits of global ID, 16 bits of subnet ID. */
	network->subnet4 = (struct shunt_prefix){ .family = AF_INET, .bytes = { 10, 207 }, .length = 16 };
	network->subnet6 = (struct shunt_prefix){ .family = AF_INET6, .bytes = { 0xfd }, .length = 64 };
	memcpy(network->subnet6.bytes + 1, id.bytes, 5);
	return 0;
}

void network_defaults(const char *name, struct shunt_network *network)
{
	*network = (struct shunt_network){
		.mode = SHUNT_MODE_L3,
		.uplinks_auto = true,
		.masquerade = true,
		.isolate = true,
	};
	copy_name(network->name, sizeof(network->name), name);
}

const char *network_directory(void)
{
	/* Not the environment of whoever started us with more rights than his own. */
	return secure_getenv("SHUNT_NETWORKS") ?: DEFAULT_DIRECTORY;
}

int shunt_network_load(const char *name, struct shunt_network *ret, struct shunt_error *error)
{
	_cleanup_free_ char *path = NULL, *real = NULL, *directory = NULL, *text = NULL;
	struct shunt_network network;
	struct stat st;
	int r;

	name = name ?: SHUNT_DEFAULT_NETWORK;
	r = network_name_check(name, error);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s/%s" SUFFIX, network_directory(), name) < 0) {
		path = NULL;
		return shunt_fail(error, -ENOMEM, "network \"%s\": out of memory", name);
	}

	r = path_resolve(path, &real, error);
	if (r >= 0)
		r = file_read(real, NETWORK_FILE_MAX, &text, error);
	if (r >= 0)
		return network_parse(name, text, path, ret, error);
	/* A link to nowhere is no absence: the default would come without what its file forbids. */
	if (r != -ENOENT || lstat(path, &st) == 0)
		return r;
	/* Who could take the file away has a say in it as well. */
	r = path_resolve(network_directory(), &directory, error);
	if (r < 0 && r != -ENOENT)
		return r;
	if (strcmp(name, SHUNT_DEFAULT_NETWORK) != 0)
		return shunt_fail(error, -ENOENT, "network \"%s\" is unknown: there is no %s; see `shunt network list`", name,
				  path);

	network_defaults(name, &network);
	r = network_builtin_subnets(&network, error);
	if (r < 0)
		return r;
	*ret = network;
	return 0;
}

/* The name of the network that a file of this name describes, or NULL if it is none. The caller frees. */
static char *network_of_file(const char *file)
{
	size_t size = strlen(file), suffix = strlen(SUFFIX);
	_cleanup_free_ char *name = NULL;

	if (size <= suffix || strcmp(file + size - suffix, SUFFIX) != 0)
		return NULL;
	name = strndup(file, size - suffix);
	if (!name || network_name_check(name, NULL) < 0)
		return NULL;
	return TAKE_PTR(name);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Appends @name, which it takes over, to the NULL-terminated @names. */
static int names_add(char ***names, size_t *n, char *name)
{
	char **more = name ? reallocarray(*names, *n + 2, sizeof(char *)) : NULL;

	if (!more) {
		free(name);
		return -ENOMEM;
	}
	*names = more;
	more[(*n)++] = name;
	more[*n] = NULL;
	return 0;
}

int shunt_network_names(char ***ret, struct shunt_error *error)
{
	_cleanup_(strv_freep) char **names = NULL;
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (names_add(&names, &n, strdup(SHUNT_DEFAULT_NETWORK)) < 0)
		return shunt_fail(error, -ENOMEM, "networks: out of memory");

	dir = opendir(network_directory());
	if (!dir && errno != ENOENT)
		return shunt_fail(error, -errno, "%s: %s", network_directory(), strerror(errno));
	while (dir && (errno = 0, entry = readdir(dir))) {
		_cleanup_free_ char *name = network_of_file(entry->d_name);

		/* Other files are nobody's error: editors leave theirs beside those that they write. */
		if (!name || strcmp(name, SHUNT_DEFAULT_NETWORK) == 0)
			continue;
		if (names_add(&names, &n, TAKE_PTR(name)) < 0)
			return shunt_fail(error, -ENOMEM, "networks: out of memory");
	}
	if (dir && errno)
		return shunt_fail(error, -errno, "%s: %s", network_directory(), strerror(errno));

	qsort(names, n, sizeof(*names), compare_names);
	*ret = TAKE_PTR(names);
	return 0;
}

uint32_t network_flows_wanted(void)
{
	_cleanup_(strv_freep) char **names = NULL;
	uint32_t most = 0;

	/* A file that cannot be read asks for nothing: who attaches to that network hears of it. */
	if (shunt_network_names(&names, NULL) < 0)
		return SHUNT_FLOWS;
	for (char **name = names; *name; name++) {
		struct shunt_network network;

		if (shunt_network_load(*name, &network, NULL) >= 0 && network.flows > most)
			most = network.flows;
	}
	return most ?: SHUNT_FLOWS;
}

/* Whether @address is the subnet's own, the gateway's or the broadcast address. prefix_pool() leaves out the same. */
static bool address_reserved(const struct shunt_prefix *subnet, const struct shunt_prefix *address)
{
	uint64_t last = subnet->family == AF_INET ? (UINT64_C(1) << (32 - subnet->length)) - 1 : 0;
	const uint64_t numbers[] = { 0, 1, last };

	for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
		struct shunt_prefix reserved;

		prefix_host(subnet, numbers[i], &reserved);
		if (memcmp(reserved.bytes, address->bytes, family_bits(subnet->family) / 8) == 0)
			return true;
	}
	return false;
}

int network_address(const struct shunt_network *network, const char *text, struct shunt_prefix *ret,
		    struct shunt_error *error)
{
	char shown[PREFIX_TEXT_MAX];
	struct shunt_prefix address;
	const struct shunt_prefix *subnet;

	if (prefix_parse(text, &address) < 0)
		return shunt_fail(error, -EINVAL, "address \"%s\" is none; write it like 10.207.0.9 or fd00::9", text);

	subnet = address.family == AF_INET ? &network->subnet4 : &network->subnet6;
	if (!subnet->family)
		return shunt_fail(error, -ERANGE, "address %s: network \"%s\" has no IPv%d subnet", text, network->name,
				  address.family == AF_INET ? 4 : 6);
	if (address.length != family_bits(address.family) && address.length != subnet->length)
		return shunt_fail(error, -EINVAL, "address %s: the length is the network's, /%u; leave it out", text,
				  subnet->length);
	if (!prefix_contains(subnet, &address))
		return shunt_fail(error, -ERANGE, "address %s is not in %s, the subnet of network \"%s\"", text,
				  prefix_format(subnet, shown), network->name);
	if (address_reserved(subnet, &address))
		return shunt_fail(error, -ERANGE, "address %s is reserved in %s, the subnet of network \"%s\"", text,
				  prefix_format(subnet, shown), network->name);

	address.length = family_bits(address.family);
	*ret = address;
	return 0;
}

int network_mtu_check(const struct shunt_network *network, uint64_t mtu, struct shunt_error *error)
{
	unsigned min = network->subnet6.family ? NETWORK_MTU_MIN6 : NETWORK_MTU_MIN4;

	if (mtu < min || mtu > NETWORK_MTU_MAX)
		return shunt_fail(error, -ERANGE, "MTU %llu is out of range: network \"%s\" takes %u to %u",
				  (unsigned long long)mtu, network->name, min, NETWORK_MTU_MAX);
	return 0;
}

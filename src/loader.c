/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <limits.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "libbpf.h"
#include "shunt.skel.h"
#include "util.h"
#include "version.h"

/* The first thing that libbpf warned of, which is the cause; then it tells at length what came of it. */
static char libbpf_words[256];

static int keep_words(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && !libbpf_words[0]) {
		vsnprintf(libbpf_words, sizeof(libbpf_words), format, arguments);
		libbpf_words[strcspn(libbpf_words, "\n")] = '\0';
	}
	return 0;
}

int loader_open(struct shunt_bpf **ret, struct shunt_error *error)
{
	struct shunt_bpf *loader;
	int r = libbpf_open(error);

	if (r < 0)
		return r;
	libbpf_set_print(keep_words);
	libbpf_words[0] = '\0';
	loader = shunt_bpf__open();
	if (!loader)
		return shunt_fail(error, -errno, "cannot read the BPF programs: %m (%s)", libbpf_words);
	*ret = loader;
	return 0;
}

void loader_closep(struct shunt_bpf **loader)
{
	shunt_bpf__destroy(*loader);
}

struct bpf_map *loader_map(const struct shunt_bpf *loader, enum datapath_object object)
{
	return bpf_object__find_map_by_name(loader->obj, datapath_names[object]);
}

const struct btf *loader_btf(const struct shunt_bpf *loader)
{
	return bpf_object__btf(loader->obj);
}

int loader_size_flows(struct shunt_bpf *loader, uint32_t entries, struct shunt_error *error)
{
	int r = bpf_map__set_max_entries(loader_map(loader, MAP_FLOWS4), entries);

	if (r >= 0)
		r = bpf_map__set_max_entries(loader_map(loader, MAP_FLOWS6), entries);
	return r < 0 ? shunt_fail(error, r, "a map of flows cannot have %u entries: %s", entries, strerror(-r)) : 0;
}

int loader_fd(const struct shunt_bpf *loader, enum datapath_object object)
{
	const struct bpf_map *map = loader_map(loader, object);

	return map ? bpf_map__fd(map) : bpf_program__fd(bpf_object__find_program_by_name(loader->obj, datapath_names[object]));
}

/* Nearly always the kernel's age. */
static int cannot_load(int r, struct shunt_error *error)
{
	struct utsname name;

	if (datapath_probe_tcx() == 0 && uname(&name) == 0)
		return shunt_fail(error, -EOPNOTSUPP, "Linux %s has no tcx to attach programs with; use Linux 6.8 or later", name.release);
	return shunt_fail(error, r, "cannot load the BPF programs: %s (%s); 'shunt doctor' says what this kernel lacks", strerror(-r),
			  libbpf_words);
}

/* How many ticks of the kernel's clock a shortcut is good for: an eighth of a second. */
static uint32_t shortcut_ticks(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec > 0 || tick.tv_nsec <= 0)
		return 1;
	return tick.tv_nsec > 125000000 ? 1 : 125000000 / tick.tv_nsec;
}

/* What tells our network namespace from others where sockets are looked at. */
static int netns_cookie(uint64_t *ret)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(*ret);

	return fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &size) < 0 ? -errno : 0;
}

int loader_load(struct shunt_bpf *loader, struct shunt_error *error)
{
	struct shunt_meta meta = { .abi = SHUNT_ABI, .version = SHUNT_VERSION };
	const uint32_t zero = 0;
	struct stat here;
	uint64_t cookie, secret;
	int r;

	if (stat("/proc/thread-self/ns/net", &here) < 0)
		return shunt_fail(error, -errno, "cannot look at my own network namespace: %m");
	meta.netns_dev = here.st_dev;
	meta.netns_ino = here.st_ino;
	libbpf_words[0] = '\0';
	r = netns_cookie(&cookie);
	if (r < 0)
		return shunt_fail(error, r, "cannot tell my own network namespace from others: %s", strerror(-r));
	loader->rodata->host_cookie = cookie;
	if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret))
		return shunt_fail(error, -errno, "cannot get a random number: %m");
	loader->rodata->flow_secret = secret;
	loader->rodata->shortcut_ticks = shortcut_ticks();
	r = shunt_bpf__load(loader);
	if (r < 0)
		return cannot_load(r, error);
	if (bpf_map_update_elem(loader_fd(loader, MAP_META), &zero, &meta, BPF_ANY) < 0)
		return shunt_fail(error, -errno, "cannot write the meta map: %m");
	return 0;
}

int loader_stage(const struct shunt_bpf *loader, const char *state, struct shunt_error *error)
{
	char path[PATH_MAX];
	int r;

	datapath_remove_staged(state);
	snprintf(path, sizeof(path), "%s/" DATAPATH_STAGED, state);
	if (mkdir(path, 0700) < 0)
		return shunt_fail(error, -errno, "%s: cannot be made: %m", path);
	for (size_t i = 0; i < DATAPATH_OBJECTS; i++) {
		snprintf(path, sizeof(path), "%s/" DATAPATH_STAGED "/%s", state, datapath_names[i]);
		if (bpf_obj_pin(loader_fd(loader, i), path) < 0) {
			r = -errno;
			datapath_remove_staged(state);
			return shunt_fail(error, r, "%s: cannot be pinned: %s", path, strerror(-r));
		}
	}
	return 0;
}

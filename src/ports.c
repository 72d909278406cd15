/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ports.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include "names.h"
#include "util.h"

#define SYSCTL "/proc/sys/net/ipv4/"
#define FIRST 1024	/* what is below is for the host's services */

int port_range_parse(const char *text, struct port_range *ret)
{
	const char *dash = strchr(text, '-');
	char low[8];
	uint64_t a, b;

	if (!dash || (size_t)(dash - text) >= sizeof(low))
		return -EINVAL;
	memcpy(low, text, (size_t)(dash - text));
	low[dash - text] = '\0';
	if (number_parse(low, 1, 65535, &a) < 0 || number_parse(dash + 1, 1, 65535, &b) < 0 || b < a || b - a + 1 < PORTS_MIN)
		return -EINVAL;
	*ret = (struct port_range) { (uint16_t)a, (uint16_t)b };
	return 0;
}

int ports_choose(const struct port_range *local, struct port_range *ret)
{
	const int below = local->low > FIRST ? local->low - FIRST : 0;
	const int above = 65535 - (local->high > FIRST - 1 ? local->high : FIRST - 1);
	const int high = below >= above ? local->low - 1 : 65535;
	const int size = below >= above ? below : above;

	if (size < PORTS_MIN)
		return -ERANGE;
	ret->high = (uint16_t)high;
	ret->low = (uint16_t)(high - (size < PORTS_WANTED ? size : PORTS_WANTED) + 1);
	return 0;
}

/* Return: bytes read, NUL-terminated; or an errno. What does not fit is an error. */
static ssize_t read_sysctl(const char *path, char *buffer, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, size);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -E2BIG;
	buffer[n] = '\0';
	return n;
}

static int read_local(struct port_range *ret, struct shunt_error *error)
{
	const char *path = SYSCTL "ip_local_port_range";
	char text[64];
	unsigned low, high;
	ssize_t n = read_sysctl(path, text, sizeof(text));

	if (n < 0)
		return shunt_fail(error, (int)n, "%s: %s", path, strerror((int)-n));
	if (sscanf(text, "%u %u", &low, &high) != 2 || low > high || high > 65535)
		return shunt_fail(error, -EINVAL, "%s: this is no range", path);
	*ret = (struct port_range) { (uint16_t)low, (uint16_t)high };
	return 0;
}

/* Clears the bits of ip_local_reserved_ports: "80,8000-8999", in any order. */
static int take_reserved(uint64_t bits[static 1024], struct shunt_error *error)
{
	const char *path = SYSCTL "ip_local_reserved_ports";
	char text[4096], *at = text;
	ssize_t n = read_sysctl(path, text, sizeof(text));

	/* More than a page of them: whoever writes that much gives the range as well. */
	if (n < 0)
		return shunt_fail(error, (int)n, "%s: %s", path, strerror((int)-n));
	for (unsigned low, high; *at >= '0' && *at <= '9'; at += *at == ',') {
		low = high = (unsigned)strtoul(at, &at, 10);
		if (*at == '-')
			high = (unsigned)strtoul(at + 1, &at, 10);
		for (; low <= high && low < 65536; low++)
			bits[low / 64] &= ~(1ULL << low % 64);
	}
	return 0;
}

static bool overlap(const struct port_range *a, const struct port_range *b)
{
	return a->low <= b->high && a->high >= b->low;
}

bool ports_are_spare(const struct port_range *range)
{
	struct port_range local;

	return range->high && read_local(&local, NULL) >= 0 && !overlap(range, &local);
}

static void set_bits(uint64_t bits[static 1024], const struct port_range *range)
{
	for (unsigned port = range->low; port <= range->high; port++)
		bits[port / 64] |= 1ULL << port % 64;
}

static void clear_bits(uint64_t bits[static 1024], const struct port_range *range)
{
	for (unsigned port = range->low; port <= range->high; port++)
		bits[port / 64] &= ~(1ULL << port % 64);
}

int ports_follow(const struct datapath *datapath, const struct port_range *ranges, size_t n, struct shunt_error *error)
{
	const int fd = datapath->fd[MAP_PORTS];
	uint64_t wanted[1024] = {}, spare[1024];
	struct port_range local = {};
	int r = read_local(&local, error);

	if (r < 0)
		return r;
	memset(spare, 0xff, sizeof(spare));
	clear_bits(spare, &local);
	for (size_t i = 0; i < n; i++) {
		set_bits(wanted, &ranges[i]);
		/* Who would be left without any was there first. */
		if (ranges[i].low >= local.low && ranges[i].high <= local.high)
			set_bits(spare, &ranges[i]);
	}
	r = take_reserved(spare, error);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ELEMENTSOF(spare); i++) {
		struct shunt_ports ports;
		uint64_t bits;

		if (bpf_map_lookup_elem(fd, &i, &ports) < 0)
			return shunt_fail(error, -errno, "cannot read the map of ports: %m");
		bits = (ports.masquerade | wanted[i]) & spare[i];
		if (bits == ports.masquerade)
			continue;
		ports.masquerade = bits;
		if (bpf_map_update_elem(fd, &i, &ports, BPF_ANY) < 0)
			return shunt_fail(error, -errno, "cannot write the map of ports: %m");
	}
	return 0;
}

int ports_find(const char *network, const struct port_range *wanted, struct port_range *ret, struct shunt_error *error)
{
	struct port_range local = {}, range = *wanted;
	int r = read_local(&local, error);

	if (r < 0)
		return r;
	if (range.high && overlap(&range, &local))
		return shunt_fail(error, -EADDRINUSE, "network %s: masquerade_ports %u-%u overlaps the host's own, %u-%u (sysctl "
				  "net.ipv4.ip_local_port_range); choose others", network, range.low, range.high, local.low, local.high);
	if (!range.high && ports_choose(&local, &range) < 0)
		return shunt_fail(error, -ERANGE, "network %s: the host's own ports, %u-%u (sysctl net.ipv4.ip_local_port_range), leave "
				  "none to masquerade with; narrow them, or set \"masquerade\": false", network, local.low, local.high);
	*ret = range;
	return 0;
}

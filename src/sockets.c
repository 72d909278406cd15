// SPDX-License-Identifier: GPL-2.0-or-later
#include "sockets.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "port-table.h"
#include "publication.h"

enum { ANY = PORTS_TCP | PORTS_UDP };

/*
 * What is attached is in the way of all sockets of the machine, of whatever network namespace. So each is there only while there
 * is a port of a protocol that needs it: sendmsg and recvmsg are asked for each datagram of a socket that is not connected.
 */
static const struct {
	const char *pin;
	unsigned needed_by;	/* enum port_protocols */
	enum datapath_object program;
	enum bpf_attach_type type;
} hooks[] = {
	/* Who binds finds a port taken before anybody is led there. */
	{ "bind4", ANY, PROGRAM_BIND4, BPF_CGROUP_INET4_BIND },
	{ "bind6", ANY, PROGRAM_BIND6, BPF_CGROUP_INET6_BIND },
	{ "getpeername4", ANY, PROGRAM_GETPEERNAME4, BPF_CGROUP_INET4_GETPEERNAME },
	{ "getpeername6", ANY, PROGRAM_GETPEERNAME6, BPF_CGROUP_INET6_GETPEERNAME },
	/* Also by IPv4 alone: a socket of IPv6 that has sent to a mapped address hears by recvmsg6. */
	{ "recvmsg4", PORTS_UDP, PROGRAM_RECVMSG4, BPF_CGROUP_UDP4_RECVMSG },
	{ "recvmsg6", PORTS_UDP, PROGRAM_RECVMSG6, BPF_CGROUP_UDP6_RECVMSG },
	{ "sendmsg4", PORTS_UDP, PROGRAM_SENDMSG4, BPF_CGROUP_UDP4_SENDMSG },
	{ "sendmsg6", PORTS_UDP, PROGRAM_SENDMSG6, BPF_CGROUP_UDP6_SENDMSG },
	{ "connect4", ANY, PROGRAM_CONNECT4, BPF_CGROUP_INET4_CONNECT },
	{ "connect6", ANY, PROGRAM_CONNECT6, BPF_CGROUP_INET6_CONNECT },
};

/* Where systemd mounts it, alone or beside the old hierarchies. A mount of our own would change the options of theirs. */
static int open_root_cgroup(struct shunt_error *error)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ELEMENTSOF(places); i++) {
		_cleanup_close_ int fd = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fstatfs(fd, &fs) < 0)
			return shunt_fail(error, -errno, "%s: %m", places[i]);
		if (fs.f_type == CGROUP2_SUPER_MAGIC)
			return TAKE_FD(fd);
	}
	return shunt_fail(error, -ENOENT, "publishing ports needs cgroup2, and none is mounted at %s", places[0]);
}

static const char *pin_path(const struct shunt_instance *instance, const char *pin, char *buffer)
{
	snprintf(buffer, PATH_MAX, "%s/ports/%s", instance->state, pin);
	return buffer;
}

int sockets_attach(struct shunt_instance *instance, unsigned protocols, struct shunt_error *error)
{
	_cleanup_close_ int cgroup = -EBADF;
	char path[PATH_MAX];

	for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
		_cleanup_close_ int link = -EBADF, program = -EBADF;

		if (!(hooks[i].needed_by & protocols))
			continue;
		link = bpf_obj_get(pin_path(instance, hooks[i].pin, path));
		if (link >= 0)
			continue;
		if (errno != ENOENT)
			return shunt_fail(error, -errno, "%s: %m", path);
		if (cgroup < 0)
			cgroup = open_root_cgroup(error);
		if (cgroup < 0)
			return cgroup;
		program = datapath_program(instance->state, hooks[i].program, error);
		if (program < 0)
			return program;
		link = bpf_link_create(program, cgroup, hooks[i].type, NULL);
		if (link < 0)
			return shunt_fail(error, -errno, "cannot attach %s to the root cgroup: %m", datapath_names[hooks[i].program]);
		if (bpf_obj_pin(link, path) < 0)
			return shunt_fail(error, -errno, "%s: cannot be pinned: %m", path);
	}
	return 0;
}

int sockets_detach(struct shunt_instance *instance, unsigned protocols, struct shunt_error *error)
{
	char path[PATH_MAX];

	/* Backwards: nobody is led to a port that somebody may bind. */
	for (size_t i = ELEMENTSOF(hooks); i-- > 0;) {
		int r;

		if (hooks[i].needed_by & protocols)
			continue;
		r = datapath_remove_link(AT_FDCWD, pin_path(instance, hooks[i].pin, path));
		if (r < 0)
			return shunt_fail(error, r, "%s: cannot be removed: %s", path, strerror(-r));
	}
	return 0;
}

struct locals {
	struct shunt_in6 *list;
	size_t n;
};

static bool is_link_local(const struct shunt_prefix *address)
{
	const uint8_t *b = address->bytes;

	return address->family == AF_INET ? b[0] == 169 && b[1] == 254 : b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

static int take_address(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *msg = nlmsg_data((struct nlmsghdr *)h);
	struct nlattr *attributes[IFA_MAX + 1], *address;
	struct locals *locals = arg;
	struct shunt_prefix prefix;
	struct shunt_in6 *larger;

	if (h->nlmsg_type != RTM_NEWADDR || (msg->ifa_family != AF_INET && msg->ifa_family != AF_INET6) ||
	    nlmsg_parse((struct nlmsghdr *)h, sizeof(*msg), attributes, IFA_MAX, NULL) < 0)
		return 0;
	address = attributes[IFA_LOCAL] ?: attributes[IFA_ADDRESS];
	prefix = (struct shunt_prefix){ .family = msg->ifa_family };
	if (!address || nla_len(address) != (prefix.family == AF_INET ? 4 : 16))
		return 0;
	memcpy(prefix.bytes, nla_data(address), (size_t)nla_len(address));
	/* The same on another link is another's. */
	if (is_link_local(&prefix))
		return 0;
	larger = reallocarray(locals->list, locals->n + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	locals->list = larger;
	mapped_address(&prefix, larger[locals->n++].byte);
	return 0;
}

static int read_locals(struct shunt_instance *instance, struct locals *ret, struct shunt_error *error)
{
	const struct ifaddrmsg all = { .ifa_family = AF_UNSPEC };
	struct shunt_error words;
	int r;

	/* A dump of what changed meanwhile is no list. */
	for (int tries = 0; tries < 5; tries++) {
		_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);

		ret->n = 0;
		if (!msg || nlmsg_append(msg, (void *)&all, sizeof(all), NLMSG_ALIGNTO) < 0)
			return shunt_fail(error, -ENOMEM, "out of memory");
		r = netlink_call(instance->host, msg, take_address, ret, &words);
		if (r != -EINTR)
			break;
	}
	return r < 0 ? shunt_fail(error, r, "cannot read the host's addresses: %s", words.text) : 0;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct shunt_in6));
}

static int write_locals(int fd, struct locals *locals)
{
	const uint32_t zero = 0;
	struct shunt_in6 at;
	bool first = true;

	if (locals->n)
		qsort(locals->list, locals->n, sizeof(*locals->list), compare);
	while (bpf_map_get_next_key(fd, first ? NULL : &at, &at) == 0) {
		first = !(locals->n && bsearch(&at, locals->list, locals->n, sizeof(*locals->list), compare));
		if (first && bpf_map_delete_elem(fd, &at) < 0 && errno != ENOENT)
			return -errno;
	}
	for (size_t i = 0; i < locals->n; i++)
		if (bpf_map_update_elem(fd, &locals->list[i], &zero, BPF_ANY) < 0)
			return -errno;
	return 0;
}

int sockets_refresh_locals(struct shunt_instance *instance, struct shunt_error *error)
{
	struct locals locals = {};
	int r = read_locals(instance, &locals, error);

	if (r >= 0) {
		r = write_locals(instance->datapath.fd[MAP_LOCALS], &locals);
		if (r == -E2BIG)
			shunt_fail(error, r, "the host has more than %d addresses", SHUNT_MAX_LOCALS);
		else if (r < 0)
			shunt_fail(error, r, "cannot write the map of the host's addresses: %s", strerror(-r));
	}
	free(locals.list);
	return r;
}

bool sockets_is_local(const struct shunt_instance *instance, const uint8_t address[static 16])
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	uint32_t value;

	if (memcmp(address, loopback6, 16) == 0 || (mapped_is4(address) && address[12] == 127))
		return true;
	return bpf_map_lookup_elem(instance->datapath.fd[MAP_LOCALS], address, &value) == 0;
}

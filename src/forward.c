/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "forward.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "util.h"

#define ACCEPT_RA_ALWAYS '2'

/* Opens a sysctl of one device, or of "default". */
static int open_sysctl(const char *family, const char *name, const char *key, int flags)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, name, key);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* First character of a sysctl: its values here have one digit. */
static int read_digit(int fd, char *ret)
{
	ssize_t n = pread(fd, ret, 1, 0);

	return n < 0 ? -errno : n == 0 ? -EIO : 0;
}

static int write_digit(int fd, char value)
{
	return pwrite(fd, &value, 1, 0) < 0 ? -errno : 0;
}

int forward_enabled(const char *name, int family)
{
	_cleanup_close_ int fd = open_sysctl(family == AF_INET ? "ipv4" : "ipv6", name, "forwarding", O_RDONLY);
	char value;
	int r;

	if (fd < 0)
		return fd;
	r = read_digit(fd, &value);
	return r < 0 ? r : value != '0';
}

int ipv6_available(void)
{
	_cleanup_close_ int fd = open_sysctl("ipv6", "default", "disable_ipv6", O_RDONLY);
	char value;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	r = read_digit(fd, &value);
	return r < 0 ? r : value == '0';
}

/* An accept_ra that was raised: what to write back, or fd -1 for nothing. */
struct guard {
	int fd;
	char before;
};

static struct guard raise_guard(uint32_t ifindex)
{
	struct guard guard = { .fd = -EBADF };
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name))
		return guard;
	guard.fd = open_sysctl("ipv6", name, "accept_ra", O_RDWR);
	/* 0 accepts none, so there is no route to lose; 2 is safe already. */
	if (guard.fd >= 0 && (read_digit(guard.fd, &guard.before) < 0 || guard.before != '1' ||
			      write_digit(guard.fd, ACCEPT_RA_ALWAYS) < 0)) {
		close(guard.fd);
		guard.fd = -EBADF;
	}
	return guard;
}

static void lower_guard(struct guard *guard)
{
	if (guard->fd < 0)
		return;
	(void)write_digit(guard->fd, guard->before);
	close(guard->fd);
}

int forward6_enable(const char *name, const uint32_t *guarded, size_t n_guarded, struct shunt_error *error)
{
	struct guard guard[SHUNT_MAX_UPLINKS + 1];
	_cleanup_close_ int fd = open_sysctl("ipv6", name, "forwarding", O_RDWR);
	char value;
	int r;

	if (fd < 0)
		return shunt_fail(error, fd, "%s: cannot switch IPv6 forwarding on: %s", name, strerror(-fd));
	/* Inherited from a host that forwards anyway. */
	if (read_digit(fd, &value) == 0 && value != '0')
		return 0;

	if (n_guarded > ELEMENTSOF(guard))
		n_guarded = ELEMENTSOF(guard);
	for (size_t i = 0; i < n_guarded; i++)
		guard[i] = raise_guard(guarded[i]);
	r = write_digit(fd, '1');
	for (size_t i = 0; i < n_guarded; i++)
		lower_guard(&guard[i]);
	return r < 0 ? shunt_fail(error, r, "%s: cannot switch IPv6 forwarding on: %s", name, strerror(-r)) : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "netns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "util.h"

#define RETURN_TRIES 100

/* Whether @fd is our own network namespace: 1, 0, or a negative errno. */
static int netns_is_ours(int fd)
{
	struct stat ours, theirs;

	if (stat("/proc/self/ns/net", &ours) < 0 || fstat(fd, &theirs) < 0)
		return -errno;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

int netns_is(int fd)
{
	int type = ioctl(fd, NS_GET_NSTYPE);

	if (type < 0)
		return errno == ENOTTY || errno == EINVAL ? 0 : -errno;
	return type == CLONE_NEWNET;
}

int netns_open_pid(pid_t pid, struct shunt_error *error)
{
	_cleanup_close_ int fd = -1;
	char path[sizeof("/proc//ns/net") + 11];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* A process that is there but dead already has no namespace any more: ENOENT too. */
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return shunt_fail(error, -ESRCH, "process %d is gone", (int)pid);
	if (fd < 0)
		return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));

	r = netns_is_ours(fd);
	if (r < 0)
		return shunt_fail(error, r, "%s: %s", path, strerror(-r));
	if (r > 0)
		return shunt_fail(error, -EXDEV, "process %d is in the host's own network namespace (host networking); give the "
				  "container one of its own (podman: --network=none)", (int)pid);
	return TAKE_FD(fd);
}

int netns_open_path(const char *path, struct shunt_error *error)
{
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC), fd = -EBADF;
	char link[sizeof("/proc/self/fd/") + 11];
	struct statfs fs;
	int r;

	/* Whatever the path leads to, opening it must neither wait nor do anything: a watchdog would be set going. */
	if (place < 0 || fstatfs(place, &fs) < 0)
		return shunt_fail(error, -errno, "network namespace %s: %s", path, strerror(errno));
	if (fs.f_type != NSFS_MAGIC)
		return shunt_fail(error, -EINVAL, "%s is no network namespace", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return shunt_fail(error, -errno, "network namespace %s: %s", path, strerror(errno));
	r = netns_is(fd);
	if (r == 0)
		return shunt_fail(error, -EINVAL, "%s is no network namespace", path);
	if (r > 0)
		r = netns_is_ours(fd);
	if (r < 0)
		return shunt_fail(error, r, "%s: %s", path, strerror(-r));
	if (r > 0)
		return shunt_fail(error, -EXDEV, "%s is the host's own network namespace; make one with `ip netns add`", path);
	return TAKE_FD(fd);
}

int netns_call(int netns_fd, int (*call)(void *arg, struct shunt_error *error), void *arg, struct shunt_error *error)
{
	_cleanup_close_ int own = -EBADF;
	int r;

	if (netns_fd < 0)
		return call(arg, error);
	own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return shunt_fail(error, -errno, "cannot open my own network namespace: %m; is /proc mounted?");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return shunt_fail(error, -errno, "cannot enter the container's network namespace: %m");
	r = call(arg, error);
	/* For want of memory, at most. Whoever cannot return must not go on: what it does next would happen to the container. */
	for (int tries = 0; setns(own, CLONE_NEWNET) < 0; tries++)
		if (tries == RETURN_TRIES)
			abort();
	return r;
}

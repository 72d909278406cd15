/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit-netns.h - what the tests of those modules have in common that make kernel objects: a host of their own.
 *
 * Nobody else sees what a test makes, and whatever becomes of the test, all of it is gone with its process. A child
 * says what it found by its exit status: an assertion that fails in it would go on with the tests behind.
 */
#ifndef SHUNT_UNIT_NETNS_H
#define SHUNT_UNIT_NETNS_H

#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "netlink.h"

#define STATE "/sys/fs/bpf/shunt"
#define NETWORKS "/tmp/networks"

static inline void assert_system(bool done, const char *what)
{
	if (!done)
		fail_msg("%s: %s", what, strerror(errno));
}

/* Runs a line of shell, each command of which must succeed; "! COMMAND" would do so in either case. */
static inline void __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
	char line[1024] = "set -e; ";
	size_t length = strlen(line);
	va_list arguments;

	va_start(arguments, format);
	assert_true(vsnprintf(line + length, sizeof(line) - length, format, arguments) < (int)(sizeof(line) - length));
	va_end(arguments);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

/* A host as new, for the set-up of a test or of a group: loopback is up, bpffs and directory of networks are empty. */
static inline int fresh_host(void **state)
{
	(void)state;
	assert_system(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
	assert_system(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "/");
	/* sysfs shows the network namespace of who mounts it. */
	assert_system(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0, "/sys");
	assert_system(mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") == 0, "/sys/fs/bpf");
	assert_system(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0, "/tmp");
	assert_system(mkdir(NETWORKS, 0755) == 0, NETWORKS);
	assert_system(setenv("SHUNT_NETWORKS", NETWORKS, 1) == 0, "SHUNT_NETWORKS");
	shell("ip link set lo up");
	return 0;
}

#define on_fresh_host(test) cmocka_unit_test_setup(test, fresh_host)

/* The network namespace that we are in: a descriptor, the caller's to close. */
static inline int own_netns(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_system(fd >= 0, "/proc/thread-self/ns/net");
	return fd;
}

static inline void enter_netns(int fd)
{
	assert_system(setns(fd, CLONE_NEWNET) == 0, "setns");
}

/* A new network namespace that nothing but the returned descriptor holds. */
static inline int make_netns(void)
{
	_cleanup_close_ int own = own_netns();
	int other;

	assert_system(unshare(CLONE_NEWNET) == 0, "unshare");
	other = own_netns();
	enter_netns(own);
	return other;
}

static inline ino_t netns_inode(int fd)
{
	struct stat st;

	assert_system(fstat(fd, &st) == 0, "fstat");
	return st.st_ino;
}

static inline ino_t own_netns_inode(void)
{
	_cleanup_close_ int fd = own_netns();

	return netns_inode(fd);
}

/* The same line of shell in another network namespace. */
#define shell_at(netns, ...) \
	do { \
		_cleanup_close_ int _own = own_netns(); \
		enter_netns(netns); \
		shell(__VA_ARGS__); \
		enter_netns(_own); \
	} while (0)

/* A sysctl of one digit, below /proc/sys/net. */
static inline void set_sysctl(const char *key, char value)
{
	char path[128];
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_system(fd >= 0 && write(fd, &value, 1) == 1, path);
}

static inline char get_sysctl(const char *key)
{
	char path[128], value = 0;
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", key);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_system(fd >= 0 && read(fd, &value, 1) == 1, path);
	return value;
}

/* Entries of a directory. */
static inline size_t count_entries(const char *path)
{
	_cleanup_closedir_ DIR *directory = opendir(path);
	size_t n = 0;

	assert_system(directory, path);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.';
	return n;
}

static inline struct netlink *open_netlink(void)
{
	struct netlink *netlink = NULL;
	struct shunt_error error;

	if (netlink_open(&netlink, &error) < 0)
		fail_msg("%s", error.text);
	return netlink;
}

static inline struct netlink *open_netlink_at(int netns)
{
	struct netlink *netlink = NULL;
	struct shunt_error error;

	if (netlink_open_at(netns, &netlink, &error) < 0)
		fail_msg("%s", error.text);
	return netlink;
}

/* Success, or the line that says why not. */
#define assert_done(r, error) \
	do { \
		int _r = (r); \
		if (_r < 0) \
			fail_msg("%s: %s", #r, (error)->text); \
	} while (0)

#endif

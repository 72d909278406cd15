/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/pidfd.h>

#include "util.h"

int process_started(pid_t pid, uint64_t *ret)
{
	char path[32], text[512];
	_cleanup_close_ int fd = -EBADF;
	const char *rest;
	char state;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* Its name, in parentheses, may have any character; behind it are numbers, of which the 20th is what we want. */
	rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
			    &state, ret) != 2)
		return -EBADMSG;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

bool process_outlives(pid_t pid, uint64_t started, int milliseconds)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now;
	int r;

	if (fd < 0 || process_started(pid, &now) < 0 || now != started)
		return false;
	do
		r = poll(&poll_fd, 1, milliseconds);
	while (r < 0 && errno == EINTR);
	return r == 0;
}

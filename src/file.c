// SPDX-License-Identifier: GPL-2.0-or-later
#include "file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util.h"

/* Opened only once it is known to be a file: a device may act on being opened. */
static int open_file(const char *path, struct shunt_error *error)
{
	_cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC), fd = -EBADF;
	char link[sizeof("/proc/self/fd/") + 11];
	struct stat st;

	if (place < 0 || fstat(place, &st) < 0)
		return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return shunt_fail(error, -EINVAL, "%s: this is no regular file", path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", place);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));
	return TAKE_FD(fd);
}

int file_read(const char *path, size_t max, char **ret, struct shunt_error *error)
{
	_cleanup_close_ int fd = open_file(path, error);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	if (fd < 0)
		return fd;
	text = malloc(max + 2);
	if (!text)
		return shunt_fail(error, -ENOMEM, "%s: out of memory", path);
	while (size <= max) {
		ssize_t n = read(fd, text + size, max + 1 - size);

		if (n < 0)
			return shunt_fail(error, -errno, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		size += (size_t)n;
	}
	if (size > max)
		return shunt_fail(error, -EFBIG, "%s: larger than %zu KiB", path, max / 1024);
	text[size] = '\0';
	if (strlen(text) != size)
		return shunt_fail(error, -EINVAL, "%s: a NUL byte at offset %zu", path, strlen(text));

	*ret = TAKE_PTR(text);
	return 0;
}

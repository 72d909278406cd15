/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.h - text that others have written, whole and of bounded size.
 */
#ifndef SHUNT_FILE_H
#define SHUNT_FILE_H

#include "shunt/shunt.h"

/**
 * file_read() - Read a regular file of text
 * @path:	links in it are followed
 * @max:	bytes
 * @ret:	the text with its NUL; the caller's to free
 *
 * Whatever the path leads to, it neither waits nor sets a device going.
 *
 * Return: 0; -EINVAL for what is no regular file or has a NUL byte, -EFBIG, or the errno of open() or read()
 */
int file_read(const char *path, size_t max, char **ret, struct shunt_error *error);

#endif

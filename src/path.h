/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path.h - who can change what a path leads to.
 */
#ifndef SHUNT_PATH_H
#define SHUNT_PATH_H

#include "shunt/shunt.h"

/**
 * path_resolve() - Follow a path that is root's alone
 * @path:	of anything; links in it are followed
 * @ret:	the same without links; the caller's to free
 *
 * What we take from there is done as root, so nobody else may put another thing in its place: it and each directory
 * above belong to root (or to us) and are not writable for others, or keep what is in them for its owner (the sticky bit).
 * What @ret names stays what was looked at, as only root can change it.
 *
 * Return: 0; -EPERM with a line that names the directory or file, its owner and mode; or another errno
 */
int path_resolve(const char *path, char **ret, struct shunt_error *error);

#endif

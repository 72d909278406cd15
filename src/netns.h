/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - a container's network namespace as a descriptor, and nothing else as one.
 */
#ifndef SHUNT_NETNS_H
#define SHUNT_NETNS_H

#include <sys/types.h>

#include "shunt/shunt.h"

/* Whether a descriptor is one of a network namespace: 1, 0, or an errno. */
int netns_is(int fd);

/**
 * netns_open_pid() - The network namespace that a process is in
 *
 * Our own is refused: a container with host networking has nothing for us to do.
 *
 * Return: a descriptor; -ESRCH if the process is gone; -EXDEV for our own namespace; or another errno
 */
int netns_open_pid(pid_t pid, struct shunt_error *error);

/* The same for a file that a network namespace is bound to. -EINVAL for any other file. */
int netns_open_path(const char *path, struct shunt_error *error);

/**
 * netns_call() - Does one thing in another network namespace
 * @netns_fd:	that namespace, or -1 for our own
 * @call:	what to do there; what it opens stays of that namespace
 *
 * The only place where shunt enters another one: in and out again in one function. Where the way back fails, the process
 * aborts rather than go on in the wrong place.
 *
 * Return: what @call returned, or a negative errno
 */
int netns_call(int netns_fd, int (*call)(void *arg, struct shunt_error *error), void *arg, struct shunt_error *error);

#endif

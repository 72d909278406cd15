/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - a child process in a network namespace of its own, held before it becomes a command.
 */
#ifndef SHUNT_SANDBOX_H
#define SHUNT_SANDBOX_H

#include <signal.h>
#include <sys/types.h>

#include "shunt/shunt.h"

struct sandbox {
	pid_t pid;		/* 0 when it is gone */
	int channel;		/* to the child: a word lets it go on, silence means that it did */
	sigset_t signals;	/* the mask before, which the command gets back */
};

#define SANDBOX_NONE { .pid = 0, .channel = -EBADF }

/**
 * sandbox_start() - Fork a child with its own network namespace
 * @command:	what it shall become, NULL-terminated
 * @ret:	the child, which waits; for sandbox_done()
 *
 * When this returns, the child has its namespace, with lo up and a /sys that shows it. It dies with this process.
 * From here on signals are blocked in this process, so that whatever happens, the caller gets to undo its work;
 * sandbox_wait() takes them.
 *
 * Return: 0, or a negative errno
 */
int sandbox_start(char **command, struct sandbox *ret, struct shunt_error *error);

#define SANDBOX_RESOLVER_MAX (32 * 1024)

/**
 * sandbox_release() - Let the child become its command
 * @resolver:	what it shall find in /etc/resolv.conf, less than SANDBOX_RESOLVER_MAX bytes; NULL for what is there
 *
 * Return: 0; -ENOENT where there is no such command; another errno where it cannot be run. In the latter cases the
 * child is gone.
 */
int sandbox_release(struct sandbox *sandbox, const char *command, const char *resolver, struct shunt_error *error);

/* Waits for the command, passing signals on to it. Return: its exit status, as a shell says it (128 + signal) */
int sandbox_wait(struct sandbox *sandbox);

/* Kills the child if it is there still. Signals stay blocked: the caller's next step is to leave. */
void sandbox_done(struct sandbox *sandbox);

#endif

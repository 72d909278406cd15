/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - whether a process that somebody named once is still the same, and alive.
 */
#ifndef SHUNT_PROCESS_H
#define SHUNT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * process_started() - When a process was started, which tells it from a later one of the same number
 * @ret:	clock ticks since boot, as in proc_pid_stat(5)
 *
 * Return: 0, -ESRCH for one that has ended, though its parent may not know yet, or another errno
 */
int process_started(pid_t pid, uint64_t *ret);

/* Whether it lives for @milliseconds more; returns as soon as it ends. What cannot be told is no life. */
bool process_outlives(pid_t pid, uint64_t started, int milliseconds);

#endif

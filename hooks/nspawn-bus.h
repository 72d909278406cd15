/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nspawn-bus.h - what systemd and machined are asked over the system bus.
 */
#ifndef SHUNT_NSPAWN_BUS_H
#define SHUNT_NSPAWN_BUS_H

#include <sys/types.h>

#include "shunt/shunt.h"

/**
 * machine_leader() - The first process of a running machine
 *
 * As machined knows it. Where machined is absent or was not told of the machine: as a service's ExecStartPost=, the child
 * of $MAINPID that is in another network namespace than we are.
 *
 * Return: 0; -ESRCH if there is no such machine; or another errno
 */
int machine_leader(const char *machine, pid_t *ret, struct shunt_error *error);

/* Whether systemd-nspawn@MACHINE.service is running, or about to: 1, 0, or an errno where systemd cannot be asked. */
int machine_is_active(const char *machine);

/* As `systemctl daemon-reload`. Return: 0, or a negative errno */
int systemd_reload(struct shunt_error *error);

#endif

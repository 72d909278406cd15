/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * environment.h - what we read of the environment, and who gets the rest.
 */
#ifndef SHUNT_ENVIRONMENT_H
#define SHUNT_ENVIRONMENT_H

/*
 * From here on getenv() knows only the variables that the manual pages name, whoever calls it: getopt, libbpf, libsystemd
 * and whatever a library has as a switch for its developers.
 */
void environment_leave(void);

/* Takes the caller's environment back, untouched: for the command of `run`. */
void environment_enter(void);

#endif

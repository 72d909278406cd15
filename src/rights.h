/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rights.h - whether we may do our work here at all.
 */
#ifndef SHUNT_RIGHTS_H
#define SHUNT_RIGHTS_H

#include "shunt/shunt.h"

/*
 * Root in a user namespace looks like root, and fails at each single step with a different EPERM; this says it once.
 * Return: 0, or -EPERM with a line that names what to use instead.
 */
int rights_check(struct shunt_error *error);

#endif

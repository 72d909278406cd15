/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owner.h - whose an ID is: two containers may have the same, and only one of them an endpoint of it.
 */
#ifndef SHUNT_OWNER_H
#define SHUNT_OWNER_H

#include "shunt/shunt.h"

/* Writes down the container's first process, as its runtime told it; 0 for none. */
void owner_record(struct shunt_endpoint *endpoint, pid_t pid);

/* Whether that process lives. One that is about to end is waited for, some seconds. */
bool owner_lives(const struct shunt_endpoint *endpoint);

/* Whether @new may replace @old, which has the same name. Return: 0, or -EEXIST */
int owner_check(const char *id, const struct shunt_endpoint *old, const struct shunt_endpoint *new, struct shunt_error *error);

#endif

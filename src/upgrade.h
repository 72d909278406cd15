/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * upgrade.h - this program's datapath takes the place of another version's, under load.
 */
#ifndef SHUNT_UPGRADE_H
#define SHUNT_UPGRADE_H

#include "instance.h"

/**
 * upgrade_datapath() - Replaces what is pinned by what this program carries
 * @instance:	its directory is open and locked exclusively; its datapath is not open
 *
 * Return: how many links changed over; 0 also where it is ours already; -ENOENT where nothing is loaded; -EPROTO where it is
 * newer than we are; or another errno, and then nothing has changed, or what has is finished by upgrade_finish()
 */
int upgrade_datapath(struct shunt_instance *instance, struct shunt_error *error);

/* Whether an upgrade was killed before its end. Cheap. */
bool upgrade_is_unfinished(const struct shunt_instance *instance);

/* Finishes it, under the same lock. Return: how many links changed over, or an errno */
int upgrade_finish(struct shunt_instance *instance, struct shunt_error *error);

#endif

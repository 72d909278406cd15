/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mend.h - what somebody took from an endpoint whose container lives.
 */
#ifndef SHUNT_MEND_H
#define SHUNT_MEND_H

#include "instance.h"

/*
 * Whether a live endpoint lacks something, and says in @reason what gc will do about it. Looks only. Return: 1, 0, or an errno
 * where that cannot be told
 */
int mend_is_needed(struct shunt_instance *instance, const struct registry_entry *entry, char *reason, size_t size);

/*
 * Puts back what live endpoints lack; takes those back that cannot be mended. Goes on behind a failure, and leaves alone
 * what others are at work on.
 */
int mend_endpoints(struct shunt_instance *instance, unsigned *mended, unsigned *removed, struct shunt_error *error);

/*
 * Deletes the pairs that no registry knows any more: their bpffs was unmounted, or all of it removed. @entries: what is
 * known, or NULL for nothing. Return: how many, or an errno
 */
int mend_orphans(struct netlink *host, const struct registry_entry *entries, size_t n, struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - the rules of networks in the map "rules".
 *
 * A set of rules is written whole under a number that nobody has, before anybody hears of the number, and removed once no
 * network's record and no endpoint's names it. The caller of each has the lock "uplinks".
 */
#ifndef SHUNT_POLICY_H
#define SHUNT_POLICY_H

#include "datapath.h"

/* Writes the rules of a network. What an attempt that failed has written policy_collect() removes. Return: 0, or an errno */
int policy_put(const struct datapath *datapath, const struct shunt_network *network, uint32_t *ret_number, struct shunt_error *error);

/* Removes what no record names. */
int policy_collect(const struct datapath *datapath, struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplinks.h - the interfaces that packets for containers come in by, and the program on them.
 */
#ifndef SHUNT_UPLINKS_H
#define SHUNT_UPLINKS_H

#include "instance.h"

struct uplink_set {
	uint32_t ifindex[SHUNT_MAX_UPLINKS];
	size_t n;
};

/**
 * uplinks_ensure() - Attaches the wire program to a network's uplinks and finds their MTU
 * @ret:	those
 * @ret_mtu:	bytes: the smallest of theirs, or 1500 where there is none (a host without a way out is no error)
 *
 * With "auto", uplinks that are attached are taken as they are: a default route that moved is gc's to follow. The
 * caller holds the lock of "uplinks".
 */
int uplinks_ensure(struct shunt_instance *instance, const struct shunt_network *network, struct uplink_set *ret,
		   uint32_t *ret_mtu, struct shunt_error *error);

/**
 * uplinks_refresh() - What gc does: attaches new uplinks, detaches those that are none any more
 * @networks:	those in use
 *
 * Return: how many were attached or detached. The caller holds the lock.
 */
int uplinks_refresh(struct shunt_instance *instance, const struct shunt_network *networks, size_t n_networks,
		    struct shunt_error *error);

/* Detaches all. The caller holds the lock. */
int uplinks_release(struct shunt_instance *instance, struct shunt_error *error);

#endif

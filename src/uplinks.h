/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplinks.h - the interfaces that packets for containers come in by, and the program on them.
 */
#ifndef SHUNT_UPLINKS_H
#define SHUNT_UPLINKS_H

#include "big.h"
#include "instance.h"

struct uplink_set {
	uint32_t ifindex[SHUNT_MAX_UPLINKS];
	size_t n;
};

/* What a network's uplinks let pass: the least that any of them says. */
struct uplink_limits {
	uint32_t mtu;			/* bytes; 1500 where there is none (a host without a way out is no error) */
	uint32_t size[LINK_SIZES];	/* big.h */
	char notice[SHUNT_NOTICE_MAX];	/* what was changed of an uplink beside our programs, or "" */
};

/**
 * uplinks_ensure() - Attaches the wire program to a network's uplinks and finds what they let pass
 * @first:	the network is new here: all default routes are read. Later only the one that is taken now is looked at, which
 *		costs the same however many endpoints there are; if it is by no uplink that is attached, all are read again.
 *
 * So a default route that moved is followed by the next attach, and by gc. One more that came beside it, and is not taken,
 * is gc's.
 *
 * The caller holds the lock of "uplinks".
 */
int uplinks_ensure(struct shunt_instance *instance, const struct shunt_network *network, bool first,
		   struct uplink_limits *ret, struct shunt_error *error);

/**
 * uplinks_refresh() - What gc does: attaches new uplinks, detaches those that are none any more
 * @networks:	those in use
 * @complete:	they are all of them; otherwise nothing that works is detached
 *
 * Nor is it while a network with "auto" finds no default route: one that is renewed is gone for a moment.
 *
 * Return: how many were attached or detached. The caller holds the lock.
 */
int uplinks_refresh(struct shunt_instance *instance, const struct shunt_network *networks, size_t n_networks,
		    bool complete, struct shunt_error *error);

/* Detaches all. The caller holds the lock, or has the instance for itself. */
int uplinks_release(struct shunt_instance *instance, struct shunt_error *error);

#endif

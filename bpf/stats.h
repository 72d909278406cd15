/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * stats.h - an endpoint's counters of what was dropped, which are part of its entry in "interfaces".
 *
 * The entry is this CPU's own copy, and all programs run with bottom halves off: plain additions do. What an endpoint sends and
 * receives is counted by its device.
 */
#ifndef SHUNT_BPF_STATS_H
#define SHUNT_BPF_STATS_H

#include "maps.h"

/**
 * drop() - counts and drops a packet.
 * @who: the endpoint that the container's owner will look at
 *
 * Return: the verdict.
 */
static __always_inline int drop(struct shunt_interface *who, enum shunt_drop why)
{
	who->counters.dropped[why]++;
	return DROP;
}

/**
 * pass() - leaves to the host's stack what it shall carry on. Behind us is what drops the rest, if anything is.
 *
 * Return: the verdict.
 */
static __always_inline int pass(const struct shunt_interface *from)
{
	return from->flags & SHUNT_F_SHUT ? PASS : NEXT;
}

#endif

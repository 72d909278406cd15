/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * expedite.h - grace periods that do not take longer than the work.
 *
 * The kernel waits for an RCU grace period whenever a program comes to a device or goes from it: ten milliseconds and more, in which
 * it holds rtnl. Nearly all else that waits with rtnl held asks for an expedited one, of a tenth of a millisecond
 * (synchronize_net()); tcx_entry_sync() and netkit_entry_sync() do not. /sys/kernel/rcu_expedited says it for them.
 *
 * X1. It is one number for the whole kernel. It is ours while it is EXPEDITE_MARK, which nobody else writes: who finds 0 writes it,
 *     and who is done and finds it writes 0. Any other number is an administrator's, and is left alone; but one that is written
 *     between our look and our write is lost, as the file has no way to compare and swap.
 * X2. Whoever is at work has a shared lock on STATE/endpoints, and only who could have it alone writes 0; so one of many that work
 *     at once does not slow the others down. The lock does nothing else: without it, as between two STATEs, one may wait longer.
 * X3. Who is told to end meanwhile ends behind it. Who is killed leaves the mark; the next to attach, detach or collect takes it away.
 * X4. Where it cannot be written (read-only /sys, a user namespace) nothing is different but the time. rcu_normal = 1, which
 *     kernels for real time set, is stronger than it.
 */
#ifndef SHUNT_EXPEDITE_H
#define SHUNT_EXPEDITE_H

#include <sys/types.h>

#define EXPEDITE_KNOB "/sys/kernel/rcu_expedited"
#define EXPEDITE_MARK "207"	/* any number is true; this one is our protocol number of routes */

struct expedite {
	int knob, lock;		/* negative: none */
	sigset_t signals;	/* that were blocked before */
};

/* From here to its end. It cannot fail: see X4. */
struct expedite expedite_begin(const char *state);
void expedite_endp(struct expedite *expedite);

/* Takes away the mark of who was killed (X3). @state: need not be there */
void expedite_mend(const char *state);

#define _expedited_(state) \
	__attribute__((unused)) _cleanup_(expedite_endp) struct expedite _expedite = expedite_begin(state)

#endif

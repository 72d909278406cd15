/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * across.h - the shorter way from one container's netkit to another's.
 *
 * To redirect from shunt_from_ct to the receiver's host end is to send the packet by a second device: a queue, features, checks,
 * netkit once more. bpf_redirect_peer() needs none of that, but works at tcx ingress only. So shunt_from_ct lets the packet pass,
 * which makes it arrive at the sender's own host end, and there shunt_across sends it into the receiver's.
 *
 * What it is to do with which packet is told by the packet's mark and the first word of its control block. netkit clears the mark
 * of all that comes out of a container, so that none can say so itself.
 *
 * A host end has shunt_across if its endpoint has SHUNT_F_ACROSS. If somebody takes it away, the host's stack routes the packet,
 * by the same two host ends.
 */
#ifndef SHUNT_BPF_ACROSS_H
#define SHUNT_BPF_ACROSS_H

#include "base.h"

/* Of a packet at netkit. @ifindex: the receiver's host end. Return: the verdict. */
static __always_inline int pass_across(struct __sk_buff *skb, __u32 ifindex)
{
	skb->cb[0] = ifindex;
	skb->mark = SHUNT_MARK_ACROSS;
	return PASS;
}

static __always_inline int across(struct __sk_buff *skb)
{
	if (skb->mark != SHUNT_MARK_ACROSS)
		return NEXT;
	skb->mark = 0;
	return bpf_redirect_peer(skb->cb[0], 0);
}

#endif

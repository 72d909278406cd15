/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * stats.h - an endpoint's counters, which are part of its entry in "interfaces", and its tally, which is to be added to them.
 *
 * The entry is this CPU's own copy, and all programs run with bottom halves off: plain additions do. Bytes include
 * the Ethernet header, and a GSO packet counts as one, so that the figures match the container's own interface.
 */
#ifndef SHUNT_BPF_STATS_H
#define SHUNT_BPF_STATS_H

#include "maps.h"

static __always_inline void count_tx(struct shunt_interface *from, __u32 bytes)
{
	from->counters.tx_packets++;
	from->counters.tx_bytes += bytes;
}

static __always_inline void count_rx(struct shunt_interface *to, __u32 bytes)
{
	to->counters.rx_packets++;
	to->counters.rx_bytes += bytes;
}

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
 * pass() - counts as sent what the host's stack shall carry on. Behind us is what drops the rest, if anything is.
 *
 * Return: the verdict.
 */
static __always_inline int pass(struct __sk_buff *skb, struct shunt_interface *from)
{
	count_tx(from, skb->len);
	return from->flags & SHUNT_F_SHUT ? PASS : NEXT;
}

static __always_inline struct shunt_tally *tally_of(__u32 ifindex)
{
	__u32 index = ifindex % SHUNT_TALLIES;

	return bpf_map_lookup_elem(&tallies, &index);
}

/* Makes the place of an endpoint's tally its own. */
static __noinline void claim_tally(__u32 ifindex)
{
	struct shunt_tally *tally = tally_of(ifindex);
	struct shunt_interface *other;
	__u32 was;

	if (!tally || tally->ifindex == ifindex)
		return;
	was = tally->ifindex;
	other = bpf_map_lookup_elem(&interfaces, &was);
	if (other) {
		other->counters.rx_packets += tally->rx_packets;
		other->counters.rx_bytes += tally->rx_bytes;
		other->counters.tx_packets += tally->tx_packets;
		other->counters.tx_bytes += tally->tx_bytes;
	}
	__builtin_memset(tally, 0, sizeof(*tally));
	tally->ifindex = ifindex;
}

#endif

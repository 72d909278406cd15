/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * claim.h - a flow begins: the port that it gets, and both of its entries. (F1, F2, F4 in flow.h)
 */
#ifndef SHUNT_BPF_CLAIM_H
#define SHUNT_BPF_CLAIM_H

#include "flow.h"
#include "publish.h"

/* Return: whether a socket of the host would receive a packet of this tuple (F4). */
__global int host_listens(struct __sk_buff *skb, const struct shunt_tuple *tuple)
{
	struct bpf_sock_tuple sock = {};
	struct bpf_sock *found;
	__u32 size;

	if (!tuple || (tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP))
		return 0;
	if (is_mapped4(tuple->source)) {
		sock.ipv4.saddr = ((const __u32 *)tuple->source)[3];
		sock.ipv4.daddr = ((const __u32 *)tuple->destination)[3];
		sock.ipv4.sport = tuple->sport;
		sock.ipv4.dport = tuple->dport;
		size = sizeof(sock.ipv4);
	} else {
		copy6((__u8 *)sock.ipv6.saddr, tuple->source);
		copy6((__u8 *)sock.ipv6.daddr, tuple->destination);
		sock.ipv6.sport = tuple->sport;
		sock.ipv6.dport = tuple->dport;
		size = sizeof(sock.ipv6);
	}
	found = tuple->protocol == IPPROTO_TCP ? bpf_skc_lookup_tcp(skb, &sock, size, BPF_F_CURRENT_NETNS, 0) :
						 bpf_sk_lookup_udp(skb, &sock, size, BPF_F_CURRENT_NETNS, 0);
	if (!found)
		return 0;
	bpf_sk_release(found);
	return 1;
}

/* Return: whether flows may leave from a port at all: it may be reserved for the host's own, or published. */
static __always_inline bool may_leave_from(__u8 protocol, __u32 port)
{
	__u32 index = port >> 6 & 1023;
	const struct shunt_ports *p = bpf_map_lookup_elem(&ports, &index);
	const __u64 bit = 1ULL << (port & 63);

	if (!p || !(p->masquerade & bit))
		return false;
	return !((protocol == IPPROTO_TCP ? p->tcp : protocol == IPPROTO_UDP ? p->udp : 0) & bit);
}

/* Makes an entry that was there a new flow's, with what it knows unless that is @over. Return: 0, or -1 if it has been taken. */
static __always_inline int adopt(struct attempt *a, struct shunt_flow *entry, __u32 seen, bool over)
{
	const __u32 was = __sync_val_compare_and_swap(&entry->seen, seen, a->reply.seen);

	if (was != seen && was != a->reply.seen)
		return -1;
	if (over)
		entry->state = a->reply.state;
	else
		entry->state |= a->reply.state;
	a->original.state |= entry->state & ~STATE_KEPT;
	return 0;
}

/* Removes a reply's entry that we have marked, and its original one: what is said there last shall not leave from our port. */
static __always_inline void forget(const struct shunt_tuple *key, const struct shunt_flow *reply)
{
	const struct shunt_flow *original;
	struct shunt_tuple first, back;

	invert(&first, &reply->to);
	original = entry_find(&first);
	if (original) {
		invert(&back, &original->to);
		if (same_tuple(&back, key))
			entry_remove(&first);
	}
	entry_remove(key);
}

/* What the other entry alone knows of a TCP flow (F7), this one does, too. */
__global int merge(const struct shunt_tuple *key, struct shunt_flow *reply)
{
	const struct shunt_flow *original;
	struct shunt_tuple first, back;

	if (!key || !reply)
		return 0;
	invert(&first, &reply->to);
	original = entry_find(&first);
	if (!original)
		return 0;
	invert(&back, &original->to);
	if (same_tuple(&back, key))
		reply->state |= original->state & ~STATE_KEPT;
	return 0;
}

/* Claims a port that no flow has. Return: 0, or -1 if somebody else has it. */
static __always_inline int take_port(struct __sk_buff *skb, struct attempt *a)
{
	if (a->host && host_listens(skb, &a->key))
		return -1;
	return entry_make(&a->key, &a->reply, BPF_NOEXIST) ? -1 : 0;
}

/*
 * Return: whether a flow may have a port. Of an address of ours, one that is published for somebody gets the first answers, should
 * the flow be lost; of a client out there it is the client's.
 */
static __always_inline bool may_have(const struct attempt *a, __u32 port)
{
	if (a->ranged)
		return may_leave_from(a->key.protocol, port);
	return !a->host || !port_published(bpf_htons(port), a->key.protocol);
}

/* Claims one port for the reply's entry (F1, F2). Return: 0, or negative if it is not to be had. */
__global int try_port(struct __sk_buff *skb, struct attempt *a, __u32 port)
{
	struct shunt_flow *taken;

	if (!a)
		return -1;
	a->key.dport = bpf_htons(port);
	if (!may_have(a, port))
		return -1;
	taken = entry_find(&a->key);
	if (taken) {
		const __u32 seen = taken->seen;
		bool dead;

		if (a->key.protocol == IPPROTO_TCP)
			merge(&a->key, taken);
		dead = flow_dead(&a->key, taken, a->reply.seen);

		if (!seen)
			return -1;
		/* It is this flow's: the other entry was lost, or another CPU is just before us. */
		if (taken->from_ifindex == a->reply.from_ifindex && taken->to_ifindex == a->reply.to_ifindex &&
		    same_tuple(&taken->to, &a->reply.to))
			return adopt(a, taken, seen, dead || a->opens);
		if (!dead && !host_end_gone(taken->to_ifindex) && !host_end_gone(taken->from_ifindex)) {
			if (!flow_closed(taken))
				return -1;
			if (!a->desperate) {
				a->closed_port = port;
				return -1;
			}
		}
		if (__sync_val_compare_and_swap(&taken->seen, seen, 0) != seen)
			return -1;
		forget(&a->key, taken);
	}
	return take_port(skb, a);
}

#define TRIES 64

/*
 * Primes, so that each meets all of a range that is no multiple of it. Sockets go by different ones: with one alone, taken ports
 * would grow into rows, and who begins in a row of 64 finds none, as one flow in a hundred in a range of which nine tenths are taken.
 */
#define STRIDES 8
static const __u32 strides[STRIDES] = { 7919, 7927, 7933, 7937, 7949, 7951, 7963, 7993 };

/**
 * claim_port() - finds a port for a flow, and claims it.
 * @tuple: the flow's, as its first packet has it
 *
 * Its own port if it is of the range; else the one that all flows of its socket try first; and then others.
 *
 * Return: 0, or -1 if none of TRIES is free.
 */
__global int claim_port(struct __sk_buff *skb, struct attempt *a, const struct shunt_tuple *tuple)
{
	__u32 own, span, at, step;
	__u64 first;

	if (!a || !tuple)
		return -1;
	own = bpf_ntohs(tuple->sport);
	if ((own >= a->port_low && own <= a->port_high) || !a->ranged) {
		if (try_port(skb, a, own) == 0)
			return 0;
	}
	span = (a->port_high - a->port_low + 1) & 0x1ffff;
	if (!span)
		return -1;
	first = socket_hash(tuple);
	step = strides[first >> 32 & (STRIDES - 1)];
	step = span % step ? step % span : 1;
	at = first % span;
	for (int i = 0; i < TRIES; i++) {
		if (try_port(skb, a, a->port_low + at) == 0)
			return 0;
		at = (at + step) % span;
	}
	if (!a->closed_port)
		return -1;
	a->desperate = true;
	return try_port(skb, a, a->closed_port);
}

/**
 * flow_begin() - prepares a new flow.
 * @tuple, @tcp: of its first packet, and TCP's flags
 * @source, @destination: the addresses that it is to have, mapped
 * @dport: the port that it is sent to
 * @from, @to: host ends, 0 for the wire
 *
 * Return: where to fill in the rest before flow_make(), or NULL.
 */
static __always_inline struct attempt *flow_begin(const struct shunt_tuple *tuple, __u8 tcp, const void *source,
						  const void *destination, __be16 dport, __u32 from, __u32 to, __u32 now)
{
	struct attempt *a = new_attempt(tuple, from, to, now);

	if (!a)
		return NULL;
	copy6(a->key.source, destination);
	copy6(a->key.destination, source);
	a->key.sport = dport;
	*(__u32 *)&a->key.protocol = *(const __u32 *)&a->reply.to.protocol;
	a->opens = (tcp & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	a->original.state = SHUNT_FLOW_ORIGINAL;
	a->original.state = next_state(tcp, &a->original, SHUNT_FLOW_ORIGINAL);
	return a;
}

/**
 * flow_make() - makes both entries of the flow that flow_begin() has prepared (F1).
 * @port: the only one that it may have, to be had without ado; 0: any, by any means
 *
 * Return: the original one, or NULL if there is no port for it.
 */
static __always_inline struct shunt_flow *flow_make(struct __sk_buff *skb, const struct shunt_tuple *tuple, struct attempt *a,
						    __u32 port)
{
	struct shunt_flow *first;
	struct shunt_tuple reply;

	a->reply.state = a->original.state & ~SHUNT_FLOW_ORIGINAL;
	a->key.dport = bpf_htons(port);
	if (!port ? claim_port(skb, a, tuple) : !may_have(a, port) || take_port(skb, a))
		return NULL;
	invert(&a->original.to, &a->key);
	if (likely(entry_make(tuple, &a->original, BPF_NOEXIST) == 0))
		return &a->original;
	/* It may be that the other CPU has adopted what we claimed. */
	first = entry_find(tuple);
	if (first)
		invert(&reply, &first->to);
	if (!first || !same_tuple(&reply, &a->key))
		entry_remove(&a->key);
	return first && first->from_ifindex == a->original.from_ifindex ? first : NULL;
}

/**
 * flow_as_is() - makes a flow of which nothing is changed.
 * @packet: its first one
 * @from, @to: host ends, 0 for the wire
 *
 * No port is chosen, so that nobody else has its tuples but a predecessor of the same address.
 */
static __noinline void flow_as_is(const struct packet *packet, __u32 from, __u32 to, __u32 now)
{
	struct attempt *a = new_attempt(&packet->tuple, from, to, now);

	if (!a)
		return;
	invert(&a->key, &packet->tuple);
	a->reply.state = SHUNT_FLOW_AS_IS;
	a->original.to = packet->tuple;
	a->original.state = SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_AS_IS;
	entry_make(&a->key, &a->reply, BPF_ANY);
	entry_make(&packet->tuple, &a->original, BPF_ANY);
}

#endif

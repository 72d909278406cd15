/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * flow.h - flows whose addresses or ports are changed on the way: masqueraded, published, and both at once (hairpin).
 *
 * A packet's tuple is its protocol, addresses and ports as it arrives at a program, before anything is changed. The maps
 * "flows4" and "flows6" say what tuple it becomes. A flow has two entries, one for each direction, each the other's inverse:
 *
 *	masquerade	(A:a -> R:r)	becomes (H:n -> R:r)	from A's host end, out to the wire
 *			(R:r -> H:n)	becomes (R:r -> A:a)	from the wire, to A's host end
 *	published	(R:r -> H:h)	becomes (R:r -> B:b)	from the wire, to B's host end
 *			(B:b -> R:r)	becomes (H:h -> R:r)
 *	hairpin		(A:a -> H:h)	becomes (H:n -> B:b)	from A's host end to B's
 *			(B:b -> H:n)	becomes (H:h -> A:a)
 *	routed		(R:r -> A:a)	stays as it is		so that the answer is not masqueraded
 *			(A:a -> R:r)	stays as it is
 *	excepted	(A:a -> R:r)	stays as it is		by a rule of its network's
 *			(R:r -> A:a)	stays as it is
 *
 * A, B: containers; H: an address of the host; R: out there. A tuple can only mean one of these: what comes from a container
 * has its address for a source, or did not get here, and what comes from the wire has none of theirs.
 *
 * F1. One port, one flow. A flow is made by claiming its reply entry, the one whose destination port was chosen, with
 *     BPF_NOEXIST: of two CPUs that want one, the map's bucket lock picks. Only then its original entry is made, again with
 *     BPF_NOEXIST: of two CPUs with the first two packets of one flow, the second takes its claim back and follows the first.
 * F2. A live flow's port is never given away. An entry is dead once it has been silent for its lifetime (below), or its
 *     container is gone, or has no such port published any more. A dead reply entry is taken over by whoever swaps `seen` for 0
 *     first (compare and exchange), removes it and claims the key as in F1. A TCP flow that both sides have closed is not live
 *     either: its port is taken if no other of those tried is free.
 * F3. The maps are LRUs, so an entry can vanish at any time, and must be replaceable. Each packet that finds the clock one
 *     unit on looks at the other entry: it says there that the flow lives, and makes it anew if it is gone. If it has become
 *     somebody else's meanwhile, the flow begins anew. If both are gone, the next packet makes them again, and gets the
 *     same port wherever that is still free: the first port tried is a function of secret, protocol, A and a. So LRU pressure
 *     costs an established connection nothing, and what one socket sends to many gets one port, as peers that introduce each
 *     other (STUN) need. A published port's backend is chosen by the tuple for the same reason; published.h has what its
 *     container's own next packet does. Where only who began a flow can tell what it was, the other side is met with silence, so
 *     that TCP waits for that.
 * F4. No socket of the host loses a packet. Ports come from a range outside of ip_local_port_range and
 *     ip_local_reserved_ports, and one on which the host listens, or talks to R:r, is passed over (bpf_sk_lookup). Likewise a
 *     packet from the wire makes no flow of a published port if a socket of the host has it: connections that the host began
 *     from a port which was published later go on.
 * F5. A flow belongs to a pair of devices, not to an address: its entry names the host end that it comes in by, or goes out
 *     by, and another container that got the address does not match. Interface numbers come again after 2^31.
 * F6. The routing table is asked for each packet to the wire that has no shortcut, before its flow is looked for. (Where the
 *     host's stack has done the routing already: once in a unit of the clock.) It is then that a flow follows a route to
 *     another uplink, and a masqueraded one an uplink to another address: a flow whose address is not that of its route any
 *     more begins anew, so that TCP gets a reset rather than silence.
 * F7. What packets say to end a TCP connection, or to accept it, the entry that they find may know alone (S4 in shortcut.h), until
 *     a packet finds the clock one unit on, or somebody would have the port: both look at the two entries as one.
 *
 * Lifetimes: TCP, established: a day (RFC 5382 asks for two hours and four minutes at least); opening, half closed, or reset
 * from out there, which could be anyone's word: four minutes (as there); closed by both, or reset by the container: a minute,
 * as TIME_WAIT. UDP: five minutes, or one if nobody answered (RFC 4787); a quarter of one for DNS, each of whose questions
 * is a flow: a resolver would be out of ports at 55 a second. ICMP echo: one minute (RFC 5508).
 *
 * Fragments have no ports but for the first: it leaves them in the map "fragments", for those behind it. One that comes
 * before the first is dropped.
 *
 * Only TCP, UDP and ICMP echo are translated. Of a protocol without ports, one container's packets could not be told from the
 * host's own, as of its IPsec or GRE tunnel to the same peer.
 */
#ifndef SHUNT_BPF_FLOW_H
#define SHUNT_BPF_FLOW_H

#include "entry.h"
#include "stats.h"
#include "tuple.h"

/* Never 0, which marks an entry that somebody is about to remove. */
static __always_inline __u32 flow_clock(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() >> 30) + 1;
}

#define PORT_DNS bpf_htons(53)
#define SECONDS(n) ((__u32)(((n) * 1000000000ULL) >> 30))
#define CLOSED (SHUNT_FLOW_FIN_ORIGINAL | SHUNT_FLOW_FIN_REPLY)
#define ENDED (CLOSED | SHUNT_FLOW_RESET)

static __always_inline bool flow_closed(const struct shunt_flow *flow)
{
	return (flow->state & CLOSED) == CLOSED;
}

/* How long a flow may be silent. */
static __always_inline __u32 lifetime(const struct shunt_tuple *key, __u32 state)
{
	const __u8 protocol = key->protocol;

	if (protocol == IPPROTO_UDP && (key->sport == PORT_DNS || key->dport == PORT_DNS))
		return SECONDS(15);
	if (protocol == IPPROTO_UDP)
		return state & SHUNT_FLOW_ANSWERED ? SECONDS(300) : SECONDS(60);
	if (protocol != IPPROTO_TCP)
		return SECONDS(60);
	if ((state & CLOSED) == CLOSED)
		return SECONDS(60);
	return !(state & SHUNT_FLOW_ANSWERED) || state & ENDED ? SECONDS(240) : SECONDS(86400);
}

static __always_inline bool flow_dead(const struct shunt_tuple *key, const struct shunt_flow *flow, __u32 now)
{
	const __s32 age = now - flow->seen;	/* CPUs may differ by one */

	return age > (__s32)lifetime(key, flow->state);
}

static __always_inline bool host_end_gone(__u32 ifindex)
{
	return ifindex && !bpf_map_lookup_elem(&interfaces, &ifindex);
}

/* What is known of a flow behind a packet with TCP's flags @tcp, which has found @flow. */
static __always_inline __u32 next_state(__u8 tcp, const struct shunt_flow *flow, __u32 state)
{
	const bool original = flow->state & SHUNT_FLOW_ORIGINAL;

	/* The port is used again, by the same socket or the next one on it. */
	if ((tcp & (TCP_SYN | TCP_ACK)) == TCP_SYN && state & ENDED)
		state &= ~(ENDED | SHUNT_FLOW_ANSWERED);
	if (!original)
		state |= SHUNT_FLOW_ANSWERED;
	if (tcp & TCP_FIN)
		state |= original ? SHUNT_FLOW_FIN_ORIGINAL : SHUNT_FLOW_FIN_REPLY;
	if (tcp & TCP_RST)
		return state | (flow->from_ifindex ? CLOSED : SHUNT_FLOW_RESET);
	/* The container goes on, so that what said it was reset lied. */
	return flow->from_ifindex ? state & ~SHUNT_FLOW_RESET : state;
}

/* Return: whether a packet need not tell the flow's entries anything. */
static __always_inline bool flow_settled(const struct packet *packet, const struct shunt_flow *flow, __u32 now)
{
	if (unlikely(packet->kind == KIND_ERROR))	/* RFC 5508, 3.2: no error keeps a flow alive, nor ends it */
		return !flow_dead(&packet->tuple, flow, now);
	return likely(flow->seen == now && !(packet->tcp & (TCP_SYN | TCP_FIN | TCP_RST)) &&
		      flow->state & (SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_ANSWERED));
}

static __always_inline bool same_tuple(const struct shunt_tuple *a, const struct shunt_tuple *b)
{
	return same6(a->source, b->source) && same6(a->destination, b->destination) && a->sport == b->sport &&
	       a->dport == b->dport;
}

/* A flow about to be made. */
struct attempt {
	struct shunt_tuple key;		/* of the reply's entry; dport is the port that is tried */
	struct shunt_flow reply;
	struct shunt_flow original;
	__u32 port_low;			/* both included */
	__u32 port_high;
	__u32 closed_port;		/* one that was taken by a flow which both sides have closed; 0: none */
	bool host;			/* the address is the host's, whose sockets must not have the port */
	bool ranged;			/* only ports that are for masquerading */
	bool desperate;			/* takes closed_port, too */
	bool opens;			/* a connection, whatever was before it */
	struct shunt_tuple asked;	/* publish_again(): what was said first, as far as can be told, and to whom */
	struct shunt_backend backend;
};

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct attempt);
} attempts SEC(".maps");

/* Return: an attempt that knows nothing yet but whose flow it is; its key, and the rest of its two entries, are for the caller. */
static __always_inline struct attempt *new_attempt(const struct shunt_tuple *tuple, __u32 from, __u32 to, __u32 now)
{
	__u32 zero = 0;
	struct attempt *a = bpf_map_lookup_elem(&attempts, &zero);

	if (!a)
		return NULL;
	invert(&a->reply.to, tuple);
	a->reply.from_ifindex = a->original.to_ifindex = to;
	a->reply.to_ifindex = a->original.from_ifindex = from;
	a->reply.seen = a->original.seen = now;
	a->reply.uplink = a->reply.uplink_until = a->original.uplink = a->original.uplink_until = 0;
	a->port_low = a->port_high = a->closed_port = 0;
	a->host = a->ranged = a->desperate = a->opens = false;
	return a;
}

#define STATE_KEPT (SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_MASQUERADE | SHUNT_FLOW_AS_IS)	/* from a flow's beginning to its end */

/* Given by the loader: nobody out there can tell which port a socket will get. */
const volatile __u64 flow_secret;

static __always_inline __u64 socket_hash(const struct shunt_tuple *tuple)
{
	const word *address = (const word *)tuple->source;

	return mix(mix(flow_secret ^ address[0]) ^ address[1] ^ (__u64)bpf_ntohs(tuple->sport) << 8 ^ tuple->protocol);
}

/* Return: the port that a socket's flows try first, its own if it is of the range; or 0. */
static __always_inline __u32 first_port(const struct shunt_tuple *tuple, __u32 low, __u32 high)
{
	const __u32 own = bpf_ntohs(tuple->sport), span = (high - low + 1) & 0x1ffff;

	if (own >= low && own <= high)
		return own;
	return span ? low + socket_hash(tuple) % span : 0;
}

/* Return: whether a flow to a published port may go on: its container has that still, on the very address or on all of a family. */
static __always_inline bool still_published(const struct packet *packet, const struct shunt_flow *flow)
{
	const bool original = flow->state & SHUNT_FLOW_ORIGINAL;
	struct shunt_publication_key key = { .ifindex = original ? flow->to_ifindex : flow->from_ifindex };
	const __u8 *address = original ? packet->tuple.destination : flow->to.source;

	if (flow->state & (SHUNT_FLOW_MASQUERADE | SHUNT_FLOW_AS_IS))
		return true;
	key.host.port = original ? packet->tuple.dport : flow->to.sport;
	key.host.protocol = packet->tuple.protocol;
	__builtin_memcpy(key.host.address, address, sizeof(key.host.address));
	if (bpf_map_lookup_elem(&publications, &key))
		return true;
	__builtin_memset(key.host.address, 0, sizeof(key.host.address));
	if (is_mapped4(address))
		key.host.address[10] = key.host.address[11] = 0xff;
	return bpf_map_lookup_elem(&publications, &key);
}

/**
 * flow_renew() - keeps both entries of a flow alive, and of one mind (F3).
 * @packet: has found the entry
 * @flow: the entry
 *
 * Return: 0, or -1 if there is no such flow any more, nor the entry.
 */
__global int flow_renew(struct packet *packet, struct shunt_flow *flow, __u32 now)
{
	struct shunt_flow *other;
	__u32 state, zero = 0;
	struct attempt *a = bpf_map_lookup_elem(&attempts, &zero);

	if (!a || !packet || !flow)
		return -1;
	state = flow->state;
	invert(&a->key, &flow->to);
	invert(&a->reply.to, &packet->tuple);
	other = entry_find(&a->key);
	if (packet->kind == KIND_ERROR) {
		return -1;
	} else if (other) {
		state |= other->state;
		if (!other->seen || host_end_gone(flow->to_ifindex) || !same_tuple(&other->to, &a->reply.to) ||
		    (flow_dead(&a->key, other, now) && flow_dead(&a->key, flow, now)))
			goto forget;
	} else if (host_end_gone(flow->to_ifindex) || flow_dead(&a->key, flow, now)) {
		goto forget;
	}
	if (!still_published(packet, flow))
		goto forget;
	state = next_state(packet->tcp, flow, state) & ~STATE_KEPT;
	flow->state = (flow->state & STATE_KEPT) | state;
	flow->seen = now;
	if (other) {
		other->state = (other->state & STATE_KEPT) | state;
		other->seen = now;
		return 0;
	}
	__builtin_memset(&a->original, 0, sizeof(a->original));
	a->original.to = a->reply.to;
	a->original.from_ifindex = flow->to_ifindex;
	a->original.to_ifindex = flow->from_ifindex;
	a->original.state = state | ((flow->state & STATE_KEPT) ^ SHUNT_FLOW_ORIGINAL);
	a->original.seen = now;
	if (entry_make(&a->key, &a->original, BPF_NOEXIST) == 0)
		return 0;
	/* Another CPU has been before us, with a packet of the other direction. */
	other = entry_find(&a->key);
	if (other && other->seen && same_tuple(&other->to, &a->reply.to))
		return 0;
forget:
	entry_remove(&packet->tuple);
	return -1;
}

#endif

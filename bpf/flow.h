/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * flow.h - flows whose addresses or ports are changed on the way: masqueraded, published, and both at once (hairpin).
 *
 * A packet's tuple is its protocol, addresses and ports as it arrives at a program, before anything is changed. The map
 * "flows" says what tuple it becomes. A flow has two entries, one for each direction, each the other's inverse:
 *
 *	masquerade	(A:a -> R:r)	becomes (H:n -> R:r)	from A's host end, out to the wire
 *			(R:r -> H:n)	becomes (R:r -> A:a)	from the wire, to A's host end
 *	published	(R:r -> H:h)	becomes (R:r -> B:b)	from the wire, to B's host end
 *			(B:b -> R:r)	becomes (H:h -> R:r)
 *	hairpin		(A:a -> H:h)	becomes (H:n -> B:b)	from A's host end to B's
 *			(B:b -> H:n)	becomes (H:h -> A:a)
 *	routed		(R:r -> A:a)	stays as it is		so that the answer is not masqueraded
 *			(A:a -> R:r)	stays as it is
 *
 * A, B: containers; H: an address of the host; R: out there. A tuple can only mean one of these: what comes from a container
 * has its address for a source, or did not get here, and what comes from the wire has none of theirs.
 *
 * F1. One port, one flow. A flow is made by claiming its reply entry, the one whose destination port was chosen, with
 *     BPF_NOEXIST: of two CPUs that want one, the map's bucket lock picks. Only then its original entry is made, again with
 *     BPF_NOEXIST: of two CPUs with the first two packets of one flow, the second takes its claim back and follows the first.
 * F2. A live flow's port is never given away. An entry is dead once it has been silent for its lifetime (below), or its
 *     container is gone. A dead reply entry is taken over by whoever swaps `seen` for 0 first (compare and exchange), removes
 *     it and claims the key as in F1. A TCP flow that both sides have closed is not live either: its port is taken if no other
 *     of those tried is free.
 * F3. The map is an LRU, so an entry can vanish at any time, and must be replaceable. Each packet that finds the clock one
 *     unit on looks at the other entry: it says there that the flow lives, and makes it anew if it is gone. If it has become
 *     somebody else's meanwhile, the flow begins anew. If both are gone, the next packet makes them again, and gets the
 *     same port wherever that is still free: the first port tried is a function of secret, protocol, A and a. So LRU pressure
 *     costs an established connection nothing, as long as its container speaks first; and what one socket sends to many gets
 *     one port, as peers that introduce each other (STUN) need. A published port's backend is chosen by the tuple for the
 *     same reason.
 * F4. No socket of the host loses a packet. Ports come from a range outside of ip_local_port_range and
 *     ip_local_reserved_ports, and one on which the host listens, or talks to R:r, is passed over (bpf_sk_lookup). Likewise a
 *     packet from the wire makes no flow of a published port if a socket of the host has it: connections that the host began
 *     from a port which was published later go on.
 * F5. A flow belongs to a pair of devices, not to an address: its entry names the host end that it comes in by, or goes out
 *     by, and another container that got the address does not match. Interface numbers come again after 2^31.
 * F6. The next hop of an original entry is kept for a unit of the clock, and the routing table asked once in that time. It
 *     is then that a flow follows a route to another uplink, and a masqueraded one an uplink to another address: a flow whose
 *     address is not that of its route any more begins anew, so that TCP gets a reset rather than silence.
 *
 * Lifetimes: TCP, established: a day (RFC 5382 asks for two hours and four minutes at least); opening, half closed, or reset
 * from out there, which could be anyone's word: four minutes (as there); closed by both, or reset by the container: a minute,
 * as TIME_WAIT. UDP: five minutes, or one if nobody answered
 * (RFC 4787); a quarter of one for DNS, each of whose questions is a flow: a resolver would be out of ports at 55 a second. ICMP echo: one minute (RFC 5508).
 *
 * Fragments have no ports but for the first: it leaves them in the map "fragments", for those behind it. One that comes
 * before the first is dropped.
 *
 * Only TCP, UDP and ICMP echo are translated. Of a protocol without ports, one container's packets could not be told from the
 * host's own, as of its IPsec or GRE tunnel to the same peer.
 */
#ifndef SHUNT_BPF_FLOW_H
#define SHUNT_BPF_FLOW_H

#include "stats.h"
#include "tuple.h"

/* Given by the loader: nobody out there can tell which port a socket will get. */
const volatile __u64 flow_secret;

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

/* What both entries of a flow know behind @packet, which has found @flow. */
static __always_inline __u32 next_state(const struct packet *packet, const struct shunt_flow *flow, __u32 state)
{
	const bool original = flow->state & SHUNT_FLOW_ORIGINAL;

	/* The port is used again, by the same socket or the next one on it. */
	if ((packet->tcp & (TCP_SYN | TCP_ACK)) == TCP_SYN && state & ENDED)
		state &= ~(ENDED | SHUNT_FLOW_ANSWERED);
	if (!original)
		state |= SHUNT_FLOW_ANSWERED;
	if (packet->tcp & TCP_FIN)
		state |= original ? SHUNT_FLOW_FIN_ORIGINAL : SHUNT_FLOW_FIN_REPLY;
	if (packet->tcp & TCP_RST)
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

#define STATE_KEPT (SHUNT_FLOW_ORIGINAL | SHUNT_FLOW_MASQUERADE)	/* from a flow's beginning to its end */

/**
 * flow_renew() - keeps both entries of a flow alive, and of one mind (F3).
 * @packet: has found the entry
 * @flow: the entry
 *
 * Return: 0, or -1 if there is no such flow any more, nor the entry.
 */
static __noinline int flow_renew(struct packet *packet, struct shunt_flow *flow, __u32 now)
{
	struct shunt_flow *other, fresh = {};
	struct shunt_tuple key, back;
	__u32 state = flow->state;

	invert(&key, &flow->to);
	invert(&back, &packet->tuple);
	other = bpf_map_lookup_elem(&flows, &key);
	if (packet->kind == KIND_ERROR) {
		return -1;
	} else if (other) {
		state |= other->state;
		if (!other->seen || host_end_gone(flow->to_ifindex) || !same_tuple(&other->to, &back) ||
		    (flow_dead(&key, other, now) && flow_dead(&key, flow, now)))
			goto forget;
	} else if (host_end_gone(flow->to_ifindex) || flow_dead(&key, flow, now)) {
		goto forget;
	}
	state = next_state(packet, flow, state) & ~STATE_KEPT;
	flow->state = (flow->state & STATE_KEPT) | state;
	flow->seen = now;
	if (other) {
		other->state = (other->state & STATE_KEPT) | state;
		other->seen = now;
		return 0;
	}
	fresh.to = back;
	fresh.from_ifindex = flow->to_ifindex;
	fresh.to_ifindex = flow->from_ifindex;
	fresh.state = state | ((flow->state & STATE_KEPT) ^ SHUNT_FLOW_ORIGINAL);
	fresh.seen = now;
	if (bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST) == 0)
		return 0;
forget:
	bpf_map_delete_elem(&flows, &packet->tuple);
	return -1;
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
};

/* Too large for the stack beside all else that is on the way here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct attempt);
} attempts SEC(".maps");

/* Return: whether a socket of the host would receive a packet of this tuple (F4). */
__global int host_listens(struct __sk_buff *skb, const struct shunt_tuple *tuple)
{
	struct bpf_sock_tuple sock = {};
	struct bpf_sock *found;
	__u32 size;

	if (!tuple || (tuple->protocol != IPPROTO_TCP && tuple->protocol != IPPROTO_UDP))
		return 0;
	if (((const __u32 *)tuple->source)[2] == bpf_htonl(0xffff) && *(const word *)tuple->source == 0) {
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
	original = bpf_map_lookup_elem(&flows, &first);
	if (original) {
		invert(&back, &original->to);
		if (same_tuple(&back, key))
			bpf_map_delete_elem(&flows, &first);
	}
	bpf_map_delete_elem(&flows, key);
}

/* Claims one port for the reply's entry (F1, F2). Return: 0, or negative if it is not to be had. */
__global int try_port(struct __sk_buff *skb, struct attempt *a, __u32 port)
{
	struct shunt_flow *taken;

	if (!a)
		return -1;
	a->key.dport = bpf_htons(port);
	if (a->ranged && !may_leave_from(a->key.protocol, port))
		return -1;
	taken = bpf_map_lookup_elem(&flows, &a->key);
	if (taken) {
		const __u32 seen = taken->seen;
		const bool dead = flow_dead(&a->key, taken, a->reply.seen);

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
	if (a->host && host_listens(skb, &a->key))
		return -1;
	return bpf_map_update_elem(&flows, &a->key, &a->reply, BPF_NOEXIST) ? -1 : 0;
}

/* Spreads well enough for ports: each step is a bijection of 64 bits (Moremur's constants). */
static __always_inline __u64 mix(__u64 x)
{
	x = (x ^ x >> 27) * 0x3c79ac492ba7b653ULL;
	x = (x ^ x >> 33) * 0x1c69b3f74ac4ae35ULL;
	return x ^ x >> 27;
}

#define TRIES 64
#define STRIDE 7919	/* prime, so that it meets all of a range that is no multiple of it */

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
	const word *address;

	if (!a || !tuple)
		return -1;
	own = bpf_ntohs(tuple->sport);
	if (((own >= a->port_low && own <= a->port_high) || !a->ranged) && try_port(skb, a, own) == 0)
		return 0;
	span = (a->port_high - a->port_low + 1) & 0x1ffff;
	if (!span)
		return -1;
	step = span % STRIDE ? STRIDE % span : 1;
	address = (const word *)tuple->source;
	at = mix(mix(flow_secret ^ address[0]) ^ address[1] ^ (__u64)own << 8 ^ tuple->protocol) % span;
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
 * @packet: its first one
 * @source, @destination: the addresses that it is to have, mapped
 * @dport: the port that it is sent to
 * @from, @to: host ends, 0 for the wire
 *
 * Return: where to fill in the rest before flow_make(), or NULL.
 */
static __always_inline struct attempt *flow_begin(const struct packet *packet, const void *source, const void *destination,
						  __be16 dport, __u32 from, __u32 to, __u32 now)
{
	__u32 zero = 0;
	struct attempt *a = bpf_map_lookup_elem(&attempts, &zero);

	if (!a)
		return NULL;
	__builtin_memset(a, 0, sizeof(*a));
	copy6(a->key.source, destination);
	copy6(a->key.destination, source);
	a->key.sport = dport;
	a->key.protocol = packet->tuple.protocol;
	invert(&a->reply.to, &packet->tuple);
	a->reply.from_ifindex = to;
	a->reply.to_ifindex = from;
	a->opens = (packet->tcp & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	a->original.from_ifindex = from;
	a->original.to_ifindex = to;
	a->original.state = SHUNT_FLOW_ORIGINAL;
	a->original.state = next_state(packet, &a->original, SHUNT_FLOW_ORIGINAL);
	a->original.seen = a->reply.seen = now;
	return a;
}

/**
 * flow_make() - makes both entries of the flow that flow_begin() has prepared (F1).
 *
 * Return: the original one, or NULL if there is no port for it.
 */
static __always_inline struct shunt_flow *flow_make(struct __sk_buff *skb, struct packet *packet, struct attempt *a)
{
	struct shunt_flow *first;
	struct shunt_tuple reply;

	a->reply.state = a->original.state & ~SHUNT_FLOW_ORIGINAL;
	if (claim_port(skb, a, &packet->tuple))
		return NULL;
	invert(&a->original.to, &a->key);
	if (likely(bpf_map_update_elem(&flows, &packet->tuple, &a->original, BPF_NOEXIST) == 0))
		return &a->original;
	/* It may be that the other CPU has adopted what we claimed. */
	first = bpf_map_lookup_elem(&flows, &packet->tuple);
	if (first)
		invert(&reply, &first->to);
	if (!first || !same_tuple(&reply, &a->key))
		bpf_map_delete_elem(&flows, &a->key);
	return first && first->from_ifindex == a->original.from_ifindex ? first : NULL;
}

/* Who is behind the ports of a datagram's other fragments. The datapath's own, and not pinned. */
struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__be32 id;
	__u8 protocol;	/* 0 with IPv6, where the identification is enough */
	__u8 pad[3];
};

struct fragment_value {
	__be16 sport;
	__be16 dport;
	__u32 protocol;
	__u32 since;	/* flow_clock() */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct fragment_key);
	__type(value, struct fragment_value);
} fragments SEC(".maps");

static __always_inline void fragment_key(const struct packet *packet, struct fragment_key *ret)
{
	copy6(ret->source, packet->tuple.source);
	copy6(ret->destination, packet->tuple.destination);
	ret->id = packet->fragment_id;
	if (packet->ipv4)
		ret->protocol = packet->tuple.protocol;
}

/*
 * Remembers the ports of a first fragment, and gives them to later ones. Not for long: identifications come again, and the
 * next datagram with this one may be somebody else's. Return: 0, or -1 if they are not known.
 */
static __noinline int fragment_ports(struct packet *packet)
{
	struct fragment_key key = {};
	struct fragment_value value = {
		.sport = packet->tuple.sport, .dport = packet->tuple.dport, .protocol = packet->tuple.protocol,
		.since = flow_clock(),
	}, *found;

	fragment_key(packet, &key);
	if (packet->kind != KIND_LATER)
		return bpf_map_update_elem(&fragments, &key, &value, BPF_ANY) ? -1 : 0;
	found = bpf_map_lookup_elem(&fragments, &key);
	if (!found || value.since - found->since > 2)
		return -1;
	packet->tuple.sport = found->sport;
	packet->tuple.dport = found->dport;
	packet->tuple.protocol = found->protocol;
	return 0;
}

/* The datagram that begins with this fragment is of no flow, whatever an earlier one was. */
static __noinline void fragment_forget(struct packet *packet)
{
	struct fragment_key key = {};

	fragment_key(packet, &key);
	bpf_map_delete_elem(&fragments, &key);
}

#endif

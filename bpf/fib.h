/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * fib.h - the host's routing table decides where a packet goes, and its neighbour table to whom.
 *
 * The lookup is the one of a packet that came in by the endpoint's host end, rules, multipath and learned path MTUs
 * included. What the kernel's answers mean (net/core/filter.c, bpf_ipv4_fib_lookup() and bpf_ipv6_fib_lookup()):
 *
 *	SUCCESS		a unicast route; ifindex and next hop are filled in
 *	NOT_FWDED	the host itself; but also no route at all, which it does not tell apart. Both go up the host's
 *			stack, which for want of a route answers "network unreachable", since forwarding is on for the
 *			host end (IPv4), or always (IPv6).
 *	FRAG_NEEDED	larger than the path's MTU; the next hop is NOT filled in. A route's own MTU counts if it is
 *			locked, as for all that is forwarded
 *	UNSUPP_LWT	the route encapsulates (MPLS, SRv6, ...), which only the host's stack can do
 *	BLACKHOLE, UNREACHABLE, PROHIBIT	routes of that type
 *	FWD_DISABLED	somebody switched forwarding off on the host end
 *
 *	NO_NEIGH	the next hop's link-layer address is not known yet; all else is filled in
 *
 * IPv6's flow label is asked for only where rules or a hash of the host's own choice could name it. By default the kernel spreads
 * what goes to several next hops by both addresses and the label, which is another one for each connection; here all between
 * two addresses take one way, as in IPv4.
 *
 * The frame is not addressed with what the lookup tells but by bpf_redirect_neigh(): only the kernel's own output path
 * looks for a neighbour and confirms it. Behind its back an entry leaves REACHABLE, is never probed, and is
 * garbage-collected while in use. (Shortcuts do address it themselves, for as long as they last.)
 */
#ifndef SHUNT_BPF_FIB_H
#define SHUNT_BPF_FIB_H

#include "policy.h"
#include "parse.h"

/*
 * Ports matter to rules that name them and to multipath hashing by them, so they are looked up where they are at
 * hand. Fragments have none, the first included: all of a packet must take one way.
 */
static __always_inline void fill_ports(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const __be16 *ports)
{
	if ((fib->l4_protocol == IPPROTO_TCP || fib->l4_protocol == IPPROTO_UDP) &&
	    (void *)(ports + 2) <= (void *)(long)skb->data_end) {
		fib->sport = ports[0];
		fib->dport = ports[1];
	}
}

struct netns_ipv4 {
	unsigned int fib_rules_require_fldissect;
	__u8 sysctl_fib_multipath_hash_policy;
} __attribute__((preserve_access_index));

struct netns_sysctl_ipv6 {
	__u8 multipath_hash_policy;
} __attribute__((preserve_access_index));

struct netns_ipv6 {
	unsigned int fib6_rules_require_fldissect;
	bool fib6_has_custom_rules;
	struct netns_sysctl_ipv6 sysctl;
} __attribute__((preserve_access_index));

struct net {
	struct netns_ipv4 ipv4;
	struct netns_ipv6 ipv6;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

/* Return: whether rules, or the choice among several next hops, may look at ports. */
static __always_inline bool routed_by_ports(struct __sk_buff *skb, bool ipv4)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);
	const struct net *net = inside->dev->nd_net.net;
	bool rules = true, hash = true;

	if (ipv4) {
		if (bpf_core_field_exists(net->ipv4.fib_rules_require_fldissect))
			rules = net->ipv4.fib_rules_require_fldissect;
		if (bpf_core_field_exists(net->ipv4.sysctl_fib_multipath_hash_policy))
			hash = net->ipv4.sysctl_fib_multipath_hash_policy;
	} else {
		if (bpf_core_field_exists(net->ipv6.fib6_rules_require_fldissect))
			rules = net->ipv6.fib6_rules_require_fldissect;
		if (bpf_core_field_exists(net->ipv6.sysctl.multipath_hash_policy))
			hash = net->ipv6.sysctl.multipath_hash_policy;
	}
	return rules || hash;
}

struct fib6_rule {
	__be32 flowlabel;
} __attribute__((preserve_access_index));

/* Return: whether a flow label may lead elsewhere: by a rule (from Linux 6.14 on), or by a hash that the host has chosen. */
static __always_inline bool label_matters(struct __sk_buff *skb)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);
	const struct net *net = inside->dev->nd_net.net;

	if (!bpf_core_field_exists(net->ipv6.fib6_has_custom_rules) || !bpf_core_field_exists(net->ipv6.sysctl.multipath_hash_policy))
		return true;
	if (!bpf_core_type_exists(struct fib6_rule) || bpf_core_field_exists(struct fib6_rule, flowlabel))
		return net->ipv6.fib6_has_custom_rules || net->ipv6.sysctl.multipath_hash_policy;
	return net->ipv6.sysctl.multipath_hash_policy;
}

/* As large as a length can be told: a forger's GSO segments may be larger, and must not count as small. */
static __always_inline __u16 told_size(__u32 size)
{
	return likely(size <= 0xffff) ? size : 0xffff;
}

/**
 * fill4() - asks for the way of an IPv4 packet.
 * @ifindex: the host end that it came in by
 * @size: of the largest packet that goes out, network layer
 */
static __always_inline void fill4(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const struct iphdr *ip,
				  __u32 ifindex, __u32 size)
{
	fib->family = AF_INET;
	fib->ifindex = ifindex;
	fib->tot_len = told_size(size);
	fib->tos = ip->tos;
	fib->l4_protocol = ip->protocol;
	fib->ipv4_src = ip->saddr;
	fib->ipv4_dst = ip->daddr;
	if (!(ip->frag_off & bpf_htons(IP4_MF | IP4_OFFSET)) && likely(*(const __u8 *)ip == 0x45))
		fill_ports(skb, fib, (const __be16 *)(ip + 1));
}

static __always_inline void fill_behind_jumbo(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const __u8 *option)
{
	if ((void *)(option + 8) > (void *)(long)skb->data_end || option[1] != 0)
		return;
	fib->l4_protocol = option[0];
	fill_ports(skb, fib, (const __be16 *)(option + 8));
}

static __always_inline void fill6(struct __sk_buff *skb, struct bpf_fib_lookup *fib, const struct ipv6hdr *ip,
				  __u32 ifindex, __u32 size)
{
	const word *source = (const word *)&ip->saddr, *destination = (const word *)&ip->daddr;

	fib->family = AF_INET6;
	fib->ifindex = ifindex;
	fib->tot_len = told_size(size);
	fib->flowinfo = *(const __be32 *)ip & (label_matters(skb) ? bpf_htonl(0x0fffffff) : bpf_htonl(0x0ff00000));
	fib->l4_protocol = ip->nexthdr;
	__builtin_memcpy(fib->ipv6_src, source, sizeof(fib->ipv6_src));
	__builtin_memcpy(fib->ipv6_dst, destination, sizeof(fib->ipv6_dst));
	/* BIG TCP's packets with a jumbo option take the way of those that need none. */
	if (unlikely(ip->nexthdr == IPPROTO_HOPOPTS && skb->len > 0xffff))
		fill_behind_jumbo(skb, fib, (const __u8 *)(ip + 1));
	else
		fill_ports(skb, fib, (const __be16 *)(ip + 1));
}

/*
 * Whom nobody knows yet the host looks for on the wire, for three seconds, in a table that all share (of 1024 entries,
 * gc_thresh3): with one container that tries all addresses of a link, nobody would find anybody. 250 is what it can fill.
 *
 * Return: whether one more may be looked for.
 */
static __noinline bool may_seek(__u32 ifindex)
{
	const __u64 interval = 20000000 /* ns */, burst = 100;
	struct allowance *a = bpf_map_lookup_elem(&seekers, &ifindex), first = { .left = burst - 1 };

	if (a)
		return take(a, interval, burst);
	first.since = bpf_ktime_get_ns();
	bpf_map_update_elem(&seekers, &ifindex, &first, BPF_ANY);
	return true;
}

/* Return: what bpf_fib_lookup() answers; a next hop that may be looked for is a success, but without an MTU. */
static __always_inline long look_up(struct __sk_buff *skb, struct bpf_fib_lookup *fib, __u32 flags)
{
	__u32 ifindex = fib->ifindex;
	long answer = bpf_fib_lookup(skb, fib, sizeof(*fib), flags);

	if (unlikely(answer == BPF_FIB_LKUP_RET_NO_NEIGH) && may_seek(ifindex)) {
		fib->mtu_result = 0;
		return BPF_FIB_LKUP_RET_SUCCESS;
	}
	return answer;
}

/*
 * Only uplinks are ours. What else the host has, as a bridge of another engine's or a tunnel, has its answers come back by the
 * host's stack, and its rules there, which are for what goes in too. Return: an enum shunt_uplink, or -1 for what is none.
 */
static __always_inline int uplink_kind(__u32 ifindex)
{
	const __u32 *kind = bpf_map_lookup_elem(&uplinks, &ifindex);

	return kind ? (int)*kind : -1;
}

/* Sends the packet by the way that a successful lookup found. The next hop of an IPv4 packet may be IPv6. */
static __always_inline int send_by(const struct bpf_fib_lookup *fib)
{
	struct bpf_redir_neigh hop = { .nh_family = fib->family };

	__builtin_memcpy(hop.ipv6_nh, fib->ipv6_dst, sizeof(hop.ipv6_nh));
	return bpf_redirect_neigh(fib->ifindex, &hop, sizeof(hop), 0);
}

/*
 * One hop less; the checksum follows as in the kernel's ip_decrease_ttl() (RFC 1624). On a little-endian machine both are one
 * addition to one word, unless the checksum's carry goes around.
 */
static __always_inline void decrease_ttl4(struct iphdr *ip)
{
	__u32 *ttl_protocol_check = (__u32 *)&ip->ttl, check;

	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && likely(*ttl_protocol_check < 0xfffe0000)) {
		*ttl_protocol_check += 0x10000 - 1;
		return;
	}
	check = ip->check + bpf_htons(0x0100);
	ip->check = check + (check >= 0xffff);
	ip->ttl--;
}

/*
 * IPv6 has no checksum to follow, but the driver's over the whole packet (CHECKSUM_COMPLETE) must, or the receiver's
 * stack would find it wrong. Where there is none, the call does nothing.
 */
static __always_inline void decrease_hops6(struct __sk_buff *skb, struct ipv6hdr *ip, bool complete)
{
	ip->hop_limit--;
	if (complete)
		bpf_csum_update(skb, ~(__u32)bpf_htons(1));
}

static __always_inline void decrease_ttl6(struct __sk_buff *skb, struct ipv6hdr *ip)
{
	decrease_hops6(skb, ip, true);
}

#endif

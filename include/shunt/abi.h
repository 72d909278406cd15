/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * abi.h - what the BPF programs and the engine share: map keys and values, and the pins that hold them.
 *
 * Everything shunt knows lives in these maps; nothing is kept in files. All types have a fixed width and no
 * padding, and both sides assert their sizes. A change of any layout raises SHUNT_ABI, as does a pin that
 * an older version would not remove.
 *
 * Byte order: addresses are in network order, as in a packet; all other integers are the host's.
 *
 * Pins below the state directory (a directory of mode 0700 on a bpffs), and who removes each:
 *
 *	datapath/MAP, datapath/PROGRAM	the loaded programs and their maps; made whole by one rename;
 *					removed by `shunt gc` once there is no endpoint
 *	endpoints/HOST/from_ct		the links of one endpoint, HOST being its host end's name; the directory is
 *	endpoints/HOST/to_ct		also its lock; removed by detach, or by gc for a dead one
 *	endpoints/HOST/across		(netkit only)
 *	endpoints/HOST/gate		(veth only)
 *	uplinks/IFINDEX			the link of shunt_from_wire on one uplink; removed with the last endpoint, or
 *					by gc when that uplink is none any more
 *	ports/HOOK			the links of the programs at the host's sockets; removed with the last published
 *					port
 */
#ifndef SHUNT_ABI_H
#define SHUNT_ABI_H

#include <linux/types.h>

#include "abi-ports.h"

#define SHUNT_ABI 9

#define SHUNT_ID_MAX 128	/* bytes of an ID; no NUL in the key of an ID that long */
#define SHUNT_IFNAME_MAX 16	/* IFNAMSIZ */
#define SHUNT_NETWORK_MAX 16	/* a network's name with its NUL: it is compared by the datapath, whole */
#define SHUNT_MAX_ENDPOINTS 16384

/* Why a packet was dropped. The order is ABI; shunt_drop_name() in src/words.c has the words. */
enum shunt_drop {
	SHUNT_DROP_SPOOFED,	/* the source is no address of the endpoint */
	SHUNT_DROP_MALFORMED,	/* truncated, wrong version, source-routed, VLAN-tagged */
	SHUNT_DROP_PROTOCOL,	/* neither IPv4 nor IPv6 */
	SHUNT_DROP_MULTICAST,	/* to a multicast, broadcast or link-local address: there is no link to speak of */
	SHUNT_DROP_ISOLATED,	/* between networks of which one isolates */
	SHUNT_DROP_INTERNAL,	/* out of, or into, an internal network */
	SHUNT_DROP_NO_ENDPOINT,	/* to an address of the network that no endpoint has */
	SHUNT_DROP_NO_ROUTE,	/* the host has no route, or a prohibiting one */
	SHUNT_DROP_NO_FORWARD,	/* forwarding was switched off on the host end */
	SHUNT_DROP_TOO_BIG,	/* larger than the way's MTU */
	SHUNT_DROP_TTL,		/* TTL or hop limit used up */
	SHUNT_DROP_NO_NEIGHBOUR,	/* to one whom nobody knows, when too many such are being looked for */
	SHUNT_DROP_NO_PORT,	/* masquerade: none of the ports tried is free, or the way has no address to leave with */
	SHUNT_DROP_UNTRANSLATED,	/* masquerade: a protocol without ports, or a fragment whose first has not been seen */
	SHUNT_DROP_NOT_ALLOWED,	/* the network's file does not allow such a flow to begin */
	SHUNT_DROP_KNOWN,	/* how many there are */
	SHUNT_DROP_MAX = 16,	/* room to grow without a new layout */
};

/* What the datapath alone knows. What goes through is counted by the container's end of the pair: traffic_read(). */
struct shunt_counters {
	__u64 dropped[SHUNT_DROP_MAX];
};
_Static_assert(sizeof(struct shunt_counters) == 128, "shunt_counters is ABI");

enum shunt_flag {
	SHUNT_F_ISOLATE = 1 << 0,	/* other networks cannot reach this endpoint, nor it them */
	SHUNT_F_INTERNAL = 1 << 1,	/* nothing beyond the host can be reached */
	SHUNT_F_KERNEL = 1 << 2,	/* routing by the host's stack: check the source and pass */
	SHUNT_F_ETHERNET = 1 << 3,	/* the pair has MAC addresses (veth, netkit l2) */
	SHUNT_F_ADDRESS4 = 1 << 4,	/* address4 is set */
	SHUNT_F_ADDRESS6 = 1 << 5,	/* address6 is set */
	SHUNT_F_MASQUERADE4 = 1 << 6,	/* IPv4 leaves by an uplink with the host's address */
	SHUNT_F_MASQUERADE6 = 1 << 7,	/* the same of IPv6 */
	SHUNT_F_PUBLISHED = 1 << 8,	/* it may have published ports, so that its packets may be of flows */
	SHUNT_F_EXCEPT = 1 << 9,	/* some destinations are not masqueraded: SHUNT_RULES_EXCEPT */
	SHUNT_F_ALLOW_OUT = 1 << 10,	/* only SHUNT_RULES_OUT may be begun with, beyond the network */
	SHUNT_F_ALLOW_IN = 1 << 11,	/* only SHUNT_RULES_IN may begin from there */
	SHUNT_F_SHUT = 1 << 12,		/* without shunt_from_ct nothing gets in by the host end: src/shut.h */
	SHUNT_F_ACROSS = 1 << 13,	/* the host end has shunt_across */
	SHUNT_F_ALLOW = SHUNT_F_ALLOW_OUT | SHUNT_F_ALLOW_IN,
};

/* What shunt_from_ct says to shunt_across by a packet's mark, and by cb[0] to which host end: bpf/across.h. Any number will do. */
#define SHUNT_MARK_ACROSS 0x5a9d20cf

/*
 * Map "interfaces", BPF_MAP_TYPE_PERCPU_HASH: host end's ifindex (__u32) -> struct shunt_interface.
 *
 * What the datapath knows of one endpoint, and its counters, so that one lookup gives both. The part above
 * `counters` is the same on every CPU, and never changes while the entry lives; but for SHUNT_F_PUBLISHED, which comes with
 * the first port that a running container publishes.
 */
struct shunt_interface {
	__u32 flags;			/* enum shunt_flag */
	__u32 mtu;			/* bytes, of the container's end */
	__be32 address4;
	__be32 subnet4;			/* of the network; 0 with a netmask of 0xffffffff where it has none */
	__be32 netmask4;
	__be32 gateway4;		/* source of ICMP errors; no interface carries it */
	__u8 address6[16];
	__u8 subnet6[16];
	__u8 netmask6[16];
	__u8 gateway6[16];
	char network[SHUNT_NETWORK_MAX];	/* NUL-padded */
	__u16 port_low;			/* masquerade leaves from these ports, both included */
	__u16 port_high;
	__u32 policy;			/* number of its network's rules, 0: there are none */
	struct shunt_counters counters;
};
_Static_assert(sizeof(struct shunt_interface) == 240, "shunt_interface is ABI");

/*
 * Maps "addresses4" (key __be32) and "addresses6" (key struct shunt_in6), BPF_MAP_TYPE_HASH -> struct shunt_address.
 *
 * An address belongs to the endpoint whose entry is here: BPF_NOEXIST decides. ifindex is 0 until the endpoint
 * is ready to receive; the datapath treats such an entry as absent.
 */
struct shunt_in6 {
	__u8 byte[16];
};

struct shunt_address {
	__u32 ifindex;			/* of the host end, or 0 */
	__u32 flags;			/* enum shunt_flag, as in shunt_interface */
	__u32 mtu;			/* bytes, of the container's end */
	__u8 mac[6];			/* of the container's end; zero without SHUNT_F_ETHERNET */
	__u8 pad[2];
	char network[SHUNT_NETWORK_MAX];	/* NUL-padded */
	char owner[SHUNT_IFNAME_MAX];	/* the host end's name: endpoints/OWNER, and what may release it */
};
_Static_assert(sizeof(struct shunt_address) == 52, "shunt_address is ABI");

/*
 * Maps "flows4" (key struct shunt_tuple4) and "flows6" (key struct shunt_tuple), BPF_MAP_TYPE_LRU_HASH -> struct shunt_flow. What
 * becomes of a packet whose addresses or ports are not what its receiver shall see; bpf/flow.h has the theory. Written by the
 * datapath alone.
 */
struct shunt_tuple {
	__u8 source[16];		/* IPv4 as ::ffff:a.b.c.d */
	__u8 destination[16];
	__be16 sport;			/* of an ICMP echo request, its identifier, and of its reply 0 */
	__be16 dport;			/* of an ICMP echo reply, its identifier, and of its request 0 */
	__u8 protocol;			/* IPPROTO_TCP, _UDP, _ICMP or _ICMPV6 */
	__u8 pad[3];
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct shunt_tuple) == 40, "shunt_tuple is ABI");

struct shunt_tuple4 {
	__be32 source;
	__be32 destination;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 pad[3];
};
_Static_assert(sizeof(struct shunt_tuple4) == 16, "shunt_tuple4 is ABI");

enum shunt_flow_state {
	SHUNT_FLOW_ORIGINAL = 1 << 0,	/* this entry is of the direction that the flow was begun in */
	SHUNT_FLOW_MASQUERADE = 1 << 1,	/* its address is to follow the route's */
	SHUNT_FLOW_ANSWERED = 1 << 2,	/* both sides have spoken */
	SHUNT_FLOW_FIN_ORIGINAL = 1 << 3,	/* TCP: who began it has said its last word */
	SHUNT_FLOW_FIN_REPLY = 1 << 4,	/* and who answered */
	SHUNT_FLOW_RESET = 1 << 5,	/* TCP: reset */
	SHUNT_FLOW_AS_IS = 1 << 6,	/* nothing is changed: `to` is the key */
};

struct shunt_flow {
	struct shunt_tuple to;		/* what the packet becomes */
	__u32 from_ifindex;		/* the host end that it comes in by, 0: the wire */
	__u32 to_ifindex;		/* the host end that it goes out by, 0: the wire */
	__u32 state;			/* enum shunt_flow_state */
	__u32 seen;			/* when a packet of either direction came, in units of 2^30 ns of CLOCK_MONOTONIC */
	__u32 uplink;			/* that it leaves by, as the routing table has last said; 0: it does not */
	__u32 uplink_until;		/* before when the table need not be asked again, where the host's stack does the routing */
};
_Static_assert(sizeof(struct shunt_flow) == 64, "shunt_flow is ABI");

#define SHUNT_FLOWS 65536		/* entries of each family, two a flow, where no network says otherwise */

/*
 * Map "rules", BPF_MAP_TYPE_LPM_TRIE: struct shunt_rules_key -> struct shunt_rules. What a network's file says about the flows
 * that its containers begin, or others to them. Each set of rules has a number, and does not change while any endpoint has
 * it: with another file a network gets another set. An entry holds the rules of all prefixes that cover its own, so that one
 * look-up tells all. Written by the engine, under the lock "uplinks".
 */
struct shunt_rules_key {
	__u32 length;			/* bits of what follows: 32, and those of the prefix; IPv4's begin behind 96 of its mapping */
	__u32 set;			/* SHUNT_RULES_SET() */
	__u8 address[16];		/* IPv4 as ::ffff:a.b.c.d */
};
_Static_assert(sizeof(struct shunt_rules_key) == 24, "shunt_rules_key is ABI");

enum shunt_rules_kind {
	SHUNT_RULES_OUT,		/* by destination and its port: what its containers may begin */
	SHUNT_RULES_IN,			/* by source, and the container's own port: what others may begin with them */
	SHUNT_RULES_EXCEPT,		/* by destination: what leaves with the container's own address */
	SHUNT_RULES_KINDS,
	SHUNT_RULES_MARK = 3,		/* of no prefix: that the number is taken */
};

/* The families are apart: IPv6's shortest prefixes would cover IPv4. */
#define SHUNT_RULES_SET(policy, kind, is_ipv6) ((policy) << 3 | (kind) << 1 | !!(is_ipv6))
#define SHUNT_RULES_POLICY(set) ((set) >> 3)

#define SHUNT_MAX_RULES 65536		/* entries */
#define SHUNT_MAX_RANGES 64		/* of an entry */

struct shunt_range {
	__u16 low;			/* ports, both included; 0 and 65535 where there are none, or all are meant */
	__u16 high;
	__u8 protocol;			/* IPPROTO_...; 0: any */
	__u8 pad[3];
};
_Static_assert(sizeof(struct shunt_range) == 8, "shunt_range is ABI");

struct shunt_rules {
	__u32 n;
	struct shunt_range range[SHUNT_MAX_RANGES];
};
_Static_assert(sizeof(struct shunt_rules) == 516, "shunt_rules is ABI");

/*
 * Map "uplinks", BPF_MAP_TYPE_HASH: ifindex (__u32) -> enum shunt_uplink (__u32). Where shunt_from_wire is attached.
 */
enum shunt_uplink {
	SHUNT_UPLINK_RAISED = 0xff,	/* the sizes of it that "big_tcp" has raised: src/big.h */
	SHUNT_UPLINK_ETHERNET = 1 << 8,	/* its link-layer addresses are of 6 bytes, and begin its packets */
};

#define SHUNT_MAX_UPLINKS_ATTACHED 1024

/* Map "registry", BPF_MAP_TYPE_HASH: struct shunt_endpoint_key -> struct shunt_endpoint. Read by the engine only. */
struct shunt_endpoint_key {
	char id[SHUNT_ID_MAX];			/* NUL-padded */
	char interface[SHUNT_IFNAME_MAX];	/* its name in the container, NUL-padded */
};

enum shunt_state {
	SHUNT_PENDING = 1,	/* written before the first kernel object is made */
	SHUNT_READY = 2,	/* written after the last */
	SHUNT_PREPARED = 3,	/* all but the container's end, which somebody else moves in; the pair shows that it is alive */
};

enum shunt_driver {
	SHUNT_DRIVER_NETKIT = 1,
	SHUNT_DRIVER_VETH = 2,
};

enum shunt_mode {
	SHUNT_MODE_L3 = 1,
	SHUNT_MODE_L2 = 2,
};

struct shunt_endpoint {
	__u32 state;			/* enum shunt_state */
	__u32 driver;			/* enum shunt_driver */
	__u32 mode;			/* enum shunt_mode */
	__u32 flags;			/* enum shunt_flag */
	__u32 ifindex;			/* host end; 0 until it exists */
	__u32 mtu;			/* bytes */
	__u64 netns_dev;		/* st_dev and st_ino of the container's /proc/PID/ns/net */
	__u64 netns_ino;
	__u64 created;			/* CLOCK_REALTIME, nanoseconds */
	__be32 address4;		/* claimed, or about to be: released only where the entry names us as owner */
	__u8 address6[16];
	__u32 pid;			/* the container's first process, 0 where nobody told; src/owner.c */
	__u64 started;			/* when it was, in clock ticks since boot */
	char network[SHUNT_NETWORK_MAX];
	char host[SHUNT_IFNAME_MAX];	/* name of the host end */
	__u32 policy;			/* number of its network's rules, which stay for as long as it does */
	__u16 port_low;			/* masquerade leaves from these, both included; 0: nothing does */
	__u16 port_high;
};
_Static_assert(sizeof(struct shunt_endpoint) == 120, "shunt_endpoint is ABI");

/*
 * Map "unfinished", BPF_MAP_TYPE_HASH: struct shunt_endpoint_key -> __u32, which is 0. What somebody has begun to make or to
 * take back: written before anything else of an endpoint, and the last of it to go. Read by the engine only, so that
 * every verb finds without a search what a killed one has left.
 */
#define SHUNT_MAX_UNFINISHED 1024

/*
 * Map "networks", BPF_MAP_TYPE_HASH: name (char[SHUNT_NETWORK_MAX]) -> struct shunt_network_record. Read by the engine
 * only: the subnets that were compared with the host's routes, the ports that were chosen and the rules that were written, so
 * that only a network's first endpoint pays for that.
 */
struct shunt_network_record {
	__be32 subnet4;
	__u8 subnet6[16];
	__u8 length4;			/* bits; 0 for no subnet of that family */
	__u8 length6;
	__u8 pad[2];
	__u16 port_low;			/* masquerade leaves from these, both included; 0: nothing does */
	__u16 port_high;
	__u32 policy;			/* number of its rules, 0: there are none */
	__u64 rules;			/* rules_fingerprint() of them */
};
_Static_assert(sizeof(struct shunt_network_record) == 40, "shunt_network_record is ABI");

#define SHUNT_MAX_NETWORKS 1024

/* Map "meta", BPF_MAP_TYPE_ARRAY of one: what loaded the rest. Every version reads this one as it is: it only grows. */
struct shunt_meta {
	__u32 abi;			/* SHUNT_ABI */
	__u32 pad;
	char version[24];		/* of the program that loaded it */
	__u64 netns_dev;		/* st_dev and st_ino of the network namespace that all of it is about */
	__u64 netns_ino;
};
_Static_assert(sizeof(struct shunt_meta) == 48, "shunt_meta is ABI");

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * base.h - what every part of the datapath needs: kernel headers, verdicts, the compiler's hints.
 */
#ifndef SHUNT_BPF_BASE_H
#define SHUNT_BPF_BASE_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <shunt/abi.h>

/* Not in any header that can be included here: <sys/socket.h> is the C library's. */
#ifndef AF_INET
#define AF_INET 2
#define AF_INET6 10
#endif

/*
 * The same numbers mean the same to tcx and to netkit. No others are ever returned: netkit drops what it does not
 * know where tcx lets it go on.
 */
enum verdict {
	NEXT = TCX_NEXT,	/* not ours, or the host's stack shall have it */
	PASS = TCX_PASS,	/* the host's stack shall have it, whoever is behind us */
	DROP = TCX_DROP,
	/* TCX_REDIRECT is what the redirect helpers return */
};

/* No verdicts yet, of functions that leave it to their caller, who has more of the stack to spend. */
#define UNDECIDED (-2)
#define REFUSED (-3)		/* the container is to be told that this is not allowed */
#define TO_HOST (-4)		/* to_host() has it */
#define TTL_ENDS (-5)		/* the sender is to be told that there are no hops left */
#define EXCEEDS(mtu) (-0x100 - (int)(mtu))	/* and that it is too big, in bytes of the network layer */

_Static_assert(TCX_NEXT == (int)NETKIT_NEXT && TCX_PASS == (int)NETKIT_PASS && TCX_DROP == (int)NETKIT_DROP &&
	       TCX_REDIRECT == (int)NETKIT_REDIRECT, "one program serves both hooks");

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/*
 * For what is off the common way and costly to prove. A global function is verified once, for all arguments that its
 * types allow; a static one anew for each path to its caller, which with these loops took seconds. Pointers may be
 * NULL then.
 */
#define __global __attribute__((noinline))

/* Keeps the compiler from dropping bounds checks that it can prove and the verifier cannot. */
#define opaque(x) asm volatile("" : "+r"(x))

/*
 * @value, which is no larger than @mask. Said so at the end of a loop's round, each round begins in one state, and the
 * verifier need not follow every way through all of them.
 */
static __always_inline __u32 masked(__u32 value, __u32 mask)
{
	opaque(value);
	return value & mask;
}

/* Spreads well enough for ports and backends: each step is a bijection of 64 bits (Moremur's constants). */
static __always_inline __u64 mix(__u64 x)
{
	x = (x ^ x >> 27) * 0x3c79ac492ba7b653ULL;
	x = (x ^ x >> 33) * 0x1c69b3f74ac4ae35ULL;
	return x ^ x >> 27;
}

#define PROTO_IP bpf_htons(ETH_P_IP)
#define PROTO_IP6 bpf_htons(ETH_P_IPV6)

#define IP4_DF 0x4000		/* of frag_off, host order */
#define IP4_MF 0x2000
#define IP4_OFFSET 0x1fff

/* Every packet carries an Ethernet header where it is parsed; a netkit pair in l3 mode has one of zero addresses. */
#define L3 ETH_HLEN

#endif

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What root in a container might attach to its own interface. */
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <shunt/abi.h>

/* Sends back whatever arrives, under the name of who sent it. */
SEC("xdp")
int bounce(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

SEC("tc")
int hairpin(struct __sk_buff *skb)
{
	return bpf_redirect(skb->ifindex, 0);
}

/* Renames the sender of all that goes out, behind the back of the container's own stack. */
SEC("tc")
int rename(struct __sk_buff *skb)
{
	__be32 name = bpf_htonl(0xc0000242);	/* 192.0.2.66 */

	if (skb->protocol == bpf_htons(ETH_P_IP))
		bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), &name, sizeof(name), 0);
	return TCX_PASS;
}

/* Leaves a packet to the next filter, an ifb device say, but not when it comes back from there. */
SEC("tc")
int once(struct __sk_buff *skb)
{
	if (skb->mark)
		return TC_ACT_OK;
	skb->mark = 1;
	return TC_ACT_UNSPEC;
}

/* Says of a packet what shunt_from_ct says of one that is to be sent into the container whose host end its mark names. */
SEC("tc")
int across(struct __sk_buff *skb)
{
	skb->cb[0] = skb->mark;
	skb->mark = SHUNT_MARK_ACROSS;
	return TCX_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * shunt.bpf.c - the datapath: packets between containers' sockets and the host's uplink, past the host's stack.
 *
 *	container A                      host                                     the wire
 *	 socket
 *	   |
 *	  eth0 ==netkit==[shunt_from_ct]--(source mine? local? route?)--redirect--> uplink -->
 *	                        |      \
 *	                        |       `--NEXT--> host's stack (its own addresses; "kernel" routing)
 *	                        |
 *	                       PASS  (to another container of this host)
 *	                        |
 *	container B      [shunt_across]
 *	   ^                    |
 *	   +----redirect_peer---'
 *	   |
 *	  eth0 ==netkit==[(shunt_to_ct)]<-- host's stack
 *	   ^
 *	   `-------redirect_peer-----------[shunt_from_wire]<----------------------------- uplink <--
 *	                                            \
 *	                                             `--NEXT--> host's stack (whatever is no endpoint's)
 *
 * With veth in place of netkit, shunt_from_ct is at tcx ingress of the host end and reaches B by redirect_peer as well;
 * shunt_to_ct is at its tcx egress, or with either nowhere: to_ct.h. The programs are the same.
 *
 * All are BPF_PROG_TYPE_SCHED_CLS, loaded once for all containers: what differs between those is looked up. The plain
 * section name keeps libbpf from attaching them by itself, and the kernel lets such a program be linked to tcx and to
 * netkit alike.
 */
#include "from_ct.h"
#include "from_wire.h"
#include "socket.h"
#include "to_ct.h"
#include "to_wire.h"

SEC("tc")
int shunt_from_ct(struct __sk_buff *skb)
{
	return from_ct(skb);
}

SEC("tc")
int shunt_to_ct(struct __sk_buff *skb)
{
	return to_ct(skb);
}

/* At tcx ingress of a netkit host end. */
SEC("tc")
int shunt_across(struct __sk_buff *skb)
{
	return across(skb);
}

/* At an uplink with Ethernet addresses. */
SEC("tc")
int shunt_from_wire(struct __sk_buff *skb)
{
	return from_ethernet(skb);
}

/* At an uplink whose packets begin with the IP header: WireGuard, tun. */
SEC("tc")
int shunt_from_wire_l3(struct __sk_buff *skb)
{
	return from_wire(skb, 0);
}

/* At tcx egress of an uplink, for networks that the host's stack routes. */
SEC("tc")
int shunt_to_wire(struct __sk_buff *skb)
{
	return to_wire(skb, ETH_HLEN);
}

SEC("tc")
int shunt_to_wire_l3(struct __sk_buff *skb)
{
	return to_wire(skb, 0);
}

/*
 * At tcx egress of the container's own end of a veth pair. An ifb device in the container marks what it sends to pass by
 * all of tcx, the mark survives the crossing, and shunt_from_ct would never see it. netkit runs its programs regardless.
 */
SEC("tc")
int shunt_gate(struct __sk_buff *skb)
{
	const struct sk_buff *inside = bpf_cast_to_kern_ctx(skb);

	return BPF_CORE_READ_BITFIELD(inside, tc_skip_classify) ? DROP : NEXT;
}

/*
 * At sockets, from the root of cgroup2 down: what the host itself says to a published port leads to the container without a
 * packet that would have to be changed. Of each pair of programs the first is for IPv4.
 */
SEC("cgroup/connect4")
int shunt_connect4(struct bpf_sock_addr *ctx)
{
	dial(ctx, false, false);
	return ALLOW;
}

SEC("cgroup/connect6")
int shunt_connect6(struct bpf_sock_addr *ctx)
{
	dial(ctx, true, false);
	return ALLOW;
}

SEC("cgroup/sendmsg4")
int shunt_sendmsg4(struct bpf_sock_addr *ctx)
{
	dial(ctx, false, true);
	return ALLOW;
}

SEC("cgroup/sendmsg6")
int shunt_sendmsg6(struct bpf_sock_addr *ctx)
{
	dial(ctx, true, true);
	return ALLOW;
}

SEC("cgroup/recvmsg4")
int shunt_recvmsg4(struct bpf_sock_addr *ctx)
{
	recall(ctx, false);
	return ALLOW;
}

SEC("cgroup/recvmsg6")
int shunt_recvmsg6(struct bpf_sock_addr *ctx)
{
	recall(ctx, true);
	return ALLOW;
}

SEC("cgroup/getpeername4")
int shunt_getpeername4(struct bpf_sock_addr *ctx)
{
	recall(ctx, false);
	return ALLOW;
}

SEC("cgroup/getpeername6")
int shunt_getpeername6(struct bpf_sock_addr *ctx)
{
	recall(ctx, true);
	return ALLOW;
}

SEC("cgroup/bind4")
int shunt_bind4(struct bpf_sock_addr *ctx)
{
	return reserve(ctx, false);
}

SEC("cgroup/bind6")
int shunt_bind6(struct bpf_sock_addr *ctx)
{
	return reserve(ctx, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

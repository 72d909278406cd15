/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - what the kernel tells of sockets, sock_diag(7): of the network namespace that we are in.
 */
#ifndef SHUNT_DIAG_H
#define SHUNT_DIAG_H

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include "netlink.h"

/* Of enum tcp_state, which no header for us has; UDP sockets have the first, with a peer, or the second, without. */
enum diag_state {
	DIAG_ESTABLISHED = 1,
	DIAG_TIME_WAIT = 6,
	DIAG_CLOSE,
	DIAG_LISTEN = 10,
	DIAG_CLOSING,
	DIAG_BOUND_INACTIVE = 13,	/* a number that what is bound has since 6.8 */
};

#define DIAG_STATE(name) (UINT32_C(1) << DIAG_##name)

/**
 * diag_dump() - Looks at sockets
 * @netlink:	of netlink_open_diag()
 * @request:	the family, the protocol, and the states, as DIAG_STATE()s
 * @filter:	@size bytes of INET_DIAG_BC_ operations. Who is told of gets a cookie, and recvmsg() of the host's socket is dearer
 *		then (bpf/socket.h): so what is not asked for is better not told.
 * @reply:	gets a struct inet_diag_msg of each
 *
 * Return: 0, -EINTR where some came or went meanwhile, the kernel's errno (-ENOENT: it has no such protocol's module), or what @reply returned
 */
int diag_dump(struct netlink *netlink, const struct inet_diag_req_v2 *request, const void *filter, size_t size,
	      netlink_reply_t reply, void *arg, struct shunt_error *error);

#endif

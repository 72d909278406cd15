/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - the one way to rtnetlink.
 *
 * Messages are built with libnl's nlmsg_ and nla_ functions where they can be read as the wire format; what sends them
 * and reads the answers is ours, since libnl's own error numbers lose the kernel's, and its words with them.
 */
#ifndef SHUNT_NETLINK_H
#define SHUNT_NETLINK_H

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "shunt/shunt.h"
#include "util.h"

struct netlink;

/* A socket that speaks for the namespace it was opened in, for as long as it is open. */
int netlink_open(struct netlink **ret, struct shunt_error *error);

/* The same for the namespace @netns_fd. */
int netlink_open_at(int netns_fd, struct netlink **ret, struct shunt_error *error);

/* One to what tells of sockets, sock_diag(7). */
int netlink_open_diag(struct netlink **ret, struct shunt_error *error);

struct netlink *netlink_close(struct netlink *netlink);

/* The index of an interface in the socket's namespace, without a lock or a message. Return: 0, or -ENODEV */
int netlink_ifindex(const struct netlink *netlink, const char *name, uint32_t *ret);

static inline void netlink_closep(struct netlink **netlink)
{
	netlink_close(*netlink);
}

static inline void nlmsg_freep(struct nl_msg **msg)
{
	nlmsg_free(*msg);
}
#define _cleanup_nlmsg_ _cleanup_(nlmsg_freep)

/* Takes one message of the answer; a negative return ends the reading of it and is netlink_call()'s own. */
typedef int (*netlink_reply_t)(const struct nlmsghdr *reply, void *arg);

/**
 * netlink_call() - One request and its whole answer
 * @msg:	the request; ACK, sequence number and port are filled in here. NULL is -ENOMEM, as its makers return it.
 * @reply:	called for each message of the answer, or NULL
 *
 * Return: 0, -EINTR for a dump of what changed while it was read, or the kernel's own negative errno, with its extended-ack sentence in @error (which may be NULL; callers
 * prepend what they were about).
 */
int netlink_call(struct netlink *netlink, struct nl_msg *msg, netlink_reply_t reply, void *arg,
		 struct shunt_error *error);

#define NETLINK_BATCH_MAX 16

/*
 * Requests that the kernel takes in one system call, in their order. It goes on behind a failed one; so does this, unless
 * the failure is in `ignore` (an errno, positive), and returns the first.
 */
struct netlink_batch {
	struct {
		struct nl_msg *msg;
		int ignore;
		const char *what;	/* for the error line */
	} entry[NETLINK_BATCH_MAX];
	size_t n;
};

/* Takes @msg; NULL is remembered and makes the batch fail with -ENOMEM. */
void netlink_batch_add(struct netlink_batch *batch, const char *what, int ignore, struct nl_msg *msg);

/* Sends all and frees them. @error gets "WHAT: the kernel's words". */
int netlink_batch_send(struct netlink *netlink, struct netlink_batch *batch, struct shunt_error *error);

static inline void netlink_batch_free(struct netlink_batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		nlmsg_free(batch->entry[i].msg);
	batch->n = 0;
}

#endif

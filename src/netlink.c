/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "netlink.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "netns.h"

/* The kernel makes no dump message larger than this (NLMSG_GOODSIZE rounds to it for a reader with a buffer so large). */
#define RECEIVE_SIZE 32768

struct netlink {
	int fd;
	uint32_t sequence;
	char buffer[RECEIVE_SIZE];
};

static int open_protocol(int protocol, struct netlink **ret, struct shunt_error *error)
{
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	const int on = 1;

	/* libnl has read its own variables before main(); what NLDBG makes it say is no line of ours. */
	nl_debug = 0;
	netlink = malloc(sizeof(*netlink));
	if (!netlink)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	netlink->sequence = 0;
	netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (netlink->fd < 0)
		return shunt_fail(error, -errno, "rtnetlink: cannot open a socket: %m");

	/* The kernel's own sentence with an error, no echo of the request, and filters of dumps taken seriously. */
	if (setsockopt(netlink->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(netlink->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(netlink->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return shunt_fail(error, -errno, "rtnetlink: cannot set up a socket: %m");

	*ret = TAKE_PTR(netlink);
	return 0;
}

int netlink_open(struct netlink **ret, struct shunt_error *error)
{
	return open_protocol(NETLINK_ROUTE, ret, error);
}

int netlink_open_diag(struct netlink **ret, struct shunt_error *error)
{
	return open_protocol(NETLINK_SOCK_DIAG, ret, error);
}

static int open_here(void *arg, struct shunt_error *error)
{
	return netlink_open(arg, error);
}

int netlink_open_at(int netns_fd, struct netlink **ret, struct shunt_error *error)
{
	return netns_call(netns_fd, open_here, ret, error);
}

struct netlink *netlink_close(struct netlink *netlink)
{
	if (netlink && netlink->fd >= 0)
		close(netlink->fd);
	free(netlink);
	return NULL;
}

int netlink_ifindex(const struct netlink *netlink, const char *name, uint32_t *ret)
{
	struct ifreq request = {};

	/* Any socket answers; that of if_nametoindex() would be of the namespace that we are in. */
	copy_name(request.ifr_name, sizeof(request.ifr_name), name);
	if (ioctl(netlink->fd, SIOCGIFINDEX, &request) < 0)
		return -errno;
	*ret = (uint32_t)request.ifr_ifindex;
	return 0;
}

/* Says a failure in its errno's words and the kernel's sentence, if there is one among the attributes behind @size. */
static int fail_with_words(const struct nlmsghdr *h, int size, int r, struct shunt_error *error)
{
	struct nlattr *words = NULL;

	if (h->nlmsg_flags & NLM_F_ACK_TLVS)
		words = nlmsg_find_attr((struct nlmsghdr *)h, size, NLMSGERR_ATTR_MSG);
	if (words && nla_len(words) > 0)
		return shunt_fail(error, r, "%s (%.*s)", strerror(-r), nla_len(words), (const char *)nla_data(words));
	return shunt_fail(error, r, "%s", strerror(-r));
}

/* What a message of type NLMSG_ERROR says: 0 is an acknowledgement. */
static int error_of(const struct nlmsghdr *h, struct shunt_error *error)
{
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
		return shunt_fail(error, -EBADMSG, "rtnetlink: truncated error message");
	if (e->error == 0)
		return 0;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		return shunt_fail(error, e->error, "%s", strerror(-e->error));	/* the request follows, no attributes */
	return fail_with_words(h, sizeof(*e), e->error, error);
}

/*
 * Reads datagrams until the message that ends the answer to @sequence.
 *
 * Return: 0, the kernel's errno, -EINTR for a dump of what changed meanwhile, or what @reply returned
 */
static int receive(struct netlink *netlink, uint32_t sequence, netlink_reply_t reply, void *arg,
		   struct shunt_error *error)
{
	bool interrupted = false;
	int result = 0;

	for (;;) {
		ssize_t n = recv(netlink->fd, netlink->buffer, sizeof(netlink->buffer), 0);
		unsigned left;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return shunt_fail(error, -errno, "rtnetlink: cannot receive: %m");

		left = (unsigned)n;
		for (struct nlmsghdr *h = (struct nlmsghdr *)netlink->buffer; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_seq != sequence)
				continue;	/* the rest of an answer that somebody gave up on */
			if (h->nlmsg_type == NLMSG_ERROR) {
				int r = error_of(h, error);

				return r < 0 ? r : result;
			}
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				interrupted = true;
			if (h->nlmsg_type == NLMSG_DONE) {
				int r = h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) ? *(int *)NLMSG_DATA(h) : 0;

				if (r < 0)
					return fail_with_words(h, sizeof(int), r, error);
				return interrupted ? shunt_fail(error, -EINTR, "rtnetlink: changed while it was read") : result;
			}
			if (reply && result == 0)
				result = reply(h, arg);
		}
	}
}

static uint32_t prepare(struct netlink *netlink, struct nl_msg *msg)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);

	h->nlmsg_flags |= NLM_F_REQUEST;
	/* NLM_F_DUMP is two bits, of which NLM_F_EXCL is one. */
	if ((h->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		h->nlmsg_flags |= NLM_F_ACK;
	h->nlmsg_seq = ++netlink->sequence;
	h->nlmsg_pid = 0;
	return h->nlmsg_seq;
}

int netlink_call(struct netlink *netlink, struct nl_msg *msg, netlink_reply_t reply, void *arg,
		 struct shunt_error *error)
{
	uint32_t sequence;

	if (!msg)
		return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
	sequence = prepare(netlink, msg);
	if (send(netlink->fd, nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len, 0) < 0)
		return shunt_fail(error, -errno, "rtnetlink: cannot send: %m");
	return receive(netlink, sequence, reply, arg, error);
}

void netlink_batch_add(struct netlink_batch *batch, const char *what, int ignore, struct nl_msg *msg)
{
	if (batch->n == NETLINK_BATCH_MAX)
		abort();	/* callers add a fixed, small number */
	batch->entry[batch->n].msg = msg;
	batch->entry[batch->n].ignore = ignore;
	batch->entry[batch->n].what = what;
	batch->n++;
}

int netlink_batch_send(struct netlink *netlink, struct netlink_batch *batch, struct shunt_error *error)
{
	struct iovec vector[NETLINK_BATCH_MAX];
	struct msghdr header = { .msg_iov = vector, .msg_iovlen = batch->n };
	int result = 0;

	for (size_t i = 0; i < batch->n; i++) {
		if (!batch->entry[i].msg) {
			netlink_batch_free(batch);
			return shunt_fail(error, -ENOMEM, "rtnetlink: out of memory");
		}
		prepare(netlink, batch->entry[i].msg);
		vector[i].iov_base = nlmsg_hdr(batch->entry[i].msg);
		vector[i].iov_len = NLMSG_ALIGN(nlmsg_hdr(batch->entry[i].msg)->nlmsg_len);
	}
	if (batch->n > 0 && sendmsg(netlink->fd, &header, 0) < 0) {
		result = -errno;
		netlink_batch_free(batch);
		return shunt_fail(error, result, "rtnetlink: cannot send: %s", strerror(-result));
	}

	/* Every answer is read, also behind a failure, so that none is taken for that of a later request. */
	for (size_t i = 0; i < batch->n; i++) {
		struct shunt_error words;
		int r = receive(netlink, nlmsg_hdr(batch->entry[i].msg)->nlmsg_seq, NULL, NULL, &words);

		if (r < 0 && r != -batch->entry[i].ignore && result == 0)
			result = shunt_fail(error, r, "%s: %s", batch->entry[i].what, words.text);
	}
	netlink_batch_free(batch);
	return result;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sever.c - a container's end, as the host's own sockets see it.
 *
 * Theory of operation
 *
 * Who on the host connects to a published port is connected to the container's own address (bpf/socket.h), and so no flow
 * of the datapath says whose it is (F5 in flow.h). With the container gone such a socket would hang, for a quarter of an
 * hour or for good; and once another container has the address, its datagrams would be heard by that one, and its segments
 * answered with a reset. So whatever TCP or UDP socket of the host's network namespace has the container for its peer is
 * ended, as "ss --kill" does it: its process gets ECONNABORTED at once, from what it waits in or receives next; and who
 * sends by a UDP socket hears that it has no peer. Those that were accepted from the container are ended likewise, and those that
 * somebody connected to its address himself.
 *
 *	When: behind the device, whose removal took longer than a connect() that was led there before its port went; and
 *	before the address is anybody else's. A teardown that is killed before its end is done again, this included.
 *	Whose: every endpoint's that had a device, published or not. It may have been until a moment ago, and what
 *	was connected to the address itself would reach the heir all the same. But not where the host has a route to that
 *	very address still: it is somebody else's, for whom the attach was refused (teardown.c).
 *	Not: TIME_WAIT, which says nothing of its own; listeners; UDP sockets without a peer, which ask anew for each datagram.
 *	Nor what other network namespaces have: their way is from one container to the other, and not by the host.
 *
 * The kernel looks for the address, so that we see only what is to go: a list for each protocol and family, in which IPv6 sockets
 * that speak IPv4 are those of IPv6. That is a walk through its tables each: measured on 6.18, 0.4 ms for all four on an idle host
 * whose table of TCP takes 2 MB, and 0.1 us more for each socket of the host and list: 8 ms for 20,000, 41 ms for 100,000.
 *
 * What is ended is named by its addresses and ports, and its cookie, without which another socket that would get the peer's
 * packets by now could be meant: one that hears everybody, say. Two UDP sockets can share all of the former, by SO_REUSEADDR;
 * then only that one is found which hears, and the other once that is gone: so the list is made again as long as it gets shorter.
 * The kernel lists them in the order in which it finds them, or just the other way round, which would be one for each list: so
 * every other list is gone through from its end.
 *
 * Who is bound to another device than the container's host end speaks to somebody else who has that address there.
 *
 * A kernel without CONFIG_INET_DIAG_DESTROY, or without the modules tcp_diag and udp_diag, cannot do it, and somebody's sandbox may
 * forbid it: that is no reason to keep a dead container's address, and doctor tells. Whatever else fails may not fail the next
 * time: the teardown ends here, with the network gone and the address kept, and whoever finds it unfinished tries again.
 */
#include "sever.h"

#include "address.h"
#include "diag.h"

/* All but TIME_WAIT, CLOSE and LISTEN, from ESTABLISHED to CLOSING. */
#define CONNECTED (((DIAG_STATE(CLOSING) << 1) - DIAG_STATE(ESTABLISHED)) & \
		   ~(DIAG_STATE(TIME_WAIT) | DIAG_STATE(CLOSE) | DIAG_STATE(LISTEN)))

#define ROUNDS_MAX 16	/* somebody may open and close faster than we look */

struct condition {
	struct inet_diag_bc_op op;
	struct inet_diag_hostcond peer;
	__be32 address[4];	/* the first of them for IPv4 */
};

/* Either of two, in the kernel's order: the first, or else the second. An op names how many bytes on it goes. */
struct filter {
	struct condition first;
	struct inet_diag_bc_op enough;
	struct condition second;
};

struct list {
	struct inet_diag_msg *sockets;
	size_t n;
};

static void fill(struct condition *condition, const struct shunt_prefix *address, size_t no)
{
	condition->op = (struct inet_diag_bc_op){ INET_DIAG_BC_D_COND, sizeof(*condition), (uint16_t)no };
	condition->peer.family = (uint8_t)address->family;
	condition->peer.prefix_len = (uint8_t)family_bits(address->family);
	condition->peer.port = -1;
	memcpy(condition->address, address->bytes, sizeof(condition->address));
}

/* With one address it is asked for twice. The kernel takes one of IPv4 for that of an IPv6 socket that is mapped, too. */
static void compile(const struct shunt_prefix *addresses, size_t n, struct filter *ret)
{
	memset(ret, 0, sizeof(*ret));		/* padding, too, which the kernel is sent */
	fill(&ret->first, &addresses[0], offsetof(struct filter, second));
	ret->enough = (struct inet_diag_bc_op){ INET_DIAG_BC_JMP, sizeof(ret->enough), sizeof(ret->enough) + sizeof(ret->second) };
	fill(&ret->second, &addresses[n - 1], sizeof(ret->second) + 4);		/* beyond the end: none */
}

static int take(const struct nlmsghdr *h, void *arg)
{
	struct list *list = arg;
	struct inet_diag_msg *larger;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || !nlmsg_valid_hdr(h, sizeof(*larger)))
		return 0;
	larger = reallocarray(list->sockets, list->n + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->sockets = larger;
	memcpy(&larger[list->n++], nlmsg_data((struct nlmsghdr *)h), sizeof(*larger));
	return 0;
}

static int end(struct netlink *netlink, struct inet_diag_req_v2 *request, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(SOCK_DESTROY, 0);

	if (!msg || nlmsg_append(msg, request, sizeof(*request), NLMSG_ALIGNTO) < 0)
		return shunt_fail(error, -ENOMEM, "out of memory");
	return netlink_call(netlink, msg, NULL, NULL, error);
}

/* One list of sockets, ended, from its start or its end. Return: 1 if it may be worth another look, 0, or an errno */
static int round_of(struct netlink *netlink, const struct inet_diag_req_v2 *request, const struct filter *filter,
		    uint32_t ifindex, bool backwards, struct shunt_error *error)
{
	size_t ended = 0, missed = 0;
	struct list list = {};
	int r = diag_dump(netlink, request, filter, sizeof(*filter), take, &list, error);

	for (size_t i = 0; i < list.n && r >= 0; i++) {
		struct inet_diag_req_v2 one = *request;
		struct shunt_error words;

		one.id = list.sockets[backwards ? list.n - 1 - i : i].id;
		if (one.id.idiag_if != 0 && one.id.idiag_if != ifindex)
			continue;
		r = end(netlink, &one, &words);
		ended += r >= 0;
		missed += r == -ENOENT;
		/* Closed meanwhile, or hidden by another; or of a kind that cannot be ended. */
		if (r == -ENOENT || r == -EOPNOTSUPP)
			r = 0;
		if (r < 0)
			shunt_fail(error, r, "cannot end the host's connections to the container: %s", words.text);
	}
	free(list.sockets);
	return r < 0 ? r : ended > 0 && missed > 0;
}

/* Of a kernel that cannot, or of who keeps us from it. */
static bool is_lasting(int r)
{
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT || r == -EPERM || r == -EACCES;
}

int sever(const struct shunt_prefix *addresses, size_t n, uint32_t ifindex, struct shunt_error *error)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	struct filter filter;
	int r;

	if (n == 0)
		return 0;
	compile(addresses, n, &filter);
	r = netlink_open_diag(&netlink, error);
	for (size_t i = 0; i < ELEMENTSOF(protocols) * ELEMENTSOF(families) && r >= 0; i++) {
		struct inet_diag_req_v2 request = {
			.sdiag_family = families[i % ELEMENTSOF(families)],
			.sdiag_protocol = protocols[i / ELEMENTSOF(families)],
			.idiag_states = CONNECTED,
		};

		for (unsigned rounds = ROUNDS_MAX; rounds > 0; rounds--) {
			r = round_of(netlink, &request, &filter, ifindex, rounds % 2, error);
			if (r <= 0)
				break;
		}
		/* One of the protocols may be there. */
		if (r == -ENOENT)
			r = 0;
	}
	return r < 0 && !is_lasting(r) ? r : 0;
}

int sever_probe(void)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	const struct inet_diag_bc_op all = { INET_DIAG_BC_NOP, sizeof(all), sizeof(all) };
	struct shunt_error words;
	int r = netlink_open_diag(&netlink, &words);

	for (size_t i = 0; i < ELEMENTSOF(protocols) && r >= 0; i++) {
		/* In no state there is nobody, and nobody is 0.0.0.0 with port 0. */
		struct inet_diag_req_v2 nobody = { .sdiag_family = AF_INET, .sdiag_protocol = protocols[i] };

		r = diag_dump(netlink, &nobody, &all, sizeof(all), NULL, NULL, &words);
		if (r >= 0 && end(netlink, &nobody, &words) == -EOPNOTSUPP)
			r = -EOPNOTSUPP;
	}
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT ? 0 : r < 0 ? r : 1;
}

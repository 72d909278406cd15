// SPDX-License-Identifier: GPL-2.0-or-later
#include "diag.h"

int diag_dump(struct netlink *netlink, const struct inet_diag_req_v2 *request, const void *filter, size_t size,
	      netlink_reply_t reply, void *arg, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct shunt_error words;
	int r;

	if (!msg || nlmsg_append(msg, (void *)request, sizeof(*request), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, INET_DIAG_REQ_BYTECODE, (int)size, filter) < 0)
		return shunt_fail(error, -ENOMEM, "cannot look at the host's sockets: out of memory");
	r = netlink_call(netlink, msg, reply, arg, &words);
	return r < 0 ? shunt_fail(error, r, "cannot look at the host's sockets: %s%s", words.text, r == -ENOENT ?
				  "; does this kernel have tcp_diag and udp_diag?" : "") : 0;
}

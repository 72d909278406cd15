// SPDX-License-Identifier: GPL-2.0-or-later
#include "holder.h"

#include <ctype.h>
#include <fcntl.h>

#include "diag.h"
#include "publication.h"

struct list {
	struct holder *holders;
	size_t n;
	uint8_t protocol;
};

static int take(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *msg = nlmsg_data((struct nlmsghdr *)h);
	struct shunt_prefix address = { .family = AF_INET6 };
	struct nlattr *attributes[INET_DIAG_MAX + 1];
	struct list *list = arg;
	struct holder *larger;

	if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY || msg->id.idiag_sport == 0 ||
	    nlmsg_parse((struct nlmsghdr *)h, sizeof(*msg), attributes, INET_DIAG_MAX, NULL) < 0)
		return 0;
	larger = reallocarray(list->holders, list->n + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	list->holders = larger;
	larger += list->n++;
	*larger = (struct holder){ .port = msg->id.idiag_sport, .protocol = list->protocol, .inode = msg->idiag_inode,
				   .uid = msg->idiag_uid };
	address.family = msg->idiag_family;
	memcpy(address.bytes, msg->id.idiag_src, address.family == AF_INET ? 4 : 16);
	mapped_address(&address, larger->address);
	larger->both = address.family == AF_INET6 && mapped_is_any(larger->address) &&
		       !(attributes[INET_DIAG_SKV6ONLY] && nla_get_u8(attributes[INET_DIAG_SKV6ONLY]));
	return 0;
}

static int dump(struct netlink *netlink, int family, const uint16_t ports[static 2], struct list *list, struct shunt_error *error)
{
	/* An op is four bytes. */
	const struct inet_diag_bc_op filter[] = {
		{ INET_DIAG_BC_S_GE, 8, 20 }, { .no = ports[0] },
		{ INET_DIAG_BC_S_LE, 8, 12 }, { .no = ports[1] },
	};
	const struct inet_diag_req_v2 request = {
		.sdiag_family = (uint8_t)family,
		.sdiag_protocol = list->protocol,
		.idiag_states = list->protocol == IPPROTO_UDP ? DIAG_STATE(CLOSE) : DIAG_STATE(LISTEN) | DIAG_STATE(BOUND_INACTIVE),
	};
	int r = diag_dump(netlink, &request, filter, sizeof(filter), take, list, error);

	/* What came or went while we looked is as good as before or behind. */
	return r == -EINTR ? 0 : r;
}

int holder_list(uint16_t first, uint16_t last, struct holder **ret, size_t *ret_n, struct shunt_error *error)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	static const int families[] = { AF_INET, AF_INET6 };
	_cleanup_(netlink_closep) struct netlink *netlink = NULL;
	struct list list = {};
	int r = netlink_open_diag(&netlink, error);

	for (size_t i = 0; i < ELEMENTSOF(protocols) && r >= 0; i++) {
		list.protocol = protocols[i];
		for (size_t k = 0; k < ELEMENTSOF(families) && r >= 0; k++)
			r = dump(netlink, families[k], (const uint16_t[]){ first, last }, &list, error);
	}
	if (r < 0) {
		free(list.holders);
		return r;
	}
	*ret = list.holders;
	*ret_n = list.n;
	return 0;
}

bool addresses_overlap(const uint8_t a[static 16], const uint8_t b[static 16])
{
	if (mapped_is4(a) != mapped_is4(b))
		return false;
	return mapped_is_any(a) || mapped_is_any(b) || memcmp(a, b, 16) == 0;
}

bool holder_has(const struct holder *holder, const struct shunt_published_key *key)
{
	return holder->port == key->port && holder->protocol == key->protocol &&
	       (holder->both || addresses_overlap(holder->address, key->address));
}

/* Whether a process has a descriptor of that socket. */
static bool has_socket(const char *pid, const char *link)
{
	_cleanup_closedir_ DIR *directory = NULL;
	char path[300], target[64];

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory = opendir(path);
	if (!directory)
		return false;
	for (struct dirent *entry; (entry = next_entry(directory));) {
		ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target) - 1);

		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, link) == 0)
			return true;
	}
	return false;
}

static void read_name(const char *pid, char *ret, size_t size)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(ret, (int)size, f))
		snprintf(ret, size, "?");
	ret[strcspn(ret, "\n")] = '\0';
}

const char *holder_name(const struct holder *holder, char *text, size_t size)
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	char link[32], name[64];

	snprintf(link, sizeof(link), "socket:[%u]", holder->inode);
	for (struct dirent *entry; proc && (entry = next_entry(proc));) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, link))
			continue;
		read_name(entry->d_name, name, sizeof(name));
		snprintf(text, size, "\"%s\" (process %.20s)", name, entry->d_name);
		return text;
	}
	snprintf(text, size, "a process of user %u", holder->uid);
	return text;
}

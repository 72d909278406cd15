// SPDX-License-Identifier: GPL-2.0-or-later
#include "answers.h"

#include <bpf/bpf.h>

#include "map-list.h"
#include "port-table.h"
#include "publication.h"
#include "util.h"

/* An entry: as map_list() has it. */
struct answer {
	struct shunt_published_key from;	/* the container's */
	struct shunt_published_key by;		/* the host's */
};
_Static_assert(sizeof(struct answer) == 2 * sizeof(struct shunt_published_key), "a value is right behind its key");

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct answer));
}

/* Nobody out there reaches a loopback address, nor a container's address of one family by the other. */
static bool is_from_wire(const struct shunt_port *port)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	const uint8_t *host = port->key.host.address;

	if (mapped_is4(host) != mapped_is4(port->value.address))
		return false;
	return mapped_is4(host) ? host[12] != 127 : memcmp(host, loopback6, sizeof(loopback6)) != 0;
}

/* What there shall be, sorted: of several ports of the host that lead to one, the first. */
static int list_wanted(const struct datapath *datapath, struct answer **ret, size_t *ret_n)
{
	_cleanup_free_ struct shunt_port *ports = NULL;
	_cleanup_free_ struct answer *list = NULL;
	size_t n_ports, n = 0, kept = 0;
	int r = port_table_list(datapath, &ports, &n_ports);

	if (r < 0)
		return r;
	list = calloc(n_ports + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n_ports; i++) {
		struct answer *a = &list[n];

		if (!is_from_wire(&ports[i]))
			continue;
		*a = (struct answer){ .by = ports[i].key.host };
		a->from.port = ports[i].value.port;
		a->from.protocol = ports[i].key.host.protocol;
		memcpy(a->from.address, ports[i].value.address, sizeof(a->from.address));
		n++;
	}
	qsort(list, n, sizeof(*list), compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || memcmp(&list[i].from, &list[kept - 1].from, sizeof(list[i].from)) != 0)
			list[kept++] = list[i];
	*ret = TAKE_PTR(list);
	*ret_n = kept;
	return 0;
}

static int put(int fd, const struct answer *answer)
{
	return bpf_map_update_elem(fd, &answer->from, &answer->by, BPF_ANY) < 0 ? -errno : 0;
}

static int take_away(int fd, const struct answer *answer)
{
	return bpf_map_delete_elem(fd, &answer->from) < 0 && errno != ENOENT ? -errno : 0;
}

int answers_write(const struct datapath *datapath)
{
	const int fd = datapath->fd[MAP_ANSWERS];
	_cleanup_free_ struct answer *wanted = NULL;
	_cleanup_free_ void *known = NULL;
	const struct answer *there;
	size_t n, n_there, at = 0;
	int r = list_wanted(datapath, &wanted, &n);

	if (r >= 0)
		r = map_list(fd, sizeof(wanted->from), sizeof(wanted->by), &known, &n_there);
	if (r < 0)
		return r;
	qsort(known, n_there, sizeof(*wanted), compare);
	there = known;
	/* Each writing costs: what is right stays. */
	for (size_t i = 0; (i < n || at < n_there) && r >= 0;) {
		const int order = i == n ? 1 : at == n_there ? -1 : memcmp(&wanted[i].from, &there[at].from, sizeof(wanted->from));

		if (order > 0)
			r = take_away(fd, &there[at]);
		else if (order < 0 || compare(&wanted[i], &there[at]) != 0)
			r = put(fd, &wanted[i]);
		i += order <= 0;
		at += order >= 0;
	}
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "port-table.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include "map-list.h"
#include "publication.h"
#include "util.h"

static uint64_t *word_of(struct port_set *set, const struct shunt_published_key *key)
{
	return &(key->protocol == IPPROTO_TCP ? set->tcp : set->udp)[ntohs(key->port) / 64];
}

void port_set_add(struct port_set *set, const struct shunt_published_key *key)
{
	*word_of(set, key) |= UINT64_C(1) << ntohs(key->port) % 64;
}

bool port_set_has(const struct port_set *set, const struct shunt_published_key *key)
{
	return *word_of((struct port_set *)set, key) >> ntohs(key->port) % 64 & 1;
}

unsigned port_set_protocols(const struct port_set *set)
{
	uint64_t tcp = 0, udp = 0;

	for (size_t i = 0; i < ELEMENTSOF(set->tcp); i++) {
		tcp |= set->tcp[i];
		udp |= set->udp[i];
	}
	return (tcp ? PORTS_TCP : 0) | (udp ? PORTS_UDP : 0);
}

static int compare(const void *a, const void *b)
{
	const struct shunt_port *x = a, *y = b;

	if (x->key.ifindex != y->key.ifindex)
		return x->key.ifindex < y->key.ifindex ? -1 : 1;
	if (x->key.host.protocol != y->key.host.protocol)
		return x->key.host.protocol - y->key.host.protocol;
	if (mapped_is4(x->key.host.address) != mapped_is4(y->key.host.address))
		return mapped_is4(x->key.host.address) ? -1 : 1;
	if (memcmp(x->key.host.address, y->key.host.address, 16) != 0)
		return memcmp(x->key.host.address, y->key.host.address, 16);
	return ntohs(x->key.host.port) - ntohs(y->key.host.port);
}

_Static_assert(sizeof(struct shunt_port) == sizeof(struct shunt_publication_key) + sizeof(struct shunt_publication),
	       "a value is right behind its key");

int port_table_list(const struct datapath *datapath, struct shunt_port **ret, size_t *ret_n)
{
	const int fd = datapath->fd[MAP_PUBLICATIONS];
	void *list;
	int r = map_list(fd, sizeof((*ret)->key), sizeof((*ret)->value), &list, ret_n);

	if (r < 0)
		return r;
	qsort(list, *ret_n, sizeof(**ret), compare);
	*ret = list;
	return 0;
}

int port_table_write_bits(const struct datapath *datapath, const struct port_set *set)
{
	const int fd = datapath->fd[MAP_PORTS];
	uint32_t numbers[ELEMENTSOF(set->tcp)] = {}, token = 0, n = ELEMENTSOF(numbers);
	_cleanup_free_ struct shunt_ports *bits = calloc(n, sizeof(*bits));

	if (!bits)
		return -ENOMEM;
	/* The end of the map is an error, with all of it read. */
	if (bpf_map_lookup_batch(fd, NULL, &token, numbers, bits, &n, NULL) < 0 && errno != ENOENT)
		return -errno;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t at = numbers[i];

		if (bits[i].tcp == set->tcp[at] && bits[i].udp == set->udp[at])
			continue;
		bits[i].tcp = set->tcp[at];
		bits[i].udp = set->udp[at];
		if (bpf_map_update_elem(fd, &at, &bits[i], BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int get_published(const struct datapath *datapath, const struct shunt_published_key *key, struct shunt_published *ret)
{
	if (bpf_map_lookup_elem(datapath->fd[MAP_PUBLISHED], key, ret) < 0) {
		*ret = (struct shunt_published){};
		return errno == ENOENT ? 0 : -errno;
	}
	return ret->n > SHUNT_MAX_BACKENDS ? -EUCLEAN : 0;
}

static int append_backend(struct shunt_published *published, const struct shunt_port *port)
{
	struct shunt_backend *b = &published->backend[published->n];

	if (published->n == SHUNT_MAX_BACKENDS)
		return -ENOSPC;
	published->n++;
	memcpy(published->service, port->value.service, sizeof(published->service));
	*b = (struct shunt_backend){ .ifindex = port->key.ifindex, .port = port->value.port };
	memcpy(b->address, port->value.address, sizeof(b->address));
	return 0;
}

static int put_published(const struct datapath *datapath, const struct shunt_published_key *key, const struct shunt_published *value)
{
	const int fd = datapath->fd[MAP_PUBLISHED];

	if (value->n > 0)
		return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? -errno : 0;
	return bpf_map_delete_elem(fd, key) < 0 && errno != ENOENT ? -errno : 0;
}

int port_table_add(const struct datapath *datapath, const struct shunt_port *port)
{
	struct shunt_published published;
	int r = get_published(datapath, &port->key.host, &published);

	if (r >= 0)
		r = append_backend(&published, port);
	if (r < 0)
		return r;
	if (bpf_map_update_elem(datapath->fd[MAP_PUBLICATIONS], &port->key, &port->value, BPF_NOEXIST) < 0)
		return -errno;
	return put_published(datapath, &port->key.host, &published);
}

int port_table_remove(const struct datapath *datapath, const struct shunt_port *port)
{
	struct shunt_published published, rest = {};
	int r = get_published(datapath, &port->key.host, &published);

	for (uint32_t i = 0; r >= 0 && i < published.n; i++)
		if (published.backend[i].ifindex != port->key.ifindex)
			rest.backend[rest.n++] = published.backend[i];
	if (r >= 0 && rest.n != published.n) {
		memcpy(rest.service, published.service, sizeof(rest.service));
		r = put_published(datapath, &port->key.host, &rest);
	}
	if (r >= 0 && bpf_map_delete_elem(datapath->fd[MAP_PUBLICATIONS], &port->key) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int port_table_restore(const struct datapath *datapath, const struct shunt_port *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bpf_map_update_elem(datapath->fd[MAP_PUBLICATIONS], &list[i].key, &list[i].value, BPF_ANY) < 0)
			return -errno;
	return 0;
}

static int compare_hosts(const void *a, const void *b)
{
	const struct shunt_port *x = a, *y = b;

	return memcmp(&x->key.host, &y->key.host, sizeof(x->key.host));
}

/* Deletes what no publication is of. It begins anew behind each. */
static int remove_unknown(const struct datapath *datapath, const struct shunt_port *sorted, size_t n)
{
	const int fd = datapath->fd[MAP_PUBLISHED];
	struct shunt_port at, *known = NULL;
	bool first = true;

	for (;;) {
		if (bpf_map_get_next_key(fd, first ? NULL : &at.key.host, &at.key.host) < 0)
			return errno == ENOENT ? 0 : -errno;
		known = bsearch(&at, sorted, n, sizeof(*sorted), compare_hosts);
		first = !known;
		if (!known && bpf_map_delete_elem(fd, &at.key.host) < 0 && errno != ENOENT)
			return -errno;
	}
}

int port_table_rebuild(const struct datapath *datapath, const struct shunt_port *list, size_t n)
{
	_cleanup_free_ struct shunt_port *sorted = calloc(n + 1, sizeof(*sorted));
	int r;

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, list, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_hosts);
	r = remove_unknown(datapath, sorted, n);
	for (size_t i = 0; i < n && r >= 0;) {
		struct shunt_published now, published = {};
		size_t first = i;

		for (; i < n && compare_hosts(&sorted[first], &sorted[i]) == 0 && r >= 0; i++)
			r = append_backend(&published, &sorted[i]);
		if (r >= 0)
			r = get_published(datapath, &sorted[first].key.host, &now);
		/* Where they stand matters to nobody, but each writing costs: what has all of them stays. */
		for (uint32_t k = 0; r >= 0 && k < published.n; k++) {
			uint32_t at = 0;

			while (at < now.n && memcmp(&now.backend[at], &published.backend[k], sizeof(now.backend[at])) != 0)
				at++;
			if (at < now.n && now.n == published.n)
				continue;
			r = put_published(datapath, &sorted[first].key.host, &published);
			break;
		}
	}
	return r;
}

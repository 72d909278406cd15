// SPDX-License-Identifier: GPL-2.0-or-later
#include "claim.h"

#include <arpa/inet.h>

#include "forward.h"
#include "holder.h"
#include "ipam.h"
#include "sockets.h"

void claim_done(struct claim *claim)
{
	free(claim->all);
	free(claim->new);
	free(claim->bits);
}

int claim_map_fail(int r, struct shunt_error *error)
{
	if (r == -E2BIG)
		return shunt_fail(error, r, "there is no room for more published ports: %d of them, and %d with those of services",
				  SHUNT_MAX_PUBLISHED, SHUNT_MAX_PUBLICATIONS);
	return shunt_fail(error, r, "the maps of published ports: %s", strerror(-r));
}

/*
 * Where a port on addresses of @family leads: to the container's address of that family. What has none of IPv6 is reached by
 * ::1 all the same, as sockets for IPv6 can speak IPv4. Return: 1, 0 where there is nothing to publish, or -EADDRNOTAVAIL
 */
static int find_target(const struct claim *claim, const struct publication *spec, int family, uint8_t ret[static 16],
		       struct shunt_error *error)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	struct shunt_prefix address;
	bool four = endpoint_address(claim->endpoint, AF_INET, &address);

	if (spec->host.family != 0 && spec->host.family != family)
		return 0;
	if (family == AF_INET6 && spec->host.family == 0 && ipv6_available() == 0)
		return 0;
	if ((family == AF_INET && four) || endpoint_address(claim->endpoint, family, &address) ||
	    (four && (spec->host.family == 0 || memcmp(spec->host.bytes, loopback6, 16) == 0))) {
		mapped_address(&address, ret);
		return 1;
	}
	if (spec->host.family == 0)
		return 0;
	return shunt_fail(error, -EADDRNOTAVAIL, "a port on an IPv%d address of the host, and the container has no IPv%d address",
			  family == AF_INET ? 4 : 6, family == AF_INET ? 4 : 6);
}

static int add_new(struct claim *claim, const struct publication *spec, int family, const uint8_t target[static 16])
{
	const size_t count = (size_t)(spec->last - spec->first) + 1;
	struct shunt_prefix host = { .family = family };
	struct shunt_port *larger;

	if (claim->n_new + count > SHUNT_MAX_PUBLICATIONS)
		return -E2BIG;
	larger = reallocarray(claim->new, claim->n_new + count, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	claim->new = larger;
	if (spec->host.family)
		host = spec->host;
	for (size_t i = 0; i < count; i++) {
		struct shunt_port *port = &claim->new[claim->n_new++];

		*port = (struct shunt_port){
			.key = { .host = { .port = htons((uint16_t)(spec->first + i)), .protocol = spec->protocol },
				 .ifindex = claim->endpoint->ifindex },
			.value = { .port = htons((uint16_t)(spec->target + i)) },
		};
		mapped_address(&host, port->key.host.address);
		memcpy(port->value.address, target, 16);
		if (claim->service)
			copy_name(port->value.service, sizeof(port->value.service), claim->service);
	}
	return 0;
}

int claim_expand(struct claim *claim, const struct publication *specs, size_t n, struct shunt_error *error)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ELEMENTSOF(families); k++) {
			uint8_t target[16];
			int r = find_target(claim, &specs[i], families[k], target, error);

			if (r < 0)
				return r;
			r = r > 0 ? add_new(claim, &specs[i], families[k], target) : 0;
			if (r < 0)
				return claim_map_fail(r, error);
		}
	return 0;
}

/* Leads where it is to, for whom it is to, however many flows it had. */
static bool is_same(const struct shunt_port *a, const struct shunt_port *b)
{
	return memcmp(&a->key, &b->key, sizeof(a->key)) == 0 && a->value.port == b->value.port &&
	       memcmp(a->value.address, b->value.address, sizeof(a->value.address)) == 0 &&
	       strncmp(a->value.service, b->value.service, sizeof(a->value.service)) == 0;
}

bool claim_forget_known(struct claim *claim)
{
	size_t n = claim->n_new;

	claim->n_new = 0;
	for (size_t i = 0; i < n; i++) {
		size_t k = 0;

		while (k < claim->n_all && !is_same(&claim->all[k], &claim->new[i]))
			k++;
		if (k == claim->n_all)
			claim->new[claim->n_new++] = claim->new[i];
	}
	return claim->n_new < n;
}

/* An address that is not the host's would be taken from whoever has it. */
static int check_hosts(const struct claim *claim, const struct publication *specs, size_t n, struct shunt_error *error)
{
	for (size_t i = 0; i < n; i++) {
		char text[INET6_ADDRSTRLEN] = "";
		uint8_t address[16];

		mapped_address(&specs[i].host, address);
		if (specs[i].host.family == 0 || mapped_is_any(address) || sockets_is_local(claim->instance, address))
			continue;
		inet_ntop(specs[i].host.family, specs[i].host.bytes, text, sizeof(text));
		return shunt_fail(error, -EADDRNOTAVAIL, "%s is no address of this host", text);
	}
	return 0;
}

/* The ID of an endpoint, for a line. */
static void find_id(struct shunt_instance *instance, uint32_t ifindex, char ret[static SHUNT_ID_MAX + 1])
{
	_cleanup_free_ struct registry_entry *list = NULL;
	size_t n;

	strcpy(ret, "?");
	if (registry_list(&instance->datapath, NULL, &list, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (list[i].endpoint.ifindex == ifindex) {
			memset(ret, 0, SHUNT_ID_MAX + 1);
			memcpy(ret, list[i].key.id, SHUNT_ID_MAX);
		}
}

static int taken(const struct claim *claim, const struct shunt_port *new, const struct shunt_port *other, struct shunt_error *error)
{
	char text[PORT_HOST_TEXT_MAX + 4], id[SHUNT_ID_MAX + 1];
	bool theirs = other->value.service[0], mine = claim->service;

	port_format_host(&new->key.host, text);
	if (other->key.ifindex == new->key.ifindex)
		return shunt_fail(error, -EEXIST, "port %s is published by this container already", text);
	find_id(claim->instance, other->key.ifindex, id);
	if (theirs)
		return shunt_fail(error, -EADDRINUSE, "port %s is that of service %.31s (container %s)%s", text, other->value.service, id,
				  mine ? "" : "; name it to share the port");
	return shunt_fail(error, -EADDRINUSE, "port %s is held by container %s%s", text, id,
			  mine ? ", which is of no service" : "");
}

/* P1 */
static int check_others(const struct claim *claim, struct shunt_error *error)
{
	for (size_t i = 0; i < claim->n_new; i++) {
		const struct shunt_port *new = &claim->new[i];
		unsigned same = 0;

		/* Mostly there is none, and all that are would have to be compared. */
		if (!port_set_has(claim->bits, &new->key.host))
			continue;
		for (size_t k = 0; k < claim->n_all; k++) {
			const struct shunt_port *other = &claim->all[k];

			if (other->key.host.port != new->key.host.port || other->key.host.protocol != new->key.host.protocol ||
			    !addresses_overlap(other->key.host.address, new->key.host.address))
				continue;
			if (other->key.ifindex == new->key.ifindex || !claim->service ||
			    memcmp(other->value.service, new->value.service, sizeof(new->value.service)) != 0)
				return taken(claim, new, other, error);
			same += memcmp(&other->key.host, &new->key.host, sizeof(new->key.host)) == 0;
		}
		if (same >= SHUNT_MAX_BACKENDS)
			return shunt_fail(error, -ENOSPC, "service %s has %d containers, which is the most that there can be", claim->service,
					  SHUNT_MAX_BACKENDS);
	}
	return 0;
}

/* Which port one set has and the other has not: "8080/tcp" */
static void name_difference(const struct port_set *a, const struct port_set *b, char *text, size_t size)
{
	for (unsigned i = 0; i < 65536 / 64; i++)
		for (unsigned bit = 0; bit < 64; bit++) {
			if ((a->tcp[i] ^ b->tcp[i]) >> bit & 1)
				snprintf(text, size, "%u/tcp", i * 64 + bit);
			else if ((a->udp[i] ^ b->udp[i]) >> bit & 1)
				snprintf(text, size, "%u/udp", i * 64 + bit);
			else
				continue;
			return;
		}
}

static bool is_of(const struct shunt_port *port, const char *service)
{
	return strncmp(port->value.service, service, sizeof(port->value.service)) == 0;
}

/* What a member has, or is to have, against what the others have, who are all alike. */
static int compare_members(const struct claim *claim, const char *service, const struct port_set *own, const char *remedy,
			   struct shunt_error *error)
{
	_cleanup_free_ struct port_set *theirs = calloc(1, sizeof(*theirs));
	uint32_t other = 0;
	char text[16];

	if (!theirs)
		return claim_map_fail(-ENOMEM, error);
	for (size_t i = 0; i < claim->n_all; i++) {
		const struct shunt_port *port = &claim->all[i];

		if (port->key.ifindex == claim->endpoint->ifindex || !is_of(port, service))
			continue;
		if (other == 0 || other == port->key.ifindex)
			port_set_add(theirs, &port->key.host), other = port->key.ifindex;
	}
	if (other == 0 || memcmp(own, theirs, sizeof(*own)) == 0)
		return 0;
	name_difference(own, theirs, text, sizeof(text));
	return shunt_fail(error, -EINVAL, "service %s: its containers must publish the same ports of the host, and of %s there is one that "
			  "does and one that does not%s", service, text, remedy);
}

/* P3, for who comes */
static int check_service(const struct claim *claim, struct shunt_error *error)
{
	_cleanup_free_ struct port_set *own = calloc(1, sizeof(*own));

	if (!claim->service)
		return 0;
	if (!own)
		return claim_map_fail(-ENOMEM, error);
	for (size_t i = 0; i < claim->n_new; i++)
		port_set_add(own, &claim->new[i].key.host);
	for (size_t i = 0; i < claim->n_all; i++)
		if (claim->all[i].key.ifindex == claim->endpoint->ifindex && is_of(&claim->all[i], claim->service))
			port_set_add(own, &claim->all[i].key.host);
	return compare_members(claim, claim->service, own, "", error);
}

bool claim_wants(const struct claim *claim, const struct shunt_port *port)
{
	if (port->key.ifindex != claim->endpoint->ifindex)
		return false;
	for (size_t i = 0; i < claim->n_new; i++)
		if (memcmp(&claim->new[i].key, &port->key, sizeof(port->key)) == 0)
			return true;
	return claim->n_new == 0;
}

/* What is left of a member, if anything is. */
static int check_rest(const struct claim *claim, const char *service, struct shunt_error *error)
{
	_cleanup_free_ struct port_set *own = calloc(1, sizeof(*own));
	bool stays = false;

	if (!own)
		return claim_map_fail(-ENOMEM, error);
	for (size_t i = 0; i < claim->n_all; i++) {
		const struct shunt_port *port = &claim->all[i];

		if (port->key.ifindex != claim->endpoint->ifindex || !is_of(port, service) || claim_wants(claim, port))
			continue;
		port_set_add(own, &port->key.host);
		stays = true;
	}
	return stays ? compare_members(claim, service, own, "; without any PORT it would leave the service", error) : 0;
}

int claim_check_rest(const struct claim *claim, struct shunt_error *error)
{
	const char *checked = "";
	int r = 0;

	for (size_t i = 0; i < claim->n_all && r >= 0; i++) {
		const struct shunt_port *port = &claim->all[i];

		if (!claim_wants(claim, port) || is_of(port, "") || is_of(port, checked))
			continue;
		checked = port->value.service;
		r = check_rest(claim, checked, error);
	}
	return r;
}

int claim_check(const struct claim *claim, const struct publication *specs, size_t n, struct shunt_error *error)
{
	int r = check_hosts(claim, specs, n, error);

	if (r >= 0)
		r = check_others(claim, error);
	return r < 0 ? r : check_service(claim, error);
}

int claim_check_sockets(const struct claim *claim, struct shunt_error *error)
{
	_cleanup_free_ struct holder *holders = NULL;
	uint16_t first = UINT16_MAX, last = 0;
	size_t n;
	int r;

	for (size_t i = 0; i < claim->n_new; i++) {
		const uint16_t port = ntohs(claim->new[i].key.host.port);

		first = port < first ? port : first;
		last = port > last ? port : last;
	}
	r = holder_list(first, last, &holders, &n, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < claim->n_new; k++) {
			char text[PORT_HOST_TEXT_MAX + 4], name[128];

			if (!holder_has(&holders[i], &claim->new[k].key.host))
				continue;
			return shunt_fail(error, -EADDRINUSE, "port %s is held by %s", port_format_host(&claim->new[k].key.host, text),
					  holder_name(&holders[i], name, sizeof(name)));
		}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor-network.c - networks against the host's routes and each other.
 */
#include "address.h"
#include "doctor.h"
#include "forward.h"
#include "link.h"
#include "network.h"
#include "ports.h"
#include "route.h"
#include "util.h"

static void check_uplinks_auto(struct doctor *doctor)
{
	uint32_t routes[SHUNT_MAX_UPLINKS];
	char names[SHUNT_MAX_UPLINKS * (IFNAMSIZ + 1)] = "", name[IFNAMSIZ], *end = names;
	int n = route_defaults(routes, ELEMENTSOF(routes));

	if (n < 0) {
		doctor_add(doctor, "uplinks", SEVERITY_WARN, "", "cannot read the host's routes: %s", strerror(-n));
		return;
	}
	for (int i = 0; i < n; i++)
		if (if_indextoname(routes[i], name))
			end = stpcpy(stpcpy(end, " "), name);
	if (n == 0)
		doctor_add(doctor, "uplinks", SEVERITY_WARN, "add a default route, or name \"uplinks\" in the network's file",
			   "the host has no default route: containers reach the host and each other, nobody else");
	else
		doctor_add(doctor, "uplinks", SEVERITY_OK, "", "default routes by%s", names);
}

static void check_big(struct doctor *doctor, const struct shunt_network *network, const char *uplink)
{
	_cleanup_(netlink_closep) struct netlink *host = NULL;
	struct link_state link;

	if (!network->big_tcp || netlink_open(&host, NULL) < 0 || link_get(host, uplink, 0, &link, NULL) < 0)
		return;
	if (link.size_max <= LINK_SIZE_DEFAULT)
		doctor_add(doctor, "big_tcp", SEVERITY_WARN, "take \"big_tcp\" out of its file, or name other \"uplinks\" there",
			   "network %s has big_tcp, and %s takes packets of %u bytes at most", network->name, uplink, link.size_max);
	else
		doctor_add(doctor, "big_tcp", SEVERITY_OK, "", "network %s: %s takes IPv4 packets of up to %u bytes now, IPv6 of %u",
			   network->name, uplink, link.size[LINK_GSO4], link.size[LINK_GSO]);
}

static void check_uplink(struct doctor *doctor, const struct shunt_network *network, const char *uplink)
{
	if (if_nametoindex(uplink) == 0)
		doctor_add(doctor, "uplinks", SEVERITY_WARN, "correct \"uplinks\" in its file, or bring the interface up",
			   "network %s: there is no interface %s", network->name, uplink);
	else if (network->routing == SHUNT_ROUTING_KERNEL && network->subnet4.family &&
		 forward_enabled(uplink, AF_INET) == 0)
		doctor_add(doctor, "uplinks", SEVERITY_WARN, "sysctl net.ipv4.conf.INTERFACE.forwarding=1, or routing \"bpf\"",
			   "network %s has routing \"kernel\", and %s does not forward IPv4: answers end there", network->name,
			   uplink);
	check_big(doctor, network, uplink);
}

static void check_uplinks(struct doctor *doctor, const struct shunt_network *network)
{
	uint32_t routes[SHUNT_MAX_UPLINKS];
	char name[IFNAMSIZ];
	int n;

	for (size_t i = 0; i < network->n_uplinks; i++)
		check_uplink(doctor, network, network->uplinks[i]);
	n = network->uplinks_auto ? route_defaults(routes, ELEMENTSOF(routes)) : 0;
	for (int i = 0; i < n; i++)
		if (if_indextoname(routes[i], name))
			check_uplink(doctor, network, name);
}

static bool check_route(struct doctor *doctor, const struct shunt_network *network, const struct shunt_prefix *subnet)
{
	char text[PREFIX_TEXT_MAX], route[ROUTE_TEXT_MAX];
	int r;

	if (!subnet->family)
		return true;
	r = route_overlap(subnet, route, sizeof(route));
	if (r < 0)
		doctor_add(doctor, "networks", SEVERITY_WARN, "", "cannot read the host's routes: %s", strerror(-r));
	else if (r > 0)
		doctor_add(doctor, "networks", SEVERITY_FAIL, "give it other \"subnets\" in its file",
			   "network %s: %s overlaps the host's route %s", network->name, prefix_format(subnet, text), route);
	return r == 0;
}

static bool overlap(const struct shunt_prefix *a, const struct shunt_prefix *b)
{
	return a->family && b->family && prefix_overlap(a, b);
}

/* Addresses have one owner in any case; but which network a neighbour is in would be a matter of chance. */
static bool check_others(struct doctor *doctor, const struct shunt_network *network, const struct shunt_network *others,
			 size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!overlap(&network->subnet4, &others[i].subnet4) && !overlap(&network->subnet6, &others[i].subnet6))
			continue;
		doctor_add(doctor, "networks", SEVERITY_WARN, "give one of them other \"subnets\" in its file",
			   "networks %s and %s overlap", others[i].name, network->name);
		return false;
	}
	return true;
}

static void check_ports(struct doctor *doctor, const struct shunt_network *network)
{
	const struct port_range wanted = { network->port_low, network->port_high };
	struct port_range range;
	struct shunt_error error;

	if (ports_find(network->name, &wanted, &range, &error) < 0)
		doctor_add(doctor, "masquerade", SEVERITY_FAIL, "", "%s", error.text);
	else
		doctor_add(doctor, "masquerade", SEVERITY_OK, "", "network %s: ports %u-%u, which no socket of the host gets by itself",
			   network->name, range.low, range.high);
}

static void check_network(struct doctor *doctor, const struct shunt_network *network,
			  const struct shunt_network *others, size_t n)
{
	char text4[PREFIX_TEXT_MAX] = "", text6[PREFIX_TEXT_MAX] = "";
	bool fine;

	check_uplinks(doctor, network);
	fine = check_route(doctor, network, &network->subnet4);
	fine &= check_route(doctor, network, &network->subnet6);
	fine &= check_others(doctor, network, others, n);
	if (!fine)
		return;

	if (network->subnet4.family)
		prefix_format(&network->subnet4, text4);
	if (network->subnet6.family)
		prefix_format(&network->subnet6, text6);
	if (network->masquerade && !network->internal)
		check_ports(doctor, network);
	doctor_add(doctor, "networks", SEVERITY_OK, "", "network %s: %s%s%s overlaps nothing", network->name, text4,
		   text4[0] && text6[0] ? " " : "", text6);
}

void doctor_networks(struct doctor *doctor)
{
	_cleanup_(strv_freep) char **names = NULL;
	_cleanup_free_ struct shunt_network *networks = NULL;
	struct shunt_error error;
	size_t n = 0, loaded = 0;

	check_uplinks_auto(doctor);
	if (shunt_network_names(&names, &error) < 0) {
		doctor_add(doctor, "networks", SEVERITY_FAIL, "", "%s", error.text);
		return;
	}
	while (names[n])
		n++;
	networks = calloc(n, sizeof(*networks));
	if (!networks) {
		doctor->r = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (shunt_network_load(names[i], &networks[loaded], &error) < 0) {
			doctor_add(doctor, "networks", SEVERITY_FAIL, "correct the file; shunt.network(5)", "%s", error.text);
			continue;
		}
		check_network(doctor, &networks[loaded], networks, loaded);
		loaded++;
	}
}

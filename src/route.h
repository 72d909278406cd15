/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route.h - routes that we make, and what the host's own say.
 */
#ifndef SHUNT_ROUTE_H
#define SHUNT_ROUTE_H

#include "netlink.h"
#include "shunt/shunt.h"

/* Longest text of a route with its NUL: "PREFIX dev NAME" */
#define ROUTE_TEXT_MAX 80

/* A route to @destination on @ifindex itself, main table, our protocol number; length 0 for a default route. */
struct nl_msg *route_msg(const struct shunt_prefix *destination, uint32_t ifindex);

/*
 * That packets to an IPv6 address are for us. The kernel makes such a route for each address too, but later, from a work item
 * that must wait for its turn at rtnl (addrconf_dad_work(), also for addresses without detection of duplicates): among many
 * attaches that is seconds, in which it would take packets to the address for somebody else's. Its own has a better metric.
 */
struct nl_msg *route_msg_local6(const struct shunt_prefix *address, uint32_t ifindex);

/*
 * Takes the route ff00::/8 from @ifindex. The kernel gives one to each device with IPv6 as it gets carrier, and goes through all
 * of them for each that is added, and for each multicast that the host sends anywhere.
 */
struct nl_msg *route_msg_no_multicast6(uint32_t ifindex);

/**
 * route_overlap() - Which route of the host shares addresses with a subnet
 * @subnet:	the network's
 * @ret_text:	"10.0.0.0/8 dev eth0" of the first one found
 * @size:	of @ret_text
 *
 * Default routes and our own (by protocol number) are no overlap. Main table.
 *
 * Return: 1 and the text, 0 for none, or a negative errno
 */
int route_overlap(const struct shunt_prefix *subnet, char *ret_text, size_t size);

/**
 * route_defaults() - The interfaces that carry a default route, of both families, main table
 * @ret:	each once, in the routes' order
 * @max:	room in it
 *
 * Reads the whole table, which has a route of ours for each address of each endpoint.
 *
 * Return: their number, which may be 0, or a negative errno
 */
int route_defaults(uint32_t *ret, size_t max);

/**
 * route_way_out() - The interfaces of those default routes that the kernel takes now, of both families
 * @netlink:	a socket of the host's
 * @ifindex:	of packets that are bound to that interface; 0 for any
 * @ret:	each once
 * @max:	room in it
 *
 * Two look-ups, however many routes there are; of routes with other metrics it sees nothing.
 *
 * Return: their number, which may be 0, or -ENODATA: it is no default route of the main table that decides here, so that
 * only route_defaults() can tell; or another errno
 */
int route_way_out(struct netlink *netlink, uint32_t ifindex, uint32_t *ret, size_t max);

/* Whether the main table has a route to that very address, anybody's: 1, 0, or an errno */
int route_exists(struct netlink *netlink, const struct shunt_prefix *address);

/* The interfaces of IPv6 default routes that came from a router's advertisement; like route_defaults(). */
int route_learnt(uint32_t *ret, size_t max);

/* Whether this network namespace ever heard a router's advertisement; if in doubt, it did. */
bool route_advertised(void);

#endif

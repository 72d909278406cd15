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

/* An interface that carries a default route. */
struct default_route {
	uint32_t ifindex;
	bool learnt;	/* one of them was learnt by the kernel from a router advertisement */
};

/**
 * route_defaults() - The interfaces that carry a default route, of both families, main table
 * @ret:	each once, in the routes' order
 * @max:	room in it
 *
 * Return: their number, which may be 0, or a negative errno
 */
int route_defaults(struct default_route *ret, size_t max);

#endif

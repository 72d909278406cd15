/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim.h - ports of the host under way to an endpoint, and whether they may go there. The theory is in publish.c.
 */
#ifndef SHUNT_CLAIM_H
#define SHUNT_CLAIM_H

#include "instance.h"
#include "port-table.h"
#include "publication.h"

/* Ports under way: what is there, and what shall be. */
struct claim {
	struct shunt_instance *instance;
	const struct shunt_endpoint *endpoint;
	const char *service;
	struct shunt_port *all;		/* sorted */
	size_t n_all;
	struct shunt_port *new;
	size_t n_new;
	struct port_set *bits;		/* of all, and then of both */
};

void claim_done(struct claim *claim);

/* Says what went wrong with the maps, and returns @r. */
int claim_map_fail(int r, struct shunt_error *error);

/* Makes single ports of what was asked for. */
int claim_expand(struct claim *claim, const struct publication *specs, size_t n, struct shunt_error *error);

/* Forgets what the endpoint has already just so. Return: whether there was any */
bool claim_forget_known(struct claim *claim);

/* Against the host's addresses, and what others have published: P1 and P3. */
int claim_check(const struct claim *claim, const struct publication *specs, size_t n, struct shunt_error *error);

/* Whether a port is one of those that were asked for, or of the endpoint where none were. */
bool claim_wants(const struct claim *claim, const struct shunt_port *port);

/* Against what the other members of its services have, where what is wanted is taken back: P3. */
int claim_check_rest(const struct claim *claim, struct shunt_error *error);

/* Against the sockets of the host. */
int claim_check_sockets(const struct claim *claim, struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish.h - which container has which port of the host. The theory is in publish.c.
 */
#ifndef SHUNT_PUBLISH_H
#define SHUNT_PUBLISH_H

#include "instance.h"
#include "publication.h"

/* The lock of the map "ports", which nobody takes who has it and wants another. Return: what to close, or an errno */
int publish_lock(const struct shunt_instance *instance, struct shunt_error *error);

/**
 * publish_claim() - Takes ports of the host for an endpoint
 * @endpoint:	its record, with SHUNT_F_PUBLISHED written to the registry before; the caller holds its lock
 * @specs:	parsed together, so that no two have a port of one address
 * @service:	whose ports these are, or NULL
 *
 * All or nothing, but for a kill: the same once more makes it whole, and what is left by one goes with the endpoint.
 *
 * Return: 0, for what it has already just so too; -EADDRINUSE: another's, who is named; -EEXIST: it has one of them otherwise; -EADDRNOTAVAIL: of no address of the
 * host, or of a family that the container has not; -EINVAL: another's service
 */
int publish_claim(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct publication *specs, size_t n,
		  const char *service, struct shunt_error *error);

/* The same for what an attach asks for, which may be nothing. */
int publish_request(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct shunt_request *request,
		    struct shunt_error *error);

/**
 * publish_release() - Gives ports back
 * @n:	0 for all that the endpoint has
 *
 * All or nothing too, where it is not all that it has.
 *
 * Return: how many; -ENOENT for one that it has not; or another errno
 */
int publish_release(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct publication *specs, size_t n,
		    struct shunt_error *error);

/* What gc does: nothing is published by nobody, the datapath's maps say what the engine's does, the host's addresses are those of now. */
int publish_mend(struct shunt_instance *instance, struct shunt_error *error);

#endif

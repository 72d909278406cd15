/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipam.h - which address an endpoint gets. There is no lease file: an entry of the pinned address maps is the lease.
 */
#ifndef SHUNT_IPAM_H
#define SHUNT_IPAM_H

#include "instance.h"

/**
 * ipam_claim() - Claims one address for an endpoint
 * @key:	of the endpoint; where the search begins is a hash of it, so that one ID tends to get one address again
 * @endpoint:	its record; the candidate is written there and to the registry before it is claimed, so that a
 *		teardown finds it whatever happens in between
 * @subnet:	of the network, one family
 * @wanted:	the only address that will do, or family 0
 *
 * Return: 0; -EADDRINUSE: @wanted is another's; -ENOSPC: the subnet is full
 */
int ipam_claim(struct shunt_instance *instance, const struct shunt_endpoint_key *key, struct shunt_endpoint *endpoint,
	       const struct shunt_prefix *subnet, const struct shunt_prefix *wanted, struct shunt_error *error);

/* The address of one family that a record has: false where it has none. */
bool endpoint_address(const struct shunt_endpoint *endpoint, int family, struct shunt_prefix *ret);
void endpoint_set_address(struct shunt_endpoint *endpoint, const struct shunt_prefix *address);
void endpoint_clear_address(struct shunt_endpoint *endpoint, int family);

#endif

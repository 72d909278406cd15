/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attachment.h - one attach under way, and its steps that make kernel objects. Their order is argued in endpoint.c.
 */
#ifndef SHUNT_ATTACHMENT_H
#define SHUNT_ATTACHMENT_H

#include "endpoint.h"
#include "ports.h"
#include "uplinks.h"

struct attachment {
	struct shunt_instance *instance;
	const struct shunt_request *request;
	struct shunt_network network;
	struct shunt_endpoint_key key;
	struct shunt_endpoint endpoint;
	struct netlink *container;
	const struct link_driver *driver;
	uint32_t peer;		/* the container's end's ifindex, in its namespace */
	uint8_t mac[6];
	char interface[SHUNT_IFNAME_MAX];
	struct port_range ports;	/* that its masqueraded flows leave from */
	struct uplink_limits limits;
	bool handover;		/* the container's end stays with us; somebody else moves it */
};

static inline const struct shunt_prefix *network_subnet(const struct shunt_network *network, int family)
{
	return family == AF_INET ? &network->subnet4 : &network->subnet6;
}

static inline bool network_masquerades(const struct shunt_network *network)
{
	return network->masquerade && !network->internal;
}

/*
 * Step 3: the network's subnets against the host's routes, its ports and its rules. The caller has the lock "uplinks".
 * Return: 1 if nobody had looked before, 0, or an errno
 */
int attachment_check_network(struct attachment *a, struct shunt_error *error);

/* Step 5: both ends, down; the record learns the host end's index. */
int attachment_create_pair(struct attachment *a, struct shunt_error *error);

/* Step 6: what the datapath knows of the host end. */
int attachment_describe_interface(struct attachment *a, struct shunt_error *error);

/* Step 7 */
int attachment_attach_programs(struct attachment *a, struct shunt_error *error);

/* Step 8, outside */
int attachment_configure_host(struct attachment *a, struct shunt_error *error);

/* Steps 8, inside, to 10. For a handover only the record: the rest is shunt_complete()'s. */
int attachment_finish(struct attachment *a, struct shunt_error *error);

void attachment_describe(const struct attachment *a, struct shunt_info *ret);

#endif

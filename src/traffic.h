/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a container has received and sent, as the kernel counts it. */
#ifndef SHUNT_TRAFFIC_H
#define SHUNT_TRAFFIC_H

#include "netlink.h"

/**
 * traffic_read() - What a container has received and sent, as its end of the pair counts
 * @ifindex:	of the host end, where redirected packets do not show
 *
 * Wherever the container's end is now. CAP_NET_ADMIN over its namespace is needed, if that is not ours.
 *
 * Return: 0, or an errno
 */
int traffic_read(struct netlink *host, uint32_t ifindex, struct shunt_traffic *ret, struct shunt_error *error);

#endif

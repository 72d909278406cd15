/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * big.h - how large packets may be before a device cuts them into those of the wire, and "big_tcp", which makes them larger.
 *
 * TCP makes packets as large as the device says by which they leave: GSO, 64 KiB where nobody has said anything else. What is
 * as large as the next device's GSO, or larger, is cut in software there (gso_features_check()), so that a container's end says
 * what the least of its network's uplinks does. It may be 192 KiB with "big_tcp"; then the host end says so too, by which others
 * send to the container, and the uplinks, up to what their hardware can cut.
 *
 * Older kernels (6.18; 7.3 does not) put a hop-by-hop header into such a packet of IPv6, which their own stack then takes for too
 * large to forward (ip6_pkt_too_big()). There IPv6 stays as it is where the host forwards it, or the network leaves that to it.
 *
 * Of an uplink only that is raised which is as the kernel made it: everything else somebody has chosen. What was raised is noted
 * in the map "uplinks" before it is; it is lowered again when the interface is no uplink any more, or the last endpoint has
 * gone, unless it was changed meanwhile.
 */
#ifndef SHUNT_BIG_H
#define SHUNT_BIG_H

#include "instance.h"

#define BIG_SIZE (192 * 1024)	/* bytes, headers included; more costs memory in one piece, and saves hardly anything */

/* What a network's packets may be by itself. */
void big_sizes(const struct shunt_network *network, uint32_t ret[static LINK_SIZES]);

/* Lowers @size to what an uplink says. */
void big_limit(uint32_t size[static LINK_SIZES], const struct link_state *uplink);

/* Raises what an attached uplink says to @want, and @uplink with it. Return: 1, 0 where there was nothing to raise, or an errno */
int big_raise(struct shunt_instance *instance, struct link_state *uplink, const uint32_t want[static LINK_SIZES],
	      struct shunt_error *error);

/* Takes it back. Before the uplink is forgotten, under the lock of "uplinks". Return: 0, also where it is gone, or an errno */
int big_restore(struct shunt_instance *instance, uint32_t ifindex, struct shunt_error *error);

#endif

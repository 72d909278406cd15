/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unit-network.h - what the tests of networks, and of their files, have in common. */
#ifndef SHUNT_UNIT_NETWORK_H
#define SHUNT_UNIT_NETWORK_H

#include "unit.h"

#include "network.h"

#define V4 "\"subnets\": [\"10.1.0.0/16\"]"
#define V6 "\"subnets\": [\"fd00:1::/64\"]"

static inline struct shunt_network parsed(const char *text)
{
	struct shunt_network network;
	struct shunt_error error;

	if (network_parse("web", text, "web.json", &network, &error) < 0)
		fail_msg("%s", error.text);
	return network;
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whatever is in a network's file, it is read into something sane or refused. */
#include "address.h"
#include "network.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	struct shunt_network network;
	struct shunt_error error;

	if (!text || network_parse("web", text, "web.json", &network, &error) < 0)
		return 0;
	if ((!network.subnet4.family && !network.subnet6.family) || prefix_has_host_bits(&network.subnet4) ||
	    prefix_has_host_bits(&network.subnet6) || (network.mtu && network.mtu < NETWORK_MTU_MIN4) ||
	    network.uplinks_auto == (network.n_uplinks > 0))
		__builtin_trap();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "request.h"

#include "names.h"
#include "network.h"
#include "publication.h"
#include "util.h"

int mode_parse(const char *text, enum shunt_mode *ret, struct shunt_error *error)
{
	if (strcmp(text, "l3") == 0)
		*ret = SHUNT_MODE_L3;
	else if (strcmp(text, "l2") == 0)
		*ret = SHUNT_MODE_L2;
	else
		return shunt_fail(error, -EINVAL, "mode \"%s\" is none; it is l3 or l2", text);
	return 0;
}

int driver_parse(const char *text, enum shunt_driver *ret, struct shunt_error *error)
{
	if (strcmp(text, "auto") == 0)
		*ret = 0;
	else if (strcmp(text, "netkit") == 0)
		*ret = SHUNT_DRIVER_NETKIT;
	else if (strcmp(text, "veth") == 0)
		*ret = SHUNT_DRIVER_VETH;
	else
		return shunt_fail(error, -EINVAL, "driver \"%s\" is none; it is auto, netkit or veth", text);
	return 0;
}

int mtu_parse(const char *text, uint32_t *ret, struct shunt_error *error)
{
	uint64_t mtu;
	int r = number_parse(text, NETWORK_MTU_MIN4, NETWORK_MTU_MAX, &mtu);

	if (r < 0)
		return shunt_fail(error, r, "MTU \"%s\" is no number from %d (%d with IPv6) to %d", text, NETWORK_MTU_MIN4,
				  NETWORK_MTU_MIN6, NETWORK_MTU_MAX);
	*ret = (uint32_t)mtu;
	return 0;
}

static int check_addresses(const struct shunt_request *request, const struct shunt_network *network,
			   struct shunt_error *error)
{
	int seen = 0;

	if (request->n_addresses > SHUNT_MAX_ADDRESSES)
		return shunt_fail(error, -E2BIG, "%zu addresses asked for; an interface has at most %d, one of each family",
				  request->n_addresses, SHUNT_MAX_ADDRESSES);
	for (size_t i = 0; i < request->n_addresses; i++) {
		struct shunt_prefix address;
		int r;

		r = network_address(network, request->addresses[i], &address, error);
		if (r < 0)
			return r;
		if (address.family == seen)
			return shunt_fail(error, -EINVAL, "address %s is the second of IPv%d; an interface has at most one of each",
					  request->addresses[i], seen == AF_INET ? 4 : 6);
		seen = address.family;
	}
	return 0;
}

static int check_publish(const struct shunt_request *request, const struct shunt_network *network, struct shunt_error *error)
{
	struct publication specs[SHUNT_MAX_PUBLISH];

	if (request->n_publish > SHUNT_MAX_PUBLISH)
		return shunt_fail(error, -E2BIG, "%zu ports or ranges of ports published; at most %d are possible", request->n_publish,
				  SHUNT_MAX_PUBLISH);
	if (request->service && request->n_publish == 0)
		return shunt_fail(error, -EINVAL, "service \"%s\" without a published port to share", request->service);
	if (request->service) {
		int r = service_check(request->service, error);

		if (r < 0)
			return r;
	}
	if (request->n_publish > 0 && network->internal)
		return shunt_fail(error, -EINVAL, "network %s is internal: nobody beyond it reaches a published port", network->name);
	return publications_parse(request->publish, request->n_publish, specs, error);
}

int request_check(const struct shunt_request *request, struct shunt_network *ret_network, struct shunt_error *error)
{
	struct shunt_network network;
	int r;

	r = id_check(request->id, error);
	if (r < 0)
		return r;
	r = interface_name_check(request->interface ?: SHUNT_DEFAULT_INTERFACE, error);
	if (r < 0)
		return r;
	r = shunt_network_load(request->network, &network, error);
	if (r < 0)
		return r;
	r = check_addresses(request, &network, error);
	if (r < 0)
		return r;
	r = check_publish(request, &network, error);
	if (r < 0)
		return r;
	if (request->mtu) {
		r = network_mtu_check(&network, request->mtu, error);
		if (r < 0)
			return r;
	}

	if (ret_network)
		*ret_network = network;
	return 0;
}

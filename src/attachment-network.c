// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attachment-network.c - what is done for the first endpoint of a network, and again for the first with another file.
 */
#include "address.h"
#include "attachment.h"
#include "network.h"
#include "policy.h"
#include "publish.h"
#include "route.h"
#include "rule.h"

static const int families[] = { AF_INET, AF_INET6 };

/* Whether the ports that the network's endpoints leave from are those that its file asks for. */
static bool has_ports(const struct attachment *a)
{
	if (!network_masquerades(&a->network))
		return true;
	if (a->network.port_high && (a->ports.low != a->network.port_low || a->ports.high != a->network.port_high))
		return false;
	return ports_are_spare(&a->ports);
}

static int open_ports(struct attachment *a, struct shunt_error *error)
{
	const struct port_range wanted = { a->network.port_low, a->network.port_high };
	int r = ports_find(a->network.name, &wanted, &a->ports, error);
	_cleanup_close_ int lock = r < 0 ? r : publish_lock(a->instance, error);

	return lock < 0 ? lock : ports_follow(&a->instance->datapath, &a->ports, 1, error);
}

/* What the record of a network says that has been looked at, and so need not be again. */
static void describe_network(const struct shunt_network *network, struct shunt_network_record *ret)
{
	*ret = (struct shunt_network_record) { .rules = rules_fingerprint(network) };
	memcpy(&ret->subnet4, network->subnet4.bytes, sizeof(ret->subnet4));
	memcpy(ret->subnet6, network->subnet6.bytes, sizeof(ret->subnet6));
	ret->length4 = network->subnet4.family ? network->subnet4.length : 0;
	ret->length6 = network->subnet6.family ? network->subnet6.length : 0;
}

static bool same_network(const struct shunt_network_record *a, const struct shunt_network_record *b)
{
	return memcmp(a, b, offsetof(struct shunt_network_record, port_low)) == 0 && a->rules == b->rules;
}

/* Refuses a network whose subnets the host already routes elsewhere. */
static int check_routes(const struct shunt_network *network, struct shunt_error *error)
{
	char subnet[PREFIX_TEXT_MAX], route[ROUTE_TEXT_MAX];

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		int r = 0;

		if (network_subnet(network, families[i])->family)
			r = route_overlap(network_subnet(network, families[i]), route, sizeof(route));
		if (r < 0)
			return shunt_fail(error, r, "cannot read the host's routes: %s", strerror(-r));
		if (r > 0)
			return shunt_fail(error, -EEXIST, "network %s: subnet %s overlaps the host's route %s; give the network "
					  "another in %s/%s.json", network->name,
					  prefix_format(network_subnet(network, families[i]), subnet), route,
					  network_directory(), network->name);
	}
	return 0;
}

static void describe_endpoint(struct attachment *a, uint32_t policy)
{
	a->endpoint.policy = policy;
	a->endpoint.port_low = a->ports.low;
	a->endpoint.port_high = a->ports.high;
}

int attachment_check_network(struct attachment *a, struct shunt_error *error)
{
	const struct shunt_network *network = &a->network;
	struct shunt_network_record record, known = {};
	int r;

	describe_network(network, &record);
	if (network_record_get(&a->instance->datapath, network->name, &known) == 0) {
		a->ports = (struct port_range) { known.port_low, known.port_high };
		if (same_network(&record, &known) && has_ports(a)) {
			describe_endpoint(a, known.policy);
			return 0;
		}
	}
	r = check_routes(network, error);
	if (r >= 0 && network_masquerades(network))
		r = open_ports(a, error);
	record.policy = record.rules == known.rules ? known.policy : 0;
	if (r >= 0 && record.rules != known.rules && record.rules)
		r = policy_put(&a->instance->datapath, network, &record.policy, error);
	if (r < 0)
		return r;
	record.port_low = a->ports.low;
	record.port_high = a->ports.high;
	r = network_record_put(&a->instance->datapath, network->name, &record);
	if (r == -E2BIG)
		return shunt_fail(error, r, "cannot record network %s: %d are in use", network->name, SHUNT_MAX_NETWORKS);
	if (r < 0)
		return shunt_fail(error, r, "cannot record network %s: %s", network->name, strerror(-r));
	describe_endpoint(a, record.policy);
	return 1;
}

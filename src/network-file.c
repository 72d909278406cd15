// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * network-file.c - a network from its text: a JSON object of the keys in `keys` below, each of which has one reader.
 *
 * A reader sees one value and refuses it with a line that begins with the place: FILE:LINE:COLUMN. What concerns
 * several keys is checked last.
 */
#include <systemd/sd-json.h>

#include "address.h"
#include "names.h"
#include "network.h"
#include "ports.h"
#include "rule.h"
#include "util.h"

/*
 * Lengths of a subnet. A shorter one is a slip of the pen: a site's whole IPv6 assignment is a /48 (RFC 6177), and IPv4
 * knows nothing larger for private use than 10.0.0.0/8. A longer one has no room beside the gateway.
 */
#define LENGTH4_MIN 8
#define LENGTH4_MAX 30
#define LENGTH6_MIN 48
#define LENGTH6_MAX 120

struct context {
	const char *source;
	const char *key;	/* the one being read */
	struct shunt_network *network;
	struct shunt_error *error;
};

/* Refuses @value: the line names its place, as far as sd-json knows it, and the key. */
#define refuse(c, value, format, ...) \
	({ \
		unsigned _line = 0, _column = 0; \
		sd_json_variant_get_source(value, NULL, &_line, &_column); \
		_line ? shunt_fail((c)->error, -EINVAL, "%s:%u:%u: " format, (c)->source, _line, \
				   _column __VA_OPT__(, ) __VA_ARGS__) : \
			shunt_fail((c)->error, -EINVAL, "%s: " format, (c)->source __VA_OPT__(, ) __VA_ARGS__); \
	})

/* Address ranges that no container can have, whatever the administrator writes. */
static const char *reserved_range(const struct shunt_prefix *subnet)
{
	static const char *const ranges[] = {
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8",
	};

	for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
		struct shunt_prefix range;

		if (prefix_parse(ranges[i], &range) == 0 && prefix_overlap(&range, subnet))
			return ranges[i];
	}
	return NULL;
}

static int read_subnet(struct context *c, sd_json_variant *value)
{
	const char *text = sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
	unsigned min, max;
	struct shunt_prefix subnet, *field;
	char masked[PREFIX_TEXT_MAX];
	const char *reserved;

	if (!text || !strchr(text, '/') || prefix_parse(text, &subnet) < 0)
		return refuse(c, value, "subnets: \"%s\" is no subnet; write it like \"10.207.0.0/16\"", text ?: "");

	min = subnet.family == AF_INET ? LENGTH4_MIN : LENGTH6_MIN;
	max = subnet.family == AF_INET ? LENGTH4_MAX : LENGTH6_MAX;
	if (subnet.length < min || subnet.length > max)
		return refuse(c, value, "subnets: %s: the length must be /%u to /%u", text, min, max);
	if (prefix_has_host_bits(&subnet)) {
		prefix_mask(&subnet);
		return refuse(c, value, "subnets: %s has bits set behind its length; %s?", text,
			      prefix_format(&subnet, masked));
	}
	reserved = reserved_range(&subnet);
	if (reserved)
		return refuse(c, value, "subnets: %s overlaps %s, which is reserved", text, reserved);

	field = subnet.family == AF_INET ? &c->network->subnet4 : &c->network->subnet6;
	if (field->family)
		return refuse(c, value, "subnets: %s is the second of IPv%d; a network has at most one of each", text,
			      subnet.family == AF_INET ? 4 : 6);
	*field = subnet;
	return 0;
}

static int read_subnets(struct context *c, sd_json_variant *value)
{
	size_t n = sd_json_variant_elements(value);

	if (!sd_json_variant_is_array(value) || n == 0)
		return refuse(c, value, "subnets must be a list of one IPv4 subnet, one IPv6 subnet, or both");
	for (size_t i = 0; i < n; i++) {
		int r = read_subnet(c, sd_json_variant_by_index(value, i));

		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads one of two words as 0 or 1. */
static int read_word(struct context *c, sd_json_variant *value, const char *zero, const char *one)
{
	const char *text = sd_json_variant_is_string(value) ? sd_json_variant_string(value) : "";

	if (strcmp(text, zero) == 0)
		return 0;
	if (strcmp(text, one) == 0)
		return 1;
	return refuse(c, value, "%s must be \"%s\" or \"%s\"", c->key, zero, one);
}

static int read_mode(struct context *c, sd_json_variant *value)
{
	int r = read_word(c, value, "l3", "l2");

	if (r >= 0)
		c->network->mode = r ? SHUNT_MODE_L2 : SHUNT_MODE_L3;
	return r;
}

static int read_routing(struct context *c, sd_json_variant *value)
{
	int r = read_word(c, value, "bpf", "kernel");

	if (r >= 0)
		c->network->routing = r ? SHUNT_ROUTING_KERNEL : SHUNT_ROUTING_BPF;
	return r;
}

static int read_mtu(struct context *c, sd_json_variant *value)
{
	if (!sd_json_variant_is_unsigned(value) || sd_json_variant_unsigned(value) < NETWORK_MTU_MIN4 ||
	    sd_json_variant_unsigned(value) > NETWORK_MTU_MAX)
		return refuse(c, value, "mtu must be a number from %d (%d with IPv6) to %d", NETWORK_MTU_MIN4,
			      NETWORK_MTU_MIN6, NETWORK_MTU_MAX);
	c->network->mtu = (uint32_t)sd_json_variant_unsigned(value);
	return 0;
}

static int read_uplink(struct context *c, sd_json_variant *value)
{
	const char *name = sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
	struct shunt_network *network = c->network;
	struct shunt_error why;

	if (!name)
		return refuse(c, value, "uplinks: each must be the name of an interface");
	if (interface_name_check(name, &why) < 0)
		return refuse(c, value, "uplinks: %s", why.text);
	for (size_t i = 0; i < network->n_uplinks; i++)
		if (strcmp(network->uplinks[i], name) == 0)
			return refuse(c, value, "uplinks: %s is there twice", name);
	copy_name(network->uplinks[network->n_uplinks++], IFNAMSIZ, name);
	return 0;
}

static int read_uplinks(struct context *c, sd_json_variant *value)
{
	size_t n = sd_json_variant_elements(value);

	if (sd_json_variant_is_string(value) && strcmp(sd_json_variant_string(value), "auto") == 0)
		return 0;
	if (!sd_json_variant_is_array(value) || n == 0 || n > SHUNT_MAX_UPLINKS)
		return refuse(c, value, "uplinks must be \"auto\" or a list of 1 to %d interface names", SHUNT_MAX_UPLINKS);

	c->network->uplinks_auto = false;
	for (size_t i = 0; i < n; i++) {
		int r = read_uplink(c, sd_json_variant_by_index(value, i));

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_boolean(struct context *c, sd_json_variant *value, bool *ret)
{
	if (!sd_json_variant_is_boolean(value))
		return refuse(c, value, "%s must be true or false", c->key);
	*ret = sd_json_variant_boolean(value);
	return 0;
}

static int read_masquerade(struct context *c, sd_json_variant *value)
{
	return read_boolean(c, value, &c->network->masquerade);
}

static int read_masquerade_ports(struct context *c, sd_json_variant *value)
{
	struct port_range range;

	if (!sd_json_variant_is_string(value) || port_range_parse(sd_json_variant_string(value), &range) < 0)
		return refuse(c, value, "masquerade_ports must be a range of %d ports or more, like \"16384-32767\"", PORTS_MIN);
	c->network->port_low = range.low;
	c->network->port_high = range.high;
	return 0;
}

/* One rule of a list, which knows whether it may have more than an address. */
static int read_rule(struct context *c, sd_json_variant *value, bool address_alone, struct shunt_rule *ret)
{
	const char *text = sd_json_variant_is_string(value) ? sd_json_variant_string(value) : "";
	char masked[PREFIX_TEXT_MAX];
	struct shunt_rule rule;

	if (rule_parse(text, &rule) < 0 || (address_alone && (!rule.remote.family || rule.protocol)))
		return refuse(c, value, "%s: \"%s\" is no %s", c->key, text, address_alone ? "subnet; write it like \"192.168.0.0/16\"" :
			      "rule; write it like \"10.0.0.0/8\", \"10.0.0.0/8 tcp/443\", \"udp/1000-2000\" or \"icmp\"");
	if (rule.remote.family && prefix_has_host_bits(&rule.remote)) {
		prefix_mask(&rule.remote);
		return refuse(c, value, "%s: %s has bits set behind its length; %s?", c->key, text,
			      prefix_format(&rule.remote, masked));
	}
	*ret = rule;
	return 0;
}

static int read_rules(struct context *c, sd_json_variant *value, bool address_alone, struct shunt_rule_list *list)
{
	const size_t n = sd_json_variant_elements(value);

	if (!sd_json_variant_is_array(value) || n > SHUNT_MAX_LIST)
		return refuse(c, value, "%s must be a list of %d %s at most", c->key, SHUNT_MAX_LIST,
			      address_alone ? "subnets" : "rules");
	list->given = true;
	for (; list->n < n; list->n++) {
		int r = read_rule(c, sd_json_variant_by_index(value, list->n), address_alone, &list->rule[list->n]);

		if (r < 0)
			return r;
	}
	return 0;
}

/* An entry of the map has the rules of all prefixes that cover its own, and room for so many. */
static int check_room(struct context *c, sd_json_variant *value, const struct shunt_rule_list *list)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct shunt_rules merged;
	struct shunt_prefix prefix;

	for (size_t i = 0; i < list->n * ELEMENTSOF(families); i++) {
		const struct shunt_rule *rule = &list->rule[i / ELEMENTSOF(families)];
		char text[RULE_TEXT_MAX];

		if (rule_prefix(rule, families[i % ELEMENTSOF(families)], &prefix) && rules_merge(list, &prefix, &merged) < 0)
			return refuse(c, sd_json_variant_by_index(value, i / ELEMENTSOF(families)),
				      "%s: more than %d ranges of ports for the addresses of \"%s\"; take some together", c->key,
				      SHUNT_MAX_RANGES, rule_format(rule, text));
	}
	return 0;
}

static int read_allow(struct context *c, sd_json_variant *value)
{
	const size_t n = sd_json_variant_elements(value);

	if (!sd_json_variant_is_object(value))
		return refuse(c, value, "allow must be an object: { \"in\": [...], \"out\": [...] }");
	for (size_t i = 0; i + 1 < n; i += 2) {
		sd_json_variant *key = sd_json_variant_by_index(value, i), *rules = sd_json_variant_by_index(value, i + 1);
		const bool in = strcmp(sd_json_variant_string(key), "in") == 0;
		struct shunt_rule_list *list = &c->network->rules[in ? SHUNT_RULES_IN : SHUNT_RULES_OUT];
		int r;

		if (!in && strcmp(sd_json_variant_string(key), "out") != 0)
			return refuse(c, key, "allow: unknown key \"%s\"; it has \"in\" and \"out\"", sd_json_variant_string(key));
		if (list->given)
			return refuse(c, key, "allow: key \"%s\" is there twice", sd_json_variant_string(key));
		c->key = in ? "allow: in" : "allow: out";
		r = read_rules(c, rules, false, list);
		if (r >= 0)
			r = check_room(c, rules, list);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_masquerade_except(struct context *c, sd_json_variant *value)
{
	return read_rules(c, value, true, &c->network->rules[SHUNT_RULES_EXCEPT]);
}

static int read_flows(struct context *c, sd_json_variant *value)
{
	if (!sd_json_variant_is_unsigned(value) || sd_json_variant_unsigned(value) < NETWORK_FLOWS_MIN ||
	    sd_json_variant_unsigned(value) > NETWORK_FLOWS_MAX)
		return refuse(c, value, "flows must be a number from %d to %d", NETWORK_FLOWS_MIN, NETWORK_FLOWS_MAX);
	c->network->flows = (uint32_t)sd_json_variant_unsigned(value);
	return 0;
}

static int read_isolate(struct context *c, sd_json_variant *value)
{
	return read_boolean(c, value, &c->network->isolate);
}

static int read_internal(struct context *c, sd_json_variant *value)
{
	return read_boolean(c, value, &c->network->internal);
}

static int read_big_tcp(struct context *c, sd_json_variant *value)
{
	return read_boolean(c, value, &c->network->big_tcp);
}

static const struct {
	const char *key;
	int (*read)(struct context *c, sd_json_variant *value);
} keys[] = {
	{ "subnets", read_subnets },	   { "mode", read_mode },
	{ "mtu", read_mtu },		   { "uplinks", read_uplinks },
	{ "routing", read_routing },	   { "masquerade", read_masquerade },
	{ "isolate", read_isolate },	   { "internal", read_internal },
	{ "masquerade_ports", read_masquerade_ports }, { "masquerade_except", read_masquerade_except },
	{ "allow", read_allow },	   { "flows", read_flows },
	{ "big_tcp", read_big_tcp },
};

/* Reads one member of the object. @seen has a bit for each of keys[] that was there before. */
static int read_member(struct context *c, sd_json_variant *key, sd_json_variant *value, unsigned *seen)
{
	c->key = sd_json_variant_string(key);
	for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
		if (strcmp(keys[i].key, c->key) != 0)
			continue;
		if (*seen & 1U << i)
			return refuse(c, key, "key \"%s\" is there twice", c->key);
		*seen |= 1U << i;
		return keys[i].read(c, value);
	}
	return refuse(c, key, "unknown key \"%s\"; see shunt.network(5)", c->key);
}

static int read_object(struct context *c, sd_json_variant *object)
{
	struct shunt_network *network = c->network;
	unsigned seen = 0;
	int r;

	if (!sd_json_variant_is_object(object))
		return refuse(c, object, "a network is a JSON object: { \"subnets\": [...] }");
	for (size_t i = 0; i + 1 < sd_json_variant_elements(object); i += 2) {
		r = read_member(c, sd_json_variant_by_index(object, i), sd_json_variant_by_index(object, i + 1), &seen);
		if (r < 0)
			return r;
	}

	if (!network->subnet4.family && !network->subnet6.family) {
		if (strcmp(network->name, SHUNT_DEFAULT_NETWORK) != 0)
			return shunt_fail(c->error, -EINVAL, "%s: no key \"subnets\"; write it like \"subnets\": "
					  "[\"10.208.0.0/16\"]", c->source);
		r = network_builtin_subnets(network, c->error);
		if (r < 0)
			return r;
	}
	if (network->mtu && network->mtu < NETWORK_MTU_MIN6 && network->subnet6.family)
		return shunt_fail(c->error, -EINVAL, "%s: mtu: %u is too small for IPv6, which needs %d", c->source,
				  network->mtu, NETWORK_MTU_MIN6);
	return 0;
}

int network_parse(const char *name, const char *text, const char *source, struct shunt_network *ret,
		  struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct shunt_network network;
	struct context c = { .source = source, .network = &network, .error = error };
	unsigned line = 0, column = 0;
	int r;

	r = sd_json_parse_with_source(text, source, 0, &object, &line, &column);
	if (r == -ENOMEM)
		return shunt_fail(error, r, "%s: out of memory", source);
	if (r == -ENODATA)
		return shunt_fail(error, -EINVAL, "%s: empty", source);
	if (r < 0)
		return shunt_fail(error, -EINVAL, "%s:%u:%u: this is no JSON", source, line, column);

	network_defaults(name, &network);
	r = read_object(&c, object);
	if (r < 0)
		return r;
	*ret = network;
	return 0;
}

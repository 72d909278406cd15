// SPDX-License-Identifier: GPL-2.0-or-later
#include "rule.h"

#include <stdlib.h>

#include "names.h"
#include "util.h"

#define PORT_MAX 65535

static const struct {
	const char *name;
	uint8_t number;
	bool ports;
} protocols[] = {
	{ "tcp", IPPROTO_TCP, true },
	{ "udp", IPPROTO_UDP, true },
	{ "icmp", IPPROTO_ICMP, false },
};

static int parse_ports(const char *text, struct shunt_rule *rule)
{
	const char *dash = strchr(text, '-');
	size_t size = dash ? (size_t)(dash - text) : strlen(text);
	uint64_t low, high;
	char first[8];

	if (size >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, size);
	first[size] = '\0';
	if (number_parse(first, 1, PORT_MAX, &low) < 0)
		return -EINVAL;
	high = low;
	if (dash && number_parse(dash + 1, low, PORT_MAX, &high) < 0)
		return -EINVAL;
	rule->port_low = (uint16_t)low;
	rule->port_high = (uint16_t)high;
	return 0;
}

/* PROTOCOL[/PORTS] */
static int parse_service(const char *text, struct shunt_rule *rule)
{
	const size_t size = strcspn(text, "/");

	for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
		if (strlen(protocols[i].name) != size || strncmp(protocols[i].name, text, size) != 0)
			continue;
		rule->protocol = protocols[i].number;
		if (text[size] == '\0')
			return 0;
		return protocols[i].ports ? parse_ports(text + size + 1, rule) : -EINVAL;
	}
	return -EINVAL;
}

int rule_parse(const char *text, struct shunt_rule *ret)
{
	struct shunt_rule rule = { .port_high = PORT_MAX };
	const char *blank = strchr(text, ' ');
	size_t size = blank ? (size_t)(blank - text) : strlen(text);
	char address[PREFIX_TEXT_MAX];

	if (blank || parse_service(text, &rule) < 0) {
		if (size >= sizeof(address))
			return -EINVAL;
		memcpy(address, text, size);
		address[size] = '\0';
		if (prefix_parse(address, &rule.remote) < 0 || (blank && parse_service(blank + 1, &rule) < 0))
			return -EINVAL;
	}
	*ret = rule;
	return 0;
}

const char *rule_format(const struct shunt_rule *rule, char *text)
{
	char *end = text;

	*end = '\0';
	if (rule->remote.family)
		end += strlen(prefix_format(&rule->remote, end));
	for (size_t i = 0; i < ELEMENTSOF(protocols); i++)
		if (protocols[i].number == rule->protocol)
			end = stpcpy(stpcpy(end, end == text ? "" : " "), protocols[i].name);
	if (rule->port_low)
		end += sprintf(end, "/%u", rule->port_low);
	if (rule->port_low && rule->port_high != rule->port_low)
		sprintf(end, "-%u", rule->port_high);
	return text;
}

int rule_prefix(const struct shunt_rule *rule, int family, struct shunt_prefix *ret)
{
	if (rule->remote.family && rule->remote.family != family)
		return 0;
	*ret = rule->remote;
	ret->family = family;
	return 1;
}

static bool covers(const struct shunt_rule *rule, const struct shunt_prefix *prefix)
{
	struct shunt_prefix own;

	return rule_prefix(rule, prefix->family, &own) && own.length <= prefix->length && prefix_contains(&own, prefix);
}

static int compare(const void *a, const void *b)
{
	const struct shunt_range *x = a, *y = b;

	return x->protocol != y->protocol ? x->protocol - y->protocol : x->low - y->low;
}

int rules_merge(const struct shunt_rule_list *list, const struct shunt_prefix *prefix, struct shunt_rules *ret)
{
	struct shunt_range ranges[SHUNT_MAX_LIST] = {};
	struct shunt_rules rules = {};
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct shunt_rule *rule = &list->rule[i];
		const bool icmp6 = rule->protocol == IPPROTO_ICMP && prefix->family == AF_INET6;

		if (covers(rule, prefix))
			ranges[n++] = (struct shunt_range) {
				.low = rule->port_low, .high = rule->port_high, .protocol = icmp6 ? IPPROTO_ICMPV6 : rule->protocol,
			};
	}
	qsort(ranges, n, sizeof(*ranges), compare);
	/* Any protocol, the first of the order, leaves nothing to say. */
	if (n > 0 && ranges[0].protocol == 0)
		n = 1;
	for (size_t i = 0; i < n; i++) {
		struct shunt_range *last = rules.n ? &rules.range[rules.n - 1] : NULL;

		if (last && last->protocol == ranges[i].protocol && ranges[i].low <= last->high + 1) {
			if (ranges[i].high > last->high)
				last->high = ranges[i].high;
			continue;
		}
		if (rules.n == SHUNT_MAX_RANGES)
			return -E2BIG;
		rules.range[rules.n++] = ranges[i];
	}
	*ret = rules;
	return 0;
}

uint64_t rules_fingerprint(const struct shunt_network *network)
{
	char before[24] = "", text[RULE_TEXT_MAX];
	uint64_t hash = 0;

	for (size_t kind = 0; kind < SHUNT_RULES_KINDS; kind++) {
		const struct shunt_rule_list *list = &network->rules[kind];

		for (size_t i = 0; list->given && i <= list->n; i++) {
			/* Each list ends with its name, so that an empty one is not the same as none. */
			if (i == list->n)
				snprintf(text, sizeof(text), "%zu", kind);
			else
				rule_format(&list->rule[i], text);
			hash = name_hash(text, before);
			snprintf(before, sizeof(before), "%llx", (unsigned long long)hash);
		}
	}
	return hash;
}

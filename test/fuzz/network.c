// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whatever is in a network's file, it is read into something sane or refused. */
#include "address.h"
#include "network.h"
#include "rule.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read can be written to the map, and reads the same from its own text. */
static void check_rules(const struct shunt_rule_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct shunt_rule *rule = &list->rule[i];
		struct shunt_rules merged;
		struct shunt_prefix prefix;
		char text[RULE_TEXT_MAX], again[RULE_TEXT_MAX];
		struct shunt_rule second;

		for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET)
			if (rule_prefix(rule, family, &prefix) && (prefix_has_host_bits(&prefix) || rules_merge(list, &prefix, &merged) < 0))
				__builtin_trap();
		if (rule_parse(rule_format(rule, text), &second) < 0 || strcmp(text, rule_format(&second, again)) != 0)
			__builtin_trap();
	}
}

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
	for (size_t kind = 0; kind < SHUNT_RULES_KINDS; kind++)
		check_rules(&network.rules[kind]);
	return 0;
}

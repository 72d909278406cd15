/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rule.h - rules of a network's file, each about what the other end of a flow may be: text in, text out, and what all of them
 * say about one prefix.
 */
#ifndef SHUNT_RULE_H
#define SHUNT_RULE_H

#include "address.h"

#define RULE_TEXT_MAX (PREFIX_TEXT_MAX + sizeof(" tcp/65535-65535"))

/**
 * rule_parse() - Read "CIDR", "PROTOCOL[/PORTS]", or both with a blank between them
 *
 * PROTOCOL is tcp, udp or icmp, PORTS a number or LOW-HIGH, and CIDR an address with or without a length. Bits behind that may
 * be set: whether that is right is for the caller to say.
 *
 * Return: 0 or -EINVAL
 */
int rule_parse(const char *text, struct shunt_rule *ret);

/* Writes the rule to @text (RULE_TEXT_MAX bytes) and returns it; without words for what may be anything. */
const char *rule_format(const struct shunt_rule *rule, char *text);

/**
 * rules_merge() - What a list says about one prefix
 * @prefix:	with its family
 * @ret:	the ranges of all rules that cover @prefix, in order and none twice
 *
 * Return: 0, or -E2BIG for more than SHUNT_MAX_RANGES
 */
int rules_merge(const struct shunt_rule_list *list, const struct shunt_prefix *prefix, struct shunt_rules *ret);

/* A rule for any address is one for each family's shortest prefix. Return: 1, or 0 if @rule has none of @family */
int rule_prefix(const struct shunt_rule *rule, int family, struct shunt_prefix *ret);

/* A number that differs where a network's rules do; 0 where it has none. */
uint64_t rules_fingerprint(const struct shunt_network *network);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-network.c - network list and network show: the networks, and how many of their addresses are free.
 */
#include "address.h"
#include "cli.h"
#include "journal.h"
#include "network.h"
#include "rule.h"
#include "show.h"
#include "table.h"
#include "util.h"

/* One network with what is used of it. A file that cannot be read is shown as such: the others are not to blame. */
struct view {
	struct shunt_network network;
	bool broken;
	struct shunt_error error;
	uint64_t used4;
	uint64_t used6;
};

static void count_used(struct view *view, const struct shunt_info *infos, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct shunt_endpoint *endpoint = &infos[i].endpoint;

		if (strncmp(endpoint->network, view->network.name, SHUNT_NETWORK_MAX) != 0)
			continue;
		view->used4 += !!(endpoint->flags & SHUNT_F_ADDRESS4);
		view->used6 += !!(endpoint->flags & SHUNT_F_ADDRESS6);
	}
}

/* How many addresses of @subnet can still be given out. An address asked for by name may lie outside the pool. */
static uint64_t count_free(const struct shunt_prefix *subnet, uint64_t used)
{
	uint64_t first, pool = subnet->family ? prefix_pool(subnet, &first) : 0;

	return pool > used ? pool - used : 0;
}

static const char *format_subnets(const struct shunt_network *network, const char *separator, char *text)
{
	char one[PREFIX_TEXT_MAX], *end = text;

	*end = '\0';
	if (network->subnet4.family)
		end = stpcpy(end, prefix_format(&network->subnet4, one));
	if (network->subnet6.family)
		stpcpy(stpcpy(end, end == text ? "" : separator), prefix_format(&network->subnet6, one));
	return text;
}

static const char *routing_name(const struct shunt_network *network)
{
	return network->routing == SHUNT_ROUTING_KERNEL ? "kernel" : "bpf";
}

static int subnets_json(const struct view *view, sd_json_variant **ret)
{
	const struct {
		const struct shunt_prefix *subnet;
		uint64_t used;
	} families[] = { { &view->network.subnet4, view->used4 }, { &view->network.subnet6, view->used6 } };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; i < ELEMENTSOF(families) && r >= 0; i++) {
		char subnet[PREFIX_TEXT_MAX], gateway[PREFIX_TEXT_MAX];
		struct shunt_prefix host;

		if (!families[i].subnet->family)
			continue;
		prefix_host(families[i].subnet, 1, &host);
		r = sd_json_variant_append_arraybo(
			&array, SD_JSON_BUILD_PAIR_STRING("subnet", prefix_format(families[i].subnet, subnet)),
			SD_JSON_BUILD_PAIR_STRING("gateway", prefix_format_address(&host, gateway)),
			SD_JSON_BUILD_PAIR_UNSIGNED("used", families[i].used),
			SD_JSON_BUILD_PAIR_UNSIGNED("free", count_free(families[i].subnet, families[i].used)));
	}
	if (r >= 0)
		*ret = TAKE_PTR(array);
	return r;
}

static int uplinks_json(const struct shunt_network *network, sd_json_variant **ret)
{
	char *names[SHUNT_MAX_UPLINKS + 1] = {};

	if (network->uplinks_auto)
		return sd_json_variant_new_string(ret, "auto");
	for (size_t i = 0; i < network->n_uplinks; i++)
		names[i] = (char *)network->uplinks[i];
	return sd_json_variant_new_array_strv(ret, names);
}

/* NULL where the file says nothing. */
static int rules_json(const struct shunt_rule_list *list, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = list->given ? sd_json_variant_new_array(&array, NULL, 0) : 0;

	for (size_t i = 0; i < list->n && r >= 0; i++) {
		char text[RULE_TEXT_MAX];

		r = sd_json_variant_append_arrayb(&array, SD_JSON_BUILD_STRING(rule_format(&list->rule[i], text)));
	}
	if (r >= 0)
		*ret = TAKE_PTR(array);
	return r;
}

static int allow_json(const struct shunt_network *network, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *in = NULL, *out = NULL;
	int r = rules_json(&network->rules[SHUNT_RULES_IN], &in);

	if (r >= 0)
		r = rules_json(&network->rules[SHUNT_RULES_OUT], &out);
	if (r < 0 || (!in && !out))
		return r;
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_CONDITION(!!in, "in", SD_JSON_BUILD_VARIANT(in)),
			      SD_JSON_BUILD_PAIR_CONDITION(!!out, "out", SD_JSON_BUILD_VARIANT(out)));
}

static int view_json(const struct view *view, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *subnets = NULL, *uplinks = NULL, *except = NULL, *allow = NULL;
	const struct shunt_network *network = &view->network;
	char ports[16];
	int r;

	snprintf(ports, sizeof(ports), "%u-%u", network->port_low, network->port_high);
	if (view->broken)
		return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("name", network->name),
				      SD_JSON_BUILD_PAIR_STRING("error", view->error.text));
	r = subnets_json(view, &subnets);
	if (r >= 0)
		r = uplinks_json(network, &uplinks);
	if (r >= 0)
		r = rules_json(&network->rules[SHUNT_RULES_EXCEPT], &except);
	if (r >= 0)
		r = allow_json(network, &allow);
	if (r < 0)
		return r;
	return sd_json_buildo(
		ret,
		SD_JSON_BUILD_PAIR_STRING("name", network->name),
		SD_JSON_BUILD_PAIR_VARIANT("subnets", subnets),
		SD_JSON_BUILD_PAIR_STRING("mode", shunt_mode_name(network->mode)),
		SD_JSON_BUILD_PAIR_CONDITION(network->mtu != 0, "mtu", SD_JSON_BUILD_UNSIGNED(network->mtu)),
		SD_JSON_BUILD_PAIR_VARIANT("uplinks", uplinks),
		SD_JSON_BUILD_PAIR_STRING("routing", routing_name(network)),
		SD_JSON_BUILD_PAIR_BOOLEAN("masquerade", network->masquerade),
		SD_JSON_BUILD_PAIR_CONDITION(network->port_high > 0, "masquerade_ports", SD_JSON_BUILD_STRING(ports)),
		SD_JSON_BUILD_PAIR_CONDITION(!!except, "masquerade_except", SD_JSON_BUILD_VARIANT(except)),
		SD_JSON_BUILD_PAIR_CONDITION(network->flows > 0, "flows", SD_JSON_BUILD_UNSIGNED(network->flows)),
		SD_JSON_BUILD_PAIR_CONDITION(!!allow, "allow", SD_JSON_BUILD_VARIANT(allow)),
		SD_JSON_BUILD_PAIR_BOOLEAN("isolate", network->isolate),
		SD_JSON_BUILD_PAIR_BOOLEAN("internal", network->internal),
		SD_JSON_BUILD_PAIR_BOOLEAN("big_tcp", network->big_tcp));
}

static int add_free(struct table *table, const struct shunt_prefix *subnet, uint64_t used)
{
	if (!subnet->family)
		return table_add(table, "%s", "");
	return table_add(table, "%llu", (unsigned long long)count_free(subnet, used));
}

static int add_row(struct table *table, const struct view *view)
{
	const struct shunt_network *network = &view->network;
	char subnets[2 * PREFIX_TEXT_MAX];
	int r = 0;

	r |= table_add(table, "%s", network->name);
	r |= table_add(table, "%s", view->broken ? view->error.text : format_subnets(network, ",", subnets));
	r |= table_add(table, "%s", view->broken ? "" : shunt_mode_name(network->mode));
	r |= table_add(table, "%s", view->broken ? "" : routing_name(network));
	r |= add_free(table, &network->subnet4, view->used4);
	r |= add_free(table, &network->subnet6, view->used6);
	r |= table_add(table, "%llu", (unsigned long long)(view->used4 > view->used6 ? view->used4 : view->used6));
	return r ? -ENOMEM : 0;
}

static int print_table(const struct view *views, size_t n)
{
	static const char *const headings[] = { "NAME", "SUBNETS", "MODE", "ROUTING", "FREE4", "FREE6", "ENDPOINTS", NULL };
	_cleanup_(table_done) struct table table = {};
	int r;

	r = table_init(&table, headings);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_row(&table, &views[i]);
	if (r >= 0)
		table_print(&table, stdout);
	return r;
}

static int print_array(const struct view *views, size_t n)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r;

	r = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; i < n && r >= 0; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *one = NULL;

		r = view_json(&views[i], &one);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, one);
	}
	return r < 0 ? r : show_print_json(array);
}

static int list(const struct cli *cli, const struct shunt_info *infos, size_t n_infos, struct shunt_error *error)
{
	_cleanup_(strv_freep) char **names = NULL;
	_cleanup_free_ struct view *views = NULL;
	size_t n = 0;
	int r;

	r = shunt_network_names(&names, error);
	if (r < 0)
		return r;
	while (names[n])
		n++;
	views = calloc(n, sizeof(*views));
	if (!views)
		return shunt_fail(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		views[i].broken = shunt_network_load(names[i], &views[i].network, &views[i].error) < 0;
		if (views[i].broken)
			copy_name(views[i].network.name, sizeof(views[i].network.name), names[i]);
		count_used(&views[i], infos, n_infos);
	}
	r = cli->json ? print_array(views, n) : print_table(views, n);
	return r < 0 ? shunt_fail(error, r, "the networks could not be written: %s", strerror(-r)) : 0;
}

static void print_rules(const char *heading, const struct shunt_rule_list *list)
{
	char text[RULE_TEXT_MAX];

	if (list->given && list->n == 0)
		printf("%-10s  nothing\n", heading);
	for (size_t i = 0; i < list->n; i++)
		printf("%-10s  %s\n", i == 0 ? heading : "", rule_format(&list->rule[i], text));
}

static void print_details(const struct view *view)
{
	const struct shunt_network *network = &view->network;
	char subnets[2 * PREFIX_TEXT_MAX];

	printf("name        %s\n", network->name);
	printf("subnets     %s\n", format_subnets(network, " ", subnets));
	if (network->subnet4.family)
		printf("IPv4        %llu used, %llu free\n", (unsigned long long)view->used4,
		       (unsigned long long)count_free(&network->subnet4, view->used4));
	if (network->subnet6.family)
		printf("IPv6        %llu used, %llu free\n", (unsigned long long)view->used6,
		       (unsigned long long)count_free(&network->subnet6, view->used6));
	printf("mode        %s\n", shunt_mode_name(network->mode));
	if (network->mtu)
		printf("mtu         %u\n", network->mtu);
	else
		printf("mtu         the uplink's\n");
	printf("uplinks    %s", network->uplinks_auto ? " auto" : "");
	for (size_t i = 0; i < network->n_uplinks; i++)
		printf(" %s", network->uplinks[i]);
	printf("\nrouting     %s\n", routing_name(network));
	printf("masquerade  %s\n", network->masquerade ? "true" : "false");
	if (network->port_high)
		printf("ports       %u-%u\n", network->port_low, network->port_high);
	print_rules("except", &network->rules[SHUNT_RULES_EXCEPT]);
	if (network->flows)
		printf("flows       %u\n", network->flows);
	print_rules("allow in", &network->rules[SHUNT_RULES_IN]);
	print_rules("allow out", &network->rules[SHUNT_RULES_OUT]);
	printf("isolate     %s\n", network->isolate ? "true" : "false");
	printf("internal    %s\n", network->internal ? "true" : "false");
	printf("big_tcp     %s\n", network->big_tcp ? "true" : "false");
}

static int show(const struct cli *cli, const char *name, const struct shunt_info *infos, size_t n_infos,
		struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	struct view view = {};
	int r;

	r = shunt_network_load(name, &view.network, error);
	if (r < 0)
		return r;
	count_used(&view, infos, n_infos);
	if (!cli->json) {
		print_details(&view);
		return 0;
	}
	r = view_json(&view, &json);
	if (r >= 0)
		r = show_print_json(json);
	return r < 0 ? shunt_fail(error, r, "network %s could not be written: %s", name, strerror(-r)) : 0;
}

int verb_network(struct cli *cli, int argc, char **argv)
{
	_cleanup_(cli_view_done) struct cli_view view = {};
	const char *what, *name = NULL;
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 1, 2);
	if (r != CLI_CONTINUE)
		return r;
	what = argv[optind];
	if (argc - optind == 2)
		name = argv[optind + 1];
	if (!(strcmp(what, "list") == 0 && !name) && !(strcmp(what, "show") == 0 && name))
		return cli_usage(cli, "it is network list, or network show NAME");

	r = cli_view(cli, NULL, &view, &error);
	if (r >= 0)
		r = name ? show(cli, name, view.infos, view.n, &error) : list(cli, view.infos, view.n, &error);
	return r < 0 ? journal_fail(&error, NULL, name) : EXIT_SUCCESS;
}

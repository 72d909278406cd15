// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-service.c - service: the ports that containers share.
 */
#include <arpa/inet.h>

#include "address.h"
#include "cli.h"
#include "journal.h"
#include "publication.h"
#include "show.h"
#include "table.h"
#include "util.h"

/* By service, then by port, then by container. */
static int compare(const void *a, const void *b)
{
	const struct shunt_port *x = a, *y = b;
	int r = strncmp(x->value.service, y->value.service, sizeof(x->value.service));

	if (r == 0)
		r = x->key.host.protocol - y->key.host.protocol;
	if (r == 0)
		r = ntohs(x->key.host.port) - ntohs(y->key.host.port);
	if (r == 0)
		r = memcmp(x->key.host.address, y->key.host.address, sizeof(x->key.host.address));
	return r ?: x->key.ifindex < y->key.ifindex ? -1 : 1;
}

static const char *id_of(const struct cli_view *view, const struct shunt_port *port)
{
	for (size_t i = 0; i < view->n; i++)
		if (view->infos[i].endpoint.ifindex == port->key.ifindex)
			return view->infos[i].id;
	return "?";
}

static const char *target(const struct shunt_port *port, char text[static PREFIX_TEXT_MAX])
{
	struct shunt_prefix address;

	unmapped_address(port->value.address, &address);
	return prefix_format_address(&address, text);
}

static int backend_json(const struct cli_view *view, const struct shunt_port *port, sd_json_variant **array)
{
	char text[PREFIX_TEXT_MAX];

	return sd_json_variant_append_arrayb(array, SD_JSON_BUILD_OBJECT(
		SD_JSON_BUILD_PAIR_STRING("id", id_of(view, port)),
		SD_JSON_BUILD_PAIR_STRING("address", target(port, text)),
		SD_JSON_BUILD_PAIR_UNSIGNED("port", ntohs(port->value.port)),
		SD_JSON_BUILD_PAIR_UNSIGNED("flows", port->value.flows)));
}

/* One port of a service with all that answer there. *n: how many of the list these are */
static int port_json(const struct cli_view *view, const struct shunt_port *list, size_t rest, size_t *n, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *backends = NULL;
	char text[PREFIX_TEXT_MAX];
	struct shunt_prefix host;
	int r = 0;

	for (*n = 0; *n < rest && r >= 0 && memcmp(&list[*n].key.host, &list->key.host, sizeof(list->key.host)) == 0; (*n)++)
		r = backend_json(view, &list[*n], &backends);
	if (r < 0)
		return r;
	unmapped_address(list->key.host.address, &host);
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("service", list->value.service),
			      SD_JSON_BUILD_PAIR_STRING("address", prefix_format_address(&host, text)),
			      SD_JSON_BUILD_PAIR_UNSIGNED("port", ntohs(list->key.host.port)),
			      SD_JSON_BUILD_PAIR_STRING("protocol", list->key.host.protocol == IPPROTO_UDP ? "udp" : "tcp"),
			      SD_JSON_BUILD_PAIR_VARIANT("backends", backends));
}

static int print_json(const struct cli_view *view)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);
	size_t n;

	for (size_t i = 0; i < view->n_ports && r >= 0; i += n) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *one = NULL;

		r = port_json(view, &view->ports[i], view->n_ports - i, &n, &one);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, one);
	}
	return r < 0 ? r : show_print_json(array);
}

static int print_table(const struct cli_view *view)
{
	static const char *const headings[] = { "SERVICE", "PORT", "ID", "ADDRESS", "TO", "FLOWS", NULL };
	_cleanup_(table_done) struct table table = {};
	int r = table_init(&table, headings);

	for (size_t i = 0; i < view->n_ports && r >= 0; i++) {
		const struct shunt_port *port = &view->ports[i];
		char host[PORT_HOST_TEXT_MAX + 4], text[PREFIX_TEXT_MAX];

		r |= table_add(&table, "%.31s", port->value.service);
		r |= table_add(&table, "%s", port_format_host(&port->key.host, host));
		r |= table_add(&table, "%s", id_of(view, port));
		r |= table_add(&table, "%s", target(port, text));
		r |= table_add(&table, "%u", ntohs(port->value.port));
		r |= table_add(&table, "%llu", (unsigned long long)port->value.flows);
	}
	if (r < 0)
		return -ENOMEM;
	table_print(&table, stdout);
	return 0;
}

int verb_service(struct cli *cli, int argc, char **argv)
{
	_cleanup_(cli_view_done) struct cli_view view = {};
	struct shunt_error error;
	size_t kept = 0;
	int r;

	r = cli_operands(cli, argc, argv, 1, 1);
	if (r != CLI_CONTINUE)
		return r;
	if (strcmp(argv[optind], "list") != 0)
		return cli_usage(cli, "it is service list");
	r = cli_view(cli, NULL, &view, &error);
	if (r < 0)
		return journal_fail(&error, NULL, NULL);
	for (size_t i = 0; i < view.n_ports; i++)
		if (view.ports[i].value.service[0])
			view.ports[kept++] = view.ports[i];
	view.n_ports = kept;
	if (kept > 0)
		qsort(view.ports, kept, sizeof(*view.ports), compare);
	r = cli->json ? print_json(&view) : print_table(&view);
	if (r < 0) {
		shunt_fail(&error, r, "the list could not be written: %s", strerror(-r));
		return journal_fail(&error, NULL, NULL);
	}
	return EXIT_SUCCESS;
}

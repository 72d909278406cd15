// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-list.c - list and show.
 */
#include "cli.h"
#include "journal.h"
#include "names.h"
#include "show.h"
#include "util.h"

static int print_array(const struct cli_view *view)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r;

	r = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; i < view->n && r >= 0; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *one = NULL;

		r = show_json(&view->infos[i], view->ports, view->n_ports, &one);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, one);
	}
	return r < 0 ? r : show_print_json(array);
}

int verb_list(struct cli *cli, int argc, char **argv)
{
	_cleanup_(cli_view_done) struct cli_view view = {};
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 0, 0);
	if (r != CLI_CONTINUE)
		return r;
	r = cli_view(cli, NULL, &view, &error);
	if (r < 0)
		return journal_fail(&error, NULL, NULL);

	r = cli->json ? print_array(&view) : show_table(view.infos, view.n, view.ports, view.n_ports, stdout);
	if (r < 0) {
		shunt_fail(&error, r, "the list could not be written: %s", strerror(-r));
		return journal_fail(&error, NULL, NULL);
	}
	return EXIT_SUCCESS;
}

/*
 * One object for each interface, so that the usual one interface is one object, as with attach; readers of JSON take
 * several in a row as a stream.
 */
static int show_one(const struct cli *cli, const struct cli_view *view, const struct shunt_info *info)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	int r;

	if (!cli->json) {
		show_details(info, view->ports, view->n_ports, stdout);
		return 0;
	}
	r = show_json(info, view->ports, view->n_ports, &json);
	return r < 0 ? r : show_print_json(json);
}

static int show(const struct cli *cli, const char *id, struct shunt_error *error)
{
	_cleanup_(cli_view_done) struct cli_view view = {};
	int r;

	r = id_check(id, error);
	if (r < 0)
		return r;
	r = cli_view(cli, id, &view, error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < view.n; i++) {
		if (i > 0 && !cli->json)
			putchar('\n');
		r = show_one(cli, &view, &view.infos[i]);
		if (r < 0)
			return shunt_fail(error, r, "%s could not be written: %s", id, strerror(-r));
	}
	if (view.n == 0)
		return shunt_fail(error, -ENOENT, "%s is not attached; see `shunt list`", id);
	return 0;
}

int verb_show(struct cli *cli, int argc, char **argv)
{
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 1, 1);
	if (r != CLI_CONTINUE)
		return r;
	r = show(cli, argv[optind], &error);
	return r < 0 ? journal_fail(&error, argv[optind], NULL) : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-nspawn.c - nspawn: enable and disable for people; pre, post and stop for systemd, and for people who start
 * systemd-nspawn by hand.
 */
#include "cli.h"
#include "journal.h"
#include "nspawn-unit.h"
#include "rights.h"
#include "show.h"
#include "util.h"

static int parse_options(struct cli *cli, int argc, char **argv, struct nspawn_request *request)
{
	static const struct option options[] = {
		OPTIONS_COMMON,
		{ "network", required_argument, NULL, OPTION_NETWORK },
		{ "address", required_argument, NULL, OPTION_ADDRESS },
		{ "mtu", required_argument, NULL, OPTION_MTU },
		{ "driver", required_argument, NULL, OPTION_DRIVER },
		{ "mode", required_argument, NULL, OPTION_MODE },
		OPTIONS_PUBLISH,
		OPTIONS_END,
	};
	struct shunt_error error;
	int c;

	while ((c = getopt_long(argc, argv, OPTIONS_SHORT, options, NULL)) != -1) {
		int r;

		if (c != OPTION_MODE)
			r = cli_request_option(cli, &request->request, c, argv);
		else
			r = nspawn_mode_parse(optarg, &request->mode, &error) < 0 ? cli_usage(cli, "%s", error.text) : CLI_CONTINUE;
		if (r != CLI_CONTINUE)
			return r;
	}
	if (argc - optind < 2)
		return cli_usage(cli, "something is missing: shunt nspawn %s", cli->verb->usage);
	if (argc - optind > 2)
		return cli_usage(cli, "\"%s\" is too much", argv[optind + 2]);
	request->request.id = argv[optind + 1];
	return CLI_CONTINUE;
}

/* The default is not worth an argument in a unit. */
static const char *other_state(const struct cli *cli)
{
	return strcmp(cli->state, SHUNT_DEFAULT_STATE) == 0 ? NULL : cli->state;
}

static int print_endpoint(const struct cli *cli, const struct shunt_info *info, struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	_cleanup_(cli_view_done) struct cli_view view = {};
	int r = cli_view(cli, info->id, &view, NULL);

	if (r >= 0)
		r = show_json(info, view.ports, view.n_ports, &json);
	return show_print_answer(json, r, error);
}

/* The paths of what was written or removed; no path where it was not. */
static int print_files(const struct nspawn_files *files, struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	int r = sd_json_buildo(&json,
			       SD_JSON_BUILD_PAIR_CONDITION(files->dropin.ours, "dropin", SD_JSON_BUILD_STRING(files->dropin.path)),
			       SD_JSON_BUILD_PAIR_CONDITION(files->nspawn.ours, "nspawn", SD_JSON_BUILD_STRING(files->nspawn.path)));

	return show_print_answer(json, r, error);
}

static int enable(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error)
{
	_cleanup_(nspawn_files_done) struct nspawn_files files = {};
	int r = nspawn_enable(other_state(cli), request, &files, error);

	if (r < 0)
		return r;
	if (cli->json)
		return print_files(&files, error);
	printf("%s:\n%s\n", files.dropin.path, files.dropin.text);
	if (files.nspawn.ours)
		printf("%s:\n%s", files.nspawn.path, files.nspawn.text);
	else
		printf("%s is yours, and has what is needed.\n", files.nspawn.path);
	return r;
}

static int disable(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error)
{
	_cleanup_(nspawn_files_done) struct nspawn_files files = {};
	_cleanup_free_ char *interface = NULL;
	int r = nspawn_disable(request->request.id, &files, error);

	if (r < 0)
		return r;
	if (cli->json)
		return print_files(&files, error);
	if (files.dropin.ours)
		printf("removed %s\n", files.dropin.path);
	if (files.nspawn.ours)
		printf("removed %s\n", files.nspawn.path);
	if (!files.nspawn.ours && files.nspawn.text && nspawn_argument(request, &interface) >= 0 &&
	    strstr(files.nspawn.text, interface))
		printf("%s is yours; take Interface=%s out\n", files.nspawn.path, interface);
	return r;
}

static int pre(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error)
{
	_cleanup_free_ char *argument = NULL;
	struct shunt_info info;
	int r = nspawn_argument(request, &argument);

	if (r < 0)
		return shunt_fail(error, r, "out of memory");
	r = nspawn_pre(cli->state, request, &info, error);
	if (r < 0)
		return r;
	journal_notice(&info);
	if (cli->json)
		r = print_endpoint(cli, &info, error);
	else
		puts(argument);
	if (r >= 0) {
		r = cli_flush();
		shunt_fail(error, r, "standard output: %s", strerror(-r));
	}
	/* Who does not hear what nspawn is to be told will not start it. */
	if (r < 0)
		(void)nspawn_stop(cli->state, request->request.id, NULL);
	return r;
}

static int post(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error)
{
	struct shunt_info info;
	int r = nspawn_post(cli->state, request->request.id, &info, error);

	if (r < 0)
		return r;
	if (cli->json)
		return print_endpoint(cli, &info, error);
	show_line(&info, stdout);
	return 0;
}

static int stop(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error)
{
	return nspawn_stop(cli->state, request->request.id, error);
}

static const struct {
	const char *name;
	int (*run)(struct cli *cli, const struct nspawn_request *request, struct shunt_error *error);
	uint64_t rights;
} actions[] = {
	{ "enable", enable, RIGHTS_NONE },
	{ "disable", disable, RIGHTS_NONE },
	{ "pre", pre, RIGHTS_ATTACH_PROCESS },
	{ "post", post, RIGHTS_ATTACH_PROCESS },
	{ "stop", stop, RIGHTS_ATTACH },
};

int verb_nspawn(struct cli *cli, int argc, char **argv)
{
	struct nspawn_request request = { .request.netns_fd = -1 };
	struct shunt_error error;
	int r = parse_options(cli, argc, argv, &request);

	if (r != CLI_CONTINUE)
		return r;
	for (size_t i = 0; i < ELEMENTSOF(actions); i++) {
		if (strcmp(actions[i].name, argv[optind]) != 0)
			continue;
		r = rights_keep(actions[i].rights, &error);
		if (r >= 0)
			r = actions[i].run(cli, &request, &error);
		return r < 0 ? journal_fail(&error, request.request.id, request.request.network) : EXIT_SUCCESS;
	}
	return cli_usage(cli, "\"%s\" is none of enable, disable, pre, post and stop", argv[optind]);
}

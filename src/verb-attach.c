// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-attach.c - attach and detach.
 */
#include "cli.h"
#include "journal.h"
#include "names.h"
#include "netns.h"
#include "request.h"
#include "rights.h"
#include "show.h"
#include "util.h"

struct target {
	const char *netns;
	pid_t pid;		/* 0: none */
};

static int attach_options(struct cli *cli, int argc, char **argv, struct shunt_request *request, struct target *target)
{
	static const struct option options[] = {
		OPTIONS_COMMON,
		OPTIONS_REQUEST,
		{ "netns", required_argument, NULL, OPTION_NETNS },
		{ "pid", required_argument, NULL, OPTION_PID },
		OPTIONS_END,
	};
	uint64_t pid;
	int c, r;

	while ((c = getopt_long(argc, argv, OPTIONS_SHORT, options, NULL)) != -1) {
		r = CLI_CONTINUE;
		if (c == OPTION_NETNS)
			target->netns = optarg;
		else if (c == OPTION_PID && number_parse(optarg, 1, INT32_MAX, &pid) < 0)
			r = cli_usage(cli, "--pid \"%s\" is no process ID", optarg);
		else if (c == OPTION_PID)
			target->pid = (pid_t)pid;
		else
			r = cli_request_option(cli, request, c, argv);
		if (r != CLI_CONTINUE)
			return r;
	}
	if (argc - optind != 1)
		return cli_usage(cli, argc == optind ? "no ID" : "more than one ID");
	if (!target->netns == !target->pid)
		return cli_usage(cli, "one of --netns and --pid is needed");
	request->id = argv[optind];
	return CLI_CONTINUE;
}

static int attach(struct cli *cli, struct shunt_request *request, const struct target *target, struct shunt_info *ret,
		  struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_close_ int netns = -1;
	int r;

	/* First: files look as if they were nobody's in a user namespace. */
	r = rights_check(RIGHTS_ATTACH, error);
	if (r >= 0)
		r = request_check(request, NULL, error);
	if (r < 0)
		return r;
	netns = target->netns ? netns_open_path(target->netns, error) : netns_open_pid(target->pid, error);
	if (netns < 0)
		return netns;
	r = shunt_open(cli->state, true, &instance, error);
	if (r < 0)
		return r;
	request->netns_fd = netns;
	return shunt_attach(instance, request, ret, error);
}

static int print(const struct cli *cli, const struct shunt_info *info)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	_cleanup_(cli_view_done) struct cli_view view = {};
	int r = 0;

	if (cli->json)
		r = cli_view(cli, info->id, &view, NULL);
	else
		show_line(info, stdout);
	if (view.ports)
		r = show_json(info, view.ports, view.n_ports, &json);
	if (json)
		r = show_print_json(json);
	return r < 0 ? r : cli_flush();
}

/* All or nothing: whoever did not get the answer cannot know that there is something to detach. */
static int undo(const struct cli *cli, const struct shunt_info *info, int r, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	struct shunt_error why;
	int r2 = shunt_open(cli->state, false, &instance, &why);

	if (r2 >= 0)
		r2 = shunt_undo(instance, info, &why);
	return shunt_fail(error, r, "standard output: %s; %s%s", strerror(-r),
			  r2 < 0 ? "it is still attached: " : "nothing is attached", r2 < 0 ? why.text : "");
}

int verb_attach(struct cli *cli, int argc, char **argv)
{
	struct shunt_request request = { .netns_fd = -1 };
	struct shunt_error error;
	struct target target = {};
	struct shunt_info info;
	int r;

	r = attach_options(cli, argc, argv, &request, &target);
	if (r != CLI_CONTINUE)
		return r;
	r = attach(cli, &request, &target, &info, &error);
	if (r >= 0) {
		journal_notice(&info);
		r = print(cli, &info);
		if (r < 0)
			r = undo(cli, &info, r, &error);
	}
	return r < 0 ? journal_fail(&error, request.id, request.network ?: SHUNT_DEFAULT_NETWORK) : EXIT_SUCCESS;
}

static int detach(struct cli *cli, const char *id, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r;

	r = id_check(id, error);
	if (r < 0)
		return r;
	r = shunt_open(cli->state, false, &instance, error);
	if (r == -ENOENT)
		/* Nothing is loaded, so nobody is attached: gone already is a result, not an error. */
		return 0;
	/* Without them it would stop half-way, and leave a container that hears nothing. */
	if (r >= 0)
		r = rights_check(RIGHTS_DETACH, error);
	return r < 0 ? r : shunt_detach(instance, id, error);
}

int verb_detach(struct cli *cli, int argc, char **argv)
{
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 1, 1);
	if (r != CLI_CONTINUE)
		return r;
	r = detach(cli, argv[optind], &error);
	return r < 0 ? journal_fail(&error, argv[optind], NULL) : EXIT_SUCCESS;
}

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

int verb_attach(struct cli *cli, int argc, char **argv)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	struct shunt_request request = { .netns_fd = -1 };
	struct shunt_error error;
	struct target target = {};
	struct shunt_info info;
	int r;

	r = attach_options(cli, argc, argv, &request, &target);
	if (r != CLI_CONTINUE)
		return r;
	r = attach(cli, &request, &target, &info, &error);
	if (r < 0)
		return journal_fail(&error, request.id, request.network ?: SHUNT_DEFAULT_NETWORK);

	if (!cli->json) {
		show_line(&info, stdout);
		return EXIT_SUCCESS;
	}
	r = show_json(&info, &json);
	if (r >= 0)
		r = show_print_json(json);
	if (r < 0) {
		shunt_fail(&error, r, "attached, but the answer could not be written: %s", strerror(-r));
		return journal_fail(&error, request.id, NULL);
	}
	return EXIT_SUCCESS;
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

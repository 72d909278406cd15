// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-run.c - run: a network namespace for the life of one command.
 */
#include "cli.h"
#include "journal.h"
#include "netns.h"
#include "request.h"
#include "resolver.h"
#include "rights.h"
#include "sandbox.h"
#include "util.h"

static int run_options(struct cli *cli, int argc, char **argv, struct shunt_request *request)
{
	static const struct option options[] = {
		OPTIONS_COMMON,
		OPTIONS_REQUEST,
		{ "id", required_argument, NULL, OPTION_ID },
		OPTIONS_END,
	};
	int c, r;

	/* The command's options are its own: what follows its name is not ours to read, with or without "--". */
	while ((c = getopt_long(argc, argv, "+" OPTIONS_SHORT, options, NULL)) != -1) {
		r = CLI_CONTINUE;
		if (c == OPTION_ID)
			request->id = optarg;
		else
			r = cli_request_option(cli, request, c, argv);
		if (r != CLI_CONTINUE)
			return r;
	}
	if (cli->json)
		return cli_usage(cli, "standard output is the command's, so there is no --json");
	if (optind == argc)
		return cli_usage(cli, "no command");
	return CLI_CONTINUE;
}

/*
 * Refuses an ID that somebody alive has. attach replaces what is there, as runtimes need it; here it would take a
 * running container's network away, and give it back to nobody.
 */
static int check_free(const struct cli *cli, const char *id, struct shunt_error *error)
{
	_cleanup_(cli_view_done) struct cli_view view = {};
	int r = cli_view(cli, id, &view, error);

	for (size_t i = 0; r >= 0 && i < view.n; i++)
		if (view.infos[i].status != SHUNT_STATUS_STALE)
			return shunt_fail(error, -EEXIST, "%s is attached already; choose another --id, or `shunt detach %s`", id, id);
	return r;
}

static void disconnect(const struct cli *cli, const struct shunt_request *request, const struct shunt_info *ours)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	struct shunt_error error;
	int r;

	r = shunt_open(cli->state, false, &instance, &error);
	if (r == -ENOENT)
		/* Somebody else has taken all back. */
		return;
	if (r >= 0)
		r = shunt_undo(instance, ours, &error);
	if (r < 0)
		/* The command's status matters more to whoever waits for it; gc finds what is left. */
		journal_warn(&error, request->id, request->network);
}

/* The instance is open only while it is needed: it holds a lock that gc would wait for. */
static int attach(const struct cli *cli, const struct shunt_request *request, struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r = shunt_open(cli->state, true, &instance, error);

	return r < 0 ? r : shunt_attach(instance, request, ret, error);
}

/*
 * The command's process exists already, and keeps what its caller has: rights for our work, and no more, are ours. Its
 * namespace is opened before, which would take CAP_SYS_PTRACE behind. CAP_KILL: it may become another user's.
 */
static int connect_sandbox(const struct cli *cli, const struct sandbox *sandbox, struct shunt_request *request,
			   struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_close_ int netns = netns_open_pid(sandbox->pid, error);
	int r;

	if (netns < 0)
		return netns;
	request->netns_fd = netns;
	r = rights_keep(RIGHTS_ATTACH | RIGHT(CAP_KILL), error);
	if (r >= 0)
		r = request_check(request, NULL, error);
	if (r >= 0)
		r = check_free(cli, request->id, error);
	if (r >= 0)
		r = attach(cli, request, ret, error);
	return r;
}

/* What the command's resolv.conf must be, or NULL. Who has no names may have work to do all the same. */
static char *resolver(const struct shunt_info *info)
{
	unsigned families = 0;
	struct shunt_error error;
	char *text = NULL;

	if (info->endpoint.flags & SHUNT_F_ADDRESS4)
		families |= RESOLVER_IPV4;
	if (info->endpoint.flags & SHUNT_F_ADDRESS6)
		families |= RESOLVER_IPV6;
	if (resolver_text(families, &text, &error) < 0)
		journal_warn(&error, info->id, info->endpoint.network);
	return text;
}

static int run(const struct cli *cli, struct shunt_request *request, char **command, int *ret_status,
	       struct shunt_error *error)
{
	_cleanup_(sandbox_done) struct sandbox sandbox = SANDBOX_NONE;
	_cleanup_free_ char *names = NULL;
	struct shunt_info info;
	int r, status;

	r = rights_check(RIGHTS_ATTACH, error);
	if (r < 0)
		return r;
	r = sandbox_start(command, &sandbox, error);
	if (r < 0)
		return r;
	r = connect_sandbox(cli, &sandbox, request, &info, error);
	if (r < 0)
		return r;

	/* Attached: from here on every way leads to disconnect(). */
	journal_notice(&info);
	r = rights_keep(RIGHTS_DETACH | RIGHT(CAP_KILL), error);
	if (r >= 0) {
		names = resolver(&info);
		r = sandbox_release(&sandbox, command[0], names, error);
	}
	if (r < 0)
		status = r == -ENOENT ? 127 : 126;
	else
		status = sandbox_wait(&sandbox);
	disconnect(cli, request, &info);
	*ret_status = status;
	return r;
}

int verb_run(struct cli *cli, int argc, char **argv)
{
	struct shunt_request request = { .netns_fd = -1 };
	int r, status = EXIT_FAILURE;
	struct shunt_error error;
	char id[32];

	snprintf(id, sizeof(id), "run-%d", (int)getpid());
	request.id = id;
	r = run_options(cli, argc, argv, &request);
	if (r != CLI_CONTINUE)
		return r;

	r = run(cli, &request, argv + optind, &status, &error);
	if (r < 0)
		journal_fail(&error, request.id, request.network ?: SHUNT_DEFAULT_NETWORK);
	return status;
}

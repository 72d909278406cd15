// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-publish.c - publish and unpublish, of a container that runs.
 */
#include "cli.h"
#include "journal.h"
#include "rights.h"
#include "util.h"

struct ports {
	const char *id, *interface, *service;
	const char *const *specs;
	size_t n;
};

static int options(struct cli *cli, int argc, char **argv, bool service, struct ports *ret)
{
	const struct option options[] = {
		OPTIONS_COMMON,
		{ "interface", required_argument, NULL, OPTION_INTERFACE },
		{ service ? "service" : "interface", required_argument, NULL, service ? OPTION_SERVICE : OPTION_INTERFACE },
		OPTIONS_END,
	};
	int c, r;

	while ((c = getopt_long(argc, argv, OPTIONS_SHORT, options, NULL)) != -1) {
		r = CLI_CONTINUE;
		if (c == OPTION_INTERFACE)
			ret->interface = optarg;
		else if (c == OPTION_SERVICE)
			ret->service = optarg;
		else
			r = cli_option(cli, c, argv);
		if (r != CLI_CONTINUE)
			return r;
	}
	if (optind == argc)
		return cli_usage(cli, "no ID");
	ret->id = argv[optind];
	ret->specs = (const char *const *)argv + optind + 1;
	ret->n = (size_t)(argc - optind - 1);
	return CLI_CONTINUE;
}

static int publish(const struct cli *cli, const struct ports *ports, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r = rights_check(RIGHTS_ATTACH, error);

	if (r >= 0)
		r = shunt_open(cli->state, false, &instance, error);
	if (r == -ENOENT)
		return shunt_fail(error, r, "%s is not attached; see 'shunt list'", ports->id);
	return r < 0 ? r : shunt_publish(instance, ports->id, ports->interface, ports->specs, ports->n, ports->service, error);
}

int verb_publish(struct cli *cli, int argc, char **argv)
{
	struct ports ports = {};
	struct shunt_error error;
	int r = options(cli, argc, argv, true, &ports);

	if (r != CLI_CONTINUE)
		return r;
	if (ports.n == 0)
		return cli_usage(cli, "no port to publish");
	r = publish(cli, &ports, &error);
	return r < 0 ? journal_fail(&error, ports.id, NULL) : EXIT_SUCCESS;
}

static int unpublish(const struct cli *cli, const struct ports *ports, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r = rights_check(RIGHTS_DETACH, error);

	if (r >= 0)
		r = shunt_open(cli->state, false, &instance, error);
	if (r == -ENOENT)
		return shunt_fail(error, r, "%s is not attached; see 'shunt list'", ports->id);
	return r < 0 ? r : shunt_unpublish(instance, ports->id, ports->interface, ports->specs, ports->n, error);
}

int verb_unpublish(struct cli *cli, int argc, char **argv)
{
	struct ports ports = {};
	struct shunt_error error;
	int r = options(cli, argc, argv, false, &ports);

	if (r != CLI_CONTINUE)
		return r;
	r = unpublish(cli, &ports, &error);
	return r < 0 ? journal_fail(&error, ports.id, NULL) : EXIT_SUCCESS;
}

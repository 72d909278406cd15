// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"

#include <stdarg.h>
#include <stdio_ext.h>

#include "request.h"
#include "util.h"
#include "version.h"

int cli_usage(const struct cli *cli, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	struct shunt_error line;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	/* It quotes the command line, which may have more than one line. */
	shunt_fail(&line, 0, "%s", text ?: "out of memory");

	if (cli->verb)
		fprintf(stderr, "shunt: %s: %s; see shunt %s --help\n", cli->verb->name, line.text, cli->verb->name);
	else
		fprintf(stderr, "shunt: %s; see shunt --help\n", line.text);
	return EXIT_USAGE;
}

int cli_flush(void)
{
	int r;

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	r = -(errno ?: EIO);
	/* Said once. */
	__fpurge(stdout);
	clearerr(stdout);
	return r;
}

static int cli_mistake(const struct cli *cli, int c, char **argv)
{
	/*
	 * getopt_long() has stepped over a long option, but maybe not over a cluster of short ones. A short one that we have can
	 * only be wrong in its long form: --help=x.
	 */
	if (optopt && optopt < OPTION_STATE && !strchr(OPTIONS_SHORT, optopt))
		return cli_usage(cli, "option -%c is unknown", optopt);
	if (c == ':')
		return cli_usage(cli, "option %s wants an argument", argv[optind - 1]);
	return cli_usage(cli, "option %s %s", argv[optind - 1], optopt ? "takes no argument" : "is unknown or ambiguous");
}

int cli_option(struct cli *cli, int c, char **argv)
{
	switch (c) {
	case OPTION_STATE:
		cli->state = optarg;
		return CLI_CONTINUE;
	case OPTION_JSON:
		cli->json = true;
		return CLI_CONTINUE;
	case 'V':
		printf("shunt %s\n", SHUNT_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		printf("Usage: shunt %s %s\n\n%s. See shunt(1).\n", cli->verb->name, cli->verb->usage, cli->verb->what);
		return EXIT_SUCCESS;
	default:
		return cli_mistake(cli, c, argv);
	}
}

int cli_request_option(struct cli *cli, struct shunt_request *request, int c, char **argv)
{
	struct shunt_error error;
	int r = 0;

	switch (c) {
	case OPTION_NETWORK:
		request->network = optarg;
		break;
	case OPTION_ADDRESS:
		if (request->n_addresses == SHUNT_MAX_ADDRESSES)
			return cli_usage(cli, "--address %s is one too many: at most one of each family", optarg);
		request->addresses[request->n_addresses++] = optarg;
		break;
	case OPTION_INTERFACE:
		request->interface = optarg;
		break;
	case OPTION_MTU:
		r = mtu_parse(optarg, &request->mtu, &error);
		break;
	case OPTION_MODE:
		r = mode_parse(optarg, &request->mode, &error);
		break;
	case OPTION_DRIVER:
		r = driver_parse(optarg, &request->driver, &error);
		break;
	case OPTION_PUBLISH:
		if (request->n_publish == SHUNT_MAX_PUBLISH)
			return cli_usage(cli, "--publish %s is one too many: at most %d, each of which can be a range", optarg,
					 SHUNT_MAX_PUBLISH);
		request->publish[request->n_publish++] = optarg;
		break;
	case OPTION_SERVICE:
		request->service = optarg;
		break;
	default:
		return cli_option(cli, c, argv);
	}
	return r < 0 ? cli_usage(cli, "%s", error.text) : CLI_CONTINUE;
}

int cli_operands(struct cli *cli, int argc, char **argv, int min, int max)
{
	static const struct option options[] = { OPTIONS_COMMON, OPTIONS_END };
	int c;

	while ((c = getopt_long(argc, argv, OPTIONS_SHORT, options, NULL)) != -1) {
		int r = cli_option(cli, c, argv);

		if (r != CLI_CONTINUE)
			return r;
	}
	if (argc - optind < min)
		return cli_usage(cli, "something is missing: shunt %s %s", cli->verb->name, cli->verb->usage);
	if (argc - optind > max)
		return cli_usage(cli, "\"%s\" is too much", argv[optind + max]);
	return CLI_CONTINUE;
}

void cli_view_done(struct cli_view *view)
{
	free(view->infos);
	free(view->ports);
}

int cli_view(const struct cli *cli, const char *id, struct cli_view *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_(cli_view_done) struct cli_view view = {};
	int r = shunt_open(cli->state, false, &instance, error);

	if (r == -ENOENT) {
		view.ports = malloc(sizeof(*view.ports));
		r = view.ports ? 0 : shunt_fail(error, -ENOMEM, "out of memory");
	} else if (r >= 0) {
		r = shunt_list(instance, id, &view.infos, &view.n, error);
		if (r >= 0)
			r = shunt_ports(instance, &view.ports, &view.n_ports, error);
	}
	if (r < 0)
		return r;
	*ret = view;
	view = (struct cli_view){};
	return 0;
}

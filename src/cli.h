/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - what all verbs have in common: options, usage, exit status.
 */
#ifndef SHUNT_CLI_H
#define SHUNT_CLI_H

#include <getopt.h>

#include "shunt/shunt.h"

#define EXIT_USAGE 2

struct cli;

struct verb {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);	/* argv[0] is the verb; returns the exit status */
	uint64_t rights;					/* that it keeps, before it looks at any argument */
	const char *usage;					/* what follows the verb */
	const char *what;					/* one line */
};

struct cli {
	const char *state;
	bool json;
	const struct verb *verb;
};

enum {
	OPTION_STATE = 0x100,
	OPTION_JSON,
	OPTION_NETWORK,
	OPTION_ADDRESS,
	OPTION_INTERFACE,
	OPTION_MTU,
	OPTION_MODE,
	OPTION_DRIVER,
	OPTION_NETNS,
	OPTION_PID,
	OPTION_ID,
	OPTION_PUBLISH,
	OPTION_SERVICE,
};

/* For a verb's array of struct option: what all have, what all that connect something have, and the end. */
#define OPTIONS_COMMON \
	{ "state", required_argument, NULL, OPTION_STATE }, \
	{ "json", no_argument, NULL, OPTION_JSON }, \
	{ "help", no_argument, NULL, 'h' }, \
	{ "version", no_argument, NULL, 'V' }
#define OPTIONS_REQUEST \
	{ "network", required_argument, NULL, OPTION_NETWORK }, \
	{ "address", required_argument, NULL, OPTION_ADDRESS }, \
	{ "interface", required_argument, NULL, OPTION_INTERFACE }, \
	{ "mtu", required_argument, NULL, OPTION_MTU }, \
	{ "mode", required_argument, NULL, OPTION_MODE }, \
	{ "driver", required_argument, NULL, OPTION_DRIVER }, \
	OPTIONS_PUBLISH
#define OPTIONS_PUBLISH \
	{ "publish", required_argument, NULL, OPTION_PUBLISH }, \
	{ "service", required_argument, NULL, OPTION_SERVICE }
#define OPTIONS_END { NULL, 0, NULL, 0 }

/* The short options' string for getopt_long(); a verb that ends at its first operand puts a '+' in front. */
#define OPTIONS_SHORT ":hV"

#define CLI_CONTINUE (-1)

/* Takes an option that all have, mistakes among them. Return: CLI_CONTINUE, or the status to exit with */
int cli_option(struct cli *cli, int c, char **argv);

/* The same with those of OPTIONS_REQUEST, which go into @request. */
int cli_request_option(struct cli *cli, struct shunt_request *request, int c, char **argv);

/* For verbs with nothing but common options: reads them, and demands @min to @max operands from optind on. */
int cli_operands(struct cli *cli, int argc, char **argv, int min, int max);

/* Says what is wrong with the command line. Return: EXIT_USAGE */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes what was printed. Return: 0, or an errno: a full disk behind standard output is a failure like any other */
int cli_flush(void);

/* What is attached, all or one ID's, and all that is published. Nothing where nothing is loaded. */
struct cli_view {
	struct shunt_info *infos;
	size_t n;
	struct shunt_port *ports;	/* not NULL, even where there is none */
	size_t n_ports;
};

int cli_view(const struct cli *cli, const char *id, struct cli_view *ret, struct shunt_error *error);
void cli_view_done(struct cli_view *view);

extern const struct verb verbs[];	/* ends with a name of NULL */

int verb_attach(struct cli *cli, int argc, char **argv);
int verb_detach(struct cli *cli, int argc, char **argv);
int verb_list(struct cli *cli, int argc, char **argv);
int verb_show(struct cli *cli, int argc, char **argv);
int verb_run(struct cli *cli, int argc, char **argv);
int verb_publish(struct cli *cli, int argc, char **argv);
int verb_unpublish(struct cli *cli, int argc, char **argv);
int verb_service(struct cli *cli, int argc, char **argv);
int verb_gc(struct cli *cli, int argc, char **argv);
int verb_upgrade(struct cli *cli, int argc, char **argv);
int verb_doctor(struct cli *cli, int argc, char **argv);
int verb_network(struct cli *cli, int argc, char **argv);
int verb_oci_hook(struct cli *cli, int argc, char **argv);
int verb_nspawn(struct cli *cli, int argc, char **argv);

#endif

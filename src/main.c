// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - the table of verbs. Exit status: 0 done, 1 failed, 2 wrong usage; `run` has its command's.
 */
#include <fcntl.h>

#include "cli.h"
#include "environment.h"
#include "journal.h"
#include "rights.h"
#include "util.h"

#define REQUEST_USAGE \
	"[--network N] [--address A]... [--interface NAME] [--mtu N] [--mode l3|l2] [--driver auto|netkit|veth] [--publish PORT]... [--service NAME]"

const struct verb verbs[] = {
	{ "attach", verb_attach, RIGHTS_ATTACH_ANY, "ID (--netns PATH | --pid PID) " REQUEST_USAGE " [--json]",
	  "Give a container's network namespace one interface" },
	{ "detach", verb_detach, RIGHTS_DETACH, "ID", "Take all of a container's interfaces back" },
	{ "list", verb_list, RIGHTS_LOOK, "[--json]", "Show what is attached" },
	{ "show", verb_show, RIGHTS_LOOK, "ID [--json]", "Show one container's interfaces with their counters" },
	{ "run", verb_run, RIGHTS_ALL, "[--id ID] " REQUEST_USAGE " -- COMMAND...",
	  "Run a command in a network namespace of its own" },
	{ "publish", verb_publish, RIGHTS_ATTACH_ANY, "ID [HOSTADDR:]HOSTPORT[-END]:PORT[-END][/tcp|udp]... [--service NAME] [--interface NAME]",
	  "Let ports of the host lead to a container that runs" },
	{ "unpublish", verb_unpublish, RIGHTS_DETACH, "ID [PORT...] [--interface NAME]", "Take published ports back, or all of them" },
	{ "service", verb_service, RIGHTS_NONE, "list [--json]", "Show the ports that containers share, and who answers there" },
	{ "gc", verb_gc, RIGHTS_DETACH, "[--json]", "Remove what no living container owns" },
	{ "upgrade", verb_upgrade, RIGHTS_ATTACH, "[--json]", "Replace another version's programs, under load" },
	{ "doctor", verb_doctor, RIGHTS_ATTACH, "[--json]", "Say what this host can do and what is wrong" },
	{ "network", verb_network, RIGHTS_NONE, "list | show NAME [--json]", "Show the networks and their free addresses" },
	{ "oci-hook", verb_oci_hook, RIGHTS_ATTACH_PROCESS, "createRuntime|prestart|poststop",
	  "Act for an OCI runtime, which writes the container's state to standard input" },
	{ "nspawn", verb_nspawn, RIGHTS_ATTACH_PROCESS, "enable|disable|pre|post|stop MACHINE [--network N] [--address A]... [--mode interface|namespace] "
	  "[--mtu N] [--driver auto|netkit|veth] [--publish PORT]... [--service NAME]", "Give a machine of systemd-nspawn its network" },
	{ NULL, NULL, 0, NULL, NULL },
};

static int help(void)
{
	printf("Usage: shunt [--state DIR] VERB ...\n\nContainer networking without a bridge, a daemon or a database.\n\n");
	for (const struct verb *verb = verbs; verb->name; verb++)
		printf("  %-10s %s\n", verb->name, verb->what);
	printf("\n`shunt VERB --help` shows a verb's options; shunt(1) has the rest.\n");
	return EXIT_SUCCESS;
}

static const struct verb *find_verb(const char *name)
{
	for (const struct verb *verb = verbs; verb->name; verb++)
		if (strcmp(verb->name, name) == 0)
			return verb;
	return NULL;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
	struct shunt_error error;

	cli->verb = find_verb(argv[0]);
	if (!cli->verb)
		return cli_usage(cli, "there is no verb \"%s\"", argv[0]);
	if (cli->verb->rights != RIGHTS_ALL && rights_keep(cli->verb->rights, &error) < 0)
		return journal_fail(&error, NULL, NULL);
	optind = 0;	/* glibc: begin anew, with the verb as argv[0] */
	return cli->verb->run(cli, argc, argv);
}

static int dispatch(int argc, char **argv)
{
	static const struct option options[] = { OPTIONS_COMMON, OPTIONS_END };
	struct cli cli = { .state = SHUNT_DEFAULT_STATE };
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+" OPTIONS_SHORT, options, NULL)) != -1) {
		status = c == 'h' ? help() : cli_option(&cli, c, argv);
		if (status != CLI_CONTINUE)
			return status;
	}
	if (optind == argc)
		return cli_usage(&cli, "no verb");
	return run_verb(&cli, argc - optind, argv + optind);
}

/*
 * A standard descriptor that is closed would become the first map or socket that we open, and what we print would go
 * there. It becomes one that fails instead, as a closed one does; the command of `run` gets it closed as it was.
 */
static void keep_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct shunt_error error;
	int status, r;

	keep_descriptors();
	environment_leave();
	status = dispatch(argc, argv);
	r = cli_flush();
	if (r < 0) {
		shunt_fail(&error, r, "standard output: %s", strerror(-r));
		journal_fail(&error, NULL, NULL);
		return status ?: EXIT_FAILURE;
	}
	return status;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"
#include "journal.h"
#include "show.h"
#include "util.h"
#include "version.h"

static int print_json(const struct shunt_upgrade_result *result, struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	int r;

	r = sd_json_buildo(&json, SD_JSON_BUILD_PAIR_CONDITION(result->from[0], "from", SD_JSON_BUILD_STRING(result->from)),
			   SD_JSON_BUILD_PAIR_STRING("to", SHUNT_VERSION), SD_JSON_BUILD_PAIR_UNSIGNED("links", result->links));
	return show_print_answer(json, r, error);
}

int verb_upgrade(struct cli *cli, int argc, char **argv)
{
	struct shunt_upgrade_result result;
	struct shunt_error error;
	int r = cli_operands(cli, argc, argv, 0, 0);

	if (r != CLI_CONTINUE)
		return r;
	r = shunt_upgrade(cli->state, &result, &error);
	if (r < 0)
		return journal_fail(&error, NULL, NULL);
	if (cli->json) {
		r = print_json(&result, &error);
		if (r < 0)
			return journal_fail(&error, NULL, NULL);
	} else if (!result.from[0]) {
		puts("nothing is loaded");
	} else {
		printf("%s to %s: %u links changed over\n", result.from, SHUNT_VERSION, result.links);
	}
	return EXIT_SUCCESS;
}

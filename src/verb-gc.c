// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli.h"
#include "journal.h"
#include "show.h"
#include "util.h"

static int print_json(const struct shunt_gc_result *result, struct shunt_error *error)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	int r;

	r = sd_json_buildo(&json, SD_JSON_BUILD_PAIR_UNSIGNED("endpoints", result->endpoints),
			   SD_JSON_BUILD_PAIR_UNSIGNED("mended", result->mended),
			   SD_JSON_BUILD_PAIR_UNSIGNED("uplinks", result->uplinks),
			   SD_JSON_BUILD_PAIR_BOOLEAN("unloaded", result->unloaded));
	return show_print_answer(json, r, error);
}

int verb_gc(struct cli *cli, int argc, char **argv)
{
	struct shunt_gc_result result;
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 0, 0);
	if (r != CLI_CONTINUE)
		return r;
	r = shunt_gc(cli->state, &result, &error);
	if (r < 0)
		return journal_fail(&error, NULL, NULL);

	if (cli->json) {
		r = print_json(&result, &error);
		if (r < 0)
			return journal_fail(&error, NULL, NULL);
	} else {
		printf("%u endpoints removed, ", result.endpoints);
		if (result.mended > 0)
			printf("%u mended, ", result.mended);
		printf("%u uplinks changed%s\n", result.uplinks, result.unloaded ? ", datapath unloaded" : "");
	}
	return EXIT_SUCCESS;
}

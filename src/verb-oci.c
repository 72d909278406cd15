// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-oci.c - oci-hook: what a runtime starts. Silent on success: some runtimes keep what a hook prints, some lose it.
 */
#include "cli.h"
#include "journal.h"
#include "oci.h"
#include "rights.h"
#include "util.h"

/* Failed, @ret has the ID all the same if there was one, so that the line about it can be found by it. */
static int read_state(enum oci_stage stage, struct oci_state *ret, struct shunt_error *error)
{
	_cleanup_(oci_state_done) struct oci_state whole = {};
	_cleanup_free_ char *buffer = NULL;
	size_t size;
	int r;

	r = oci_read(STDIN_FILENO, &buffer, &size, error);
	if (r >= 0)
		r = oci_state_parse_id(buffer, size, ret, error);
	if (r < 0 || stage == OCI_POSTSTOP)
		return r;
	r = oci_state_parse(buffer, size, &whole, error);
	if (r < 0)
		return r;
	oci_state_done(ret);
	*ret = whole;
	whole = (struct oci_state){};
	return 0;
}

static const char *network_of(const struct oci_state *state)
{
	for (size_t i = 0; i < state->n_annotations; i++)
		if (strcmp(state->annotations[i].key, OCI_ANNOTATION_PREFIX "network") == 0)
			return state->annotations[i].value;
	return SHUNT_DEFAULT_NETWORK;
}

int verb_oci_hook(struct cli *cli, int argc, char **argv)
{
	_cleanup_(oci_state_done) struct oci_state state = {};
	struct shunt_error error;
	struct shunt_info info;
	enum oci_stage stage;
	int r;

	r = cli_operands(cli, argc, argv, 1, 1);
	if (r != CLI_CONTINUE)
		return r;
	if (oci_stage_parse(argv[optind], &stage, &error) < 0)
		return cli_usage(cli, "%s", error.text);

	if (stage == OCI_POSTSTOP && rights_keep(RIGHTS_DETACH, &error) < 0)
		return journal_fail(&error, NULL, NULL);
	r = read_state(stage, &state, &error);
	if (r < 0)
		return journal_fail(&error, state.id[0] ? state.id : NULL, NULL);
	if (stage == OCI_CREATE_RUNTIME)
		r = oci_create(cli->state, &state, &info, &error);
	else
		r = oci_poststop(cli->state, &state, &error);
	if (r >= 0 && stage == OCI_CREATE_RUNTIME)
		journal_notice(&info);
	return r < 0 ? journal_fail(&error, state.id, stage == OCI_POSTSTOP ? NULL : network_of(&state)) : EXIT_SUCCESS;
}

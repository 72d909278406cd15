// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verb-doctor.c - doctor: run all checks, then show what they found.
 */
#include <stdarg.h>

#include "cli.h"
#include "doctor.h"
#include "journal.h"
#include "show.h"
#include "util.h"

static const char *const severity_names[] = {
	[SEVERITY_OK] = "ok",
	[SEVERITY_WARN] = "warn",
	[SEVERITY_FAIL] = "fail",
};

void doctor_add(struct doctor *doctor, const char *check, enum severity severity, const char *remedy,
		const char *format, ...)
{
	struct finding *findings = reallocarray(doctor->findings, doctor->n + 1, sizeof(*findings));
	struct finding *finding;
	char text[sizeof(finding->message.text)];
	va_list ap;

	if (!findings) {
		doctor->r = -ENOMEM;
		return;
	}
	doctor->findings = findings;
	finding = &findings[doctor->n++];
	*finding = (struct finding){ .check = check, .severity = severity };

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	shunt_fail(&finding->message, 0, "%s", text);
	shunt_fail(&finding->remedy, 0, "%s", remedy);
}

static void print_lines(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->n; i++) {
		const struct finding *finding = &doctor->findings[i];
		bool remedy = finding->remedy.text[0];

		printf("%-4s  %-10s  %s%s%s\n", severity_names[finding->severity], finding->check, finding->message.text,
		       remedy ? "; " : "", finding->remedy.text);
	}
}

static int print_json(const struct doctor *doctor)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r;

	r = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; i < doctor->n && r >= 0; i++) {
		const struct finding *finding = &doctor->findings[i];

		r = sd_json_variant_append_arraybo(
			&array, SD_JSON_BUILD_PAIR_STRING("check", finding->check),
			SD_JSON_BUILD_PAIR_STRING("status", severity_names[finding->severity]),
			SD_JSON_BUILD_PAIR_STRING("message", finding->message.text),
			SD_JSON_BUILD_PAIR_STRING("remedy", finding->remedy.text));
	}
	return r < 0 ? r : show_print_json(array);
}

static int verdict(const struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->n; i++)
		if (doctor->findings[i].severity == SEVERITY_FAIL)
			return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static void doctor_done(struct doctor *doctor)
{
	free(doctor->findings);
}

int verb_doctor(struct cli *cli, int argc, char **argv)
{
	_cleanup_(doctor_done) struct doctor doctor = {};
	struct shunt_error error;
	int r;

	r = cli_operands(cli, argc, argv, 0, 0);
	if (r != CLI_CONTINUE)
		return r;

	doctor.state = cli->state;
	doctor_kernel(&doctor);
	doctor_networks(&doctor);
	doctor_endpoints(&doctor);
	doctor_podman(&doctor);

	r = doctor.r;
	if (r >= 0 && cli->json)
		r = print_json(&doctor);
	else if (r >= 0)
		print_lines(&doctor);
	if (r < 0) {
		shunt_fail(&error, r, "the findings could not be written: %s", strerror(-r));
		return journal_fail(&error, NULL, NULL);
	}
	/* Findings are the answer, not an error: they go to standard output even where they are bad. */
	return verdict(&doctor);
}

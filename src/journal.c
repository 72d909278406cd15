// SPDX-License-Identifier: GPL-2.0-or-later
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "journal.h"

#include <signal.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "names.h"
#include "util.h"

#define FIELD_MAX (sizeof(((struct shunt_error *)0)->text) + SHUNT_ID_MAX + 32)

static bool in_id(char c)
{
	const char one[] = { c, '\0' };

	return c == '.' || c == '-' || (c && id_check(one, NULL) == 0);
}

/* Whether @text has @id as a word, and not just as a part of one. */
static bool mentions(const char *text, const char *id)
{
	for (const char *at = text; (at = strstr(at, id)); at++)
		if ((at == text || !in_id(at[-1])) && !in_id(at[strlen(id)]))
			return true;
	return false;
}

/* One line about @id: text that does not name it gets it in front. */
static void write_line(const struct shunt_error *error, const char *id, char *line, size_t size)
{
	bool named = !id || mentions(error->text, id);

	snprintf(line, size, "%s%s%s", named ? "" : id, named ? "" : ": ", error->text);
}

static void add_field(struct iovec *fields, int *n, char *buffer, const char *name, const char *value)
{
	if (!value || !value[0])
		return;
	snprintf(buffer, FIELD_MAX, "%s=%s", name, value);
	fields[(*n)++] = (struct iovec){ .iov_base = buffer, .iov_len = strlen(buffer) };
}

static void journal_write(const struct shunt_error *error, int priority, const char *id, const char *network)
{
	char line[FIELD_MAX - 16], fields[5][FIELD_MAX], level[8];
	struct iovec iov[5];
	sighandler_t before;
	int n = 0;

	/* What is no name is in the text, quoted and without control characters; it makes no field. */
	if (id && id_check(id, NULL) < 0)
		id = NULL;
	if (network && network_name_check(network, NULL) < 0)
		network = NULL;
	write_line(error, id, line, sizeof(line));

	snprintf(level, sizeof(level), "%d", priority);
	add_field(iov, &n, fields[0], "MESSAGE", line);
	add_field(iov, &n, fields[1], "PRIORITY", level);
	add_field(iov, &n, fields[2], "SYSLOG_IDENTIFIER", "shunt");
	add_field(iov, &n, fields[3], "SHUNT_ID", id);
	add_field(iov, &n, fields[4], "SHUNT_NETWORK", network);
	/* There is nobody left to tell that telling failed. */
	(void)sd_journal_sendv(iov, n);

	/* Nor need somebody listen on stderr: whoever hung up gets our status all the same, and `run` goes on. */
	before = signal(SIGPIPE, SIG_IGN);
	fprintf(stderr, "shunt: %s\n", line);
	signal(SIGPIPE, before);
}

int journal_fail(const struct shunt_error *error, const char *id, const char *network)
{
	journal_write(error, LOG_ERR, id, network);
	return EXIT_FAILURE;
}

void journal_warn(const struct shunt_error *error, const char *id, const char *network)
{
	journal_write(error, LOG_WARNING, id, network);
}

void journal_notice(const struct shunt_info *info)
{
	struct shunt_error line;

	if (!info->notice[0])
		return;
	snprintf(line.text, sizeof(line.text), "%s", info->notice);
	journal_write(&line, LOG_NOTICE, info->id, info->endpoint.network);
}

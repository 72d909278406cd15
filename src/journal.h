/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - the one place that says what went wrong: on stderr, and in the journal.
 */
#ifndef SHUNT_JOURNAL_H
#define SHUNT_JOURNAL_H

#include "shunt/shunt.h"

/**
 * journal_fail() - Give up: one line for whoever called, the same for whoever looks later
 * @id:		of the endpoint that it was about, for SHUNT_ID=; NULL or empty for none
 * @network:	likewise, for SHUNT_NETWORK=
 *
 * Runtimes show a hook's stderr seldom, some never; the journal is there in any case. A machine without one is none
 * the worse.
 *
 * Return: EXIT_FAILURE, for the verb to return
 */
int journal_fail(const struct shunt_error *error, const char *id, const char *network);

/* The same for what is wrong but stops nothing. */
void journal_warn(const struct shunt_error *error, const char *id, const char *network);

/* And for what an attach has changed of the host that is not its own; mostly there is nothing to say. */
void journal_notice(const struct shunt_info *info);

#endif

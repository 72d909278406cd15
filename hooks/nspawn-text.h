/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nspawn-text.h - the texts of units/, which are part of the program, and how their @words@ are filled in.
 */
#ifndef SHUNT_NSPAWN_TEXT_H
#define SHUNT_NSPAWN_TEXT_H

#include <stddef.h>

#include "shunt/shunt.h"

extern const char nspawn_interface_conf[], nspawn_namespace_conf[];	/* drop-ins of systemd-nspawn@MACHINE.service */
extern const char nspawn_interface_nspawn[], nspawn_namespace_nspawn[];	/* MACHINE.nspawn */
extern const char nspawn_host0_network[];	/* for the machine's networkd */

struct text_word {
	const char *name;
	const char *value;
};

/* @template with each @name@ of @words replaced; what has no such name stays. Return: a new string, or NULL for no memory */
char *text_fill(const char *template, const struct text_word *words, size_t n);

/* Whether the settings in @text have @key=@value in [@section], white space aside; @value NULL: any. */
bool text_has_setting(const char *text, const char *section, const char *key, const char *value);

/* Whether there is any setting in [@section]. */
bool text_has_section(const char *text, const char *section);

/* Reads a file of settings; -EFBIG if it is larger than any of these is. Return: 0, or a negative errno */
int text_read(const char *path, char **ret);

/* Removes a file and what a killed text_write() of it has left; none is no error. Return: 0, or a negative errno */
int text_remove(const char *path);

/* Makes @path's directories, and the file whole or not at all. */
int text_write(const char *path, const char *text, struct shunt_error *error);

#endif

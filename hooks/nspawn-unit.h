/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nspawn-unit.h - the two files that make systemd start a machine with us: a drop-in of systemd-nspawn@MACHINE.service, and
 * the machine's .nspawn file. What is to be attached is remembered in the drop-in's command lines and nowhere else.
 */
#ifndef SHUNT_NSPAWN_UNIT_H
#define SHUNT_NSPAWN_UNIT_H

#include "nspawn.h"

struct nspawn_files {
	struct nspawn_file {
		char *path;
		char *text;
		bool ours;		/* to be written; else the user's, with all that is needed in it */
	} dropin, nspawn;
};

void nspawn_files_done(struct nspawn_files *files);

/**
 * nspawn_enable() - Write both files
 * @state:	the state directory, or NULL for the default
 *
 * A file that we have not written is never touched. The user's own .nspawn file does as well if it has what is needed;
 * if it has not, -EEXIST says what to add.
 *
 * Return: 0; -ENOENT if there is no such machine; -EEXIST; or another errno
 */
int nspawn_enable(const char *state, const struct nspawn_request *request, struct nspawn_files *ret,
		  struct shunt_error *error);

/**
 * nspawn_disable() - Remove what nspawn_enable() has written, and nothing else
 * @ret:	the paths that were removed; a path of the user's that still has our line is there with ours = false
 *
 * Return: 0, also if there is nothing; -EBUSY if the machine is running; -EEXIST if the user has changed our file
 */
int nspawn_disable(const char *machine, struct nspawn_files *ret, struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nspawn.h - the systemd-nspawn adapter: what happens around a machine's life, and what makes it happen.
 *
 * In mode interface, pre leaves a pair whose one end nspawn moves into the machine as host0, and post addresses it there.
 * With private users (-U) nothing else is possible: nspawn does not enter a namespace that the machine does not own. In
 * mode namespace, pre makes the whole namespace, nspawn enters it, and post lets go of it. See shunt-nspawn(8).
 *
 * The endpoint's ID is the machine's name. /run/shunt/nspawn holds MACHINE.network, for the machine's own networkd, and
 * MACHINE.netns in mode namespace until post; what is left goes with stop.
 */
#ifndef SHUNT_NSPAWN_H
#define SHUNT_NSPAWN_H

#include "shunt/shunt.h"

#define NSPAWN_INTERFACE "host0"
#define NSPAWN_DIRECTORY "/run/shunt/nspawn"

enum nspawn_mode {
	NSPAWN_MODE_INTERFACE,
	NSPAWN_MODE_NAMESPACE,
};

struct nspawn_request {
	struct shunt_request request;	/* ->id is the machine's name */
	enum nspawn_mode mode;
};

/* 1 to 64 letters, digits, '-' and '.', as systemd has it; none of them needs escaping in a unit's name. */
int machine_name_check(const char *machine, struct shunt_error *error);

int nspawn_mode_parse(const char *text, enum nspawn_mode *ret, struct shunt_error *error);

/* Before nspawn starts. What a machine of the same name has left is replaced. All or nothing. */
int nspawn_pre(const char *state, const struct nspawn_request *request, struct shunt_info *ret, struct shunt_error *error);

/* As soon as the machine has its namespace. */
int nspawn_post(const char *state, const char *machine, struct shunt_info *ret, struct shunt_error *error);

/* Whatever happened before; success where nothing is left. */
int nspawn_stop(const char *state, const char *machine, struct shunt_error *error);

/* What nspawn is told: "np...:host0" for --network-interface=, or a path for --network-namespace-path=. */
int nspawn_argument(const struct nspawn_request *request, char **ret);

#endif

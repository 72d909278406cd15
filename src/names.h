/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - which names are names: IDs, interfaces, networks; and the name of the host end.
 */
#ifndef SHUNT_NAMES_H
#define SHUNT_NAMES_H

#include "shunt/shunt.h"

/* 1 to 128 of [A-Za-z0-9_.+-], not starting with '.' or '-' */
int id_check(const char *id, struct shunt_error *error);

/* As the kernel's dev_valid_name(): 1 to 15 bytes, not "." or "..", no '/', ':' or white space; and printable. */
int interface_name_check(const char *name, struct shunt_error *error);

/* 1 to 15 of [A-Za-z0-9_.-], starting with a letter or digit; it is also the name of a file. */
int network_name_check(const char *name, struct shunt_error *error);

/**
 * host_name() - The name of an endpoint's host end
 * @ret:	"nk" and 13 hex digits: the first 52 bits of a hash of ID, NUL and interface name; NUL-padded
 *
 * It is the same in every run, so that a teardown needs the ID alone.
 */
void host_name(const char *id, const char *interface, char ret[static SHUNT_IFNAME_MAX]);

/* 64 bits of hash (FNV-1a with a final mix), the same on every machine. */
uint64_t name_hash(const char *a, const char *b);

/* A decimal number in @min..@max and nothing else: no sign, no blanks. Returns 0, -EINVAL or -ERANGE. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

#endif

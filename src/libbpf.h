/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libbpf.h - libbpf, loaded when it is needed: to read an object file, or what types a kernel knows.
 *
 * Its functions are called by their own names; each fails where the library could not be loaded.
 */
#ifndef SHUNT_LIBBPF_H
#define SHUNT_LIBBPF_H

#include "shunt/shunt.h"

/* Return: 0, or -ELIBACC with a line that says which library is missing. */
int libbpf_open(struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show.h - endpoints as people and programs see them.
 */
#ifndef SHUNT_SHOW_H
#define SHUNT_SHOW_H

#include <stdio.h>
#include <systemd/sd-json.h>

#include "shunt/shunt.h"

/*
 * The JSON object of one endpoint: the element of `list --json`. Of @ports, here and below, only the endpoint's own are shown,
 * which stand together. Return: 0, or a negative errno
 */
int show_json(const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports, sd_json_variant **ret);

/* One line: "web eth0 10.207.3.4/32 fd00::3/128 mtu 1500 netkit l3" */
void show_line(const struct shunt_info *info, FILE *f);

/* All there is, a line each. */
void show_details(const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports, FILE *f);

/* Return: 0, or -ENOMEM with nothing written */
int show_table(const struct shunt_info *infos, size_t n, const struct shunt_port *ports, size_t n_ports, FILE *f);

/* Writes a JSON value and a newline; spread over lines for a terminal. Return: 0, or a negative errno */
int show_print_json(sd_json_variant *value);

/* The answer of a verb that has done its work; @r is what making @value returned. Return: 0, or an errno with a line */
int show_print_answer(sd_json_variant *value, int r, struct shunt_error *error);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - columns for people.
 */
#ifndef SHUNT_TABLE_H
#define SHUNT_TABLE_H

#include <stdio.h>

struct table {
	size_t columns;
	size_t n;		/* cells */
	char **cells;
};

/* A table whose first row is @columns headings, NULL-terminated. Return: 0 or -ENOMEM, as below */
int table_init(struct table *table, const char *const *headings);
void table_done(struct table *table);

/* Adds the next cell, row by row; an empty one is shown as "-". */
int table_add(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

void table_print(const struct table *table, FILE *f);

#endif

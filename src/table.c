// SPDX-License-Identifier: GPL-2.0-or-later
#include "table.h"

#include <stdarg.h>

#include "util.h"

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){};
}

int table_add(struct table *table, const char *format, ...)
{
	char **cells = reallocarray(table->cells, table->n + 1, sizeof(*cells));
	char *cell = NULL;
	va_list ap;
	int r;

	if (!cells)
		return -ENOMEM;
	table->cells = cells;

	va_start(ap, format);
	r = vasprintf(&cell, format, ap);
	va_end(ap);
	if (r < 0)
		return -ENOMEM;
	cells[table->n++] = cell;
	return 0;
}

int table_init(struct table *table, const char *const *headings)
{
	*table = (struct table){};
	for (; headings[table->columns]; table->columns++) {
		int r = table_add(table, "%s", headings[table->columns]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = 1;

	for (size_t i = column; i < table->n; i += table->columns)
		if (strlen(table->cells[i]) > width)
			width = strlen(table->cells[i]);
	return (int)width;
}

void table_print(const struct table *table, FILE *f)
{
	for (size_t i = 0; i < table->n; i++) {
		const char *cell = table->cells[i][0] ? table->cells[i] : "-";

		/* No padding behind the last column: it would wrap on narrow terminals. */
		if (i % table->columns == table->columns - 1)
			fprintf(f, "%s\n", cell);
		else
			fprintf(f, "%-*s  ", column_width(table, i % table->columns), cell);
	}
}

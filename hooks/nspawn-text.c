// SPDX-License-Identifier: GPL-2.0-or-later
#include "nspawn-text.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util.h"

/* The files as they lie there, and a NUL. The path is from where make runs. */
#define TEXT(name, file) \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"units/" file "\"\n.byte 0\n.popsection\n")

TEXT(nspawn_interface_conf, "nspawn-interface.conf.in");
TEXT(nspawn_namespace_conf, "nspawn-namespace.conf.in");
TEXT(nspawn_interface_nspawn, "nspawn-interface.nspawn.in");
TEXT(nspawn_namespace_nspawn, "nspawn-namespace.nspawn.in");
TEXT(nspawn_host0_network, "host0.network.in");

#define FILE_MAX (64 * 1024)

/* The word that begins at @at, which is a '@'. */
static const struct text_word *find_word(const char *at, const struct text_word *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(words[i].name);

		if (strncmp(at + 1, words[i].name, length) == 0 && at[1 + length] == '@')
			return &words[i];
	}
	return NULL;
}

char *text_fill(const char *template, const struct text_word *words, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	while (*template) {
		const struct text_word *word = *template == '@' ? find_word(template, words, n) : NULL;

		if (word) {
			fputs(word->value, f);
			template += strlen(word->name) + 2;
		} else {
			fputc(*template++, f);
		}
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The line at *@text without the white space around it, and *@text behind it. Return: false at the end */
static bool next_line(const char **text, const char **ret, size_t *ret_length)
{
	const char *line = *text, *end;

	if (!*line)
		return false;
	end = strchrnul(line, '\n');
	*text = *end ? end + 1 : end;
	line += strspn(line, " \t");
	if (line > end)
		line = end;
	while (end > line && strchr(" \t\r", end[-1]))
		end--;
	*ret = line;
	*ret_length = (size_t)(end - line);
	return true;
}

static bool is_header(const char *line, size_t length, const char *section)
{
	return length == strlen(section) + 2 && line[0] == '[' && line[length - 1] == ']' &&
	       strncmp(line + 1, section, length - 2) == 0;
}

/* "KEY = VALUE" */
static bool is_setting(const char *line, size_t length, const char *key, const char *value)
{
	size_t at = strlen(key);

	if (length < at || strncmp(line, key, at) != 0)
		return false;
	while (at < length && strchr(" \t", line[at]))
		at++;
	if (at == length || line[at++] != '=')
		return false;
	while (at < length && strchr(" \t", line[at]))
		at++;
	return !value || (length - at == strlen(value) && strncmp(line + at, value, length - at) == 0);
}

bool text_has_setting(const char *text, const char *section, const char *key, const char *value)
{
	bool inside = false;
	const char *line;
	size_t length;

	while (next_line(&text, &line, &length)) {
		if (length > 0 && line[0] == '[')
			inside = is_header(line, length, section);
		else if (inside && length > 0 && !strchr("#;", line[0]) && (!key || is_setting(line, length, key, value)))
			return true;
	}
	return false;
}

bool text_has_section(const char *text, const char *section)
{
	return text_has_setting(text, section, NULL, NULL);
}

int text_read(const char *path, char **ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = malloc(FILE_MAX + 1);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (!text)
		return -ENOMEM;
	do {
		n = read(fd, text + size, FILE_MAX + 1 - size);
		if (n < 0 && errno != EINTR)
			return -errno;
		size += n > 0 ? (size_t)n : 0;
	} while (n != 0 && size <= FILE_MAX);
	if (size > FILE_MAX)
		return -EFBIG;
	text[size] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

static int make_directories(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* By the same name each time, so that what a kill leaves is found. NULL for no memory */
static char *temporary_name(const char *path)
{
	char *name;

	return asprintf(&name, "%s.new", path) < 0 ? NULL : name;
}

int text_remove(const char *path)
{
	_cleanup_free_ char *temporary = temporary_name(path);

	if (!temporary)
		return -ENOMEM;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return unlink(temporary) < 0 && errno != ENOENT ? -errno : 0;
}

int text_write(const char *path, const char *text, struct shunt_error *error)
{
	_cleanup_free_ char *temporary = temporary_name(path);
	_cleanup_close_ int fd = -1;
	int r;

	if (!temporary)
		return shunt_fail(error, -ENOMEM, "%s: out of memory", path);
	r = make_directories(temporary);
	if (r < 0)
		return shunt_fail(error, r, "%s cannot be made: %s; it must be writable for root", temporary, strerror(-r));
	/* That of one who was killed here. */
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return shunt_fail(error, -errno, "%s cannot be written: %m; its directory must be writable for root", path);
	/* The machine's networkd reads it, and is no user that we know. */
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, 0644) < 0 || rename(temporary, path) < 0) {
		r = -errno ?: -EIO;
		(void)unlink(temporary);
		return shunt_fail(error, r, "%s cannot be written: %s", path, strerror(-r));
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolver.c - a resolv.conf(5) is read as the resolver reads it, and only what is understood is written anew: the
 * upstream file belongs to a service that faces the network.
 */
#include "resolver.h"

#include "address.h"
#include "file.h"
#include "util.h"

#define UPSTREAM_FILE "/run/systemd/resolve/resolv.conf"
#define BLANKS " \t\r"

/* Resolvers heed no more (MAXNS in resolv.h). */
#define SERVERS_MAX 3

struct servers {
	struct shunt_prefix servers[SERVERS_MAX];
	size_t n;
	bool others;		/* among them are some that cannot be reached */
};

/* What lies behind @keyword and blanks, or NULL; it must be the line's first word, with no blank in front. */
static const char *value_of(const char *line, const char *keyword)
{
	size_t size = strlen(keyword);

	if (strncmp(line, keyword, size) != 0 || !line[size] || !strchr(BLANKS, line[size]))
		return NULL;
	return line + size + strspn(line + size, BLANKS);
}

/* What no endpoint reaches: this host, its loopback, one link, everybody; and IPv4 in an IPv6 address. */
static bool is_out_of_reach(const struct shunt_prefix *server)
{
	static const char *const ranges[] = {
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8",
	};

	for (size_t i = 0; i < ELEMENTSOF(ranges); i++) {
		struct shunt_prefix range;

		if (prefix_parse(ranges[i], &range) == 0 && prefix_contains(&range, server))
			return true;
	}
	return false;
}

/* Reads one server's address; what has a zone (fe80::1%eth0) is of one link. */
static bool read_server(const char *value, unsigned families, struct shunt_prefix *ret)
{
	char text[INET6_ADDRSTRLEN];
	size_t size = strcspn(value, BLANKS ";#");

	if (size >= sizeof(text))
		return false;
	memcpy(text, value, size);
	text[size] = '\0';
	if (strchr(text, '/') || prefix_parse(text, ret) < 0 || is_out_of_reach(ret))
		return false;
	return families & (ret->family == AF_INET ? RESOLVER_IPV4 : RESOLVER_IPV6);
}

static void read_servers(char *const *lines, unsigned families, struct servers *servers)
{
	*servers = (struct servers){ .n = 0 };
	for (; *lines && servers->n < SERVERS_MAX; lines++) {
		const char *value = value_of(*lines, "nameserver");

		if (!value)
			continue;
		if (read_server(value, families, &servers->servers[servers->n]))
			servers->n++;
		else
			servers->others = true;
	}
}

/* The lines of @text, as pointers into @ret_text. */
static int split(const char *text, char **ret_text, char ***ret)
{
	_cleanup_free_ char *copy = strdup(text);
	_cleanup_free_ char **lines = calloc(strlen(text) + 2, sizeof(*lines));
	size_t n = 0;

	if (!copy || !lines)
		return -ENOMEM;
	for (char *rest = copy; rest;)
		lines[n++] = strsep(&rest, "\n");
	*ret_text = TAKE_PTR(copy);
	*ret = TAKE_PTR(lines);
	return 0;
}

/* trust-ad is about the server beside it: the host may believe its own resolver to have validated, but not another. */
static void write_options(FILE *f, const char *value, bool same_servers)
{
	fputs("options", f);
	for (size_t size; *value; value += size + strspn(value + size, BLANKS)) {
		size = strcspn(value, BLANKS);
		if (same_servers || size != strlen("trust-ad") || strncmp(value, "trust-ad", size) != 0)
			fprintf(f, " %.*s", (int)size, value);
	}
	fputc('\n', f);
}

static int write_text(char *const *lines, const struct servers *servers, bool same_servers, char **ret)
{
	static const char *const kept[] = { "search", "domain", "sortlist" };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	fprintf(f, "# From %s, by `shunt run`: servers that can be reached from this network.\n",
		same_servers ? RESOLVER_FILE : UPSTREAM_FILE);
	for (; *lines; lines++) {
		const char *value = value_of(*lines, "options");

		if (value)
			write_options(f, value, same_servers);
		for (size_t i = 0; i < ELEMENTSOF(kept); i++)
			if (value_of(*lines, kept[i]))
				fprintf(f, "%s\n", *lines);
	}
	for (size_t i = 0; i < servers->n; i++) {
		char address[PREFIX_TEXT_MAX];

		fprintf(f, "nameserver %s\n", prefix_format_address(&servers->servers[i], address));
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}

int resolver_compose(const char *host, const char *upstream, unsigned families, char **ret)
{
	_cleanup_free_ char *host_text = NULL, *upstream_text = NULL;
	_cleanup_free_ char **host_lines = NULL, **upstream_lines = NULL;
	struct servers servers;
	bool same = true;
	int r;

	r = split(host, &host_text, &host_lines);
	if (r < 0)
		return r;
	read_servers(host_lines, families, &servers);
	if (!servers.others) {
		*ret = NULL;
		return 0;
	}
	if (servers.n == 0 && upstream) {
		r = split(upstream, &upstream_text, &upstream_lines);
		if (r < 0)
			return r;
		read_servers(upstream_lines, families, &servers);
		same = false;
	}
	return servers.n > 0 ? write_text(host_lines, &servers, same, ret) : -EHOSTUNREACH;
}

static int read_optional(const char *path, char **ret, struct shunt_error *error)
{
	int r = file_read(path, RESOLVER_FILE_MAX, ret, error);

	return r == -ENOENT ? 0 : r;
}

static const char *families_text(unsigned families)
{
	switch (families) {
	case RESOLVER_IPV4:
		return ", and has an IPv4 address";
	case RESOLVER_IPV6:
		return ", and has an IPv6 address";
	default:
		return "";
	}
}

int resolver_text(unsigned families, char **ret, struct shunt_error *error)
{
	_cleanup_free_ char *host = NULL, *upstream = NULL, *text = NULL;
	int r;

	r = read_optional(RESOLVER_FILE, &host, error);
	if (r < 0)
		return r;
	r = host ? resolver_compose(host, NULL, families, &text) : 0;
	if (r == -EHOSTUNREACH) {
		r = read_optional(UPSTREAM_FILE, &upstream, error);
		if (r < 0)
			return r;
		r = resolver_compose(host, upstream, families, &text);
	}
	if (r == -EHOSTUNREACH)
		return shunt_fail(error, r, "the command has no names: no server in " RESOLVER_FILE "%s can be reached from its "
				  "network; name one %s that is neither loopback nor link-local%s", upstream ? " or " UPSTREAM_FILE : "",
				  upstream ? "with DNS= in resolved.conf(5)" : "there", families_text(families));
	if (r < 0)
		return shunt_fail(error, r, RESOLVER_FILE " for the command: %s", strerror(-r));
	*ret = TAKE_PTR(text);
	return 0;
}

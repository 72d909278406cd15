// SPDX-License-Identifier: GPL-2.0-or-later
#include "publication.h"

#include <arpa/inet.h>

#include "address.h"
#include "names.h"
#include "util.h"

#define FORM "[HOSTADDR:]HOSTPORT[-END]:PORT[-END][/tcp|udp]"
#define SPEC_MAX 128

struct range {
	uint16_t first, last;
};

static int fail(const char *text, const char *why, struct shunt_error *error)
{
	return shunt_fail(error, -EINVAL, "\"%.100s%s\" publishes nothing: %s; the form is " FORM, text,
			  strlen(text) > 100 ? "..." : "", why);
}

static int parse_port(const char *text, uint16_t *ret)
{
	uint64_t port;
	int r = number_parse(text, 1, 65535, &port);

	if (r >= 0)
		*ret = (uint16_t)port;
	return r;
}

/* Cuts @text at its '-'. *ended: there was one. */
static int parse_range(char *text, struct range *ret, bool *ended)
{
	char *end = strchr(text, '-');
	int r;

	*ended = end;
	if (end)
		*end++ = '\0';
	r = parse_port(text, &ret->first);
	if (r >= 0)
		r = parse_port(end ?: text, &ret->last);
	return r < 0 ? r : ret->first > ret->last ? -EINVAL : 0;
}

/* Takes "/tcp" or "/udp" from the end. */
static int take_protocol(char *text, uint8_t *ret)
{
	char *slash = strchr(text, '/');

	*ret = IPPROTO_TCP;
	if (!slash)
		return 0;
	*slash++ = '\0';
	if (strcmp(slash, "udp") == 0)
		*ret = IPPROTO_UDP;
	else if (strcmp(slash, "tcp") != 0)
		return -EPROTONOSUPPORT;
	return 0;
}

/* Takes the address from the front, "10.0.0.1:" or "[::1]:". Return: what follows, or NULL for no address */
static char *take_host(char *text, struct shunt_prefix *ret, const char **why)
{
	char *end;

	*ret = (struct shunt_prefix){};
	if (text[0] == '[') {
		end = strchr(text, ']');
		*why = "no ] behind [";
		if (!end || end[1] != ':')
			return NULL;
		*end++ = '\0';
		*why = "what is in brackets is no IPv6 address";
		return prefix_parse(text + 1, ret) < 0 || ret->family != AF_INET6 || ret->length != 128 ? NULL : end + 1;
	}
	end = strchr(text, ':');
	if (!end || !strchr(end + 1, ':'))
		return text;
	*why = "an IPv6 address is put in brackets";
	if (strchr(strchr(end + 1, ':') + 1, ':'))
		return NULL;
	*end++ = '\0';
	*why = "what is in front is no address";
	return prefix_parse(text, ret) < 0 || ret->length != 32 ? NULL : end;
}

/* Nobody can be reached at these as at an address of the host. */
static bool is_no_host(const struct shunt_prefix *host)
{
	const uint8_t *b = host->bytes;

	if (host->family == AF_INET)
		return b[0] >= 224 || (b[0] == 0 && memcmp(b, (const uint8_t[4]){}, 4) != 0) || (b[0] == 169 && b[1] == 254);
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || (mapped_is4(b));
}

int publication_parse(const char *text, struct publication *ret, struct shunt_error *error)
{
	bool host_ended, target_ended;
	struct publication p = {};
	struct range host, target;
	char copy[SPEC_MAX], *ports, *colon;
	const char *why;

	if (strlen(text) >= sizeof(copy))
		return fail(text, "it is too long", error);
	strcpy(copy, text);
	if (take_protocol(copy, &p.protocol) < 0)
		return fail(text, "the protocol is tcp or udp", error);
	ports = take_host(copy, &p.host, &why);
	if (!ports)
		return fail(text, why, error);
	if (p.host.family && is_no_host(&p.host))
		return fail(text, "that address is no host's", error);
	colon = strchr(ports, ':');
	if (!colon)
		return fail(text, "no port of the container", error);
	*colon++ = '\0';
	if (parse_range(ports, &host, &host_ended) < 0 || parse_range(colon, &target, &target_ended) < 0)
		return fail(text, "a port is a number from 1 to 65535, and a range goes up", error);
	if (target_ended ? host.last - host.first != target.last - target.first : target.first + (host.last - host.first) > 65535)
		return fail(text, "the two ranges are not of the same length", error);
	p.first = host.first;
	p.last = host.last;
	p.target = target.first;
	*ret = p;
	return 0;
}

static bool overlap(const struct publication *a, const struct publication *b)
{
	const uint8_t none[16] = {};
	bool all = a->host.family == 0 || b->host.family == 0;

	if (a->protocol != b->protocol || a->first > b->last || b->first > a->last)
		return false;
	if (all || a->host.family != b->host.family)
		return all;
	return memcmp(a->host.bytes, none, sizeof(none)) == 0 || memcmp(b->host.bytes, none, sizeof(none)) == 0 ||
	       memcmp(a->host.bytes, b->host.bytes, sizeof(none)) == 0;
}

int publications_parse(const char *const *texts, size_t n, struct publication *ret, struct shunt_error *error)
{
	for (size_t i = 0; i < n; i++) {
		int r = publication_parse(texts[i], &ret[i], error);

		if (r < 0)
			return r;
		for (size_t k = 0; k < i; k++)
			if (overlap(&ret[k], &ret[i]))
				return shunt_fail(error, -EEXIST, "\"%s\" and \"%s\" publish the same port", texts[k], texts[i]);
	}
	return 0;
}

int service_check(const char *name, struct shunt_error *error)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t size = strlen(name);

	if (size == 0 || size >= SHUNT_SERVICE_MAX || strspn(name, allowed) != size || strchr("._-", name[0]))
		return shunt_fail(error, -EINVAL, "service name \"%.40s\" is not allowed: 1 to %d of A-Z a-z 0-9 _ . -, a letter or digit "
				  "in front", name, SHUNT_SERVICE_MAX - 1);
	return 0;
}

static const uint8_t prefix4[12] = { [10] = 0xff, [11] = 0xff };

void mapped_address(const struct shunt_prefix *address, uint8_t ret[static 16])
{
	if (address->family == AF_INET6) {
		memcpy(ret, address->bytes, 16);
		return;
	}
	memcpy(ret, prefix4, sizeof(prefix4));
	memcpy(ret + 12, address->bytes, 4);
}

bool mapped_is4(const uint8_t address[static 16])
{
	return memcmp(address, prefix4, sizeof(prefix4)) == 0;
}

void unmapped_address(const uint8_t address[static 16], struct shunt_prefix *ret)
{
	bool four = mapped_is4(address);

	*ret = (struct shunt_prefix){ .family = four ? AF_INET : AF_INET6, .length = four ? 32 : 128 };
	memcpy(ret->bytes, address + (four ? 12 : 0), four ? 4 : 16);
}

bool mapped_is_any(const uint8_t address[static 16])
{
	const uint8_t none[16] = {};

	return memcmp(address, none, 16) == 0 || (mapped_is4(address) && memcmp(address + 12, none, 4) == 0);
}

/* "10.0.0.1" or "[::1]" */
static int format_address(const uint8_t address[static 16], char *text, size_t size)
{
	char one[PREFIX_TEXT_MAX];
	struct shunt_prefix host;

	unmapped_address(address, &host);
	return snprintf(text, size, host.family == AF_INET ? "%s" : "[%s]", prefix_format_address(&host, one));
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

const char *port_format_host(const struct shunt_published_key *key, char text[static PORT_HOST_TEXT_MAX + 4])
{
	int n = format_address(key->address, text, PORT_HOST_TEXT_MAX);

	snprintf(text + n, (size_t)(PORT_HOST_TEXT_MAX + 4 - n), ":%u/%s", ntohs(key->port), protocol_name(key->protocol));
	return text;
}

static bool is_neighbour(const struct shunt_port *a, const struct shunt_port *b, size_t distance)
{
	return a->key.ifindex == b->key.ifindex && a->key.host.protocol == b->key.host.protocol &&
	       memcmp(a->key.host.address, b->key.host.address, 16) == 0 &&
	       memcmp(a->value.service, b->value.service, sizeof(a->value.service)) == 0 &&
	       ntohs(b->key.host.port) == ntohs(a->key.host.port) + distance && ntohs(b->value.port) == ntohs(a->value.port) + distance;
}

size_t port_format(const struct shunt_port *list, size_t n, char *text)
{
	const unsigned host = ntohs(list->key.host.port), target = ntohs(list->value.port);
	int used = format_address(list->key.host.address, text, PORT_TEXT_MAX);
	size_t count = 1;

	while (count < n && is_neighbour(list, &list[count], count))
		count++;
	text += used;
	if (count == 1)
		snprintf(text, (size_t)(PORT_TEXT_MAX - used), ":%u:%u/%s", host, target, protocol_name(list->key.host.protocol));
	else
		snprintf(text, (size_t)(PORT_TEXT_MAX - used), ":%u-%zu:%u-%zu/%s", host, host + count - 1, target, target + count - 1,
			 protocol_name(list->key.host.protocol));
	return count;
}

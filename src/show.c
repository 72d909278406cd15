// SPDX-License-Identifier: GPL-2.0-or-later
#include "show.h"

#include <time.h>

#include "address.h"
#include "publication.h"
#include "table.h"
#include "util.h"

#define ADDRESSES_TEXT_MAX (2 * (PREFIX_TEXT_MAX + 1))
#define TIME_TEXT_MAX sizeof("2026-01-01T00:00:00.000000Z+++++")

/* The endpoint's addresses: 0 to 2 of them. */
static size_t endpoint_addresses(const struct shunt_endpoint *endpoint, struct shunt_prefix ret[static 2])
{
	size_t n = 0;

	if (endpoint->flags & SHUNT_F_ADDRESS4) {
		ret[n] = (struct shunt_prefix){ .family = AF_INET, .length = 32 };
		memcpy(ret[n++].bytes, &endpoint->address4, sizeof(endpoint->address4));
	}
	if (endpoint->flags & SHUNT_F_ADDRESS6) {
		ret[n] = (struct shunt_prefix){ .family = AF_INET6, .length = 128 };
		memcpy(ret[n++].bytes, endpoint->address6, sizeof(endpoint->address6));
	}
	return n;
}

static const char *format_addresses(const struct shunt_endpoint *endpoint, const char *separator, char *text)
{
	struct shunt_prefix addresses[2];
	size_t n = endpoint_addresses(endpoint, addresses);
	char *end = text;

	*end = '\0';
	for (size_t i = 0; i < n; i++) {
		char one[PREFIX_TEXT_MAX];

		end = stpcpy(stpcpy(end, i ? separator : ""), prefix_format(&addresses[i], one));
	}
	return text;
}

/* RFC 3339, in UTC. */
static const char *format_time(uint64_t nanoseconds, char *text)
{
	time_t seconds = (time_t)(nanoseconds / 1000000000);
	struct tm tm;
	size_t used = 0;

	if (gmtime_r(&seconds, &tm))
		used = strftime(text, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + used, TIME_TEXT_MAX - used, ".%06uZ", (unsigned)(nanoseconds / 1000 % 1000000));
	return text;
}

static uint64_t dropped_total(const struct shunt_counters *counters)
{
	uint64_t total = 0;

	for (size_t i = 0; i < SHUNT_DROP_MAX; i++)
		total += counters->dropped[i];
	return total;
}

static int counters_json(const struct shunt_traffic *traffic, const struct shunt_counters *counters, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *dropped = NULL;

	for (unsigned i = 0; i < SHUNT_DROP_MAX; i++) {
		int r;

		/* Unused slots of the ABI are nobody's business, unless a newer program counts there. */
		if (i >= SHUNT_DROP_KNOWN && counters->dropped[i] == 0)
			continue;
		r = sd_json_variant_set_field_unsigned(&dropped, shunt_drop_name(i), counters->dropped[i]);
		if (r < 0)
			return r;
	}
	return sd_json_buildo(ret,
			      SD_JSON_BUILD_PAIR_CONDITION(traffic->known, "rx_packets", SD_JSON_BUILD_UNSIGNED(traffic->rx_packets)),
			      SD_JSON_BUILD_PAIR_CONDITION(traffic->known, "rx_bytes", SD_JSON_BUILD_UNSIGNED(traffic->rx_bytes)),
			      SD_JSON_BUILD_PAIR_CONDITION(traffic->known, "tx_packets", SD_JSON_BUILD_UNSIGNED(traffic->tx_packets)),
			      SD_JSON_BUILD_PAIR_CONDITION(traffic->known, "tx_bytes", SD_JSON_BUILD_UNSIGNED(traffic->tx_bytes)),
			      SD_JSON_BUILD_PAIR_VARIANT("dropped", dropped));
}

static int addresses_json(const struct shunt_endpoint *endpoint, sd_json_variant **ret)
{
	struct shunt_prefix addresses[2];
	size_t n = endpoint_addresses(endpoint, addresses);
	char text[2][PREFIX_TEXT_MAX];
	char *list[3] = {};

	for (size_t i = 0; i < n; i++) {
		prefix_format(&addresses[i], text[i]);
		list[i] = text[i];
	}
	return sd_json_variant_new_array_strv(ret, list);
}

/* The next of an endpoint's own ports, and those that follow as a range. NULL behind the last. */
static const struct shunt_port *next_port(const struct shunt_info *info, const struct shunt_port **ports, size_t *n, char *text)
{
	const struct shunt_port *port;
	size_t count;

	while (*n > 0 && (*ports)->key.ifindex != info->endpoint.ifindex) {
		(*ports)++;
		(*n)--;
	}
	if (*n == 0)
		return NULL;
	port = *ports;
	count = port_format(port, *n, text);
	*ports += count;
	*n -= count;
	return port;
}

static int ports_json(const struct shunt_info *info, const struct shunt_port *ports, size_t n, sd_json_variant **ret)
{
	char text[PORT_TEXT_MAX];
	int r = sd_json_variant_new_array(ret, NULL, 0);

	while (r >= 0 && next_port(info, &ports, &n, text))
		r = sd_json_variant_append_arrayb(ret, SD_JSON_BUILD_STRING(text));
	return r;
}

int show_json(const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *addresses = NULL, *counters = NULL, *published = NULL;
	const struct shunt_endpoint *endpoint = &info->endpoint;
	bool stale = info->status == SHUNT_STATUS_STALE;
	char created[TIME_TEXT_MAX];
	int r;

	r = addresses_json(endpoint, &addresses);
	if (r < 0)
		return r;
	r = counters_json(&info->traffic, &info->counters, &counters);
	if (r >= 0)
		r = ports_json(info, ports, n_ports, &published);
	if (r < 0)
		return r;
	return sd_json_buildo(
		ret,
		SD_JSON_BUILD_PAIR_STRING("id", info->id),
		SD_JSON_BUILD_PAIR_STRING("network", endpoint->network),
		SD_JSON_BUILD_PAIR_STRING("driver", shunt_driver_name(endpoint->driver)),
		SD_JSON_BUILD_PAIR_STRING("mode", shunt_mode_name(endpoint->mode)),
		SD_JSON_BUILD_PAIR_UNSIGNED("mtu", endpoint->mtu),
		SD_JSON_BUILD_PAIR_VARIANT("addresses", addresses),
		SD_JSON_BUILD_PAIR_OBJECT("interface",
					  SD_JSON_BUILD_PAIR_STRING("name", endpoint->host),
					  SD_JSON_BUILD_PAIR_UNSIGNED("index", endpoint->ifindex)),
		SD_JSON_BUILD_PAIR_OBJECT("peer",
					  SD_JSON_BUILD_PAIR_STRING("name", info->interface),
					  SD_JSON_BUILD_PAIR_UNSIGNED("netns", endpoint->netns_ino)),
		SD_JSON_BUILD_PAIR_STRING("state", shunt_status_name(info->status)),
		SD_JSON_BUILD_PAIR_CONDITION(stale, "stale_reason", SD_JSON_BUILD_STRING(info->stale_reason)),
		SD_JSON_BUILD_PAIR_STRING("created", format_time(endpoint->created, created)),
		SD_JSON_BUILD_PAIR_VARIANT("published", published),
		SD_JSON_BUILD_PAIR_VARIANT("counters", counters));
}

void show_line(const struct shunt_info *info, FILE *f)
{
	const struct shunt_endpoint *endpoint = &info->endpoint;
	char addresses[ADDRESSES_TEXT_MAX];

	fprintf(f, "%s %s %s mtu %u %s %s\n", info->id, info->interface, format_addresses(endpoint, " ", addresses),
		endpoint->mtu, shunt_driver_name(endpoint->driver), shunt_mode_name(endpoint->mode));
}

static void show_ports(const struct shunt_info *info, const struct shunt_port *ports, size_t n, FILE *f)
{
	const struct shunt_port *port;
	char text[PORT_TEXT_MAX];

	while ((port = next_port(info, &ports, &n, text))) {
		fprintf(f, "published  %s", text);
		if (port->value.service[0])
			fprintf(f, " (service %.31s)", port->value.service);
		fputc('\n', f);
	}
}

static void show_traffic(const char *what, bool known, uint64_t packets, uint64_t bytes, FILE *f)
{
	if (known)
		fprintf(f, "%-10s %llu packets, %llu bytes\n", what, (unsigned long long)packets, (unsigned long long)bytes);
	else
		fprintf(f, "%-10s unknown\n", what);
}

void show_details(const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports, FILE *f)
{
	const struct shunt_endpoint *endpoint = &info->endpoint;
	const struct shunt_counters *counters = &info->counters;
	char addresses[ADDRESSES_TEXT_MAX], created[TIME_TEXT_MAX];

	fprintf(f, "id         %s\n", info->id);
	fprintf(f, "state      %s%s%s\n", shunt_status_name(info->status),
		info->status == SHUNT_STATUS_STALE ? ": " : "",
		info->status == SHUNT_STATUS_STALE ? info->stale_reason : "");
	fprintf(f, "network    %s\n", endpoint->network);
	fprintf(f, "addresses  %s\n", format_addresses(endpoint, " ", addresses));
	fprintf(f, "interface  %s (index %u) on the host, %s, %s, mtu %u\n", endpoint->host, endpoint->ifindex,
		shunt_driver_name(endpoint->driver), shunt_mode_name(endpoint->mode), endpoint->mtu);
	fprintf(f, "peer       %s in network namespace %llu\n", info->interface, (unsigned long long)endpoint->netns_ino);
	fprintf(f, "created    %s\n", format_time(endpoint->created, created));
	show_ports(info, ports, n_ports, f);
	show_traffic("received", info->traffic.known, info->traffic.rx_packets, info->traffic.rx_bytes, f);
	show_traffic("sent", info->traffic.known, info->traffic.tx_packets, info->traffic.tx_bytes, f);
	fprintf(f, "dropped    %llu packets\n", (unsigned long long)dropped_total(counters));
	for (unsigned i = 0; i < SHUNT_DROP_MAX; i++)
		if (counters->dropped[i])
			fprintf(f, "           %llu %s\n", (unsigned long long)counters->dropped[i], shunt_drop_name(i));
}

/* All of them in one cell, whatever their number. Return: 0, or not */
static int add_ports(struct table *table, const struct shunt_info *info, const struct shunt_port *ports, size_t n)
{
	_cleanup_free_ char *cell = strdup("");
	char text[PORT_TEXT_MAX];

	while (cell && next_port(info, &ports, &n, text)) {
		char *longer;

		if (asprintf(&longer, "%s%s%s", cell, cell[0] ? "," : "", text) < 0)
			return -ENOMEM;
		free(cell);
		cell = longer;
	}
	return cell ? table_add(table, "%s", cell) : -ENOMEM;
}

static int add_packets(struct table *table, bool known, uint64_t packets)
{
	return known ? table_add(table, "%llu", (unsigned long long)packets) : table_add(table, "-");
}

static int add_row(struct table *table, const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports)
{
	const struct shunt_endpoint *endpoint = &info->endpoint;
	char addresses[ADDRESSES_TEXT_MAX];
	int r = 0;

	r |= table_add(table, "%s", info->id);
	r |= table_add(table, "%s", endpoint->network);
	r |= table_add(table, "%s", info->interface);
	r |= table_add(table, "%s", format_addresses(endpoint, ",", addresses));
	r |= table_add(table, "%s", endpoint->host);
	r |= table_add(table, "%s/%s", shunt_driver_name(endpoint->driver), shunt_mode_name(endpoint->mode));
	r |= table_add(table, "%s", shunt_status_name(info->status));
	r |= add_ports(table, info, ports, n_ports);
	r |= add_packets(table, info->traffic.known, info->traffic.rx_packets);
	r |= add_packets(table, info->traffic.known, info->traffic.tx_packets);
	r |= table_add(table, "%llu", (unsigned long long)dropped_total(&info->counters));
	return r ? -ENOMEM : 0;
}

int show_table(const struct shunt_info *infos, size_t n, const struct shunt_port *ports, size_t n_ports, FILE *f)
{
	static const char *const headings[] = { "ID",	 "NETWORK", "INTERFACE", "ADDRESSES", "HOST",
						"DRIVER", "STATE",   "PUBLISHED", "RX",	       "TX",   "DROPPED", NULL };
	_cleanup_(table_done) struct table table = {};
	int r;

	r = table_init(&table, headings);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = add_row(&table, &infos[i], ports, n_ports);
	if (r >= 0)
		table_print(&table, f);
	return r;
}

int show_print_json(sd_json_variant *value)
{
	return sd_json_variant_dump(value, SD_JSON_FORMAT_PRETTY_AUTO | SD_JSON_FORMAT_NEWLINE, stdout, NULL);
}

int show_print_answer(sd_json_variant *value, int r, struct shunt_error *error)
{
	/* What was done cannot be undone by a reader that hung up. */
	if (r >= 0)
		r = show_print_json(value);
	return r < 0 ? shunt_fail(error, r, "done, but the answer could not be written: %s", strerror(-r)) : 0;
}

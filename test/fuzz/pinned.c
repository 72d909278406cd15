// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whatever is in the pinned registry, it is refused, or safe as a path and good to be shown. */
#include "names.h"
#include "registry.h"
#include "show.h"
#include "util.h"

struct input {
	struct shunt_endpoint_key key;
	struct shunt_endpoint endpoint;
	uint64_t traffic[4];
	struct shunt_counters counters;
	struct shunt_port ports[2];
	uint8_t sign;		/* odd: as if we had written it, which its host end's name says; with 2: nobody knows its traffic */
	uint8_t status;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(const struct shunt_info *info, const struct shunt_port *ports, size_t n_ports)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL, *shown = NULL;
	size_t n;
	FILE *f = open_memstream(&shown, &n);

	if (!f)
		return;
	show_line(info, f);
	show_details(info, ports, n_ports, f);
	if (show_table(info, 1, ports, n_ports, f) < 0 || show_json(info, ports, n_ports, &json) < 0 || sd_json_variant_format(json, 0, &text) < 0 ||
	    sd_json_parse(text, 0, &again, NULL, NULL) < 0)
		__builtin_trap();
	fclose(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shunt_info info = {};
	struct input input = {};

	memcpy(&input, data, size < sizeof(input) ? size : sizeof(input));
	if (input.sign & 1) {
		char id[SHUNT_ID_MAX + 1] = "", interface[SHUNT_IFNAME_MAX + 1] = "";

		memcpy(id, input.key.id, SHUNT_ID_MAX);
		memcpy(interface, input.key.interface, SHUNT_IFNAME_MAX);
		host_name(id, interface, input.endpoint.host);
	}
	if (!registry_is_sound(&input.key, &input.endpoint))
		return 0;
	/* It becomes part of a path. */
	if (strnlen(input.endpoint.host, SHUNT_IFNAME_MAX) != 15 || strpbrk(input.endpoint.host, "./"))
		__builtin_trap();

	info.endpoint = input.endpoint;
	info.traffic = (struct shunt_traffic) { !(input.sign & 2), input.traffic[0], input.traffic[1], input.traffic[2], input.traffic[3] };
	info.counters = input.counters;
	info.status = input.status;
	memcpy(info.id, input.key.id, SHUNT_ID_MAX);
	memcpy(info.interface, input.key.interface, sizeof(info.interface));
	show(&info, input.ports, ELEMENTSOF(input.ports));
	return 0;
}

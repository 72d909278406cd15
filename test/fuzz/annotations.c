// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 7: whoever may annotate a container asks for something sane, or is refused with a line that is one. */
#include "address.h"
#include "names.h"
#include "network.h"
#include "oci.h"
#include "publication.h"
#include "request.h"
#include "util.h"

#define MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int check_line(int r, const struct shunt_error *error)
{
	if (r < 0 && (!error->text[0] || strpbrk(error->text, "\n\r\033") || !memchr(error->text, '\0', sizeof(error->text))))
		__builtin_trap();
	return r;
}

/* What the engine would do with them before it makes anything. */
static void check_request(const struct shunt_request *request)
{
	struct shunt_network network = { .name = "web" };
	struct shunt_prefix address;
	struct shunt_error error;

	if (prefix_parse("10.207.0.0/16", &network.subnet4) < 0 || prefix_parse("fd00:207::/64", &network.subnet6) < 0)
		__builtin_trap();
	if (request->n_addresses > SHUNT_MAX_ADDRESSES || request->mtu > NETWORK_MTU_MAX)
		__builtin_trap();
	for (size_t i = 0; i < request->n_addresses; i++)
		check_line(network_address(&network, request->addresses[i], &address, &error), &error);
	if (request->interface && check_line(interface_name_check(request->interface, &error), &error) >= 0 &&
	    strlen(request->interface) >= IFNAMSIZ)
		__builtin_trap();
	if (request->n_publish > SHUNT_MAX_PUBLISH)
		__builtin_trap();
	for (size_t i = 0; i < request->n_publish; i++) {
		struct publication p;

		if (check_line(publication_parse(request->publish[i], &p, &error), &error) >= 0 &&
		    (p.first == 0 || p.first > p.last || p.target == 0 || p.target + (p.last - p.first) > 65535))
			__builtin_trap();
	}
	if (request->service && check_line(service_check(request->service, &error), &error) >= 0 &&
	    strlen(request->service) >= SHUNT_SERVICE_MAX)
		__builtin_trap();
	/* A name becomes part of a path. */
	if (request->network && check_line(network_name_check(request->network, &error), &error) >= 0 &&
	    strchr(request->network, '/'))
		__builtin_trap();
}

/* KEY=VALUE, each ended by a NUL; of the keys, only what comes behind "shunt." is read as such. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	struct oci_annotation annotations[MAX];
	struct oci_state state = { .id = "web", .pid = 1, .annotations = annotations };
	struct oci_request request;
	struct shunt_error error;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *at = text; at < text + size && state.n_annotations < MAX;) {
		char *next = at + strlen(at) + 1, *value = strchr(at, '=');

		if (value) {
			*value++ = '\0';
			for (size_t i = 0; i < state.n_annotations; i++)
				if (strcmp(annotations[i].key, at) == 0)
					return 0;	/* which oci_state_parse() refuses */
			annotations[state.n_annotations++] = (struct oci_annotation){ at, value };
		}
		at = next;
	}
	if (check_line(oci_request(&state, &request, &error), &error) < 0)
		return 0;
	check_request(&request.request);
	oci_request_done(&request);
	return 0;
}

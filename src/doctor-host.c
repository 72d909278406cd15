// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor-host.c - what is attached, and podman, which would have it attached.
 */
#include <sys/stat.h>
#include <systemd/sd-json.h>

#include "doctor.h"
#include "forward.h"
#include "instance.h"
#include "network.h"
#include "util.h"


/* Host ends must forward, or else the datapath finds no route for them: bpf_fib_lookup() asks for it. */
static void check_forwarding(struct doctor *doctor, const struct shunt_info *info)
{
	const struct shunt_endpoint *endpoint = &info->endpoint;
	static const struct {
		int family;
		uint32_t flag;
		const char *name;
	} families[] = { { AF_INET, SHUNT_F_ADDRESS4, "ipv4" }, { AF_INET6, SHUNT_F_ADDRESS6, "ipv6" } };

	for (size_t i = 0; i < ELEMENTSOF(families); i++) {
		char remedy[96];

		if (!(endpoint->flags & families[i].flag) || forward_enabled(endpoint->host, families[i].family) != 0)
			continue;
		snprintf(remedy, sizeof(remedy), "sysctl net.%s.conf.%s.forwarding=1, and find out what switched it off",
			 families[i].name, endpoint->host);
		doctor_add(doctor, "forwarding", SEVERITY_FAIL, remedy, "%s: %s does not forward %s: it is cut off", info->id,
			   endpoint->host, families[i].name);
	}
}

/* The map was made when the first container was attached, or by an upgrade. */
static void check_flows(struct doctor *doctor, const struct shunt_instance *instance)
{
	const uint32_t has = datapath_flows(&instance->datapath), wanted = network_flows_wanted();

	if (has && wanted > has)
		doctor_add(doctor, "flows", SEVERITY_WARN, "shunt upgrade",
			   "a network's file asks for %u flows, and there is room for %u", wanted, has);
}

void doctor_endpoints(struct doctor *doctor)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_free_ struct shunt_info *infos = NULL;
	size_t n = 0, stale = 0;
	struct shunt_error error;
	int r;

	r = shunt_open(doctor->state, false, &instance, &error);
	if (r == -ENOENT)
		/* That nothing is attached was said with the state directory. */
		return;
	if (r >= 0)
		r = shunt_list(instance, NULL, &infos, &n, &error);
	if (r < 0) {
		doctor_add(doctor, "endpoints", SEVERITY_FAIL, "", "%s", error.text);
		return;
	}

	check_flows(doctor, instance);
	for (size_t i = 0; i < n; i++) {
		if (infos[i].status == SHUNT_STATUS_READY)
			check_forwarding(doctor, &infos[i]);
		if (infos[i].status != SHUNT_STATUS_STALE)
			continue;
		stale++;
		doctor_add(doctor, "endpoints", SEVERITY_WARN, "shunt gc", "%s is stale: %s", infos[i].id,
			   infos[i].stale_reason);
	}
	if (!stale)
		doctor_add(doctor, "endpoints", SEVERITY_OK, "", "%zu attached, none of them stale", n);
}

/* The one directory that podman reads without being told, whatever its manual says of /etc. */
#define HOOKS_DIRECTORY "/usr/share/containers/oci/hooks.d"

/* Checks one hook file. True if it is fine. */
static bool check_hook(struct doctor *doctor, const char *file)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *json = NULL;
	sd_json_variant *path;

	if (access(file, F_OK) < 0) {
		doctor_add(doctor, "podman", SEVERITY_WARN, "install it (make install), or give podman --hooks-dir",
			   "%s is missing: podman starts containers with the annotation shunt.network without a network", file);
		return false;
	}
	if (sd_json_parse_file(NULL, file, 0, &json, NULL, NULL) < 0) {
		doctor_add(doctor, "podman", SEVERITY_FAIL, "install it anew",
			   "%s is no JSON: podman starts no container at all", file);
		return false;
	}
	path = sd_json_variant_by_key(sd_json_variant_by_key(json, "hook"), "path");
	if (!sd_json_variant_is_string(path) || access(sd_json_variant_string(path), X_OK) < 0) {
		doctor_add(doctor, "podman", SEVERITY_FAIL, "install shunt there, or correct the file",
			   "%s names %s, which cannot be run: podman skips it without a word", file,
			   sd_json_variant_is_string(path) ? sd_json_variant_string(path) : "no program");
		return false;
	}
	return true;
}

void doctor_podman(struct doctor *doctor)
{
	static const char *const programs[] = { "/usr/bin/podman", "/usr/local/bin/podman" };
	bool installed = false, fine;

	for (size_t i = 0; i < ELEMENTSOF(programs); i++)
		installed |= access(programs[i], X_OK) == 0;
	if (!installed)
		return;
	fine = check_hook(doctor, HOOKS_DIRECTORY "/80-shunt-create.json") &&
	       check_hook(doctor, HOOKS_DIRECTORY "/80-shunt-poststop.json");
	if (fine)
		doctor_add(doctor, "podman", SEVERITY_OK, "", "its hooks are installed: podman run --network=none --annotation "
			   "shunt.network=default ...");
}

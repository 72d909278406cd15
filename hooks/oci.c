// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * oci.c - the OCI adapter. It trusts no field but the ID: `bundle` is wrong with some runtimes, the environment is
 * empty with others, and the working directory is anything.
 */
#include "oci.h"

#include "names.h"
#include "netns.h"
#include "request.h"
#include "rights.h"
#include "util.h"

int oci_stage_parse(const char *name, enum oci_stage *ret, struct shunt_error *error)
{
	if (strcmp(name, "createRuntime") == 0 || strcmp(name, "prestart") == 0)
		*ret = OCI_CREATE_RUNTIME;
	else if (strcmp(name, "poststop") == 0)
		*ret = OCI_POSTSTOP;
	else
		return shunt_fail(error, -EINVAL, "oci-hook has no stage \"%s\"; it is createRuntime, prestart or poststop", name);
	return 0;
}

int oci_read(int fd, char **ret, size_t *ret_size, struct shunt_error *error)
{
	_cleanup_free_ char *buffer = malloc(OCI_STATE_MAX + 1);
	ssize_t rest = OCI_READ_MAX;
	size_t size = 0;
	bool too_big = false;

	if (!buffer)
		return shunt_fail(error, -ENOMEM, "container state: out of memory");
	for (;;) {
		ssize_t n = read(fd, buffer + size, OCI_STATE_MAX + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return shunt_fail(error, -errno, "container state: standard input: %s", strerror(errno));
		if (n == 0)
			break;
		size += (size_t)n;
		if (size <= OCI_STATE_MAX)
			continue;
		rest -= size;
		too_big = true;
		size = 0;
		/* Whatever this is, it is no runtime that waits for us to read to the end. */
		if (rest < 0)
			break;
	}
	if (too_big)
		return shunt_fail(error, -EFBIG, "container state: larger than %d KiB", OCI_STATE_MAX / 1024);

	*ret = TAKE_PTR(buffer);
	*ret_size = size;
	return 0;
}

void oci_request_done(struct oci_request *request)
{
	free(request->addresses);
	free(request->publish);
	*request = (struct oci_request){};
}

static int set_network(struct oci_request *r, const char *value, struct shunt_error *error)
{
	(void)error;
	r->request.network = value;
	return 0;
}

static int set_interface(struct oci_request *r, const char *value, struct shunt_error *error)
{
	(void)error;
	r->request.interface = value;
	return 0;
}

static int set_mtu(struct oci_request *r, const char *value, struct shunt_error *error)
{
	return mtu_parse(value, &r->request.mtu, error);
}

static int set_mode(struct oci_request *r, const char *value, struct shunt_error *error)
{
	return mode_parse(value, &r->request.mode, error);
}

static int set_address(struct oci_request *r, const char *value, struct shunt_error *error)
{
	struct shunt_request *request = &r->request;

	r->addresses = strdup(value);
	if (!r->addresses)
		return shunt_fail(error, -ENOMEM, "out of memory");
	for (char *rest = r->addresses, *one; (one = strsep(&rest, ","));) {
		if (request->n_addresses == SHUNT_MAX_ADDRESSES)
			return shunt_fail(error, -E2BIG, "\"%s\" is more than %d addresses, one of each family", value,
					  SHUNT_MAX_ADDRESSES);
		request->addresses[request->n_addresses++] = one;
	}
	return 0;
}

static int set_publish(struct oci_request *r, const char *value, struct shunt_error *error)
{
	struct shunt_request *request = &r->request;

	r->publish = strdup(value);
	if (!r->publish)
		return shunt_fail(error, -ENOMEM, "out of memory");
	for (char *rest = r->publish, *one; (one = strsep(&rest, ","));) {
		if (request->n_publish == SHUNT_MAX_PUBLISH)
			return shunt_fail(error, -E2BIG, "more than %d of them, each of which can be a range", SHUNT_MAX_PUBLISH);
		request->publish[request->n_publish++] = one;
	}
	return 0;
}

static int set_service(struct oci_request *r, const char *value, struct shunt_error *error)
{
	(void)error;
	r->request.service = value;
	return 0;
}

static const struct {
	const char *key;
	int (*set)(struct oci_request *request, const char *value, struct shunt_error *error);
} annotations[] = {
	{ "shunt.network", set_network },
	{ "shunt.address", set_address },
	{ "shunt.interface", set_interface },
	{ "shunt.mtu", set_mtu },
	{ "shunt.mode", set_mode },
	{ "shunt.publish", set_publish },
	{ "shunt.service", set_service },
};

static int set_annotation(struct oci_request *request, const struct oci_annotation *annotation,
			  struct shunt_error *error)
{
	for (size_t i = 0; i < ELEMENTSOF(annotations); i++) {
		struct shunt_error why;
		int r;

		if (strcmp(annotations[i].key, annotation->key) != 0)
			continue;
		r = annotations[i].set(request, annotation->value, &why);
		if (r < 0)
			return shunt_fail(error, r, "annotation %s: %s", annotation->key, why.text);
		return 0;
	}
	return shunt_fail(error, -EINVAL, "annotation \"%s\" is unknown; there are shunt.network, shunt.address, "
			  "shunt.interface, shunt.mtu, shunt.mode, shunt.publish, shunt.service", annotation->key);
}

int oci_request(const struct oci_state *state, struct oci_request *ret, struct shunt_error *error)
{
	_cleanup_(oci_request_done) struct oci_request request = {
		.request.id = state->id,
		.request.netns_fd = -1,
	};

	for (size_t i = 0; i < state->n_annotations; i++) {
		int r = set_annotation(&request, &state->annotations[i], error);

		if (r < 0)
			return r;
	}
	*ret = request;
	request = (struct oci_request){};
	return 0;
}

/* runc says "creating" and crun "created" in the same stage; what matters is that there is a process. */
static int check_alive(const struct oci_state *state, struct shunt_error *error)
{
	if (state->status == OCI_STATUS_STOPPED)
		return shunt_fail(error, -EINVAL, "container %s is stopped; createRuntime is for one that is being created",
				  state->id);
	if (state->pid == 0)
		return shunt_fail(error, -EINVAL, "container state of %s: no key \"pid\", so there is no namespace to connect",
				  state->id);
	return 0;
}

int oci_create(const char *state_dir, const struct oci_state *state, struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_(oci_request_done) struct oci_request request = {};
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_close_ int netns = -1;
	int r;

	r = oci_request(state, &request, error);
	if (r < 0)
		return r;
	/* First: files look as if they were nobody's in a user namespace. */
	r = rights_check(RIGHTS_ATTACH, error);
	if (r >= 0)
		r = request_check(&request.request, NULL, error);
	if (r >= 0)
		r = check_alive(state, error);
	if (r < 0)
		return r;
	netns = netns_open_pid(state->pid, error);
	if (netns < 0)
		return netns;

	r = shunt_open(state_dir, true, &instance, error);
	if (r < 0)
		return r;
	request.request.netns_fd = netns;
	request.request.pid = state->pid;
	return shunt_attach(instance, &request.request, ret, error);
}

int oci_poststop(const char *state_dir, const struct oci_state *state, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r;

	r = shunt_open(state_dir, false, &instance, error);
	if (r == -ENOENT)
		/* Nothing is loaded, so the container has nothing of ours. */
		return 0;
	if (r >= 0)
		r = rights_check(RIGHTS_DETACH, error);
	if (r >= 0)
		r = shunt_detach_ended(instance, state->id, error);
	return r < 0 ? r : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "oci-state.h"

#include "names.h"
#include "util.h"

void oci_state_done(struct oci_state *state)
{
	free(state->annotations);
	sd_json_variant_unref(state->json);
	*state = (struct oci_state){};
}

static int read_id(struct oci_state *state, sd_json_variant *value, struct shunt_error *error)
{
	int r;

	if (!sd_json_variant_is_string(value))
		return shunt_fail(error, -EINVAL, "container state: key \"id\" must be a string");
	r = id_check(sd_json_variant_string(value), error);
	if (r < 0)
		return r;
	copy_name(state->id, sizeof(state->id), sd_json_variant_string(value));
	return 0;
}

static int read_status(struct oci_state *state, sd_json_variant *value, struct shunt_error *error)
{
	static const struct {
		const char *name;
		enum oci_status status;
	} names[] = {
		{ "creating", OCI_STATUS_CREATING },
		{ "created", OCI_STATUS_CREATED },
		{ "running", OCI_STATUS_RUNNING },
		{ "stopped", OCI_STATUS_STOPPED },
	};

	if (!sd_json_variant_is_string(value))
		return shunt_fail(error, -EINVAL, "container state: key \"status\" must be a string");
	for (size_t i = 0; i < ELEMENTSOF(names); i++)
		if (strcmp(names[i].name, sd_json_variant_string(value)) == 0)
			state->status = names[i].status;
	return 0;
}

static int read_pid(struct oci_state *state, sd_json_variant *value, struct shunt_error *error)
{
	if (!sd_json_variant_is_unsigned(value) || sd_json_variant_unsigned(value) > INT32_MAX)
		return shunt_fail(error, -EINVAL, "container state: key \"pid\" must be a process ID");
	state->pid = (pid_t)sd_json_variant_unsigned(value);
	return 0;
}

/* Adds one annotation that is ours. state->annotations has room for all there are. */
static int add_annotation(struct oci_state *state, const char *key, sd_json_variant *value, struct shunt_error *error)
{
	if (!sd_json_variant_is_string(value))
		return shunt_fail(error, -EINVAL, "annotation \"%s\" must be a string", key);
	for (size_t i = 0; i < state->n_annotations; i++)
		if (strcmp(state->annotations[i].key, key) == 0)
			return shunt_fail(error, -EINVAL, "annotation \"%s\" is there twice", key);
	state->annotations[state->n_annotations++] = (struct oci_annotation){
		.key = key,
		.value = sd_json_variant_string(value),
	};
	return 0;
}

static bool is_ours(const char *key)
{
	return strncmp(key, OCI_ANNOTATION_PREFIX, strlen(OCI_ANNOTATION_PREFIX)) == 0;
}

/* No more than these of ours are kept: there are some six of them, and comparing each with all must stay cheap. */
#define ANNOTATIONS_MAX 64

static int read_annotations(struct oci_state *state, sd_json_variant *value, struct shunt_error *error)
{
	if (!sd_json_variant_is_object(value))
		return shunt_fail(error, -EINVAL, "container state: key \"annotations\" must be an object of strings");

	state->annotations = calloc(ANNOTATIONS_MAX, sizeof(*state->annotations));
	if (!state->annotations)
		return shunt_fail(error, -ENOMEM, "container state: out of memory");
	for (size_t i = 0; i + 1 < sd_json_variant_elements(value); i += 2) {
		const char *key = sd_json_variant_string(sd_json_variant_by_index(value, i));
		int r;

		if (!is_ours(key))
			continue;
		if (state->n_annotations == ANNOTATIONS_MAX)
			return shunt_fail(error, -EINVAL, "more than %d annotations begin with \"%s\"", ANNOTATIONS_MAX,
					  OCI_ANNOTATION_PREFIX);
		r = add_annotation(state, key, sd_json_variant_by_index(value, i + 1), error);
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct {
	const char *key;
	int (*read)(struct oci_state *state, sd_json_variant *value, struct shunt_error *error);
} keys[] = {
	{ "id", read_id },	/* first: oci_state_parse_id() stops here */
	{ "status", read_status },
	{ "pid", read_pid },
	{ "annotations", read_annotations },
};

static int read_member(struct oci_state *state, size_t n, const char *key, sd_json_variant *value, unsigned *seen,
		       struct shunt_error *error)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].key, key) != 0)
			continue;
		/* Which of two would count is a matter of taste, and two readers of one state may differ in it. */
		if (*seen & 1U << i)
			return shunt_fail(error, -EINVAL, "container state: key \"%s\" is there twice", key);
		*seen |= 1U << i;
		/* Go writes an empty map or pointer as null. */
		if (sd_json_variant_is_null(value) && keys[i].read != read_id)
			return 0;
		return keys[i].read(state, value, error);
	}
	return 0;
}

/* Reads the first @n of keys[] and ignores the others. */
static int read_object(struct oci_state *state, size_t n, struct shunt_error *error)
{
	unsigned seen = 0;

	if (!sd_json_variant_is_object(state->json))
		return shunt_fail(error, -EINVAL, "container state: this is no JSON object");
	for (size_t i = 0; i + 1 < sd_json_variant_elements(state->json); i += 2) {
		const char *key = sd_json_variant_string(sd_json_variant_by_index(state->json, i));
		int r;

		r = read_member(state, n, key, sd_json_variant_by_index(state->json, i + 1), &seen, error);
		if (r < 0)
			return r;
	}
	if (!state->id[0])
		return shunt_fail(error, -EINVAL, "container state: no key \"id\"");
	return 0;
}

static int parse(const char *buffer, size_t size, size_t n, struct oci_state *ret, struct shunt_error *error)
{
	_cleanup_(oci_state_done) struct oci_state state = {};
	_cleanup_free_ char *text = NULL;
	unsigned line = 0, column = 0;
	int r;

	if (size > OCI_STATE_MAX)
		return shunt_fail(error, -EFBIG, "container state: larger than %d KiB", OCI_STATE_MAX / 1024);
	text = strndup(buffer, size);
	if (!text)
		return shunt_fail(error, -ENOMEM, "container state: out of memory");
	if (strlen(text) != size)
		return shunt_fail(error, -EINVAL, "container state: a NUL byte at offset %zu", strlen(text));

	r = sd_json_parse(text, 0, &state.json, &line, &column);
	if (r == -ENOMEM)
		return shunt_fail(error, r, "container state: out of memory");
	if (r == -ENODATA)
		return shunt_fail(error, -EINVAL, "container state: empty; a runtime writes it to our standard input");
	if (r < 0)
		return shunt_fail(error, -EINVAL, "container state: line %u, column %u: this is no JSON", line, column);
	r = read_object(&state, n, error);
	if (r < 0)
		return r;

	*ret = state;
	state = (struct oci_state){};
	return 0;
}

int oci_state_parse(const char *buffer, size_t size, struct oci_state *ret, struct shunt_error *error)
{
	return parse(buffer, size, ELEMENTSOF(keys), ret, error);
}

int oci_state_parse_id(const char *buffer, size_t size, struct oci_state *ret, struct shunt_error *error)
{
	return parse(buffer, size, 1, ret, error);
}

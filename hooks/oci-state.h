/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oci-state.h - the state of a container as OCI runtimes hand it to hooks (runtime-spec, runtime.md#state).
 */
#ifndef SHUNT_OCI_STATE_H
#define SHUNT_OCI_STATE_H

#include <sys/types.h>
#include <systemd/sd-json.h>

#include "shunt/shunt.h"

/* The spec knows no limit; the largest annotations seen are some ten KiB. */
#define OCI_STATE_MAX (1024 * 1024)

#define OCI_ANNOTATION_PREFIX "shunt."

enum oci_status {
	OCI_STATUS_OTHER,	/* none, or one that only this runtime knows */
	OCI_STATUS_CREATING,
	OCI_STATUS_CREATED,
	OCI_STATUS_RUNNING,
	OCI_STATUS_STOPPED,
};

struct oci_annotation {
	const char *key;
	const char *value;
};

struct oci_state {
	char id[SHUNT_ID_MAX + 1];		/* passes id_check() */
	enum oci_status status;
	pid_t pid;				/* 0 for none: runc leaves it out in poststop, crun says 0 */
	struct oci_annotation *annotations;	/* those that begin with OCI_ANNOTATION_PREFIX, each key once */
	size_t n_annotations;
	sd_json_variant *json;			/* owns the strings */
};

/**
 * oci_state_parse() - Read a container's state
 * @buffer:	JSON; needs no NUL behind it
 * @size:	of it, in bytes
 * @ret:	what it says, for oci_state_done() to release
 *
 * Keys that we do not know are ignored, as the spec demands. Computes only: no file, no clock.
 *
 * Return: 0; -EINVAL with a line that names the key; -EFBIG over OCI_STATE_MAX; -ENOMEM
 */
int oci_state_parse(const char *buffer, size_t size, struct oci_state *ret, struct shunt_error *error);

/*
 * The same, but of the ID alone, whatever the other keys are: teardown needs no more, and must not fail of what it does
 * not need.
 */
int oci_state_parse_id(const char *buffer, size_t size, struct oci_state *ret, struct shunt_error *error);

void oci_state_done(struct oci_state *state);

#endif

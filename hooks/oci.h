/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oci.h - what OCI runtimes say, as a request for the engine.
 *
 * Two stages matter: createRuntime (and its older name prestart), in which the container's namespaces exist and its
 * process waits for us, and poststop, in which nothing of it may be left but its ID.
 */
#ifndef SHUNT_OCI_H
#define SHUNT_OCI_H

#include "oci-state.h"

enum oci_stage {
	OCI_CREATE_RUNTIME,
	OCI_POSTSTOP,
};

/* Return: 0, or -EINVAL for a stage that we have nothing to do in */
int oci_stage_parse(const char *name, enum oci_stage *ret, struct shunt_error *error);

#define OCI_READ_MAX (64 * 1024 * 1024)

/**
 * oci_read() - Read all of a descriptor
 * @ret:	the bytes, for free()
 * @ret_size:	their number, at most OCI_STATE_MAX
 *
 * To the end, however large: a runtime that still writes when we have gone fails with EPIPE, and with it the container.
 * What does not end within OCI_READ_MAX may fail so.
 *
 * Return: 0; -EFBIG; or another errno
 */
int oci_read(int fd, char **ret, size_t *ret_size, struct shunt_error *error);

/* A request and the text that it points into. Needs the oci_state that it was made from for as long as it lives. */
struct oci_request {
	struct shunt_request request;
	char *addresses;
	char *publish;
};

void oci_request_done(struct oci_request *request);

/**
 * oci_request() - Translate annotations
 * @ret:	the request, with no namespace in it yet, for oci_request_done()
 *
 * An annotation shunt.* that we do not know is an error: what was meant by it would silently not happen.
 *
 * Return: 0; -EINVAL, -E2BIG or -ERANGE for a value
 */
int oci_request(const struct oci_state *state, struct oci_request *ret, struct shunt_error *error);

/* Connects the container. In @state_dir; @ret as of shunt_attach(). */
int oci_create(const char *state_dir, const struct oci_state *state, struct shunt_info *ret, struct shunt_error *error);

/* Takes all back. By ID alone, and success where nothing was: a poststop may come twice, or with no create before it. */
int oci_poststop(const char *state_dir, const struct oci_state *state, struct shunt_error *error);

#endif

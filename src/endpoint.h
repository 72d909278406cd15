/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * endpoint.h - what attach, detach, list and gc share of an endpoint's life. The theory is in endpoint.c.
 */
#ifndef SHUNT_ENDPOINT_H
#define SHUNT_ENDPOINT_H

#include "instance.h"

/* The MAC address of both ends, where they have one: the same for one name in every run. */
void endpoint_mac(const char *id, const char *interface, uint8_t ret[static 6]);

/* A namespace that is not our own, and its identity for the record. Return: 0, or -EINVAL */
int endpoint_check_netns(int fd, struct shunt_endpoint *endpoint, struct shunt_error *error);

/**
 * endpoint_teardown() - Takes everything of one endpoint back
 * @key:	of the endpoint, whose lock the caller holds
 * @endpoint:	its record
 * @keep_addresses:	leave its addresses claimed and its record there: attach will replace it
 *
 * Needs nothing of the container, which may be gone; what is gone already is skipped.
 *
 * Return: 0, or the errno of the first step that failed; the record is still there then, for the next try
 */
int endpoint_teardown(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
		      const struct shunt_endpoint *endpoint, bool keep_addresses, struct shunt_error *error);

/* Where an endpoint's host end is: 1 and its index, 0 where there is none that is ours, or an errno: who knows. */
int endpoint_find_host(struct shunt_instance *instance, const struct shunt_endpoint_key *key,
		       const struct shunt_endpoint *endpoint, uint32_t *ret, struct shunt_error *error);

/* Whether a ready endpoint has lost its kernel objects; says which in @reason. */
bool endpoint_is_dead(struct shunt_instance *instance, const struct registry_entry *entry, char *reason, size_t size);

/* With the last endpoint goes what is attached for all: uplinks, and the networks' records. */
int endpoint_release_shared(struct shunt_instance *instance, struct shunt_error *error);

/* The last step of a teardown, alone: for an endpoint that has no record any more, or none yet. */
int endpoint_remove_traces(struct shunt_instance *instance, const struct shunt_endpoint_key *key, const char *host,
			   struct shunt_error *error);

/*
 * Takes back what killed ones left unfinished, some at a time. What cannot be taken back stays for the next who looks; only
 * gc, whose job it is, fails for it. Return: 0, or the first errno
 */
int endpoint_collect_unfinished(struct shunt_instance *instance, struct shunt_error *error);

/*
 * The same for the dead among the few that are beside @key in the map's own order, which is that of a hash: so all are
 * looked at by one verb or another, and each verb's work is the same however many there are.
 */
void endpoint_collect_beside(struct shunt_instance *instance, const struct shunt_endpoint_key *key);

/* Takes back the endpoints that nobody owns and counts them, without waiting for those at work. Goes on behind a failure. */
int endpoint_collect(struct shunt_instance *instance, unsigned *count, struct shunt_error *error);

#endif

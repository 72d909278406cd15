/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry.h - typed access to the pinned maps; what they mean is in endpoint.c.
 */
#ifndef SHUNT_REGISTRY_H
#define SHUNT_REGISTRY_H

#include "datapath.h"
#include "shunt/shunt.h"

/* Fills a key; id and interface were checked. */
void registry_key(const char *id, const char *interface, struct shunt_endpoint_key *ret);

/*
 * Whether this is what we would write under this key. Names lead to files and devices and are shown: what is none is
 * nobody's record. Words for numbers are not asked for: a later version may have more.
 */
bool registry_is_sound(const struct shunt_endpoint_key *key, const struct shunt_endpoint *endpoint);

/* Says why the registry cannot be read, and returns @r. */
int registry_fail(int r, struct shunt_error *error);

/* -ENOENT for none; -EUCLEAN for one that is not sound, here and in registry_list() */
int registry_get(const struct datapath *datapath, const struct shunt_endpoint_key *key, struct shunt_endpoint *ret);
int registry_put(const struct datapath *datapath, const struct shunt_endpoint_key *key,
		 const struct shunt_endpoint *endpoint);
/* None there is no error. */
int registry_delete(const struct datapath *datapath, const struct shunt_endpoint_key *key);
/* 1 or 0 */
int registry_is_empty(const struct datapath *datapath);

/* What is begun and not done: unfinished_list() gives the first @max of it, and how many these are, or an errno. */
int unfinished_put(const struct datapath *datapath, const struct shunt_endpoint_key *key);
int unfinished_delete(const struct datapath *datapath, const struct shunt_endpoint_key *key);
int unfinished_list(const struct datapath *datapath, struct shunt_endpoint_key *ret, int max);

struct registry_entry {
	struct shunt_endpoint_key key;
	struct shunt_endpoint endpoint;
};

/* The one behind *@entry in the map's own order, or the first behind the last. Return: 0, -ENOENT for none, or an errno */
int registry_next(const struct datapath *datapath, struct registry_entry *entry);

/* All entries, or those of one ID where @id is not NULL, in no order; *ret is the caller's to free. */
int registry_list(const struct datapath *datapath, const char *id, struct registry_entry **ret, size_t *ret_n);

/*
 * Addresses. Claiming decides who owns one (BPF_NOEXIST); it reaches nobody until it is published.
 *
 * address_claim(): 0 also where @owner has it already; -EEXIST where another has.
 * address_release(): only what @owner owns.
 * address_owner(): 0 and the owner, or -ENOENT.
 * address_is_of(): 1 or 0
 */
int address_claim(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner);
int address_publish(const struct datapath *datapath, const struct shunt_prefix *address,
		    const struct shunt_address *value);
int address_release(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner);
int address_is_of(const struct datapath *datapath, const struct shunt_prefix *address, const char *owner);
int address_owner(const struct datapath *datapath, const struct shunt_prefix *address,
		  char ret[static SHUNT_IFNAME_MAX]);

/* What the datapath knows of a host end; counters begin at zero. */
int interface_put(const struct datapath *datapath, uint32_t ifindex, const struct shunt_interface *value);
/* One more flag for one that is there. What is counted meanwhile may be lost. Return: 0, or an errno */
int interface_add_flag(const struct datapath *datapath, uint32_t ifindex, uint32_t flag);
int interface_delete(const struct datapath *datapath, uint32_t ifindex);
/* Sums the CPUs. -ENOENT: no such entry. */
int interface_counters(const struct datapath *datapath, uint32_t ifindex, struct shunt_counters *ret);

/* Networks whose subnets were found free of the host's routes, and whose rules are written. */
int network_record_get(const struct datapath *datapath, const char *name, struct shunt_network_record *ret);
int network_record_put(const struct datapath *datapath, const char *name, const struct shunt_network_record *record);
/* The numbers of their rules, those that have some. Return: how many, @max at most, or an errno */
int network_records_policies(const struct datapath *datapath, uint32_t *ret, size_t max);
/* Forgets all networks but those that these endpoints are of. */
int network_records_keep(const struct datapath *datapath, const struct registry_entry *entries, size_t n);

#endif

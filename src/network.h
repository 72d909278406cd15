/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.h - a network from its text, and which addresses of it may be asked for. shunt_network_load() is in shunt.h.
 */
#ifndef SHUNT_NETWORK_H
#define SHUNT_NETWORK_H

#include "shunt/shunt.h"

/* Largest file that is read; a network takes some hundred bytes. */
#define NETWORK_FILE_MAX (64 * 1024)

#define NETWORK_MTU_MIN4 576	/* RFC 791: what every host must take */
#define NETWORK_MTU_MIN6 1280	/* RFC 8200, section 5 */
#define NETWORK_MTU_MAX 65535

#define NETWORK_FLOWS_MIN 1024
#define NETWORK_FLOWS_MAX 4194304

/**
 * network_parse() - Read the text of one network
 * @name:	its name, which has been checked; that of the built-in one lends its subnets to a file without any
 * @text:	JSON, NUL-terminated
 * @source:	what error lines call the text: its path
 * @ret:	the network, defaults filled in
 *
 * Does nothing but compute: no file is opened (save the machine id, for the built-in network).
 *
 * Return: 0, or -EINVAL with a line that says where, or -ENOMEM
 */
int network_parse(const char *name, const char *text, const char *source, struct shunt_network *ret,
		  struct shunt_error *error);

/* Fills in everything but the subnets, which have no default but the built-in network's. @name has been checked. */
void network_defaults(const char *name, struct shunt_network *network);
int network_builtin_subnets(struct shunt_network *network, struct shunt_error *error);

/**
 * network_address() - Read an address that somebody asks for
 * @network:	the network that it must belong to
 * @text:	"ADDRESS", or with the length of the network's subnet or that of a single address
 * @ret:	the address, with its family's full length
 *
 * Return: 0; -EINVAL for text that is no address; -ERANGE for an address that no endpoint of @network can have
 */
int network_address(const struct shunt_network *network, const char *text, struct shunt_prefix *ret,
		    struct shunt_error *error);

/* Checks an MTU that somebody asks for against what the network's families need. Returns 0 or -ERANGE. */
int network_mtu_check(const struct shunt_network *network, uint64_t mtu, struct shunt_error *error);

/* How many entries each map of flows shall have: the most that any network's file asks for, or SHUNT_FLOWS where none asks. */
uint32_t network_flows_wanted(void);

/* The directory of network files: $SHUNT_NETWORKS, or /etc/shunt/networks. */
const char *network_directory(void);

#endif

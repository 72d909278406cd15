/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port-table.h - typed access to the maps of published ports: "publications", and what is made of it for the datapath, "published"
 * and the bits in "ports". All under the lock "ports", but for looking.
 */
#ifndef SHUNT_PORT_TABLE_H
#define SHUNT_PORT_TABLE_H

#include "datapath.h"

/* A set of ports of both protocols. 16 kB: not for the stack. */
struct port_set {
	uint64_t tcp[65536 / 64], udp[65536 / 64];
};

void port_set_add(struct port_set *set, const struct shunt_published_key *key);
bool port_set_has(const struct port_set *set, const struct shunt_published_key *key);

/* Of which protocols there is a port in @set; enum port_protocols. */
enum port_protocols { PORTS_TCP = 1 << 0, PORTS_UDP = 1 << 1 };
unsigned port_set_protocols(const struct port_set *set);

/* All publications, sorted as in struct shunt_port; *ret is the caller's to free. */
int port_table_list(const struct datapath *datapath, struct shunt_port **ret, size_t *ret_n);

/* Those bits that are not as in @set; what others have in that map stays. */
int port_table_write_bits(const struct datapath *datapath, const struct port_set *set);

/* One publication, and its backend in "published". -EEXIST for one that is there; -ENOSPC for a port with all the backends it can have */
int port_table_add(const struct datapath *datapath, const struct shunt_port *port);

/* None there is no error. */
int port_table_remove(const struct datapath *datapath, const struct shunt_port *port);

/* Puts back into "publications" what was removed of the list. */
int port_table_restore(const struct datapath *datapath, const struct shunt_port *list, size_t n);

/* Makes "published" what the list, which is all of "publications", says. */
int port_table_rebuild(const struct datapath *datapath, const struct shunt_port *list, size_t n);

#endif

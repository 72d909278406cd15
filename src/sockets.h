/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - what leads the host's own sockets to published ports: the programs at the root of cgroup2, and the map of the
 * host's addresses. All under the lock "ports".
 */
#ifndef SHUNT_SOCKETS_H
#define SHUNT_SOCKETS_H

#include "instance.h"

/* Attaches those that ports of @protocols (enum port_protocols) need, where they are not. Their pins are in ports/. */
int sockets_attach(struct shunt_instance *instance, unsigned protocols, struct shunt_error *error);

/* Detaches those that they do not need. None there is no error. */
int sockets_detach(struct shunt_instance *instance, unsigned protocols, struct shunt_error *error);

/*
 * Writes the host's addresses of now into the map "locals". One that came later is known to the next who publishes, and to
 * gc: until then the host's processes reach published ports by its others, and the wire by all.
 */
int sockets_refresh_locals(struct shunt_instance *instance, struct shunt_error *error);

/* Whether an address is the host's own, as of the last refresh, or a loopback address. Mapped, as in shunt_in6. */
bool sockets_is_local(const struct shunt_instance *instance, const uint8_t address[static 16]);

#endif

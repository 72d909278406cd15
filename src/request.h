/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - what can be refused in a request without asking the kernel.
 */
#ifndef SHUNT_REQUEST_H
#define SHUNT_REQUEST_H

#include "shunt/shunt.h"

/* Reads "l3" or "l2", and "auto" (0), "netkit" or "veth". Return: 0, or -EINVAL */
int mode_parse(const char *text, enum shunt_mode *ret, struct shunt_error *error);
int driver_parse(const char *text, enum shunt_driver *ret, struct shunt_error *error);

/* Reads the text of an MTU; whether it suits the network is request_check()'s. Return: 0, or -ERANGE or -EINVAL */
int mtu_parse(const char *text, uint32_t *ret, struct shunt_error *error);

/**
 * request_check() - Check ID, names, addresses and MTU of a request
 * @ret_network:	the network that it is for, loaded; may be NULL
 *
 * Does not look at the namespace. Callers check before they open an instance, so that what is refused leaves nothing
 * behind and needs no rights; the engine checks again, as it trusts no caller.
 *
 * Return: 0, or a negative errno
 */
int request_check(const struct shunt_request *request, struct shunt_network *ret_network, struct shunt_error *error);

#endif

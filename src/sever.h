/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sever.h - the host's own sockets that speak to a container which is no more. The theory is in sever.c.
 */
#ifndef SHUNT_SEVER_H
#define SHUNT_SEVER_H

#include "shunt/shunt.h"

/**
 * sever() - Ends all TCP and UDP sockets of the host whose peer has one of these addresses
 * @addresses:	@n of them, whole addresses of either family; 2 at most
 * @ifindex:	of the host end that was: who is bound to another device spoke to somebody else
 *
 * Return: 0, also where the kernel cannot do it or we may not; or the errno of what may be tried again
 */
int sever(const struct shunt_prefix *addresses, size_t n, uint32_t ifindex, struct shunt_error *error);

/* For doctor. Return: 1 if sever() can end sockets, 0 if the kernel cannot, or an errno */
int sever_probe(void);

#endif

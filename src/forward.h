/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.h - IPv6 forwarding on a host end, and nowhere else.
 */
#ifndef SHUNT_FORWARD_H
#define SHUNT_FORWARD_H

#include "shunt/shunt.h"

/**
 * forward6_enable() - Switches IPv6 forwarding on for one device of our own
 * @name:	the host end
 * @guarded:	all interfaces that carry a default route learnt from a router's advertisement
 * @n_guarded:	their number
 *
 * bpf_fib_lookup() answers only for a device that forwards. rtnetlink can set that for IPv4; for IPv6 only the sysctl
 * can, and writing it has a side effect on others: addrconf_fixup_forwarding() calls rt6_purge_dflt_routers(), which
 * deletes every default route of the namespace that the kernel learnt from a router advertisement, whichever device was
 * written. It spares those of interfaces with accept_ra = 2. So that value stands on each guarded interface for the
 * moment of the write; killed in between, it stays, which does no harm: such a host accepts what it accepted before.
 *
 * The caller holds the lock of "uplinks": two at once would take each other's 2 for what was there before.
 *
 * Return: 0, or a negative errno
 */
int forward6_enable(const char *name, const uint32_t *guarded, size_t n_guarded, struct shunt_error *error);

/* Whether a device forwards, by its sysctl: 1, 0, or an errno. @family is AF_INET or AF_INET6. */
int forward_enabled(const char *name, int family);

/* Whether a new device of this host has IPv6: 1 where the kernel has it and it is not disabled by default, 0, or an errno. */
int ipv6_available(void);

#endif

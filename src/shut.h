/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shut.h - what netkit's policy is to a host end of veth: where shunt_from_ct is not, nothing gets in.
 */
#ifndef SHUNT_SHUT_H
#define SHUNT_SHUT_H

#include "netlink.h"

/**
 * shut_device() - Puts a filter that drops everything behind all programs at a device's ingress
 *
 * It is tc's, so it goes with the device and with nothing else: whoever removes pins leaves it there. For it shunt_from_ct
 * lets nothing go on to who is behind it, which is what SHUNT_F_SHUT tells it.
 *
 * Return: 1, 0 where the kernel has no clsact or no cls_bpf, or an errno
 */
int shut_device(struct netlink *host, uint32_t ifindex, struct shunt_error *error);

#endif

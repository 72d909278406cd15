/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pin.h - what a pinned link says of its device.
 */
#ifndef SHUNT_PIN_H
#define SHUNT_PIN_H

#include <stdbool.h>
#include <stdint.h>

struct pin {
	uint32_t ifindex;	/* in its device's own network namespace; 0: the device is gone, or somebody detached the link */
	uint32_t id;
	uint32_t where;		/* enum bpf_attach_type */
	bool inside;		/* it is at netkit's other end, which is the container's */
};

/* Seen from the directory @at. Return: 0; -ENOENT: no pin; -EBADF: no link of a device; or another errno */
int pin_look(int at, const char *path, struct pin *ret);
/* Whether it is one of the links of a device in our network namespace, of whose pair the other end may be elsewhere. */
bool pin_is_of(const struct pin *pin, uint32_t ifindex);

#endif

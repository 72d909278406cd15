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
	bool here;		/* the device is in our own: the index alone may be a stranger's */
	bool inside;		/* it is at netkit's other end, which is the container's */
};

/* Seen from the directory @at. Return: 0; -ENOENT: no pin; -EBADF: no link of a device; or another errno */
int pin_look(int at, const char *path, struct pin *ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nspawn-udev.h - systemd-nspawn takes no interface that udev has not initialised: how to wait for that.
 */
#ifndef SHUNT_NSPAWN_UDEV_H
#define SHUNT_NSPAWN_UDEV_H

#include "shunt/shunt.h"

/**
 * udev_wait() - Wait until udev has initialised an interface
 *
 * Returns at once where nspawn asks for nothing either: /sys is read-only there, as in a container.
 *
 * Return: 0; -ENODEV if the interface is gone; -ENOENT if no udev is running; -ETIMEDOUT after UDEV_SECONDS
 */
int udev_wait(const char *interface, struct shunt_error *error);

#define UDEV_SECONDS 60

#endif

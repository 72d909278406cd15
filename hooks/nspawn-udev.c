// SPDX-License-Identifier: GPL-2.0-or-later
#include "nspawn-udev.h"

#include <sys/statvfs.h>
#include <systemd/sd-device.h>
#include <systemd/sd-event.h>

#include "util.h"

struct waiting {
	const char *interface;
	sd_event *event;
};

static void device_unrefp(sd_device **device)
{
	sd_device_unref(*device);
}

static void monitor_unrefp(sd_device_monitor **monitor)
{
	sd_device_monitor_unref(*monitor);
}

static void event_unrefp(sd_event **event)
{
	sd_event_unref(*event);
}

/*
 * 1, 0, or -ENODEV: by udev's database as it is now. It has an interface while its rules are still at work, too, with a
 * property that tells (systemd 257), and nspawn asks for both.
 */
static int is_initialized(const char *interface)
{
	_cleanup_(device_unrefp) sd_device *device = NULL;
	const char *processing;
	int r = sd_device_new_from_ifname(&device, interface);

	if (r >= 0)
		r = sd_device_get_is_initialized(device);
	if (r <= 0)
		return r;
	r = sd_device_get_property_value(device, "ID_PROCESSING", &processing);
	return r == -ENOENT ? 1 : r < 0 ? r : 0;
}

/* udev writes its database before it tells. */
static int on_device(sd_device_monitor *monitor, sd_device *device, void *data)
{
	struct waiting *waiting = data;
	const char *name;

	(void)monitor;
	if (sd_device_get_sysname(device, &name) >= 0 && strcmp(name, waiting->interface) == 0) {
		int r = is_initialized(waiting->interface);

		if (r != 0)
			sd_event_exit(waiting->event, r);
	}
	return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *data)
{
	struct waiting *waiting = data;

	(void)source;
	(void)usec;
	return sd_event_exit(waiting->event, -ETIMEDOUT);
}

/* Listens first and looks then, so that nothing falls between the two. */
static int wait_for(const char *interface)
{
	_cleanup_(monitor_unrefp) sd_device_monitor *monitor = NULL;
	_cleanup_(event_unrefp) sd_event *event = NULL;
	struct waiting waiting = { .interface = interface };
	int r = sd_event_new(&event);

	waiting.event = event;
	if (r >= 0)
		r = sd_device_monitor_new(&monitor);
	if (r >= 0)
		r = sd_device_monitor_filter_add_match_subsystem_devtype(monitor, "net", NULL);
	if (r >= 0)
		r = sd_device_monitor_attach_event(monitor, event);
	if (r >= 0)
		r = sd_device_monitor_start(monitor, on_device, &waiting);
	if (r >= 0)
		r = sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, UDEV_SECONDS * 1000000ULL, 0, on_timeout, &waiting);
	if (r >= 0)
		r = is_initialized(interface);
	return r != 0 ? r : sd_event_loop(event);
}

int udev_wait(const char *interface, struct shunt_error *error)
{
	struct statvfs sys;
	int r;

	if (statvfs("/sys", &sys) < 0)
		return shunt_fail(error, -errno, "/sys: %m");
	if (sys.f_flag & ST_RDONLY)
		return 0;
	if (access("/run/udev/control", F_OK) < 0)
		return errno != ENOENT ? shunt_fail(error, -errno, "/run/udev/control: %m") :
		       shunt_fail(error, -ENOENT, "udev is not running, and systemd-nspawn takes no interface that udev has not "
				  "initialised; start systemd-udevd.service");
	r = wait_for(interface);
	if (r == -ETIMEDOUT)
		return shunt_fail(error, r, "udev has not initialised %s within %d s; 'udevadm settle' and 'journalctl -u "
				  "systemd-udevd' tell what it is busy with", interface, UDEV_SECONDS);
	return r < 0 ? shunt_fail(error, r, "cannot wait for udev to initialise %s: %s", interface, strerror(-r)) : 0;
}

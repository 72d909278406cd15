// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * words.c - what enumerators are called where people and programs see them. The words are part of the JSON
 * output: they may be added to, but never changed.
 */
#include "shunt/shunt.h"
#include "util.h"

static const char *const drop_names[SHUNT_DROP_MAX] = {
	[SHUNT_DROP_SPOOFED] = "spoofed",
	[SHUNT_DROP_MALFORMED] = "malformed",
	[SHUNT_DROP_PROTOCOL] = "protocol",
	[SHUNT_DROP_MULTICAST] = "multicast",
	[SHUNT_DROP_ISOLATED] = "isolated",
	[SHUNT_DROP_INTERNAL] = "internal",
	[SHUNT_DROP_NO_ENDPOINT] = "no_endpoint",
	[SHUNT_DROP_NO_ROUTE] = "no_route",
	[SHUNT_DROP_NO_FORWARD] = "no_forward",
	[SHUNT_DROP_TOO_BIG] = "too_big",
	[SHUNT_DROP_TTL] = "ttl",
	[SHUNT_DROP_NO_NEIGHBOUR] = "no_neighbour",
	[SHUNT_DROP_NO_PORT] = "no_port",
	[SHUNT_DROP_UNTRANSLATED] = "untranslated",
	[SHUNT_DROP_NOT_ALLOWED] = "not_allowed",
};

const char *shunt_drop_name(enum shunt_drop drop)
{
	const char *name = (unsigned)drop < ELEMENTSOF(drop_names) ? drop_names[drop] : NULL;

	/* A newer program may count what this one has no word for. */
	return name ?: "other";
}

const char *shunt_driver_name(enum shunt_driver driver)
{
	switch (driver) {
	case SHUNT_DRIVER_NETKIT:
		return "netkit";
	case SHUNT_DRIVER_VETH:
		return "veth";
	}
	return "unknown";
}

const char *shunt_mode_name(enum shunt_mode mode)
{
	switch (mode) {
	case SHUNT_MODE_L3:
		return "l3";
	case SHUNT_MODE_L2:
		return "l2";
	}
	return "unknown";
}

const char *shunt_status_name(enum shunt_status status)
{
	switch (status) {
	case SHUNT_STATUS_READY:
		return "ready";
	case SHUNT_STATUS_PENDING:
		return "pending";
	case SHUNT_STATUS_STALE:
		return "stale";
	}
	return "unknown";
}

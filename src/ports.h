/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.h - the ports of the host that masqueraded flows leave from.
 */
#ifndef SHUNT_PORTS_H
#define SHUNT_PORTS_H

#include "datapath.h"

struct port_range {
	uint16_t low;	/* both included; 0 and 0 for none */
	uint16_t high;
};

/**
 * port_range_parse() - Read "LOW-HIGH"
 *
 * Return: 0, or -EINVAL for what is none, begins at 0, ends before it begins, or has fewer than PORTS_MIN
 */
int port_range_parse(const char *text, struct port_range *ret);

/**
 * ports_choose() - Choose a range that no socket of the host gets by itself
 * @local:	ip_local_port_range
 *
 * The largest gap beside @local from port 1024 on, and of that the upper PORTS_WANTED at most: with the kernel's own default,
 * 16384-32767. That leaves registered ports mostly alone, and is as many as keeps 14 of the 15 bits that a resolver's source
 * port is worth against forgers (RFC 5452).
 *
 * Return: 0, or -ERANGE where there is no gap of PORTS_MIN
 */
int ports_choose(const struct port_range *local, struct port_range *ret);

#define PORTS_MIN 64
#define PORTS_WANTED 16384

/**
 * ports_find() - The range that a network's flows leave from
 * @wanted:	what the network's file says, or none
 *
 * Return: 0 with the range in @ret, or an errno: -ERANGE where the host's own ports leave nothing, -EADDRINUSE where they
 * overlap what is wanted
 */
int ports_find(const char *network, const struct port_range *wanted, struct port_range *ret, struct shunt_error *error);

/* Whether a range that was found is still none of the host's own: sysctls change. */
bool ports_are_spare(const struct port_range *range);

/**
 * ports_follow() - Mark ranges in the map "ports"
 *
 * Without what is the host's own now, by ip_local_port_range or ip_local_reserved_ports, which is unmarked everywhere else, too;
 * but a range that ip_local_port_range has grown over whole stays: its containers would reach nobody any more.
 * The caller has the lock of ports.
 */
int ports_follow(const struct datapath *datapath, const struct port_range *ranges, size_t n, struct shunt_error *error);

#endif

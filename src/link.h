/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - the pair of devices, and the drivers that make it.
 *
 * Both drivers make the same thing: a host end `nk...` and a container's end, made straight in the container's
 * namespace under its final name, both down, and nothing can leave the container before links are attached: netkit's
 * peer begins with policy blackhole, and veth's has no carrier while the host end is down.
 *
 * There is no neighbour discovery on either. netkit in mode l3 has no addresses to discover; the Ethernet kinds (veth,
 * netkit l2) have ARP switched off and one and the same MAC address on both ends. The kernel then uses a device's own
 * address as its neighbour's (arp_constructor() and ndisc_constructor() for IFF_NOARP), which is right for both.
 */
#ifndef SHUNT_LINK_H
#define SHUNT_LINK_H

#include <linux/bpf.h>

#include "netlink.h"
#include "shunt/shunt.h"

/* How large a packet may be, in bytes, before the device cuts it into those of the wire (GSO), or behind its merging them (GRO). */
enum link_size {
	LINK_GSO,		/* of IPv6; the kernel writes it to the next one, too, up to LINK_SIZE_DEFAULT */
	LINK_GSO4,		/* of IPv4 */
	LINK_GRO,
	LINK_GRO4,
	LINK_SIZES,
};

#define LINK_SIZE_DEFAULT 65536	/* of all four, where nobody has said anything else */

struct link_spec {
	const char *host;		/* name of the host end */
	const char *interface;		/* name of the container's end */
	int netns_fd;			/* where the container's end goes; -1: it stays with us */
	uint32_t mtu;			/* bytes, both ends */
	enum shunt_mode mode;
	uint8_t mac[6];			/* of both ends, where the kind has one */
	uint32_t size[LINK_SIZES];	/* of both ends; 0: the kernel's */
};

/*
 * Gives a container's namespace a number in ours before the kernel does. Each message about a host end, also those that the
 * kernel makes of every change, names the namespace of the other end by its number, which the kernel finds by trying all that
 * there are from the lowest on (__peernet2id()). It would give the lowest that is free, so that of thousands the newest is tried
 * last, four times an attach. Ours fall with the time since boot, by one a millisecond, so that it is tried first. A namespace that
 * has a number keeps it, and where ours is taken the kernel gives one after all: nothing fails for it.
 */
void link_number_netns(struct netlink *host, int netns_fd);

struct link_driver {
	enum shunt_driver driver;
	/* Makes the pair, both ends down. -EEXIST: either name is taken; -EOPNOTSUPP: the kernel has no such kind. */
	int (*create)(struct netlink *host, const struct link_spec *spec, struct shunt_error *error);
	/* Where each program is attached on the host end. */
	enum bpf_attach_type from_ct;
	enum bpf_attach_type to_ct;
	bool gate;	/* the container's end needs shunt_gate */
	bool across;	/* the host end takes shunt_across */
};

/* NULL for a driver that is none. */
const struct link_driver *link_driver(enum shunt_driver driver);

struct link_state {
	uint32_t ifindex;
	uint32_t other;			/* of a pair: the other end's ifindex, in its own namespace; else 0, or what it is upon */
	int32_t other_netns;		/* and that namespace's number in ours, -1 for our own, or for one that has none */
	uint32_t mtu;
	uint32_t size[LINK_SIZES];
	uint32_t size_max;		/* that the device can cut by itself */
	bool up;
	bool ethernet;			/* ARPHRD_ETHER */
	char name[IFNAMSIZ];
	char alias[SHUNT_ID_MAX + 1];	/* cut to what fits */
};

/* By name, or by index where @name is NULL. Return: 0, -ENODEV, or another errno */
int link_get(struct netlink *netlink, const char *name, uint32_t ifindex, struct link_state *ret,
	     struct shunt_error *error);

/* Calls @each for all; a negative return ends it. What changes meanwhile may be missed. Return: 0, or an errno */
int link_each(struct netlink *netlink, int (*each)(const struct link_state *link, void *arg), void *arg, struct shunt_error *error);

/* Return: 0 also where there was none. */
int link_delete(struct netlink *netlink, uint32_t ifindex, struct shunt_error *error);

/* Message makers for a batch; NULL for no memory. */
struct nl_msg *link_msg_up(uint32_t ifindex);
/* For the peer of a netkit pair in l2 mode: unlike veth, netkit heeds only the host end's flags when it makes a pair. */
struct nl_msg *link_msg_no_arp(uint32_t ifindex);
/* The host end's alias, and IPv4 forwarding on that device alone. */
struct nl_msg *link_msg_host_setup(uint32_t ifindex, const char *alias);
struct nl_msg *link_msg_sizes(uint32_t ifindex, const uint32_t size[static LINK_SIZES]);
/* No IPv6 link-local address. EAFNOSUPPORT for a device without IPv6: its MTU is too small, or the host has none. */
struct nl_msg *link_msg_no_link_local(uint32_t ifindex);
struct nl_msg *link_msg_address(uint32_t ifindex, const struct shunt_prefix *address);

/* Whether this kernel makes netkit pairs: 1, 0, or an errno. Makes and removes one in a namespace of a child's own. */
int link_probe_netkit(void);

#endif

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * host.h - a host with endpoints and routes, in a network namespace of its own, as the maps and the kernel have it.
 */
#ifndef SHUNT_TEST_HOST_H
#define SHUNT_TEST_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include <shunt/abi.h>

#include "packets.h"
#include "shunt.skel.h"

/* Endpoints of the host, by what is special about them. */
enum who {
	NOBODY,
	ALICE,		/* plain, of network blue, as is BOB */
	BOB,		/* MTU of 1400 */
	LONER,		/* isolated, of network red, whose name has all the length it can */
	TWIN,		/* isolated, of one whose name differs in the last byte */
	HERMIT,		/* internal, of network grey, as is MONK */
	MONK,
	KERNEL,		/* blue, routed by the host's stack */
	ETHER,		/* blue, with MAC addresses */
	LATENT,		/* blue, its addresses are claimed but not ready */
	STUCK,		/* blue, forwarding is off on its host end */
	CELL,		/* internal and routed by the host's stack, of network grey */
	STRANGER,	/* plain, of network green */
	EVERYBODY,
};

#define IFINDEX(who) (100 + (who))
#define UPLINK 200
#define NARROW 201	/* an uplink with an MTU of 1280 */

#define ALICE4 "10.207.0.2"
#define ALICE6 "fd07::2"
#define GATEWAY4 "10.207.0.1"
#define GATEWAY6 "fd07::1"
#define WIRE4 "192.0.2.200"	/* somebody behind the uplink */
#define WIRE6 "2001:db8:9::9"
#define NARROW4 "203.0.113.9"
#define NARROW6 "2001:db8:113::9"

static const uint8_t UPLINK_MAC[ETH_ALEN] = { 2, 0, 0, 0, 0, 200 };
static const uint8_t ROUTER_MAC[ETH_ALEN] = { 2, 0, 0, 0, 0xff, 0xfe };
static const uint8_t ETHER_MAC[ETH_ALEN] = { 2, 0, 0, 0, 0xc, 7 };
static const uint8_t NO_MAC[ETH_ALEN];

struct endpoint {
	const char *network, *address4, *address6;
	uint32_t flags, mtu;
};

static const struct endpoint endpoints[EVERYBODY] = {
	[ALICE] = { "blue", "10.207.0.2", "fd07::2", 0, 1500 },
	[BOB] = { "blue", "10.207.0.3", "fd07::3", 0, 1400 },
	[LONER] = { "red-red-red-red", "10.208.0.2", "fd08::2", SHUNT_F_ISOLATE, 1500 },
	[TWIN] = { "red-red-red-ree", "10.211.0.2", "fd11::2", SHUNT_F_ISOLATE, 1500 },
	[HERMIT] = { "grey", "10.209.0.2", "fd09::2", SHUNT_F_INTERNAL, 1500 },
	[MONK] = { "grey", "10.209.0.3", "fd09::3", SHUNT_F_INTERNAL, 1500 },
	[KERNEL] = { "blue", "10.207.0.6", "fd07::6", SHUNT_F_KERNEL, 1500 },
	[ETHER] = { "blue", "10.207.0.7", "fd07::7", SHUNT_F_ETHERNET, 1500 },
	[LATENT] = { "blue", "10.207.0.8", "fd07::8", 0, 1500 },
	[STUCK] = { "blue", "10.207.0.9", "fd07::9", 0, 1500 },
	[CELL] = { "grey", "10.209.0.4", "fd09::4", SHUNT_F_INTERNAL | SHUNT_F_KERNEL, 1500 },
	[STRANGER] = { "green", "10.210.0.2", "fd10::2", 0, 1500 },
};

static struct shunt_bpf *skel;

/* What a test adds to its endpoints, before put_interface(). */
static struct {
	uint32_t flags;
	uint16_t port_low, port_high;
	uint32_t policy;
} also[EVERYBODY];

static inline struct shunt_interface interface_of(enum who who)
{
	const struct endpoint *e = &endpoints[who];
	struct shunt_interface i = {
		.flags = e->flags | also[who].flags | SHUNT_F_ADDRESS4 | SHUNT_F_ADDRESS6, .mtu = e->mtu,
		.port_low = also[who].port_low, .port_high = also[who].port_high,
		.policy = also[who].policy,
	};

	assert_int_equal(inet_pton(AF_INET, e->address4, &i.address4), 1);
	assert_int_equal(inet_pton(AF_INET6, e->address6, i.address6), 1);
	i.netmask4 = htonl(0xffff0000);
	i.subnet4 = i.address4 & i.netmask4;
	i.gateway4 = i.subnet4 | htonl(1);
	memset(i.netmask6, 0xff, 8);
	memcpy(i.subnet6, i.address6, 8);
	memcpy(i.gateway6, i.address6, 8);
	i.gateway6[15] = 1;
	strcpy(i.network, e->network);
	return i;
}

/* Writes an endpoint's entry anew, all counters 0, with these flags beside its own. */
static inline void put_interface(enum who who, uint32_t clear)
{
	uint32_t ifindex = IFINDEX(who);
	int cpus = libbpf_num_possible_cpus();
	struct shunt_interface *each = calloc(cpus, sizeof(*each));

	assert_non_null(each);
	for (int i = 0; i < cpus; i++) {
		each[i] = interface_of(who);
		each[i].flags &= ~clear;
	}
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.interfaces), &ifindex, each, BPF_ANY), 0);
	free(each);
}

static inline void put_addresses(enum who who)
{
	struct shunt_interface i = interface_of(who);
	struct shunt_address a = { .ifindex = who == LATENT ? 0 : IFINDEX(who), .flags = i.flags, .mtu = i.mtu };

	memcpy(a.network, i.network, sizeof(a.network));
	if (i.flags & SHUNT_F_ETHERNET)
		memcpy(a.mac, ETHER_MAC, ETH_ALEN);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.addresses4), &i.address4, &a, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.addresses6), i.address6, &a, BPF_ANY), 0);
}

static inline struct shunt_counters counters_of(enum who who)
{
	uint32_t ifindex = IFINDEX(who);
	int cpus = libbpf_num_possible_cpus();
	struct shunt_interface *each = calloc(cpus, sizeof(*each));
	struct shunt_counters sum = { 0 };

	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.interfaces), &ifindex, each), 0);
	for (int i = 0; i < cpus; i++)
		for (size_t j = 0; j < sizeof(sum) / sizeof(uint64_t); j++)
			((__u64 *)&sum)[j] += ((__u64 *)&each[i].counters)[j];
	free(each);
	return sum;
}

__attribute__((format(printf, 1, 2))) static inline void shell(const char *format, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command))
		fail_msg("%s", command);
}

/* Waits until an IPv6 address is local in the namespace of a process: the kernel makes that route in its own time. */
static inline void await_local(pid_t there, const char *address)
{
	shell("for i in $(seq 200); do nsenter -n -t %d ip -6 route get %s 2>/dev/null | grep -q ^local && exit 0; "
	      "sleep 0.02; done; exit 1", there, address);
}

static inline void sysctl(const char *family, const char *device, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, device, name);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static inline void make_devices(void)
{
	shell("ip link set lo up");
	for (int who = NOBODY + 1; who < EVERYBODY; who++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "h%d", who);
		shell("ip link add %s index %d type veth peer name p%d && ip link set %s up && ip link set p%d up",
		      name, IFINDEX(who), who, name, who);
		sysctl("ipv4", name, "forwarding", who == STUCK ? "0" : "1");
		sysctl("ipv6", name, "forwarding", who == STUCK ? "0" : "1");
	}
	shell("ip link add wire index %d address 02:00:00:00:00:c8 type veth peer name pwire", UPLINK);
	shell("ip link add narrow index %d address 02:00:00:00:00:c9 mtu 1280 type veth peer name pnarrow mtu 1280", NARROW);
	shell("for i in wire pwire narrow pnarrow; do ip link set $i up; done");
	shell("ip -4 address add 198.51.100.1/24 dev wire && ip -6 address add 2001:db8:100::1/64 nodad dev wire");
	await_local(getpid(), "2001:db8:100::1");
	shell("for i in 198.51.100.253 198.51.100.254 2001:db8:100::fe; do "
	      "ip neigh add $i lladdr 02:00:00:00:ff:fe dev wire nud permanent; done");
	shell("for i in " NARROW4 " " NARROW6 "; do ip neigh add $i lladdr 02:00:00:00:ff:fe dev narrow nud permanent; done");
}

static inline void make_routes(void)
{
	static const char *const routes[] = {
		"-4 route add default via 198.51.100.254",
		"-6 route add default via 2001:db8:100::fe",
		"-4 route add 203.0.113.0/25 dev narrow",
		"-6 route add 2001:db8:113::/64 dev narrow",
		"-4 route add 203.0.113.128/25 via 198.51.100.253 mtu lock 1300",
		"-4 route add blackhole 192.0.2.0/27",
		"-4 route add unreachable 192.0.2.32/27",
		"-4 route add prohibit 192.0.2.64/27",
		"-4 route add throw 192.0.2.96/27",
		"-4 route add 192.0.2.128/28 via inet6 2001:db8:100::fe dev wire",
		"-6 route add blackhole 2001:db8:b::/64",
		"-6 route add unreachable 2001:db8:c::/64",
		"-6 route add prohibit 2001:db8:d::/64",
		"-6 route add throw 2001:db8:e::/64",
		"-6 route add 2001:db8:f::/64 encap seg6 mode encap segs 2001:db8:100::5 dev wire",
	};

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		shell("ip %s", routes[i]);
}

static inline void put_uplink(uint32_t ifindex)
{
	const uint32_t kind = SHUNT_UPLINK_ETHERNET;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.uplinks), &ifindex, &kind, BPF_ANY), 0);
}

static inline void take_uplink(uint32_t ifindex)
{
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.uplinks), &ifindex), 0);
}

#endif

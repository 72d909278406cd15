/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * harness.h - a host with endpoints and routes in a network namespace of its own, and one packet at a time.
 *
 * The kernel runs a program on a packet (BPF_PROG_TEST_RUN) but follows no redirect: what is checked is the verdict,
 * the whole packet that comes out, and every counter of every endpoint. Where packets really arrive is for live.c.
 */
#ifndef SHUNT_TEST_HARNESS_H
#define SHUNT_TEST_HARNESS_H

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

enum { PASS_ON = -1, DROPPED = 2, REDIRECTED = 7 };

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
static struct shunt_bpf *quick;	/* the same, but that its shortcuts last */

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

/* Writes an endpoint's entry anew, all counters 0, with these flags beside its own. Its tally has its place, as by a packet before. */
static inline void put_interface(enum who who, uint32_t clear)
{
	uint32_t ifindex = IFINDEX(who);
	int cpus = libbpf_num_possible_cpus();
	struct shunt_interface *each = calloc(cpus, sizeof(*each));
	struct shunt_tally *tallies = calloc(cpus, sizeof(*tallies));

	assert_true(each && tallies);
	for (int i = 0; i < cpus; i++) {
		each[i] = interface_of(who);
		each[i].flags &= ~clear;
		tallies[i].ifindex = ifindex;
	}
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.interfaces), &ifindex, each, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.tallies), &ifindex, tallies, BPF_ANY), 0);
	free(each);
	free(tallies);
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
	struct shunt_tally *tallies = calloc(cpus, sizeof(*tallies));
	struct shunt_counters sum = { 0 };

	assert_true(each && tallies);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.interfaces), &ifindex, each), 0);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.tallies), &ifindex, tallies), 0);
	for (int i = 0; i < cpus; i++) {
		for (size_t j = 0; j < sizeof(sum) / sizeof(uint64_t); j++)
			((__u64 *)&sum)[j] += ((__u64 *)&each[i].counters)[j];
		if (tallies[i].ifindex != ifindex)
			continue;
		sum.rx_packets += tallies[i].rx_packets;
		sum.rx_bytes += tallies[i].rx_bytes;
		sum.tx_packets += tallies[i].tx_packets;
		sum.tx_bytes += tallies[i].tx_bytes;
	}
	free(each);
	free(tallies);
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
	shell("ip link add narrow index %d mtu 1280 type veth peer name pnarrow mtu 1280", NARROW);
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
	const uint32_t none = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.uplinks), &ifindex, &none, BPF_ANY), 0);
}

static inline void take_uplink(uint32_t ifindex)
{
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(skel->maps.uplinks), &ifindex), 0);
}

/* The same programs with the same maps, but for shortcuts, which last so many jiffies. */
static inline struct shunt_bpf *load_like(struct shunt_bpf *other, uint32_t ticks)
{
	struct shunt_bpf *ret = shunt_bpf__open();
	struct bpf_map *map, *theirs;

	assert_non_null(ret);
	ret->rodata->shortcut_ticks = ticks;
	bpf_object__for_each_map(map, ret->obj) {
		theirs = bpf_object__find_map_by_name(other->obj, bpf_map__name(map));
		if (theirs != other->maps.shortcuts && !bpf_map__is_internal(theirs))
			assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(theirs)), 0);
	}
	assert_int_equal(shunt_bpf__load(ret), 0);
	return ret;
}

static inline struct bpf_program *quick_one(const struct bpf_program *program)
{
	return bpf_object__find_program_by_name(quick->obj, bpf_program__name(program));
}

/* No packet is like any that was seen. */
static inline void forget_shortcuts(void)
{
	static uint8_t none[1 << 20];
	static uint32_t keys[1024];
	uint32_t n = bpf_map__max_entries(quick->maps.shortcuts);

	assert_true(n <= 1024 && n * bpf_map__value_size(quick->maps.shortcuts) * libbpf_num_possible_cpus() <= sizeof(none));
	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	assert_int_equal(bpf_map_update_batch(bpf_map__fd(quick->maps.shortcuts), keys, none, &n, NULL), 0);
}

static inline void load(void)
{
	skel = shunt_bpf__open();
	assert_non_null(skel);
	assert_int_equal(bpf_map__set_max_entries(skel->maps.flows, 4096), 0);	/* to walk it takes no time */
	assert_int_equal(shunt_bpf__load(skel), 0);
	for (int who = NOBODY + 1; who < EVERYBODY; who++) {
		put_interface(who, 0);
		put_addresses(who);
	}
	put_uplink(UPLINK);
	put_uplink(NARROW);
	quick = load_like(skel, 1 << 30);
}

static inline int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	make_devices();
	make_routes();
	load();
	return 0;
}

/* Before each test: what one that failed counted is not the next one's. */
static inline int fresh(void **state)
{
	(void)state;
	for (int who = NOBODY + 1; who < EVERYBODY; who++)
		put_interface(who, 0);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

static inline int teardown(void **state)
{
	(void)state;
	shunt_bpf__destroy(quick);
	shunt_bpf__destroy(skel);
	return 0;
}

/* Where a packet is met, and what accompanies it. */
struct hook {
	const char *name;
	struct bpf_program *program;
	uint32_t ifindex;
	uint32_t ingress_ifindex;
	uint32_t gso_size;
	uint32_t flags;
};

/* On netkit, no device has received the packet yet; on veth the host end has. */
#define FROM_CT(who, ...) \
	((struct hook){ "from_ct", skel->progs.shunt_from_ct, .ifindex = IFINDEX(who), __VA_ARGS__ })
#define FROM_VETH(who, ...) FROM_CT(who, .ingress_ifindex = IFINDEX(who), __VA_ARGS__)
/* In the container's namespace, where another interface may have any of our numbers. */
#define TO_CT() ((struct hook){ "to_ct", skel->progs.shunt_to_ct, .ifindex = IFINDEX(LONER) })
#define FROM_WIRE(...) \
	((struct hook){ "from_wire", skel->progs.shunt_from_wire, .ifindex = UPLINK, .ingress_ifindex = UPLINK, \
			__VA_ARGS__ })

/* From the router to the host. */
#define ARRIVING(...) PACKET(.mac_to = { 2, 0, 0, 0, 0, 200 }, .mac_from = { 2, 0, 0, 0, 0xff, 0xfe }, __VA_ARGS__)

struct outcome {
	int verdict;
	enum who tx, rx;	/* who counted the packet */
	enum who loser;		/* who counted it as dropped, because: */
	enum shunt_drop why;
	struct packet out;	/* of no length: as it went in */
};

static inline void check_counters(const char *where, const struct packet *in, const struct outcome *want)
{
	for (int who = NOBODY + 1; who < EVERYBODY; who++) {
		struct shunt_counters have = counters_of(who), due = { 0 };

		if (who == (int)want->tx)
			due.tx_packets = 1, due.tx_bytes = in->len;
		if (who == (int)want->rx)
			due.rx_packets = 1, due.rx_bytes = in->len;
		if (who == (int)want->loser)
			due.dropped[want->why] = 1;
		for (size_t j = 0; j < sizeof(have) / sizeof(uint64_t); j++)
			if (((__u64 *)&have)[j] != ((__u64 *)&due)[j])
				fail_msg("%s: endpoint %d: counter %zu is %ju, not %ju", where, who, j,
					 (uintmax_t)((__u64 *)&have)[j], (uintmax_t)((__u64 *)&due)[j]);
		put_interface(who, 0);
	}
}

static inline void check_packet(const char *where, const uint8_t *have, size_t len, const struct packet *want)
{
	if (len != want->len)
		fail_msg("%s: %zu bytes came out, not %zu", where, len, want->len);
	for (size_t i = 0; i < len; i++)
		if (have[i] != want->data[i])
			fail_msg("%s: byte %zu is %02x, not %02x", where, i, have[i], want->data[i]);
}

/* Runs a program. @ret: the packet that came out. Return: the verdict. */
static inline int run(const char *where, struct hook hook, const struct packet *in, struct packet *ret)
{
	struct __sk_buff ctx = {
		.ifindex = hook.ifindex, .ingress_ifindex = hook.ingress_ifindex, .gso_size = hook.gso_size,
		.gso_segs = hook.gso_size ? 2 : 0,
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = ret->data,
		    .data_size_out = sizeof(ret->data), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .ctx_out = &ctx,
		    .ctx_size_out = sizeof(ctx), .flags = hook.flags);
	int r = bpf_prog_test_run_opts(bpf_program__fd(hook.program), &opts);

	if (r)
		fail_msg("%s: could not run: %s", where, strerror(-r));
	ret->len = opts.data_size_out;
	if (opts.retval != DROPPED && ret->len != in->len && ctx.gso_segs)
		fail_msg("%s: an answer of ours is still to be segmented", where);
	return opts.retval;
}

static inline void check_once(const char *where, struct hook hook, const struct packet *in, const struct outcome *want)
{
	struct packet out;
	int verdict = run(where, hook, in, &out);

	if (verdict != want->verdict)
		fail_msg("%s: verdict is %d, not %d", where, verdict, want->verdict);
	/* Nobody sees what is dropped, and a failed answer may have cut it. */
	if (want->verdict != DROPPED)
		check_packet(where, out.data, out.len, want->out.len ? &want->out : in);
	check_counters(where, in, want);
}

/* What was sent somewhere, or into a container, is sent again, and again by the shortcut that it may have left: nothing else becomes of it. */
static inline void check(const char *file, int line, struct hook hook, struct packet in, struct outcome want)
{
	char where[160];

	snprintf(where, sizeof(where), "%s:%d: %s", file, line, hook.name);
	check_once(where, hook, &in, &want);
	if (want.verdict != REDIRECTED && (want.verdict != PASS_ON || hook.program != skel->progs.shunt_to_ct))
		return;
	hook.program = quick_one(hook.program);
	forget_shortcuts();
	snprintf(where, sizeof(where), "%s:%d: %s again", file, line, hook.name);
	check_once(where, hook, &in, &want);
	snprintf(where, sizeof(where), "%s:%d: %s by shortcut", file, line, hook.name);
	check_once(where, hook, &in, &want);
}

#define CHECK(hook, packet, ...) check(__FILE__, __LINE__, hook, packet, (struct outcome){ __VA_ARGS__ })

#endif

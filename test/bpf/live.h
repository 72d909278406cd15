/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * live.h - a host where packets really arrive: two containers, and wires that this program holds the other ends of.
 *
 *	ct1 eth0 ======= h0 (from_ct)                        wire (from_wire)  ==tap== this program
 *	ct2 eth0 ======= h1 (from_ct)                        tunnel (from_wire_l3) ==tun== this program
 *	nk (from_ct at egress)
 *
 * Frames are sent and received byte by byte with packet sockets in the containers. All is done by veth, and again by
 * netkit where the kernel has it. What matters of netkit, that from_ct runs in the sender's own context with the
 * packet on its way out, is also so at tcx egress of any device: "nk" is one, without a container behind it.
 */
#ifndef SHUNT_TEST_LIVE_H
#define SHUNT_TEST_LIVE_H

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "harness.h"

#include <linux/if_packet.h>
#include <linux/if_tun.h>

enum { CT1, CT2, NK, WIRE, TUNNEL, PLACES };

#define NK_OWNER ETHER	/* whose endpoint nk is; its MAC addresses are rewritten */
#define WIRE_ROUTER4 "198.51.100.254"

static bool netkit;	/* the driver; in l3 mode, all MAC addresses are zero */
static const uint8_t HOST_MAC[ETH_ALEN] = { 2, 0, 0, 0, 1, 0 };	/* of both host ends: nothing depends on it */
static const uint8_t CT_MAC[2][ETH_ALEN] = { { 2, 0, 0, 0, 2, 1 }, { 2, 0, 0, 0, 2, 2 } };
static const char *const ct4[2] = { "10.207.0.2", "10.207.0.3" }, *const ct6[2] = { "fd07::2", "fd07::3" };
static int place[PLACES];	/* packet sockets in the containers, the wires' other ends */
static pid_t holder[2];		/* a process in each container's namespace */

/* Starts a process that does nothing in a network namespace of its own. */
static inline pid_t hold_namespace(void)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static inline int open_packet(const char *device)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	to.sll_ifindex = if_nametoindex(device);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* A packet socket on the container's eth0. */
static inline int open_in_container(pid_t pid)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	fd = open_packet("eth0");
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(there);
	close(home);
	return fd;
}

static inline int open_tap(const char *name, short flags)
{
	struct ifreq request = { .ifr_flags = flags | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

/* The programs whose shortcuts last: what a test has sent before may have left one. */
static inline void attach(const struct bpf_program *program, uint32_t ifindex, enum bpf_attach_type where)
{
	assert_true(bpf_link_create(bpf_program__fd(quick_one(program)), ifindex, where, NULL) >= 0);
}

static inline void make_container(int ct)
{
	int index = IFINDEX(ALICE + ct);

	holder[ct] = hold_namespace();
	if (netkit)
		shell("ip link add h%d index %d type netkit mode l3 peer blackhole name eth0 netns %d", ct, index,
		      holder[ct]);
	else
		shell("ip link add h%d index %d address 02:00:00:00:01:00 type veth peer name eth0 "
		      "address 02:00:00:00:02:0%d netns %d", ct, index, ct + 1, holder[ct]);
	attach(skel->progs.shunt_from_ct, index, netkit ? BPF_NETKIT_PEER : BPF_TCX_INGRESS);
	shell("ip link set h%d addrgenmode none up", ct);
	shell("nsenter -n -t %d sh -c 'ip link set lo up; ip link set eth0 addrgenmode none up; "
	      "ip address add %s/32 dev eth0; ip address add %s/128 dev eth0 nodad'", holder[ct], ct4[ct], ct6[ct]);
	await_local(holder[ct], ct6[ct]);
	place[ct] = open_in_container(holder[ct]);
}

static inline void make_nk(void)
{
	shell("ip link add nk index %d type veth peer name pnk && ip link set nk addrgenmode none up && "
	      "ip link set pnk addrgenmode none up", IFINDEX(NK_OWNER));
	sysctl("ipv4", "nk", "forwarding", "1");
	sysctl("ipv6", "nk", "forwarding", "1");
	attach(skel->progs.shunt_from_ct, IFINDEX(NK_OWNER), BPF_TCX_EGRESS);
	place[NK] = open_packet("nk");
}

static inline int setup_live(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	load(true);
	place[WIRE] = open_tap("wire", IFF_TAP);
	place[TUNNEL] = open_tap("tunnel", IFF_TUN);
	shell("ip link set lo up");
	shell("ip link set wire addrgenmode none address 02:00:00:00:00:c8 up");
	shell("ip link set tunnel addrgenmode none mtu 1420 up");
	put_uplink(if_nametoindex("wire"));
	put_uplink(if_nametoindex("tunnel"));
	shell("ip address add 198.51.100.1/24 dev wire; ip address add 2001:db8:100::1/64 dev wire nodad");
	await_local(getpid(), "2001:db8:100::1");
	shell("ip neigh add " WIRE_ROUTER4 " lladdr 02:00:00:00:ff:fe dev wire nud permanent");
	shell("ip neigh add 2001:db8:100::fe lladdr 02:00:00:00:ff:fe dev wire nud permanent");
	shell("ip -4 route add default via " WIRE_ROUTER4 "; ip -6 route add default via 2001:db8:100::fe");
	shell("ip -4 route add 203.0.113.0/24 dev tunnel; ip -6 route add 2001:db8:113::/64 dev tunnel");
	for (int ct = 0; ct < 2; ct++) {
		char name[IFNAMSIZ];

		make_container(ct);
		snprintf(name, sizeof(name), "h%d", ct);
		sysctl("ipv4", name, "forwarding", "1");
		sysctl("ipv6", name, "forwarding", "1");
		shell("ip -4 route add %s dev h%d; ip -6 route add %s dev h%d", ct4[ct], ct, ct6[ct], ct);
		if (netkit)
			continue;
		shell("ip neigh add %s lladdr 02:00:00:00:02:0%d dev h%d nud permanent", ct4[ct], ct + 1, ct);
		shell("ip neigh add %s lladdr 02:00:00:00:02:0%d dev h%d nud permanent", ct6[ct], ct + 1, ct);
	}
	make_nk();
	attach(skel->progs.shunt_from_wire, if_nametoindex("wire"), BPF_TCX_INGRESS);
	attach(skel->progs.shunt_from_wire_l3, if_nametoindex("tunnel"), BPF_TCX_INGRESS);
	return 0;
}

static inline int teardown_live(void **state)
{
	for (int ct = 0; ct < 2 && holder[ct] > 0; ct++) {
		kill(holder[ct], SIGKILL);
		waitpid(holder[ct], NULL, 0);
	}
	return teardown(state);
}

/* Discards what is left from before. */
static inline int quiet(void **state)
{
	uint8_t frame[PACKET_MAX];

	for (int i = 0; i < PLACES; i++) {
		struct pollfd p = { .fd = place[i], .events = POLLIN };

		while (poll(&p, 1, 0) == 1)
			if (read(place[i], frame, sizeof(frame)) < 0)
				break;
	}
	forget_shortcuts();
	return fresh(state);
}

/* Where a place has no MAC header, neither has what is written there and read. */
static inline size_t head_of(int where)
{
	return where == TUNNEL ? ETH_HLEN : 0;
}

static inline void inject(int where, const struct packet *p)
{
	size_t head = head_of(where);

	assert_int_equal(write(place[where], p->data + head, p->len - head), p->len - head);
}

/* The same from a container where it is to be dropped: on netkit the sender is told. */
static inline void inject_in_vain(int where, const struct packet *p)
{
	ssize_t n = write(place[where], p->data, p->len);

	assert_int_equal(n, netkit ? -1 : (ssize_t)p->len);
}

/* Waits for a packet, ignoring others; they are many on a live link. Return: whether it came. */
static inline bool arrives(int where, const struct packet *want, int patience)
{
	size_t head = head_of(where);
	uint8_t frame[PACKET_MAX];
	struct pollfd p = { .fd = place[where], .events = POLLIN };

	while (poll(&p, 1, patience) == 1) {
		ssize_t n = read(place[where], frame, sizeof(frame));

		if (n == (ssize_t)(want->len - head) && !memcmp(frame, want->data + head, n))
			return true;
	}
	return false;
}

#define ARRIVES(where, want) assert_true(arrives(where, &(struct packet[]){ want }[0], 2000))

static inline struct packet from(int ct, struct packet p)
{
	return netkit ? p : macs(p, HOST_MAC, CT_MAC[ct]);
}

#define LIVE(name) cmocka_unit_test_setup(name, quiet)

/* Runs a group by veth, and by netkit where the kernel has it. */
#define RUN_LIVE(name, tests, setup, teardown) ({ \
	int failed = cmocka_run_group_tests_name(name ", veth", tests, setup, teardown); \
	\
	netkit = true; \
	if (system("unshare -n ip link add type netkit 2>/dev/null")) \
		print_message("this kernel has no netkit: tested with veth alone\n"); \
	else \
		failed += cmocka_run_group_tests_name(name ", netkit", tests, setup, teardown); \
	failed; \
})

#endif

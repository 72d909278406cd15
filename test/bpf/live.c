// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where packets really arrive: two containers, a wire that this program holds the other end of, and no mock.
 *
 *	ct1 eth0 ======= h0 (from_ct, to_ct)                 wire (from_wire)  ==tap== this program
 *	ct2 eth0 ======= h1 (from_ct, to_ct)                 tunnel (from_wire_l3) ==tun== this program
 *	nk (from_ct at egress)
 *
 * Frames are sent and received byte by byte with packet sockets in the containers. All is done by veth, and again by
 * netkit where the kernel has it. What matters of netkit, that from_ct runs in the sender's own context with the
 * packet on its way out, is also so at tcx egress of any device: "nk" is one, without a container behind it.
 */
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
static pid_t hold_namespace(void)
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

static int open_packet(const char *device)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	to.sll_ifindex = if_nametoindex(device);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* A packet socket on the container's eth0. */
static int open_in_container(pid_t pid)
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

static int open_tap(const char *name, short flags)
{
	struct ifreq request = { .ifr_flags = flags | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	strcpy(request.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static void attach(struct bpf_program *program, uint32_t ifindex, enum bpf_attach_type where)
{
	assert_true(bpf_link_create(bpf_program__fd(program), ifindex, where, NULL) >= 0);
}

static void make_container(int ct)
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
	attach(skel->progs.shunt_to_ct, index, netkit ? BPF_NETKIT_PRIMARY : BPF_TCX_EGRESS);
	shell("ip link set h%d addrgenmode none up", ct);
	shell("nsenter -n -t %d sh -c 'ip link set lo up; ip link set eth0 addrgenmode none up; "
	      "ip address add %s/32 dev eth0; ip address add %s/128 dev eth0 nodad'", holder[ct], ct4[ct], ct6[ct]);
	place[ct] = open_in_container(holder[ct]);
}

static void make_nk(void)
{
	shell("ip link add nk index %d type veth peer name pnk && ip link set nk addrgenmode none up && "
	      "ip link set pnk addrgenmode none up", IFINDEX(NK_OWNER));
	sysctl("ipv4", "nk", "forwarding", "1");
	sysctl("ipv6", "nk", "forwarding", "1");
	attach(skel->progs.shunt_from_ct, IFINDEX(NK_OWNER), BPF_TCX_EGRESS);
	place[NK] = open_packet("nk");
}

static int setup_live(void **state)
{
	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	load();
	place[WIRE] = open_tap("wire", IFF_TAP);
	place[TUNNEL] = open_tap("tunnel", IFF_TUN);
	shell("ip link set lo up");
	shell("ip link set wire addrgenmode none address 02:00:00:00:00:c8 up");
	shell("ip link set tunnel addrgenmode none mtu 1420 up");
	shell("ip address add 198.51.100.1/24 dev wire; ip address add 2001:db8:100::1/64 dev wire nodad");
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

static int teardown_live(void **state)
{
	for (int ct = 0; ct < 2 && holder[ct] > 0; ct++) {
		kill(holder[ct], SIGKILL);
		waitpid(holder[ct], NULL, 0);
	}
	return teardown(state);
}

/* Discards what is left from before. */
static int quiet(void **state)
{
	uint8_t frame[PACKET_MAX];

	for (int i = 0; i < PLACES; i++) {
		struct pollfd p = { .fd = place[i], .events = POLLIN };

		while (poll(&p, 1, 0) == 1)
			if (read(place[i], frame, sizeof(frame)) < 0)
				break;
	}
	return fresh(state);
}

/* Where a place has no MAC header, neither has what is written there and read. */
static size_t head_of(int where)
{
	return where == TUNNEL ? ETH_HLEN : 0;
}

static void inject(int where, const struct packet *p)
{
	size_t head = head_of(where);

	assert_int_equal(write(place[where], p->data + head, p->len - head), p->len - head);
}

/* The same from a container where it is to be dropped: on netkit the sender is told. */
static void inject_in_vain(int where, const struct packet *p)
{
	ssize_t n = write(place[where], p->data, p->len);

	assert_int_equal(n, netkit ? -1 : (ssize_t)p->len);
}

/* Waits for a packet, ignoring others; they are many on a live link. Return: whether it came. */
static bool arrives(int where, const struct packet *want, int patience)
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

static struct packet from(int ct, struct packet p)
{
	return netkit ? p : macs(p, HOST_MAC, CT_MAC[ct]);
}

static void the_wire_gets_what_a_container_sends(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4));

	(void)state;
	inject(CT1, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = WIRE6));
	inject(CT1, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
}

static void a_container_gets_what_the_wire_sends(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT2]), UPLINK_MAC, ROUTER_MAC);

	(void)state;
	inject(WIRE, &p);
	ARRIVES(CT2, macs(hop(p), NO_MAC, NO_MAC));
	p = macs(PACKET(.from = WIRE6, .to = ct6[CT2]), UPLINK_MAC, ROUTER_MAC);
	inject(WIRE, &p);
	ARRIVES(CT2, macs(hop(p), NO_MAC, NO_MAC));
}

static void a_wire_without_mac_header_carries_both_ways(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = NARROW4)), in = PACKET(.from = NARROW4, .to = ct4[CT1]);

	(void)state;
	inject(CT1, &p);
	ARRIVES(TUNNEL, hop(p));
	inject(TUNNEL, &in);
	ARRIVES(CT1, hop(in));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = NARROW6));
	inject(CT1, &p);
	ARRIVES(TUNNEL, hop(p));
	in = PACKET(.from = NARROW6, .to = ct6[CT1]);
	inject(TUNNEL, &in);
	ARRIVES(CT1, hop(in));
}

static void a_wire_without_mac_header_is_answered(void **state)
{
	struct packet p = PACKET(.from = NARROW4, .to = ct4[CT1], .ttl = 1);

	(void)state;
	inject(TUNNEL, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY4, 11, 0, 0));
	p = PACKET(.from = NARROW6, .to = ct6[CT1], .ttl = 1);
	inject(TUNNEL, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY6, 3, 0, 0));
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_TTL], 2);
}

/* The host's own packets stay as they are, without a MAC header: it answers a ping. */
static void a_wire_without_mac_header_still_reaches_the_host(void **state)
{
	struct packet p = PACKET(.from = NARROW4, .to = "198.51.100.1", .protocol = IPPROTO_ICMP);
	struct pollfd wait = { .fd = place[TUNNEL], .events = POLLIN };
	uint8_t reply[PACKET_MAX];

	(void)state;
	inject(TUNNEL, &p);
	do {
		assert_int_equal(poll(&wait, 1, 2000), 1);
		assert_true(read(place[TUNNEL], reply, sizeof(reply)) > 20);
	} while (reply[0] != 0x45 || reply[9] != IPPROTO_ICMP);
	assert_int_equal(reply[20], 0);
	assert_memory_equal(reply + 16, p.data + IP4 + 12, 4);
}

static void the_wire_is_answered_by_the_way_that_the_route_says(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT1], .ttl = 1), UPLINK_MAC, ROUTER_MAC);

	(void)state;
	inject(WIRE, &p);
	ARRIVES(WIRE, icmp_error(&p, GATEWAY4, 11, 0, 0));
	/* Came by the wire, but its sender is behind the tunnel. */
	p = macs(PACKET(.from = NARROW6, .to = ct6[CT1], .ttl = 1), UPLINK_MAC, ROUTER_MAC);
	inject(WIRE, &p);
	ARRIVES(TUNNEL, icmp_error(&p, GATEWAY6, 3, 0, 0));
}

static void a_container_gets_what_another_sends(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = ct4[CT2]));

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT2, p);
	p = from(CT2, PACKET(.from = ct6[CT2], .to = ct6[CT1]));
	inject(CT2, &p);
	ARRIVES(CT1, p);
}

static void the_wire_gets_what_is_sent_in_the_sender_s_context(void **state)
{
	struct packet p = PACKET(.from = "10.207.0.7", .to = WIRE4);

	(void)state;
	inject(NK, &p);
	ARRIVES(WIRE, macs(hop(p), ROUTER_MAC, UPLINK_MAC));
	p = PACKET(.from = "fd07::7", .to = NARROW6);
	inject(NK, &p);
	ARRIVES(TUNNEL, hop(p));
}

/* The frame goes by CT2's host end, whose shunt_to_ct counts it. */
static void a_container_gets_what_is_sent_in_the_sender_s_context(void **state)
{
	struct packet p = PACKET(.from = "10.207.0.7", .to = ct4[CT2]);

	(void)state;
	inject(NK, &p);
	ARRIVES(CT2, p);
	assert_int_equal(counters_of(NK_OWNER).tx_packets, 1);
	assert_int_equal(counters_of(BOB).rx_packets, 1);
}

/* A packet socket says what protocol a frame is of, and may lie: veth would believe the frame. */
static void a_frame_that_is_not_what_it_is_said_to_be_is_malformed(void **state)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = IFINDEX(NK_OWNER) };
	struct packet p[] = {
		PACKET(.from = "10.207.0.7", .to = ct4[CT2]),
		PACKET(.from = "fd07::7", .to = ct6[CT2]),
	};
	struct shunt_counters c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		to.sll_protocol = htons(i ? ETH_P_IPV6 : ETH_P_IP);
		put16(p[i].data + 12, ETH_P_ARP);
		/* A drop on the way out is the sender's to know, as on netkit. */
		assert_int_equal(sendto(place[NK], p[i].data, p[i].len, 0, (struct sockaddr *)&to, sizeof(to)), -1);
	}
	c = counters_of(NK_OWNER);
	assert_int_equal(c.dropped[SHUNT_DROP_MALFORMED], 2);
	assert_int_equal(c.tx_packets, 0);
}

static void a_container_gets_what_it_sends_to_itself(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = ct4[CT1]));

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT1, p);
	assert_int_equal(counters_of(ALICE).rx_packets, 1);
}

static void a_container_is_answered_by_its_own_link(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4, .ttl = 1));
	struct shunt_counters c;

	(void)state;
	inject(CT1, &p);
	ARRIVES(CT1, icmp_error(&p, GATEWAY4, 11, 0, 0));
	p = from(CT1, PACKET(.from = ct6[CT1], .to = NARROW6, .payload = 1400));
	inject(CT1, &p);
	ARRIVES(CT1, icmp_error(&p, GATEWAY6, 2, 0, 1420));
	c = counters_of(ALICE);
	assert_int_equal(c.tx_packets, 0);
	assert_int_equal(c.rx_packets, 2);	/* by shunt_to_ct */
	assert_int_equal(c.dropped[SHUNT_DROP_TTL], 1);
	assert_int_equal(c.dropped[SHUNT_DROP_TOO_BIG], 1);
}

/* What is no route: NEXT leads up the stack, and the stack says so. */
static void the_host_answers_for_want_of_a_route(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = "192.0.2.100"));
	uint8_t frame[PACKET_MAX];
	struct pollfd wait = { .fd = place[CT1], .events = POLLIN };

	(void)state;
	shell("ip -4 route add throw 192.0.2.96/27; ip -6 route add throw 2001:db8:e::/64");
	for (int v6 = 0; v6 < 2; v6++) {
		bool told = false;

		if (v6)
			p = from(CT1, PACKET(.from = ct6[CT1], .to = "2001:db8:e::1"));
		inject(CT1, &p);
		while (!told && poll(&wait, 1, 2000) == 1 && read(place[CT1], frame, sizeof(frame)) > 60)
			told = v6 ? frame[20] == IPPROTO_ICMPV6 && frame[54] == 1 && frame[55] == 0 :
				    frame[23] == IPPROTO_ICMP && frame[34] == 3 && frame[35] == 0;
		assert_true(told);
	}
	shell("ip -4 route del throw 192.0.2.96/27; ip -6 route del throw 2001:db8:e::/64");
}

/* What may be fragmented is: by the host, by the route that the packet would have taken. */
static void the_host_fragments_what_may_be(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT1], .to = NARROW4, .payload = 1440));
	uint8_t part[PACKET_MAX];
	struct pollfd wait = { .fd = place[TUNNEL], .events = POLLIN };

	(void)state;
	inject(CT1, &p);
	do {
		assert_int_equal(poll(&wait, 1, 2000), 1);
		assert_true(read(place[TUNNEL], part, sizeof(part)) > 20);
	} while (part[0] != 0x45);
	assert_int_equal(part[6] & 0x20, 0x20);	/* more to come */
	assert_memory_equal(part + 12, p.data + IP4 + 12, 8);
}

static void what_is_too_short_or_tagged_is_malformed(void **state)
{
	struct packet p4 = from(CT1, PACKET(.from = ct4[CT1], .to = WIRE4));
	struct packet p6 = from(CT1, PACKET(.from = ct6[CT1], .to = WIRE6)), tagged = p4;
	uint64_t due = 0;

	(void)state;
	for (size_t len = 14; len < 34; len++, due++) {
		p4.len = len;
		inject_in_vain(CT1, &p4);
	}
	for (size_t len = 14; len < 54; len++, due++) {
		p6.len = len;
		inject_in_vain(CT1, &p6);
	}
	memmove(tagged.data + 16, tagged.data + 12, tagged.len - 12);
	memcpy(tagged.data + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	tagged.len += 4;
	inject_in_vain(CT1, &tagged);
	due += !netkit;		/* veth's receiver takes the tag off; netkit has none, and to it this is not IP */
	for (int i = 0; i < 200 && counters_of(ALICE).dropped[SHUNT_DROP_MALFORMED] < due; i++)
		usleep(10000);
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_MALFORMED], due);
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_PROTOCOL], netkit);
	assert_int_equal(counters_of(ALICE).tx_packets, 0);
}

static void what_is_tagged_is_of_another_wire(void **state)
{
	struct packet p = macs(PACKET(.from = WIRE4, .to = ct4[CT1]), UPLINK_MAC, ROUTER_MAC), due = p;

	(void)state;
	memmove(p.data + 16, p.data + 12, p.len - 12);
	memcpy(p.data + 12, (uint8_t[]){ 0x81, 0, 0, 5 }, 4);
	p.len += 4;
	inject(WIRE, &p);
	due = macs(hop(due), NO_MAC, NO_MAC);
	assert_false(arrives(CT1, &due, 100));
	assert_int_equal(counters_of(ALICE).rx_packets, 0);
}

static void what_is_spoofed_arrives_nowhere(void **state)
{
	struct packet p = from(CT1, PACKET(.from = ct4[CT2], .to = WIRE4)), q = p;

	(void)state;
	inject_in_vain(CT1, &p);
	q = from(CT1, PACKET(.from = "10.207.0.77", .to = ct4[CT2]));
	inject_in_vain(CT1, &q);
	assert_false(arrives(WIRE, &(struct packet[]){ macs(hop(p), ROUTER_MAC, UPLINK_MAC) }[0], 100));
	assert_false(arrives(CT2, &q, 100));
	assert_int_equal(counters_of(ALICE).dropped[SHUNT_DROP_SPOOFED], 2);
}

int main(void)
{
#define LIVE(name) cmocka_unit_test_setup(name, quiet)
	const struct CMUnitTest tests[] = {
		LIVE(the_wire_gets_what_a_container_sends),
		LIVE(a_container_gets_what_the_wire_sends),
		LIVE(a_wire_without_mac_header_carries_both_ways),
		LIVE(a_wire_without_mac_header_is_answered),
		LIVE(a_wire_without_mac_header_still_reaches_the_host),
		LIVE(the_wire_is_answered_by_the_way_that_the_route_says),
		LIVE(a_container_gets_what_another_sends),
		LIVE(the_wire_gets_what_is_sent_in_the_sender_s_context),
		LIVE(a_container_gets_what_is_sent_in_the_sender_s_context),
		LIVE(a_frame_that_is_not_what_it_is_said_to_be_is_malformed),
		LIVE(a_container_gets_what_it_sends_to_itself),
		LIVE(a_container_is_answered_by_its_own_link),
		LIVE(the_host_answers_for_want_of_a_route),
		LIVE(the_host_fragments_what_may_be),
		LIVE(what_is_too_short_or_tagged_is_malformed),
		LIVE(what_is_tagged_is_of_another_wire),
		LIVE(what_is_spoofed_arrives_nowhere),
	};

	int failed = cmocka_run_group_tests_name("live, veth", tests, setup_live, teardown_live);

	netkit = true;
	if (!system("unshare -n ip link add type netkit 2>/dev/null"))
		return failed + cmocka_run_group_tests_name("live, netkit", tests, setup_live, teardown_live);
	print_message("this kernel has no netkit: tested with veth alone\n");
	return failed;
}

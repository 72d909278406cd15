// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Real stacks at both ends: segmentation by the device, partial checksums and learned path MTUs are not made by hand.
 *
 * The peer is a namespace behind an Ethernet uplink of its own, "far". The route there has an MTU that the container
 * can only learn from the datapath's errors; and the other way, a container's own MTU is smaller than the uplink's.
 */
#include "live.h"

#define FAR_INDEX 203
#define FAR4 "100.64.0.2"
#define FAR6 "2001:db8:64::2"
#define AMOUNT (4 << 20)

static pid_t far;

static int setup_tcp(void **state)
{
	setup_live(state);
	far = hold_namespace();
	shell("ip link add far index %d type veth peer name eth0 netns %d && ip link set far up", FAR_INDEX, far);
	put_uplink(FAR_INDEX);
	shell("ip address add 100.64.0.1/24 dev far; ip address add 2001:db8:64::1/64 dev far nodad");
	shell("ip -4 route add " FAR4 " dev far mtu lock 1300; ip -6 route add " FAR6 " dev far mtu lock 1300");
	shell("nsenter -n -t %d sh -c 'ip link set lo up; ip link set eth0 up; ip address add " FAR4 "/24 dev eth0; "
	      "ip address add " FAR6 "/64 dev eth0 nodad; ip route add default via 100.64.0.1; "
	      "ip -6 route add default via 2001:db8:64::1'", far);
	await_local(far, FAR6);
	await_local(getpid(), "2001:db8:64::1");
	for (int ct = 0; ct < 2; ct++) {
		const char *via = netkit ? "dev eth0" : "via 169.254.0.1 dev eth0 onlink";
		const char *via6 = netkit ? "dev eth0" : "via fe80::1 dev eth0 onlink";

		if (!netkit)
			shell("nsenter -n -t %d sh -c 'ip neigh add 169.254.0.1 lladdr 02:00:00:00:01:00 dev eth0; "
			      "ip neigh add fe80::1 lladdr 02:00:00:00:01:00 dev eth0'", holder[ct]);
		shell("nsenter -n -t %d sh -c 'ip -4 route add default %s; ip -6 route add default %s'", holder[ct],
		      via, via6);
	}
	shell("nsenter -n -t %d ip link set eth0 mtu 1400", holder[CT2]);
	attach(skel->progs.shunt_from_wire, FAR_INDEX, BPF_TCX_INGRESS);
	return 0;
}

static int teardown_tcp(void **state)
{
	kill(far, SIGKILL);
	waitpid(far, NULL, 0);
	return teardown_live(state);
}

/* Becomes a child in the namespace of a process, with an alarm, and without the parent's test framework. */
static pid_t fork_into(pid_t there)
{
	char path[64];
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	alarm(20);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", there);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		_exit(2);
	return 0;
}

static socklen_t socket_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(7777);
		return sizeof(*v6);
	}
	inet_pton(AF_INET, text, &v4->sin_addr);
	v4->sin_family = AF_INET;
	v4->sin_port = htons(7777);
	return sizeof(*v4);
}

/* Receives one connection to its end. Exit status 0 if it carried all, and as it was sent. */
static void serve(const char *address, int ready)
{
	struct sockaddr_storage to;
	socklen_t len = socket_address(address, &to);
	int l = socket(to.ss_family, SOCK_STREAM, 0), one = 1, c;
	static uint8_t buffer[1 << 16];
	size_t total = 0;
	ssize_t n;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&to, len) || listen(l, 1) || write(ready, "", 1) != 1)
		_exit(3);
	c = accept(l, NULL, NULL);
	while ((n = read(c, buffer, sizeof(buffer))) > 0)
		for (ssize_t i = 0; i < n; i++, total++)
			if (buffer[i] != (uint8_t)(total % 251))
				_exit(4);
	_exit(total == AMOUNT ? 0 : 5);
}

static void send_all(const char *address)
{
	struct sockaddr_storage to;
	socklen_t len = socket_address(address, &to);
	int fd = socket(to.ss_family, SOCK_STREAM, 0);
	static uint8_t data[AMOUNT];

	for (size_t i = 0; i < AMOUNT; i++)
		data[i] = i % 251;
	if (connect(fd, (struct sockaddr *)&to, len))
		_exit(3);
	for (size_t sent = 0; sent < AMOUNT;) {
		ssize_t n = write(fd, data + sent, AMOUNT - sent);

		if (n < 0)
			_exit(4);
		sent += n;
	}
	_exit(0);
}

static void carried(pid_t from, pid_t to, const char *address)
{
	pid_t server, client;
	int ready[2], status;
	char c;

	assert_int_equal(pipe(ready), 0);
	server = fork_into(to);
	if (server == 0)
		serve(address, ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	client = fork_into(from);
	if (client == 0)
		send_all(address);
	assert_int_equal(waitpid(client, &status, 0), client);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
}

static void a_container_learns_the_path_s_mtu(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		uint64_t before = counters_of(ALICE).dropped[SHUNT_DROP_TOO_BIG];

		carried(holder[CT1], far, v6 ? FAR6 : FAR4);
		assert_true(counters_of(ALICE).dropped[SHUNT_DROP_TOO_BIG] > before);
	}
}

/* MSS options would keep the peer's segments small: they are to come too big once, as to one that has shrunk. */
static void the_wire_learns_the_container_s_mtu(void **state)
{
	(void)state;
	shell("nsenter -n -t %d ip link set eth0 mtu 1500", holder[CT2]);
	for (int v6 = 0; v6 < 2; v6++) {
		carried(far, holder[CT2], v6 ? ct6[CT2] : ct4[CT2]);
		assert_true(counters_of(BOB).dropped[SHUNT_DROP_TOO_BIG] > 0);
		assert_int_equal(fresh(state), 0);
	}
	shell("nsenter -n -t %d ip link set eth0 mtu 1400", holder[CT2]);
}

static void containers_carry_to_each_other(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		carried(holder[CT1], holder[CT2], v6 ? ct6[CT2] : ct4[CT2]);
		carried(holder[CT2], holder[CT1], v6 ? ct6[CT1] : ct4[CT1]);
	}
}

static void the_host_and_a_container_carry_to_each_other(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		carried(getpid(), holder[CT1], v6 ? ct6[CT1] : ct4[CT1]);
		carried(holder[CT1], getpid(), v6 ? "2001:db8:100::1" : "198.51.100.1");
	}
}

static void gso(pid_t there, const char *device, int size)
{
	/* In this order: a size of 64 KiB or less sets the other too. */
	shell("nsenter -n -t %d sh -c 'ip link set %s gso_max_size %d; ip link set %s gso_ipv4_max_size %d'", there,
	      device, size, device, size);
}

/* BIG TCP: packets whose length field cannot say how long they are. */
static void packets_beyond_64k_pass(void **state)
{
	static const char *const devices[] = { "h0", "h1", "far" };
	struct shunt_counters c;

	for (int i = 0; i < 3; i++)
		gso(getpid(), devices[i], 190000);
	gso(holder[CT1], "eth0", 190000);
	gso(far, "eth0", 190000);
	for (int v6 = 0; v6 < 2; v6++) {
		carried(holder[CT1], holder[CT2], v6 ? ct6[CT2] : ct4[CT2]);
		carried(holder[CT1], far, v6 ? FAR6 : FAR4);
		carried(far, holder[CT1], v6 ? ct6[CT1] : ct4[CT1]);
		c = counters_of(ALICE);
		for (int i = 0; i < SHUNT_DROP_MAX; i++)
			assert_true(i == SHUNT_DROP_MULTICAST || c.dropped[i] == 0);
		assert_int_equal(fresh(state), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE(a_container_learns_the_path_s_mtu),
		LIVE(the_wire_learns_the_container_s_mtu),
		LIVE(containers_carry_to_each_other),
		LIVE(packets_beyond_64k_pass),
		LIVE(the_host_and_a_container_carry_to_each_other),
	};

	return RUN_LIVE("tcp", tests, setup_tcp, teardown_tcp);
}

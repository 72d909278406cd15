// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-netns.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <time.h>

#include "forward.h"
#include "route.h"

/* Pairs a0-a1, b0-b1, c0-c1 and nk0-nk1, up. */
static int host_with_devices(void **state)
{
	fresh_host(state);
	shell("for i in a b c nk; do ip link add ${i}0 type veth peer name ${i}1; ip link set ${i}1 up; "
	      "ip link set ${i}0 up; done");
	return 0;
}

#define on_host_with_devices(test) cmocka_unit_test_setup(test, host_with_devices)

static bool has_default_route(const char *name)
{
	uint32_t route[8];
	int n = route_defaults(route, ELEMENTSOF(route));

	assert_true(n >= 0);
	for (int i = 0; i < n; i++)
		if (route[i] == if_nametoindex(name))
			return true;
	return false;
}

/* A router's advertisement from the other end: rtnetlink can make no route that counts as learnt. */
static void learn_route(const char *name)
{
	const struct nd_router_advert advertisement = {
		.nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_curhoplimit = 64, .nd_ra_router_lifetime = htons(1800),
	};
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 }, from = to;
	const char peer[] = { name[0], '1', '\0' };
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	const int hops = 255;
	char key[64];

	assert_system(fd >= 0, "ICMPv6");
	/* Both ends are in one namespace. */
	snprintf(key, sizeof(key), "ipv6/conf/%s/accept_ra_from_local", name);
	set_sysctl(key, '1');
	shell("ip addr add fe80::9/64 dev %s nodad", peer);
	from.sin6_scope_id = to.sin6_scope_id = if_nametoindex(peer);
	assert_int_equal(inet_pton(AF_INET6, "fe80::9", &from.sin6_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "ff02::1", &to.sin6_addr), 1);
	assert_system(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) == 0, "hops");
	assert_system(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0, "bind");
	assert_system(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
	/* As a router does, again and again: whoever listens may just come up. */
	for (time_t end = time(NULL) + 30; !has_default_route(name);) {
		assert_true(time(NULL) < end);
		assert_system(write(fd, &advertisement, sizeof(advertisement)) > 0, "write");
		for (int i = 0; i < 100 && !has_default_route(name); i++)
			sched_yield();
	}
}

static void forwarding_is_what_the_sysctl_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const int family = i == 0 ? AF_INET : AF_INET6;
		char key[64];

		assert_int_equal(forward_enabled("nk0", family), 0);
		snprintf(key, sizeof(key), "ipv%d/conf/nk0/forwarding", i == 0 ? 4 : 6);
		set_sysctl(key, '1');
		assert_int_equal(forward_enabled("nk0", family), 1);
		assert_int_equal(forward_enabled("nk1", family), 0);
		assert_int_equal(forward_enabled("none", family), -ENOENT);
	}
}

static void one_device_forwards_and_no_other(void **state)
{
	static const char *const others[] = { "all", "default", "a0", "nk1" };
	struct shunt_error error;

	(void)state;
	assert_done(forward6_enable("nk0", NULL, 0, &error), &error);
	assert_int_equal(forward_enabled("nk0", AF_INET6), 1);
	assert_int_equal(forward_enabled("nk0", AF_INET), 0);
	for (size_t i = 0; i < ELEMENTSOF(others); i++)
		assert_int_equal(forward_enabled(others[i], AF_INET6), 0);
}

static void learnt_route_of_a_guarded_interface_stays(void **state)
{
	const uint32_t guarded[] = { if_nametoindex("a0"), if_nametoindex("b0") };
	struct shunt_error error;
	uint32_t learnt[8];

	(void)state;
	learn_route("a0");
	learn_route("b0");
	learn_route("c0");
	assert_true(route_advertised());
	assert_int_equal(route_learnt(learnt, ELEMENTSOF(learnt)), 3);
	/* No advertisement that comes late brings it back. */
	set_sysctl("ipv6/conf/c0/accept_ra", '0');
	assert_done(forward6_enable("nk0", guarded, ELEMENTSOF(guarded), &error), &error);
	assert_int_equal(forward_enabled("nk0", AF_INET6), 1);
	assert_true(has_default_route("a0"));
	assert_true(has_default_route("b0"));
	/* Why all of this is needed; a kernel that stops to do so is welcome. */
	assert_false(has_default_route("c0"));
}

static void accept_ra_is_afterwards_what_it_was(void **state)
{
	static const char *const keys[] = {
		"ipv6/conf/a0/accept_ra", "ipv6/conf/b0/accept_ra", "ipv6/conf/c0/accept_ra",
	};
	const uint32_t guarded[] = { if_nametoindex("a0"), if_nametoindex("b0"), if_nametoindex("c0") };
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		set_sysctl(keys[i], (char)('0' + i));
	assert_done(forward6_enable("nk0", guarded, ELEMENTSOF(guarded), &error), &error);
	for (size_t i = 0; i < ELEMENTSOF(keys); i++)
		assert_int_equal(get_sysctl(keys[i]), '0' + i);
}

static void device_that_forwards_already_is_left_alone(void **state)
{
	struct shunt_error error;

	(void)state;
	set_sysctl("ipv6/conf/nk0/forwarding", '1');
	learn_route("a0");
	/* Unguarded: a write would take it away. */
	assert_done(forward6_enable("nk0", NULL, 0, &error), &error);
	assert_true(has_default_route("a0"));
}

static void interface_that_vanished_needs_no_guard(void **state)
{
	const uint32_t guarded[] = { 9999, if_nametoindex("a0"), 0 };
	struct shunt_error error;

	(void)state;
	learn_route("a0");
	assert_done(forward6_enable("nk0", guarded, ELEMENTSOF(guarded), &error), &error);
	assert_int_equal(forward_enabled("nk0", AF_INET6), 1);
	assert_true(has_default_route("a0"));
	assert_int_equal(get_sysctl("ipv6/conf/a0/accept_ra"), '1');
}

static void device_that_is_not_there_is_named(void **state)
{
	struct shunt_error error;

	(void)state;
	assert_refused(forward6_enable("none", NULL, 0, &error), -ENOENT, &error, "none: ");
}

static void ipv6_is_available_unless_new_devices_have_none(void **state)
{
	(void)state;
	assert_int_equal(ipv6_available(), 1);
	set_sysctl("ipv6/conf/default/disable_ipv6", '1');
	assert_int_equal(ipv6_available(), 0);
	set_sysctl("ipv6/conf/default/disable_ipv6", '0');
	assert_int_equal(ipv6_available(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_host_with_devices(forwarding_is_what_the_sysctl_says),
		on_host_with_devices(one_device_forwards_and_no_other),
		on_host_with_devices(learnt_route_of_a_guarded_interface_stays),
		on_host_with_devices(accept_ra_is_afterwards_what_it_was),
		on_host_with_devices(device_that_forwards_already_is_left_alone),
		on_host_with_devices(interface_that_vanished_needs_no_guard),
		on_host_with_devices(device_that_is_not_there_is_named),
		on_host_with_devices(ipv6_is_available_unless_new_devices_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

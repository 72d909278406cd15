// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-netns.h"

#include "address.h"
#include "route.h"

/* a0, b0 and c0, up, each with an address in whose subnet a gateway can be. a0 and b0 are each other's peer. */
static void make_devices(void)
{
	fresh_host(NULL);
	/* One `ip` for all of it: there are many hosts in this program. */
	shell("ip -batch - <<END\n"
	      "link add a0 type veth peer name b0\nlink add c0 type veth peer name c1\n"
	      "link set a0 up\nlink set b0 up\nlink set c0 up\nlink set c1 up\n"
	      "addr add 192.0.2.1/26 dev a0\naddr add 192.0.2.65/26 dev b0\naddr add 192.0.2.129/26 dev c0\n"
	      "END");
}

static struct shunt_prefix parsed(const char *text)
{
	struct shunt_prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

/* What `ip` is told to make, the subnet, and the route that is in its way; NULL for none. */
static const struct {
	const char *made;
	const char *subnet;
	const char *route;
} overlaps[] = {
	{ ":", "10.207.0.0/16", NULL },
	{ "ip route add 10.207.0.0/16 dev a0", "10.207.0.0/16", "10.207.0.0/16 dev a0" },
	{ "ip route add 10.0.0.0/8 dev a0", "10.207.0.0/16", "10.0.0.0/8 dev a0" },
	{ "ip route add 10.207.5.1 dev b0", "10.207.0.0/16", "10.207.5.1/32 dev b0" },
	{ "ip route add 10.206.0.0/16 dev a0; ip route add 10.208.0.0/16 dev a0", "10.207.0.0/16", NULL },
	{ "ip addr add 10.207.0.1/24 dev c0", "10.207.0.0/16", "10.207.0.0/24 dev c0" },
	{ "ip route add blackhole 10.207.0.0/17", "10.207.0.0/16", "10.207.0.0/17" },
	{ "ip route add 10.207.0.0/16 via 192.0.2.2", "10.207.0.0/16", "10.207.0.0/16 dev a0" },
	/* Default routes are in everybody's way, and so in nobody's. */
	{ "ip route add default dev a0", "10.207.0.0/16", NULL },
	{ "ip route add 0.0.0.0/1 dev a0", "10.207.0.0/16", "0.0.0.0/1 dev a0" },
	{ "ip route add 10.207.0.0/16 dev a0 proto 207", "10.207.0.0/16", NULL },
	{ "ip route add 10.207.0.0/16 dev a0 table 7", "10.207.0.0/16", NULL },
	{ "ip route add 10.207.0.0/16 dev a0 proto 207 metric 1; ip route add 10.207.0.0/16 dev b0 metric 2",
	  "10.207.0.0/16", "10.207.0.0/16 dev b0" },
	{ "ip -6 route add fd00:1::/64 dev a0", "fd00:1::/64", "fd00:1::/64 dev a0" },
	{ "ip -6 route add fd01::/16 dev a0", "fd00:1::/64", NULL },
	{ "ip -6 route add fd00::/8 dev a0", "fd00:1::/64", "fd00::/8 dev a0" },
	{ "ip -6 route add default dev a0", "fd00:1::/64", NULL },
	{ "ip -6 route add fd00:1::/64 dev a0 proto 207", "fd00:1::/64", NULL },
	/* The other family's routes are no matter. */
	{ "ip route add 0.0.0.0/1 dev a0; ip route add 128.0.0.0/1 dev a0", "fd00:1::/64", NULL },
};

static void route_that_shares_addresses_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(overlaps); i++) {
		struct shunt_prefix subnet = parsed(overlaps[i].subnet);
		char text[ROUTE_TEXT_MAX] = "";
		int r;

		make_devices();
		shell("%s", overlaps[i].made);
		r = route_overlap(&subnet, text, sizeof(text));
		if (r != (overlaps[i].route != NULL) || (r > 0 && strcmp(text, overlaps[i].route) != 0))
			fail_msg("%s: %d \"%s\"", overlaps[i].made, r, text);
	}
}

static void long_text_of_a_route_is_cut(void **state)
{
	struct shunt_prefix subnet = parsed("192.0.2.0/24");
	char text[9];

	(void)state;
	make_devices();
	assert_int_equal(route_overlap(&subnet, text, sizeof(text)), 1);
	assert_string_equal(text, "192.0.2.");
}

#define NEXTHOPS "ip nexthop add id 1 dev a0; ip nexthop add id 2 via 192.0.2.66 dev b0; " \
	"ip nexthop add id 3 group 1/2; "
#define NEXTHOPS6 "ip -6 nexthop add id 11 via fe80::9 dev a0; ip -6 nexthop add id 12 via fe80::9 dev b0; " \
	"ip nexthop add id 13 group 11/12; "
#define PLAIN "echo 0 >/proc/sys/net/ipv4/nexthop_compat_mode; "

/* What `ip` is told to make, and the interfaces that come of it: "+" behind one with a learnt route. */
static const struct {
	const char *made;
	const char *found;
} defaults[] = {
	{ ":", "" },
	{ "ip route add 10.0.0.0/8 dev a0; ip route add 0.0.0.0/1 dev a0", "" },
	{ "ip route add default dev a0", "a0" },
	{ "ip route add default via 192.0.2.66", "b0" },
	{ "ip -6 route add default via fe80::9 dev c0", "c0" },
	/* Each once, in the order of the routes, which is that of their metric. */
	{ "ip route add default dev b0 metric 1; ip route add default dev a0 metric 2; "
	  "ip route add default dev b0 metric 3", "b0 a0" },
	{ "ip route add default dev a0; ip -6 route add default via fe80::9 dev a0", "a0" },
	{ "ip route add default dev a0; ip -6 route add default via fe80::9 dev b0", "a0 b0" },
	{ "ip route add default nexthop dev b0 nexthop via 192.0.2.2 nexthop dev c0", "b0 a0 c0" },
	{ "ip -6 route add default nexthop via fe80::9 dev b0 nexthop via fe80::9 dev a0", "b0 a0" },
	{ NEXTHOPS "ip route add default nhid 2", "b0" },
	{ NEXTHOPS "ip route add default nhid 3", "a0 b0" },
	{ NEXTHOPS6 "ip -6 route add default nhid 12", "b0" },
	{ NEXTHOPS6 "ip -6 route add default nhid 13", "a0 b0" },
	/* Then a route says no more than the number of its object. */
	{ PLAIN NEXTHOPS "ip route add default nhid 2", "b0" },
	{ PLAIN NEXTHOPS "ip route add default nhid 3", "a0 b0" },
	{ PLAIN NEXTHOPS6 "ip -6 route add default nhid 13", "a0 b0" },
	{ PLAIN NEXTHOPS NEXTHOPS6 "ip route add default nhid 1; ip -6 route add default nhid 13", "a0 b0" },
	{ PLAIN "ip nexthop add id 1 blackhole; ip route add default nhid 1", "" },
	/* What a router's advertisement made is known by its protocol. */
	{ "ip -6 route add default via fe80::9 dev a0 proto ra", "a0+" },
	{ "ip route add default dev a0; ip -6 route add default via fe80::9 dev a0 proto ra", "a0+" },
	{ "ip -6 route add default via fe80::9 dev a0 proto ra metric 1; "
	  "ip -6 route add default via fe80::9 dev a0 metric 2; "
	  "ip -6 route add default via fe80::9 dev b0 metric 3", "a0+ b0" },
	/* None of these is a way out. */
	{ "ip route add blackhole default", "" },
	{ "ip route add unreachable default", "" },
	{ "ip -6 route add unreachable default dev lo", "" },
	{ "ip route add default dev a0 proto 207; ip -6 route add default dev a0 proto 207", "" },
	{ "ip route add default dev a0 table 7; ip -6 route add default dev a0 table 7", "" },
};

static bool has(const uint32_t *list, int n, uint32_t ifindex)
{
	for (int i = 0; i < n; i++)
		if (list[i] == ifindex)
			return true;
	return false;
}

static void interfaces_with_a_default_route_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(defaults); i++) {
		uint32_t route[8], learnt[8];
		char text[128] = "";
		int n, n_learnt;

		make_devices();
		shell("%s", defaults[i].made);
		n = route_defaults(route, ELEMENTSOF(route));
		n_learnt = route_learnt(learnt, ELEMENTSOF(learnt));
		if (n < 0 || n_learnt < 0)
			fail_msg("%s: %d %d", defaults[i].made, n, n_learnt);
		for (int k = 0; k < n; k++) {
			char name[IF_NAMESIZE];

			assert_non_null(if_indextoname(route[k], name));
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s", k > 0 ? " " : "", name,
				 has(learnt, n_learnt, route[k]) ? "+" : "");
		}
		if (strcmp(text, defaults[i].found) != 0)
			fail_msg("%s: \"%s\"", defaults[i].made, text);
	}
}

static void no_more_are_found_than_there_is_room_for(void **state)
{
	uint32_t route[3] = { 0, 0, 77 };

	(void)state;
	make_devices();
	shell("ip route add default nexthop dev a0 nexthop dev b0 nexthop dev c0");
	assert_int_equal(route_defaults(route, 2), 2);
	assert_int_equal(route[1], if_nametoindex("b0"));
	assert_int_equal(route[2], 77);
}

/* What `ip` is told to make, the interface that packets are bound to, and those they leave by; NULL: not said so. */
static const struct {
	const char *made;
	const char *bound;
	const char *found;
} ways_out[] = {
	{ ":", NULL, "" },
	{ "ip route add 192.0.2.200 dev a0", NULL, "" },
	{ "ip route add default dev a0", NULL, "a0" },
	{ "ip route add default via 192.0.2.66; ip -6 route add default via fe80::9 dev c0", NULL, "b0 c0" },
	{ "ip route add default dev b0 metric 2; ip route add default dev a0 metric 1", NULL, "a0" },
	{ "ip route add default dev b0 metric 2; ip route add default dev a0 metric 1", "b0", "b0" },
	{ "ip route add default dev b0 metric 2; ip route add default dev a0 metric 1", "c0", "" },
	{ "ip -6 route add default via fe80::9 dev b0 metric 2; ip -6 route add default via fe80::9 dev a0 metric 1", "b0", "b0" },
	{ "ip -6 route add default via fe80::9 dev b0 metric 2; ip -6 route add default via fe80::9 dev a0 metric 1", "c0", "" },
	{ "ip route add default nexthop dev b0 nexthop via 192.0.2.2 nexthop dev c0", NULL, "b0 a0 c0" },
	{ NEXTHOPS "ip route add default nhid 3", NULL, "a0 b0" },
	{ PLAIN NEXTHOPS NEXTHOPS6 "ip route add default nhid 1; ip -6 route add default nhid 13", NULL, "a0 b0" },
	/* Something else decides than a default route of the main table. */
	{ "ip route add default dev a0; ip route add 0.0.0.0/1 dev b0; ip route add 128.0.0.0/1 dev b0", NULL, NULL },
	{ "ip route add default dev a0; ip route add blackhole 198.51.100.0/24", NULL, NULL },
	{ "ip -6 route add default via fe80::9 dev a0; ip -6 route add 2000::/3 via fe80::9 dev b0", NULL, NULL },
	{ "ip route add default dev b0; ip route add default dev a0 table 7; ip rule add priority 7 table 7", NULL, NULL },
	{ "ip route add default dev a0 proto 207", NULL, NULL },
	{ "ip route add blackhole default", NULL, NULL },
	{ "ip -6 route add unreachable default dev lo", NULL, "" },
};

static void way_out_is_told_or_said_to_be_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(ways_out); i++) {
		_cleanup_(netlink_closep) struct netlink *netlink = NULL;
		uint32_t route[8];
		char text[128] = "";
		int n;

		make_devices();
		shell("%s", ways_out[i].made);
		netlink = open_netlink();
		n = route_way_out(netlink, ways_out[i].bound ? if_nametoindex(ways_out[i].bound) : 0, route, ELEMENTSOF(route));
		for (int k = 0; k < n; k++) {
			char name[IF_NAMESIZE];

			assert_non_null(if_indextoname(route[k], name));
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k > 0 ? " " : "", name);
		}
		if (ways_out[i].found ? n < 0 || strcmp(text, ways_out[i].found) != 0 : n != -ENODATA)
			fail_msg("%s: %d \"%s\"", ways_out[i].made, n, text);
	}
}

static void host_that_heard_no_router_says_so(void **state)
{
	(void)state;
	assert_false(route_advertised());
}

static void our_routes_are_marked_as_ours(void **state)
{
	static const struct {
		const char *destination;
		const char *shown;
	} routes[] = {
		{ "10.207.0.9/32", "ip -N -o -4 route show proto 207 scope 253 | grep -qx '10.207.0.9 dev a0 *'" },
		{ "10.207.0.0/16", "ip -N -o -4 route show proto 207 scope 253 | grep -qx '10.207.0.0/16 dev a0 *'" },
		{ "0.0.0.0/0", "ip -N -o -4 route show proto 207 scope 253 | grep -qx 'default dev a0 *'" },
		{ "fd00::9/128", "ip -N -o -6 route show proto 207 | grep -q '^fd00::9 dev a0 '" },
		{ "::/0", "ip -N -o -6 route show proto 207 | grep -q '^default dev a0 '" },
	};

	(void)state;
	make_devices();
	for (size_t i = 0; i < ELEMENTSOF(routes); i++) {
		_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
		struct shunt_prefix destination = parsed(routes[i].destination);
		_cleanup_nlmsg_ struct nl_msg *msg = route_msg(&destination, if_nametoindex("a0"));
		struct shunt_error error;

		assert_done(netlink_call(netlink, msg, NULL, NULL, &error), &error);
		shell("%s", routes[i].shown);
		/* Somebody's route is not replaced. */
		assert_int_equal(netlink_call(netlink, msg, NULL, NULL, &error), -EEXIST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(route_that_shares_addresses_is_named),
		cmocka_unit_test(long_text_of_a_route_is_cut),
		cmocka_unit_test(interfaces_with_a_default_route_are_found),
		cmocka_unit_test(way_out_is_told_or_said_to_be_unknown),
		on_fresh_host(host_that_heard_no_router_says_so),
		cmocka_unit_test(no_more_are_found_than_there_is_room_for),
		cmocka_unit_test(our_routes_are_marked_as_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-instance.h"

#include <bpf/bpf.h>

#include "network.h"
#include "uplinks.h"

/* An instance on a host with the pairs a0-a1, b0-b1 and c0-c1, up, of the MTUs 1500, 1400 and 1300. */
static int fresh_uplinks(void **state)
{
	fresh_instance(state);
	shell("mtu=1500; for i in a b c; do ip link add ${i}0 mtu $mtu type veth peer name ${i}1 mtu $mtu; "
	      "ip link set ${i}1 up; ip link set ${i}0 up; mtu=$((mtu - 100)); done");
	return 0;
}

#define on_fresh_uplinks(test) cmocka_unit_test_setup_teardown(test, fresh_uplinks, close_instance)

static struct shunt_network automatic(void)
{
	struct shunt_network network;

	network_defaults("web", &network);
	return network;
}

/* A network with the uplinks that are named; NULL for no more. */
static struct shunt_network listed(const char *first, const char *second)
{
	struct shunt_network network = automatic();

	network.uplinks_auto = false;
	strcpy(network.uplinks[network.n_uplinks++], first);
	if (second)
		strcpy(network.uplinks[network.n_uplinks++], second);
	return network;
}

static unsigned programs_on(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);

	assert_int_equal(bpf_prog_query_opts((int)ifindex, BPF_TCX_INGRESS, &query), 0);
	return query.count;
}

/* The interfaces with one program of ours and its pin, "a0 b0"; more of either, or one without the other, fails. */
static void assert_attached(const char *expected)
{
	char text[64] = "", path[64];
	size_t n = 0;

	struct if_nameindex *all = if_nameindex();

	assert_non_null(all);
	for (struct if_nameindex *i = all; i->if_name; i++) {
		unsigned programs = programs_on(i->if_index);

		snprintf(path, sizeof(path), STATE "/uplinks/%u", i->if_index);
		assert_int_equal(programs, access(path, F_OK) == 0);
		if (programs == 0)
			continue;
		/* In the order of their names. */
		n++;
		if (!strstr(expected, i->if_name))
			fail_msg("%s has a program", i->if_name);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", i->if_name);
	}
	if_freenameindex(all);
	assert_int_equal(strlen(text), strlen(expected) + (expected[0] != '\0'));
	assert_int_equal(count_entries(STATE "/uplinks"), n);
}

static void assert_ensured(struct shunt_instance *instance, const struct shunt_network *network, uint32_t expected)
{
	struct shunt_error error;
	struct uplink_limits limits;

	assert_done(uplinks_ensure(instance, network, true, &limits, &error), &error);
	assert_int_equal(limits.mtu, expected);
}

static int refresh(struct shunt_instance *instance, const struct shunt_network *network, bool complete)
{
	struct shunt_error error;
	int r = uplinks_refresh(instance, network, 1, complete, &error);

	assert_done(r, &error);
	return r;
}

static void interfaces_of_default_routes_are_attached_once_and_the_smallest_mtu_counts(void **state)
{
	const struct shunt_network network = automatic();

	/* A host without a way out is no error. */
	assert_ensured(*state, &network, 1500);
	assert_attached("");
	shell("ip route add default dev b0");
	assert_ensured(*state, &network, 1400);
	assert_attached("b0");
	shell("ip -6 route add default via fe80::9 dev a0");
	assert_ensured(*state, &network, 1400);
	assert_ensured(*state, &network, 1400);
	assert_attached("a0 b0");
}

static void listed_uplinks_are_attached_and_no_others(void **state)
{
	const struct shunt_network network = listed("c0", "a0");

	shell("ip route add default dev b0");
	assert_ensured(*state, &network, 1300);
	assert_attached("a0 c0");
}

static void internal_network_has_no_uplink(void **state)
{
	struct shunt_network network = automatic();

	network.internal = true;
	shell("ip route add default dev b0");
	assert_ensured(*state, &network, 1500);
	assert_attached("");
}

static void missing_uplink_is_named_with_its_network_and_none_is_attached(void **state)
{
	const struct shunt_network network = listed("a0", "none");
	struct shunt_error error;
	struct uplink_limits limits = { .mtu = 77 };

	assert_refused(uplinks_ensure(*state, &network, true, &limits, &error), -ENODEV, &error, "network web: uplink none does not");
	assert_int_equal(limits.mtu, 77);
	assert_attached("");
}

/* Not the network's first: MTU, and what is attached behind it. */
static void assert_followed(struct shunt_instance *instance, const struct shunt_network *network, uint32_t mtu,
			    const char *expected)
{
	struct shunt_error error;
	struct uplink_limits found;

	assert_done(uplinks_ensure(instance, network, false, &found, &error), &error);
	assert_int_equal(found.mtu, mtu);
	assert_attached(expected);
}

static void default_route_that_moved_is_followed_by_whoever_comes_next(void **state)
{
	const struct shunt_network network = automatic();

	assert_followed(*state, &network, 1500, "");
	shell("ip route add default dev a0");
	assert_followed(*state, &network, 1500, "a0");
	shell("ip route replace default dev b0");
	assert_followed(*state, &network, 1400, "a0 b0");
	/* Both are attached, but only one counts. */
	shell("ip route replace default dev a0");
	assert_followed(*state, &network, 1500, "a0 b0");
	shell("ip -6 route add default via fe80::9 dev c0");
	assert_followed(*state, &network, 1300, "a0 b0 c0");
}

static void uplink_of_a_lesser_default_route_counts_once_it_is_attached(void **state)
{
	const struct shunt_network network = automatic();

	shell("ip route add default dev a0");
	assert_followed(*state, &network, 1500, "a0");
	/* It comes beside the one that is taken: gc looks for such. */
	shell("ip route add default dev b0 metric 7");
	assert_followed(*state, &network, 1500, "a0");
	assert_int_equal(refresh(*state, &network, true), 1);
	assert_followed(*state, &network, 1400, "a0 b0");
}

static void default_route_that_something_hides_is_found_all_the_same(void **state)
{
	const struct shunt_network network = automatic();

	shell("ip route add default dev a0; ip route add 0.0.0.0/1 dev c0; ip route add 128.0.0.0/1 dev c0");
	assert_followed(*state, &network, 1500, "a0");
	shell("ip route replace default dev b0");
	assert_followed(*state, &network, 1400, "a0 b0");
}

/* The kernel gives an index anew, and a device of that index has nothing of its predecessor's. */
static void dead_pin_is_replaced(void **state)
{
	const struct shunt_network network = listed("a0", NULL);
	const unsigned ifindex = if_nametoindex("a0");

	assert_ensured(*state, &network, 1500);
	shell("ip link delete a0; ip link add a0 index %u type veth peer name a1", ifindex);
	assert_int_equal(programs_on(ifindex), 0);
	assert_ensured(*state, &network, 1500);
	assert_attached("a0");
}

/* What a predecessor's datapath left: a link of a program that looks into maps which nobody writes any more. */
static void link_of_another_datapath_is_replaced(void **state)
{
	const struct shunt_network network = listed("a0", NULL);
	struct shunt_error error;

	assert_ensured(*state, &network, 1500);
	*state = shunt_close(*state);
	assert_done(datapath_unload(STATE, &error), &error);
	*state = open_instance();
	assert_int_equal(refresh(*state, &network, true), 1);
	assert_attached("a0");
	assert_int_equal(refresh(*state, &network, true), 0);
}

static void uplinks_follow_the_default_route(void **state)
{
	const struct shunt_network network = automatic();

	shell("ip route add default dev a0");
	assert_ensured(*state, &network, 1500);
	assert_int_equal(refresh(*state, &network, true), 0);
	shell("ip route replace default dev b0");
	assert_int_equal(refresh(*state, &network, true), 2);
	assert_attached("b0");
	shell("ip route add default dev c0 metric 7");
	assert_int_equal(refresh(*state, &network, true), 1);
	assert_attached("b0 c0");
}

static void uplink_that_works_is_kept_while_it_is_in_doubt(void **state)
{
	const struct shunt_network network = automatic(), missing = listed("b0", "none");

	shell("ip route add default dev a0");
	assert_ensured(*state, &network, 1500);
	/* Not all networks are known. */
	shell("ip route replace default dev b0");
	assert_int_equal(refresh(*state, &network, false), 1);
	assert_attached("a0 b0");
	/* An uplink of one is not there: who knows under which name it comes. */
	assert_int_equal(refresh(*state, &missing, true), 0);
	assert_attached("a0 b0");
	/* A route that is renewed is gone for a moment. */
	shell("ip route delete default");
	assert_int_equal(refresh(*state, &network, true), 0);
	assert_attached("a0 b0");
}

static void pin_of_an_interface_that_vanished_goes_also_in_doubt(void **state)
{
	const struct shunt_network network = automatic();

	shell("ip route add default dev a0; ip route add default dev b0 metric 7");
	assert_ensured(*state, &network, 1400);
	shell("ip link delete a0");
	assert_int_equal(refresh(*state, &network, false), 1);
	assert_attached("b0");
}

static void released_uplinks_have_neither_program_nor_pin(void **state)
{
	const struct shunt_network network = listed("a0", "b0");
	struct shunt_error error;

	assert_done(uplinks_release(*state, &error), &error);
	assert_ensured(*state, &network, 1400);
	shell("ip link delete a0");
	assert_done(uplinks_release(*state, &error), &error);
	assert_attached("");
	assert_ensured(*state, &(struct shunt_network){ .n_uplinks = 1, .uplinks = { "b0" } }, 1400);
	assert_attached("b0");
}

static uint32_t program_id(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_prog_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

/* A tunnel's packets have no Ethernet header, and the program of one kind cannot read the other's. */
static void each_kind_of_uplink_has_its_program(void **state)
{
	static const struct {
		const char *name;
		enum datapath_object program;
	} uplinks[] = { { "a0", PROGRAM_FROM_WIRE }, { "tun0", PROGRAM_FROM_WIRE_L3 } };
	const struct shunt_network network = listed("a0", "tun0");
	struct shunt_instance *instance = *state;

	shell("ip tuntap add tun0 mode tun || ip link add tun0 type ipip local 192.0.2.1 remote 192.0.2.2");
	shell("ip link set tun0 up mtu 1200");
	assert_ensured(instance, &network, 1200);
	for (size_t i = 0; i < ELEMENTSOF(uplinks); i++) {
		uint32_t id = 0;
		LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = &id, .count = 1);
		int fd;

		assert_int_equal(bpf_prog_query_opts((int)if_nametoindex(uplinks[i].name), BPF_TCX_INGRESS, &query), 0);
		fd = datapath_program(STATE, uplinks[i].program, NULL);
		assert_int_equal(id, program_id(fd));
		close(fd);
	}
	assert_int_equal(refresh(instance, &network, true), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_uplinks(interfaces_of_default_routes_are_attached_once_and_the_smallest_mtu_counts),
		on_fresh_uplinks(listed_uplinks_are_attached_and_no_others),
		on_fresh_uplinks(internal_network_has_no_uplink),
		on_fresh_uplinks(missing_uplink_is_named_with_its_network_and_none_is_attached),
		on_fresh_uplinks(default_route_that_moved_is_followed_by_whoever_comes_next),
		on_fresh_uplinks(uplink_of_a_lesser_default_route_counts_once_it_is_attached),
		on_fresh_uplinks(default_route_that_something_hides_is_found_all_the_same),
		on_fresh_uplinks(dead_pin_is_replaced),
		on_fresh_uplinks(link_of_another_datapath_is_replaced),
		on_fresh_uplinks(uplinks_follow_the_default_route),
		on_fresh_uplinks(uplink_that_works_is_kept_while_it_is_in_doubt),
		on_fresh_uplinks(pin_of_an_interface_that_vanished_goes_also_in_doubt),
		on_fresh_uplinks(released_uplinks_have_neither_program_nor_pin),
		on_fresh_uplinks(each_kind_of_uplink_has_its_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

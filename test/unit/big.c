// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-instance.h"

#include "big.h"
#include "network.h"
#include "uplinks.h"

#define SIZES(gso, gso4, gro, gro4) ((const uint32_t[LINK_SIZES]) { gso, gso4, gro, gro4 })
#define DEFAULTS SIZES(65536, 65536, 65536, 65536)
#define RAISED SIZES(BIG_SIZE, BIG_SIZE, BIG_SIZE, BIG_SIZE)

/* An instance on a host with the pairs a0-a1 and b0-b1, and tun0, which cuts nothing that is larger than 64 KiB. */
static int fresh_uplinks(void **state)
{
	fresh_instance(state);
	shell("for i in a b; do ip link add ${i}0 type veth peer name ${i}1; ip link set ${i}1 up; ip link set ${i}0 up; done");
	shell("ip tuntap add tun0 mode tun || ip link add tun0 type ipip local 192.0.2.1 remote 192.0.2.2");
	shell("ip link set tun0 up");
	return 0;
}

#define on_fresh_uplinks(test) cmocka_unit_test_setup_teardown(test, fresh_uplinks, close_instance)

static struct shunt_network network_by(bool big_tcp, const char *uplink, const char *another)
{
	struct shunt_network network;

	network_defaults("web", &network);
	network.big_tcp = big_tcp;
	network.uplinks_auto = false;
	strcpy(network.uplinks[network.n_uplinks++], uplink);
	if (another)
		strcpy(network.uplinks[network.n_uplinks++], another);
	return network;
}

static void assert_sizes(const uint32_t *size, const uint32_t *expected)
{
	for (size_t i = 0; i < LINK_SIZES; i++)
		assert_int_equal(size[i], expected[i]);
}

static void assert_uplink(struct shunt_instance *instance, const char *name, const uint32_t *expected)
{
	struct shunt_error error;
	struct link_state link;

	assert_done(link_get(instance->host, name, 0, &link, &error), &error);
	assert_sizes(link.size, expected);
}

/* As for a container of the network. Return: what its ends will say, and what was said of it. */
static struct uplink_limits ensured(struct shunt_instance *instance, const struct shunt_network *network)
{
	struct uplink_limits limits;
	struct shunt_error error;

	assert_done(uplinks_ensure(instance, network, true, &limits, &error), &error);
	return limits;
}

static void release(struct shunt_instance *instance)
{
	struct shunt_error error;

	assert_done(uplinks_release(instance, &error), &error);
}

static void uplink_is_raised_once_with_a_notice_and_restored(void **state)
{
	const struct shunt_network network = network_by(true, "a0", NULL);
	struct uplink_limits limits = ensured(*state, &network);

	assert_sizes(limits.size, RAISED);
	assert_string_equal(limits.notice,
			    "big_tcp: uplink a0 takes packets of up to 196608 bytes now, for all who send and receive by it");
	assert_uplink(*state, "a0", RAISED);
	limits = ensured(*state, &network);
	assert_sizes(limits.size, RAISED);
	assert_string_equal(limits.notice, "");
	assert_uplink(*state, "b0", DEFAULTS);
	release(*state);
	assert_uplink(*state, "a0", DEFAULTS);
}

static void network_without_changes_nothing_and_is_not_given_more(void **state)
{
	const struct shunt_network network = network_by(false, "a0", NULL), big = network_by(true, "a0", NULL);

	assert_sizes(ensured(*state, &network).size, DEFAULTS);
	assert_uplink(*state, "a0", DEFAULTS);
	ensured(*state, &big);
	assert_sizes(ensured(*state, &network).size, DEFAULTS);
	assert_uplink(*state, "a0", RAISED);
}

static void smallest_uplink_counts_with_big_tcp_and_without(void **state)
{
	const struct shunt_network big = network_by(true, "a0", "b0"), network = network_by(false, "b0", "a0");

	shell("ip link set b0 gso_max_size 60000");
	assert_sizes(ensured(*state, &big).size, SIZES(60000, 60000, BIG_SIZE, BIG_SIZE));
	assert_uplink(*state, "a0", RAISED);
	assert_sizes(ensured(*state, &network).size, SIZES(60000, 60000, 65536, 65536));
}

/* Who has chosen anything has a reason. */
static void what_somebody_has_set_stays(void **state)
{
	const struct shunt_network network = network_by(true, "a0", NULL);
	const uint32_t *chosen = SIZES(BIG_SIZE, 100000, BIG_SIZE, 400000);

	shell("ip link set a0 gso_ipv4_max_size 100000; ip link set a0 gro_ipv4_max_size 400000");
	assert_sizes(ensured(*state, &network).size, SIZES(BIG_SIZE, 100000, BIG_SIZE, BIG_SIZE));
	assert_uplink(*state, "a0", chosen);
	/* Also while it was raised. */
	shell("ip link set a0 gro_max_size 300000");
	release(*state);
	assert_uplink(*state, "a0", SIZES(65536, 100000, 300000, 400000));
}

static void what_was_as_large_before_stays_so(void **state)
{
	const struct shunt_network network = network_by(true, "a0", NULL);

	shell("ip link set a0 gso_max_size 196608 gso_ipv4_max_size 196608 gro_max_size 196608 gro_ipv4_max_size 196608");
	assert_string_equal(ensured(*state, &network).notice, "");
	release(*state);
	assert_uplink(*state, "a0", RAISED);
}

static void device_that_takes_no_more_is_left_alone_and_that_is_said(void **state)
{
	const struct shunt_network network = network_by(true, "tun0", NULL);
	struct uplink_limits limits = ensured(*state, &network);

	assert_sizes(limits.size, DEFAULTS);
	assert_string_equal(limits.notice, "big_tcp changes nothing: an uplink of network web takes 65536 bytes at most");
	assert_uplink(*state, "tun0", DEFAULTS);
}

static void network_without_uplinks_has_large_packets_within(void **state)
{
	struct shunt_network network = network_by(true, "a0", NULL);

	network.internal = true;
	assert_sizes(ensured(*state, &network).size, RAISED);
	assert_uplink(*state, "a0", DEFAULTS);
}

static void uplink_that_comes_later_is_raised_and_one_that_is_none_any_more_restored(void **state)
{
	struct shunt_network network = network_by(true, "a0", NULL), other = network_by(true, "b0", NULL);
	struct shunt_error error;

	ensured(*state, &network);
	assert_done(uplinks_refresh(*state, &other, 1, true, &error), &error);
	assert_uplink(*state, "a0", DEFAULTS);
	assert_uplink(*state, "b0", RAISED);
	/* It was made anew, by its driver or its manager. */
	shell("ip link delete b0; ip link add b0 type veth peer name b1; ip link set b0 up");
	assert_int_equal(uplinks_refresh(*state, &other, 1, true, &error), 2);
	assert_uplink(*state, "b0", RAISED);
	assert_int_equal(uplinks_refresh(*state, &other, 1, true, &error), 0);
}

/* Its own stack, which would not forward what an older kernel has put a header into. */
static void host_that_forwards_keeps_ipv6_where_the_kernel_marks_it(void **state)
{
	const bool marks = system("grep -qa hop_jumbo_hdr /sys/kernel/btf/vmlinux") == 0;
	const uint32_t *expected = marks ? SIZES(65536, BIG_SIZE, 65536, BIG_SIZE) : RAISED;
	struct shunt_network network = network_by(true, "a0", NULL);
	struct uplink_limits limits;

	shell("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	limits = ensured(*state, &network);
	assert_sizes(limits.size, expected);
	assert_uplink(*state, "a0", expected);
	assert_string_equal(limits.notice, marks ?
			    "big_tcp: uplink a0 takes IPv4 packets of up to 196608 bytes now, for all who send and receive by it" :
			    "big_tcp: uplink a0 takes packets of up to 196608 bytes now, for all who send and receive by it");
	shell("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding");
	assert_sizes(ensured(*state, &network).size, RAISED);
	/* Or may, for this network. */
	network.routing = SHUNT_ROUTING_KERNEL;
	assert_sizes(ensured(*state, &network).size, expected);
	release(*state);
	assert_uplink(*state, "a0", DEFAULTS);
}

/* Killed between the note and the change: nothing was raised, so nothing is taken back. */
static void note_alone_takes_nothing_back(void **state)
{
	const struct shunt_network network = network_by(false, "a0", NULL);
	struct shunt_instance *instance = *state;

	ensured(instance, &network);
	shell("ip link set a0 gso_max_size 60000");
	assert_int_equal(datapath_note_raised(&instance->datapath, if_nametoindex("a0"), (1U << LINK_SIZES) - 1), 0);
	release(instance);
	assert_uplink(instance, "a0", SIZES(60000, 60000, 65536, 65536));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_uplinks(uplink_is_raised_once_with_a_notice_and_restored),
		on_fresh_uplinks(network_without_changes_nothing_and_is_not_given_more),
		on_fresh_uplinks(smallest_uplink_counts_with_big_tcp_and_without),
		on_fresh_uplinks(what_somebody_has_set_stays),
		on_fresh_uplinks(what_was_as_large_before_stays_so),
		on_fresh_uplinks(device_that_takes_no_more_is_left_alone_and_that_is_said),
		on_fresh_uplinks(network_without_uplinks_has_large_packets_within),
		on_fresh_uplinks(uplink_that_comes_later_is_raised_and_one_that_is_none_any_more_restored),
		on_fresh_uplinks(host_that_forwards_keeps_ipv6_where_the_kernel_marks_it),
		on_fresh_uplinks(note_alone_takes_nothing_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

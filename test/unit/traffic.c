// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-netns.h"

#include <linux/if_packet.h>

#include "link.h"
#include "netns.h"
#include "traffic.h"

static uint32_t make_pair(struct netlink *host, int netns)
{
	const struct link_spec spec = {
		.host = "nk0123456789abc", .interface = "eth0", .netns_fd = netns, .mtu = 1400, .mode = SHUNT_MODE_L3,
		.mac = { 0x02, 1, 2, 3, 4, 5 },
	};
	struct shunt_error error;
	struct link_state link;

	assert_done(link_driver(SHUNT_DRIVER_VETH)->create(host, &spec, &error), &error);
	assert_done(link_get(host, spec.host, 0, &link, &error), &error);
	return link.ifindex;
}

/* Sends a frame that nobody heeds, from a device in the current namespace. It is in vain until the kernel has seen the carrier. */
static int send_one(void *arg, struct shunt_error *error)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0"), .sll_halen = 6 };
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	const uint8_t frame[100] = { 0x02, 1, 2, 3, 4, 5, 0x02, 1, 2, 3, 4, 5, 0x88, 0xb5 };

	(void)arg;
	(void)error;
	(void)sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to));
	usleep(10000);
	return 0;
}

static int bring_up(void *arg, struct shunt_error *error)
{
	_cleanup_(netlink_closep) struct netlink *here = open_netlink();
	struct netlink_batch batch = {};
	struct link_state link;

	(void)arg;
	assert_done(link_get(here, "eth0", 0, &link, error), error);
	netlink_batch_add(&batch, "no link-local address", 0, link_msg_no_link_local(link.ifindex));
	netlink_batch_add(&batch, "up", 0, link_msg_up(link.ifindex));
	return netlink_batch_send(here, &batch, error);
}

/* Of an end that is elsewhere, and of one that is still with us. */
static void traffic_is_what_the_other_end_counts(void **state)
{
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	_cleanup_close_ int netns = make_netns();
	struct shunt_traffic traffic;
	struct shunt_error error;

	(void)state;
	for (int away = 0; away < 2; away++) {
		const uint32_t ifindex = make_pair(host, away ? netns : -1);
		struct netlink_batch batch = {};

		assert_done(netns_call(away ? netns : -1, bring_up, NULL, &error), &error);
		netlink_batch_add(&batch, "no link-local address", 0, link_msg_no_link_local(ifindex));
		netlink_batch_add(&batch, "up", 0, link_msg_up(ifindex));
		assert_done(netlink_batch_send(host, &batch, &error), &error);
		traffic = (struct shunt_traffic) {};
		for (int tries = 0; tries < 200 && traffic.tx_packets < 3; tries++) {
			assert_int_equal(netns_call(away ? netns : -1, send_one, NULL, &error), 0);
			assert_done(traffic_read(host, ifindex, &traffic, &error), &error);
			assert_true(traffic.known);
		}
		assert_in_range(traffic.tx_packets, 3, 10);
		assert_in_range(traffic.tx_bytes, 300, 1200);
		assert_true(traffic.rx_packets < 3);
		assert_int_equal(link_delete(host, ifindex, &error), 0);
		assert_int_equal(traffic_read(host, ifindex, &traffic, NULL), -ENODEV);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_host(traffic_is_what_the_other_end_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

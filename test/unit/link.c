// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-netns.h"

#include <linux/if.h>
#include <net/if_arp.h>

#include "address.h"
#include "forward.h"
#include "link.h"

static const uint8_t mac[6] = { 0x02, 1, 2, 3, 4, 5 };

static struct link_spec spec_for(int netns)
{
	return (struct link_spec) {
		.host = "nk0123456789abc", .interface = "eth0", .netns_fd = netns, .mtu = 1400, .mode = SHUNT_MODE_L3,
		.mac = { mac[0], mac[1], mac[2], mac[3], mac[4], mac[5] },
	};
}

static int create(struct netlink *host, enum shunt_driver driver, const struct link_spec *spec,
		  struct shunt_error *error)
{
	return link_driver(driver)->create(host, spec, error);
}

/* What link_get() does not tell of a device. */
struct device {
	unsigned flags;
	uint32_t queue;
	uint8_t mac[6];
	char kind[16];
	int generation;		/* of IPv6 addresses: enum in6_addr_gen_mode */
};

static int read_device(const struct nlmsghdr *reply, void *arg)
{
	const struct ifinfomsg *info = NLMSG_DATA(reply);
	struct nlattr *attribute[IFLA_MAX + 1], *nested[IFLA_INFO_MAX + 1];
	struct nlattr *families[AF_MAX + 1], *inet6[IFLA_INET6_MAX + 1];
	struct device *device = arg;

	assert_int_equal(nlmsg_parse((struct nlmsghdr *)reply, sizeof(*info), attribute, IFLA_MAX, NULL), 0);
	device->flags = info->ifi_flags;
	device->queue = nla_get_u32(attribute[IFLA_TXQLEN]);
	nla_memcpy(device->mac, attribute[IFLA_ADDRESS], sizeof(device->mac));
	assert_int_equal(nla_parse_nested(nested, IFLA_INFO_MAX, attribute[IFLA_LINKINFO], NULL), 0);
	nla_strlcpy(device->kind, nested[IFLA_INFO_KIND], sizeof(device->kind));
	assert_int_equal(nla_parse_nested(families, AF_MAX, attribute[IFLA_AF_SPEC], NULL), 0);
	assert_int_equal(nla_parse_nested(inet6, IFLA_INET6_MAX, families[AF_INET6], NULL), 0);
	device->generation = nla_get_u8(inet6[IFLA_INET6_ADDR_GEN_MODE]);
	return 0;
}

static struct device look_at(struct netlink *netlink, uint32_t ifindex)
{
	const struct ifinfomsg info = { .ifi_index = (int)ifindex };
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct device device = {};
	struct shunt_error error;

	assert_int_equal(nlmsg_append(msg, (void *)&info, sizeof(info), NLMSG_ALIGNTO), 0);
	assert_done(netlink_call(netlink, msg, read_device, &device, &error), &error);
	return device;
}

static uint32_t make_pair(struct netlink *host, int netns)
{
	const struct link_spec spec = spec_for(netns);
	struct shunt_error error;
	struct link_state link;

	assert_done(create(host, SHUNT_DRIVER_VETH, &spec, &error), &error);
	assert_done(link_get(host, spec.host, 0, &link, &error), &error);
	return link.ifindex;
}

static void veth_pair_is_made_whole_and_down(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink(), *container = open_netlink_at(netns);
	const struct {
		struct netlink *netlink;
		const char *name;
	} ends[] = { { host, "nk0123456789abc" }, { container, "eth0" } };
	struct link_state link, other;

	(void)state;
	make_pair(host, netns);
	for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
		struct shunt_error error;
		struct device device;

		assert_done(link_get(ends[i].netlink, ends[i].name, 0, &link, &error), &error);
		assert_string_equal(link.name, ends[i].name);
		assert_int_equal(link.mtu, 1400);
		assert_done(link_get(ends[!i].netlink, ends[!i].name, 0, &other, &error), &error);
		assert_int_equal(link.other, other.ifindex);
		assert_false(link.up);
		assert_true(link.ethernet);
		assert_string_equal(link.alias, "");
		device = look_at(ends[i].netlink, link.ifindex);
		assert_string_equal(device.kind, "veth");
		assert_memory_equal(device.mac, mac, sizeof(mac));
		assert_true(device.flags & IFF_NOARP);
		assert_int_equal(device.queue, 1000);
	}
	assert_int_equal(link_get(host, "eth0", 0, &link, NULL), -ENODEV);
	assert_int_equal(link_get(container, "nk0123456789abc", 0, &link, NULL), -ENODEV);
}

/* The kernel's are 64 KiB each, and its own order of reading them is none of ours. */
static void both_ends_say_how_large_packets_may_be(void **state)
{
	static const uint32_t sizes[][LINK_SIZES] = { { 0 }, { 196608, 131072, 100000, 80000 }, { 60000, 50000, 40000, 65536 } };
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink(), *container = open_netlink_at(netns);
	struct link_spec spec = spec_for(netns);
	struct link_state ends[2];
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
		memcpy(spec.size, sizes[i], sizeof(spec.size));
		assert_done(create(host, SHUNT_DRIVER_VETH, &spec, &error), &error);
		assert_done(link_get(host, spec.host, 0, &ends[0], &error), &error);
		assert_done(link_get(container, spec.interface, 0, &ends[1], &error), &error);
		for (size_t k = 0; k < 2 * LINK_SIZES; k++)
			assert_int_equal(ends[k / LINK_SIZES].size[k % LINK_SIZES], sizes[i][k % LINK_SIZES] ?: LINK_SIZE_DEFAULT);
		assert_true(ends[0].size_max > 196608);
		assert_done(link_delete(host, ends[0].ifindex, &error), &error);
	}
}

/* Invariant 1: what is up inside can send nothing while the host end is down. */
static void container_s_end_has_no_carrier_before_the_host_s_is_up(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink(), *container = open_netlink_at(netns);
	uint32_t ifindex = make_pair(host, netns);
	struct netlink_batch batch = {};
	struct link_state peer;

	(void)state;
	assert_int_equal(link_get(container, "eth0", 0, &peer, NULL), 0);
	netlink_batch_add(&batch, "up", 0, link_msg_up(peer.ifindex));
	assert_int_equal(netlink_batch_send(container, &batch, NULL), 0);
	assert_int_equal(link_get(container, "eth0", 0, &peer, NULL), 0);
	assert_true(peer.up);
	assert_false(look_at(container, peer.ifindex).flags & IFF_LOWER_UP);

	netlink_batch_add(&batch, "up", 0, link_msg_up(ifindex));
	assert_int_equal(netlink_batch_send(host, &batch, NULL), 0);
	assert_true(look_at(container, peer.ifindex).flags & IFF_LOWER_UP);
}

static void netkit_pair_is_made_or_the_kind_is_unknown(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	struct link_spec spec = spec_for(netns);
	const int probe = link_probe_netkit();
	struct link_state link;

	(void)state;
	assert_true(probe == 0 || probe == 1);
	for (enum shunt_mode mode = SHUNT_MODE_L3; mode <= SHUNT_MODE_L2; mode++) {
		struct shunt_error error;
		int r;

		spec.mode = mode;
		r = create(host, SHUNT_DRIVER_NETKIT, &spec, &error);
		if (probe == 0) {
			assert_refused(r, -EOPNOTSUPP, &error, "");
			assert_int_equal(link_get(host, spec.host, 0, &link, NULL), -ENODEV);
			continue;
		}
		assert_done(r, &error);
		assert_done(link_get(host, spec.host, 0, &link, &error), &error);
		assert_int_equal(link.ethernet, mode == SHUNT_MODE_L2);
		assert_int_equal(link.mtu, 1400);
		assert_false(link.up);
		assert_done(link_delete(host, link.ifindex, &error), &error);
	}
}

static void probe_leaves_nothing_and_us_where_we_are(void **state)
{
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	const ino_t before = own_netns_inode();
	struct link_state link;

	(void)state;
	assert_true(link_probe_netkit() >= 0);
	assert_int_equal(own_netns_inode(), before);
	assert_int_equal(link_get(host, "probe0", 0, &link, NULL), -ENODEV);
}

static void name_that_is_taken_on_either_side_leaves_neither_end(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink(), *container = open_netlink_at(netns);
	const struct link_spec spec = spec_for(netns);
	struct shunt_error error;
	struct link_state link;

	(void)state;
	shell("ip link add %s type veth peer name other", spec.host);
	assert_refused(create(host, SHUNT_DRIVER_VETH, &spec, &error), -EEXIST, &error, "File exists");
	assert_int_equal(link_get(container, "eth0", 0, &link, NULL), -ENODEV);

	shell("ip link delete %s", spec.host);
	shell_at(netns, "ip link add eth0 type veth peer name other");
	assert_refused(create(host, SHUNT_DRIVER_VETH, &spec, &error), -EEXIST, &error, "File exists");
	assert_int_equal(link_get(host, spec.host, 0, &link, NULL), -ENODEV);
}

static void link_is_found_by_name_and_by_index(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	uint32_t ifindex = make_pair(host, netns);
	struct link_state by_name, by_index, none = { .ifindex = 77 };

	(void)state;
	assert_int_equal(link_get(host, "nk0123456789abc", 0, &by_name, NULL), 0);
	assert_int_equal(link_get(host, NULL, ifindex, &by_index, NULL), 0);
	assert_memory_equal(&by_name, &by_index, sizeof(by_name));
	assert_int_equal(by_name.ifindex, ifindex);

	assert_int_equal(link_get(host, "none", 0, &none, NULL), -ENODEV);
	assert_int_equal(link_get(host, NULL, 9999, &none, NULL), -ENODEV);
	/* The name counts where there are both. */
	assert_int_equal(link_get(host, "none", ifindex, &none, NULL), -ENODEV);
	assert_int_equal(none.ifindex, 77);
}

static void deleted_pair_is_gone_on_both_sides_and_again_is_no_error(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink(), *container = open_netlink_at(netns);
	uint32_t ifindex = make_pair(host, netns);
	struct shunt_error error;
	struct link_state link;

	(void)state;
	assert_int_equal(link_delete(host, ifindex, &error), 0);
	assert_int_equal(link_get(host, NULL, ifindex, &link, NULL), -ENODEV);
	assert_int_equal(link_get(container, "eth0", 0, &link, NULL), -ENODEV);
	assert_int_equal(link_delete(host, ifindex, &error), 0);
	/* What the kernel refuses is an error. */
	assert_refused(link_delete(host, 1, &error), -EOPNOTSUPP, &error, "not supported");
	assert_int_equal(link_get(host, "lo", 0, &link, NULL), 0);
}

static void host_end_has_the_whole_id_as_alias_and_alone_forwards(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	uint32_t ifindex = make_pair(host, netns);
	struct netlink_batch batch = {};
	char id[SHUNT_ID_MAX + 1] = "";
	struct shunt_error error;
	struct link_state link;

	(void)state;
	memset(id, 'x', SHUNT_ID_MAX);
	assert_int_equal(forward_enabled("nk0123456789abc", AF_INET), 0);
	netlink_batch_add(&batch, "set-up", 0, link_msg_host_setup(ifindex, id));
	assert_done(netlink_batch_send(host, &batch, &error), &error);
	assert_done(link_get(host, NULL, ifindex, &link, &error), &error);
	assert_string_equal(link.alias, id);
	assert_int_equal(forward_enabled("nk0123456789abc", AF_INET), 1);
	assert_int_equal(forward_enabled("all", AF_INET), 0);
	assert_int_equal(forward_enabled("lo", AF_INET), 0);
}

static void device_without_link_local_address_gets_none(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	uint32_t ifindex = make_pair(host, netns);
	struct netlink_batch batch = {};
	struct shunt_error error;

	(void)state;
	netlink_batch_add(&batch, "no link-local", 0, link_msg_no_link_local(ifindex));
	netlink_batch_add(&batch, "up", 0, link_msg_up(ifindex));
	assert_done(netlink_batch_send(host, &batch, &error), &error);
	assert_int_equal(look_at(host, ifindex).generation, IN6_ADDR_GEN_MODE_NONE);
	shell("test -z \"$(ip -o -6 addr show dev nk0123456789abc)\"");
}

/* What a caller may ignore: such a device needs no message of the kind. */
static void device_without_ipv6_says_so(void **state)
{
	_cleanup_close_ int netns = make_netns();
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();
	uint32_t ifindex = make_pair(host, netns);
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg_no_link_local(ifindex);

	(void)state;
	shell("ip link set nk0123456789abc mtu 1000");
	assert_int_equal(netlink_call(host, msg, NULL, NULL, NULL), -EAFNOSUPPORT);
}

static void address_is_there_at_once(void **state)
{
	static const char *const texts[] = { "10.207.0.9/32", "fd00::9/128" };
	_cleanup_(netlink_closep) struct netlink *host = open_netlink();

	(void)state;
	/* Such devices do ask whether an address is free, which takes a second. */
	shell("ip link add a0 type veth peer name a1; ip link set a1 up; ip link set a0 up");
	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		struct netlink_batch batch = {};
		struct shunt_prefix address;
		struct shunt_error error;

		assert_int_equal(prefix_parse(texts[i], &address), 0);
		netlink_batch_add(&batch, texts[i], 0, link_msg_address(if_nametoindex("a0"), &address));
		assert_done(netlink_batch_send(host, &batch, &error), &error);
		shell("ip -o addr show dev a0 | grep -v tentative | grep -q ' %s '", texts[i]);
	}
}

static void driver_that_is_none_has_no_table(void **state)
{
	(void)state;
	assert_null(link_driver(0));
	assert_null(link_driver(SHUNT_DRIVER_VETH + 1));
	assert_int_equal(link_driver(SHUNT_DRIVER_NETKIT)->driver, SHUNT_DRIVER_NETKIT);
	assert_int_equal(link_driver(SHUNT_DRIVER_VETH)->driver, SHUNT_DRIVER_VETH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_host(veth_pair_is_made_whole_and_down),
		on_fresh_host(both_ends_say_how_large_packets_may_be),
		on_fresh_host(container_s_end_has_no_carrier_before_the_host_s_is_up),
		on_fresh_host(netkit_pair_is_made_or_the_kind_is_unknown),
		on_fresh_host(probe_leaves_nothing_and_us_where_we_are),
		on_fresh_host(name_that_is_taken_on_either_side_leaves_neither_end),
		on_fresh_host(link_is_found_by_name_and_by_index),
		on_fresh_host(deleted_pair_is_gone_on_both_sides_and_again_is_no_error),
		on_fresh_host(host_end_has_the_whole_id_as_alias_and_alone_forwards),
		on_fresh_host(device_without_link_local_address_gets_none),
		on_fresh_host(device_without_ipv6_says_so),
		on_fresh_host(address_is_there_at_once),
		cmocka_unit_test(driver_that_is_none_has_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

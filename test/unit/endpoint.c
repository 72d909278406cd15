// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariants 3 to 6: what fails leaves nothing; teardown is by ID alone; one address, one owner; and we stay here. */
#include "unit-instance.h"

#include "forward.h"
#include "ipam.h"

#define A127 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct shunt_request request_for(const char *id, int netns)
{
	return (struct shunt_request) { .id = id, .netns_fd = netns, .driver = SHUNT_DRIVER_VETH };
}

static const char *address_of(const struct shunt_info *info, int family, char *text)
{
	struct shunt_prefix address;

	assert_true(endpoint_address(&info->endpoint, family, &address));
	return prefix_format_address(&address, text);
}

static void attached_container_has_what_it_was_promised(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for(A127 "c", netns);
	const ino_t before = own_netns_inode();
	struct shunt_instance *instance = *state;
	struct shunt_endpoint recorded;
	struct shunt_endpoint_key key;
	struct shunt_info info;

	request.addresses[request.n_addresses++] = "10.207.0.9";
	request.addresses[request.n_addresses++] = "fd00:207::9";
	info = attached(instance, &request);
	assert_int_equal(own_netns_inode(), before);

	assert_string_equal(info.id, A127 "c");
	assert_string_equal(info.interface, "eth0");
	assert_int_equal(info.status, SHUNT_STATUS_READY);
	assert_int_equal(info.endpoint.mtu, 1400);
	assert_int_equal(info.endpoint.netns_ino, netns_inode(netns));
	registry_key(info.id, info.interface, &key);
	assert_int_equal(registry_get(&instance->datapath, &key, &recorded), 0);
	assert_memory_equal(&recorded, &info.endpoint, sizeof(recorded));
	assert_int_equal(recorded.state, SHUNT_READY);

	shell_at(netns, "ip -o link show dev eth0 | grep -q 'UP.* mtu 1400 '; ip -o link show dev lo | grep -q UP; "
			"ip -o addr show dev eth0 | grep -q ' 10.207.0.9/32 '; "
			"ip -o addr show dev eth0 | grep -q ' fd00:207::9/128 '; "
			"test -z \"$(ip -o addr show dev eth0 | grep fe80)\"; "
			"ip route show default | grep -q 'dev eth0'; ip -6 route show default | grep -q 'dev eth0'; "
			"ip route show 10.207.0.0/16 | grep -q 'dev eth0'");
	shell("ip -o link show dev %s | grep -q 'UP.* mtu 1400 .*alias " A127 "c'", info.endpoint.host);
	shell("ip route show 10.207.0.9 proto 207 | grep -q 'dev %s'; "
	      "ip -6 route show fd00:207::9 proto 207 | grep -q 'dev %s'", info.endpoint.host, info.endpoint.host);
	assert_int_equal(forward_enabled(info.endpoint.host, AF_INET), 1);
	assert_int_equal(forward_enabled(info.endpoint.host, AF_INET6), 1);
	assert_true(datapath_has_programs(info.endpoint.ifindex));
	shell("cd " STATE "; test -e endpoints/%s/from_ct; ! test -e endpoints/%s/to_ct; test -e uplinks/%u",
	      info.endpoint.host, info.endpoint.host, if_nametoindex("a0"));
}

static void detached_id_leaves_nothing_and_again_is_no_error(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_error error;

	assert_int_equal(shunt_detach(*state, "web", &error), 0);
	attached(*state, &request);
	request.interface = "eth1";
	attached(*state, &request);
	/* One whose name begins alike is another. */
	assert_int_equal(shunt_detach(*state, "we", &error), 0);
	assert_int_equal(shunt_detach(*state, "web", &error), 2);
	assert_nothing_left(*state);
	shell_at(netns, "test -z \"$(ip -o link show | grep eth.@)\"");
	assert_int_equal(shunt_detach(*state, "web", &error), 0);
	assert_refused(shunt_detach(*state, "../web", &error), -EINVAL, &error, "../web");
}

static void undone_is_what_was_done_and_nothing_else(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_info first = attached(*state, &request), second, other;
	struct shunt_error error;

	request.interface = "eth1";
	other = attached(*state, &request);
	request.interface = "eth0";
	second = attached(*state, &request);
	/* It was replaced. */
	assert_done(shunt_undo(*state, &first, &error), &error);
	shell_at(netns, "ip link show eth0 >/dev/null; ip link show eth1 >/dev/null");
	assert_done(shunt_undo(*state, &second, &error), &error);
	shell_at(netns, "! ip link show eth0 2>/dev/null; ip link show eth1 >/dev/null");
	assert_done(shunt_undo(*state, &second, &error), &error);
	assert_done(shunt_undo(*state, &other, &error), &error);
	assert_nothing_left(*state);
}

static void container_that_is_gone_is_detached_all_the_same(void **state)
{
	int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_info info = attached(*state, &request);
	struct shunt_error error;

	close(netns);
	kill_host_end(*state, &info);
	assert_int_equal(shunt_detach(*state, "web", &error), 1);
	assert_nothing_left(*state);
}

static void list_is_in_order_and_says_what_is_dead(void **state)
{
	static const char *const ids[] = { "c", "a", "b" };
	_cleanup_free_ struct shunt_info *list = NULL;
	struct shunt_info info[ELEMENTSOF(ids)];
	struct shunt_error error;
	int netns[ELEMENTSOF(ids)];
	size_t n;

	assert_done(shunt_list(*state, NULL, &list, &n, &error), &error);
	assert_int_equal(n, 0);
	freep(&list);
	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		struct shunt_request request = request_for(ids[i], netns[i] = make_netns());

		info[i] = attached(*state, &request);
	}
	kill_host_end(*state, &info[1]);
	assert_done(shunt_list(*state, NULL, &list, &n, &error), &error);
	assert_int_equal(n, 3);
	assert_string_equal(list[0].id, "a");
	assert_string_equal(list[1].id, "b");
	assert_string_equal(list[2].id, "c");
	assert_int_equal(list[0].status, SHUNT_STATUS_STALE);
	assert_non_null(strstr(list[0].stale_reason, "gone"));
	assert_int_equal(list[1].status, SHUNT_STATUS_READY);
	assert_string_equal(list[1].stale_reason, "");
	for (size_t i = 0; i < ELEMENTSOF(netns); i++)
		close(netns[i]);
}

static void name_attached_again_keeps_its_addresses_in_a_new_pair(void **state)
{
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request request = request_for("web", first);
	char before[PREFIX_TEXT_MAX], after[PREFIX_TEXT_MAX];
	struct shunt_info old, new;
	struct shunt_error error;

	/* Not where the search begins, so that it is kept and not found anew. */
	request.addresses[request.n_addresses++] = "10.207.0.9";
	old = attached(*state, &request);
	request = request_for("web", second);
	new = attached(*state, &request);
	assert_string_equal(address_of(&new, AF_INET, after), "10.207.0.9");
	assert_string_equal(address_of(&old, AF_INET6, before), address_of(&new, AF_INET6, after));
	assert_int_not_equal(old.endpoint.ifindex, new.endpoint.ifindex);
	assert_int_equal(new.endpoint.netns_ino, netns_inode(second));
	shell_at(first, "test -z \"$(ip -o link show | grep eth0)\"");
	assert_int_equal(shunt_detach(*state, "web", &error), 1);
	assert_nothing_left(*state);
}

static void name_attached_again_with_another_address_releases_the_old_one(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	const struct shunt_prefix before = parsed("10.207.0.9");
	struct shunt_instance *instance = *state;
	char text[PREFIX_TEXT_MAX], owner[SHUNT_IFNAME_MAX];
	struct shunt_info info;

	request.addresses[request.n_addresses++] = "10.207.0.9";
	attached(instance, &request);
	request.addresses[0] = "10.207.0.10";
	info = attached(instance, &request);
	assert_string_equal(address_of(&info, AF_INET, text), "10.207.0.10");
	assert_int_equal(address_owner(&instance->datapath, &before, owner), -ENOENT);
}

static void address_of_the_living_is_refused_and_that_of_the_dead_given(void **state)
{
	static const char *const wanted[] = { NULL, "10.208.0.2" };
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request a = request_for("a", first), b = request_for("b", second);
	struct shunt_error error;
	struct shunt_info info;

	a.network = b.network = "small";
	for (size_t i = 0; i < ELEMENTSOF(wanted); i++) {
		b.addresses[0] = wanted[i];
		b.n_addresses = wanted[i] != NULL;
		info = attached(*state, &a);
		assert_refused(shunt_attach(*state, &b, &info, &error), wanted[i] ? -EADDRINUSE : -ENOSPC, &error,
			       wanted[i] ? "in use by a (its eth0)" : "10.208.0.0/30 is full");
		shell_at(second, "test -z \"$(ip -o link show | grep eth0)\"");
		kill_host_end(*state, &info);
		attached(*state, &b);
		/* The dead one is taken back whole. */
		assert_int_equal(shunt_detach(*state, "a", &error), 0);
		assert_int_equal(shunt_detach(*state, "b", &error), 1);
		assert_nothing_left(*state);
	}
}

/* What is in the way on the host and in the container, and what is said of it. */
static const struct {
	const char *host;
	const char *container;
	const char *network;
	int r;
	const char *about;
} failures[] = {
	{ ":", "ip link add eth0 type veth peer name x", NULL, -EEXIST, "interface eth0 exists in the container" },
	{ ":", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6", NULL, -EACCES, "in the container: IPv6 addr" },
	{ "ip route add 10.207.0.9 dev a0 proto 207 scope link", ":", NULL, -EEXIST, "route to 10.207.0.9/32" },
	{ "ip route add 10.207.7.0/24 dev a0", ":", NULL, -EEXIST, "overlaps the host's route 10.207.7.0/24 dev a0" },
	{ "ip -6 route add fd00:207::/48 dev a0", ":", NULL, -EEXIST, "the host's route fd00:207::/48 dev a0" },
	{ "ip link set a0 mtu 1000", ":", NULL, -ERANGE, "1000 is too small for IPv6" },
	{ ":", ":", "lost", -ENODEV, "uplink none does not exist" },
	{ ":", ":", "none", -ENOENT, "\"none\" is unknown" },
};

static void failure_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(failures); i++) {
		_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
		_cleanup_close_ int netns = make_netns();
		struct shunt_request request = request_for("web", netns);
		struct shunt_info info = { .id = "untouched" };
		struct shunt_error error;

		fresh_networks((void **)&instance);
		write_network("lost", "{\"subnets\": [\"10.209.0.0/16\"], \"uplinks\": [\"a0\", \"none\"]}");
		shell("%s", failures[i].host);
		shell_at(netns, "%s", failures[i].container);
		request.network = failures[i].network;
		request.addresses[0] = "10.207.0.9";
		request.n_addresses = !failures[i].network;
		assert_refused(shunt_attach(instance, &request, &info, &error), failures[i].r, &error,
			       failures[i].about);
		assert_string_equal(info.id, "untouched");
		shell("ip route delete 10.207.0.9 dev a0 proto 207 2>/dev/null || :");
		assert_nothing_left(instance);
		shell_at(netns, "test -z \"$(ip route show table all | grep 10.207)\"");
	}
}

static void what_is_no_container_s_namespace_is_refused(void **state)
{
	_cleanup_close_ int own = own_netns(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct {
		int fd;
		int r;
		const char *about;
	} refused[] = {
		{ own, -EINVAL, "host's network namespace" },
		{ null, -EINVAL, "no network namespace" },
		{ -1, -EBADF, "namespace" },
	};

	for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
		struct shunt_request request = request_for("web", refused[i].fd);
		struct shunt_error error;
		struct shunt_info info;

		assert_refused(shunt_attach(*state, &request, &info, &error), refused[i].r, &error, refused[i].about);
		assert_nothing_left(*state);
	}
}

static void failure_of_one_leaves_another_as_it_was(void **state)
{
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request a = request_for("a", first), b = request_for("b", second);
	_cleanup_free_ struct shunt_info *list = NULL;
	struct shunt_info info, none;
	struct shunt_error error;
	size_t n;

	info = attached(*state, &a);
	shell_at(second, "ip link add eth0 type veth peer name x");
	assert_int_equal(shunt_attach(*state, &b, &none, &error), -EEXIST);
	assert_done(shunt_list(*state, NULL, &list, &n, &error), &error);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].status, SHUNT_STATUS_READY);
	assert_memory_equal(&list[0].endpoint, &info.endpoint, sizeof(info.endpoint));
	assert_int_equal(count_entries(STATE "/endpoints"), 1);
	assert_int_equal(count_entries(STATE "/uplinks"), 1);
	assert_true(datapath_has_programs(if_nametoindex("a0")));
}

static void endpoint_of_another_state_directory_is_not_ours_to_replace(void **state)
{
	_cleanup_(shunt_closep) struct shunt_instance *other = NULL;
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request a = request_for("web", first), b = request_for("web", second);
	struct shunt_info info = attached(*state, &a);
	struct shunt_error error;
	struct link_state link;

	/* A network that the host's routes leave free, as the first one's are ours. */
	b.network = "small";
	assert_done(shunt_open(STATE "2", true, &other, &error), &error);
	assert_refused(shunt_attach(other, &b, &info, &error), -EEXIST, &error, "another --state");
	assert_done(link_get(other->host, NULL, info.endpoint.ifindex, &link, &error), &error);
	assert_true(datapath_has_programs(info.endpoint.ifindex));
	assert_int_equal(count_entries(STATE "2/endpoints"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_networks(attached_container_has_what_it_was_promised),
		on_fresh_networks(detached_id_leaves_nothing_and_again_is_no_error),
		on_fresh_networks(undone_is_what_was_done_and_nothing_else),
		on_fresh_networks(container_that_is_gone_is_detached_all_the_same),
		on_fresh_networks(list_is_in_order_and_says_what_is_dead),
		on_fresh_networks(name_attached_again_keeps_its_addresses_in_a_new_pair),
		on_fresh_networks(name_attached_again_with_another_address_releases_the_old_one),
		on_fresh_networks(address_of_the_living_is_refused_and_that_of_the_dead_given),
		cmocka_unit_test(failure_leaves_nothing),
		on_fresh_networks(what_is_no_container_s_namespace_is_refused),
		on_fresh_networks(failure_of_one_leaves_another_as_it_was),
		on_fresh_networks(endpoint_of_another_state_directory_is_not_ours_to_replace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

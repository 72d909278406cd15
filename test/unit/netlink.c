// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 6 besides: a socket of another namespace leaves us in our own. */
#include "unit-netns.h"

#include <netlink/netlink.h>

#include "address.h"
#include "link.h"

#define LOOPBACK 1
#define NO_DEVICE 9999

static struct nl_msg *address_msg(uint32_t ifindex, const char *text)
{
	struct shunt_prefix address;

	assert_int_equal(prefix_parse(text, &address), 0);
	return link_msg_address(ifindex, &address);
}

static int add_address(struct netlink *netlink, const char *text, struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = address_msg(LOOPBACK, text);

	return netlink_call(netlink, msg, NULL, NULL, error);
}

/* A dump of the IPv4 addresses of all interfaces. */
static struct nl_msg *dump_msg(void)
{
	const struct ifaddrmsg header = { .ifa_family = AF_INET };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);

	assert_int_equal(nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO), 0);
	return msg;
}

static int count(const struct nlmsghdr *reply, void *arg)
{
	size_t *n = arg;

	assert_int_equal(reply->nlmsg_type, RTM_NEWADDR);
	(*n)++;
	return 0;
}

static size_t count_addresses(struct netlink *netlink)
{
	_cleanup_nlmsg_ struct nl_msg *msg = dump_msg();
	struct shunt_error error;
	size_t n = 0;

	assert_done(netlink_call(netlink, msg, count, &n, &error), &error);
	return n;
}

/* More than fit into one message of a dump. */
#define MANY 2000

static void add_many(struct netlink *netlink)
{
	for (int i = 0; i < MANY;) {
		struct netlink_batch batch = {};
		struct shunt_error error;

		for (; i < MANY && batch.n < NETLINK_BATCH_MAX; i++) {
			char text[PREFIX_TEXT_MAX];

			snprintf(text, sizeof(text), "10.1.%d.%d/32", i / 256, i % 256);
			netlink_batch_add(&batch, text, 0, address_msg(LOOPBACK, text));
		}
		assert_done(netlink_batch_send(netlink, &batch, &error), &error);
		assert_int_equal(batch.n, 0);
	}
}

static void error_has_the_errno_and_the_kernel_s_sentence(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct shunt_error error;

	(void)state;
	assert_int_equal(add_address(netlink, "10.0.0.1/32", NULL), 0);
	/* "File exists (ipv4: Address already assigned)" */
	assert_refused(add_address(netlink, "10.0.0.1/32", &error), -EEXIST, &error, "File exists (ipv4: ");
	assert_int_equal(error.text[strlen(error.text) - 1], ')');
}

static void error_without_a_sentence_has_the_errno(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct shunt_error error;
	struct link_state link;

	(void)state;
	assert_refused(link_get(netlink, "none", 0, &link, &error), -ENODEV, &error, "No such device");
	assert_string_equal(error.text, "No such device");
	assert_int_equal(link_get(netlink, "none", 0, &link, NULL), -ENODEV);
}

static void failed_dump_has_the_kernel_s_sentence(void **state)
{
	const struct rtmsg header = { .rtm_family = AF_INET, .rtm_table = 77 };
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	_cleanup_nlmsg_ struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
	struct shunt_error error;

	(void)state;
	assert_int_equal(nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO), 0);
	/* "No such file or directory (ipv4: FIB table does not exist)" */
	assert_refused(netlink_call(netlink, msg, NULL, NULL, &error), -ENOENT, &error, "directory (ipv4: ");
}

static void no_message_is_no_memory_and_nothing_is_sent(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct netlink_batch batch = {};
	struct shunt_error error;
	size_t before = count_addresses(netlink);

	(void)state;
	assert_refused(netlink_call(netlink, NULL, NULL, NULL, &error), -ENOMEM, &error, "memory");
	netlink_batch_add(&batch, "first", 0, address_msg(LOOPBACK, "10.0.0.2/32"));
	netlink_batch_add(&batch, "second", 0, NULL);
	assert_refused(netlink_batch_send(netlink, &batch, &error), -ENOMEM, &error, "memory");
	assert_int_equal(batch.n, 0);
	assert_int_equal(count_addresses(netlink), before);
}

static void batch_goes_on_behind_failures_and_returns_the_first(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct netlink_batch batch = {};
	struct shunt_error error;
	size_t before = count_addresses(netlink);

	(void)state;
	netlink_batch_add(&batch, "one", 0, address_msg(LOOPBACK, "10.0.0.3/32"));
	netlink_batch_add(&batch, "two", 0, address_msg(LOOPBACK, "10.0.0.3/32"));
	netlink_batch_add(&batch, "three", 0, address_msg(NO_DEVICE, "10.0.0.4/32"));
	netlink_batch_add(&batch, "four", 0, address_msg(LOOPBACK, "10.0.0.5/32"));
	assert_refused(netlink_batch_send(netlink, &batch, &error), -EEXIST, &error, "two: File exists (");
	assert_int_equal(count_addresses(netlink), before + 2);
}

static void ignored_failure_is_none_and_hides_no_other(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct netlink_batch batch = {};
	struct shunt_error error;

	(void)state;
	assert_int_equal(add_address(netlink, "10.0.0.6/32", NULL), 0);
	netlink_batch_add(&batch, "there", EEXIST, address_msg(LOOPBACK, "10.0.0.6/32"));
	netlink_batch_add(&batch, "new", EEXIST, address_msg(LOOPBACK, "10.0.0.7/32"));
	assert_done(netlink_batch_send(netlink, &batch, &error), &error);

	netlink_batch_add(&batch, "there", EEXIST, address_msg(LOOPBACK, "10.0.0.6/32"));
	netlink_batch_add(&batch, "nowhere", EEXIST, address_msg(NO_DEVICE, "10.0.0.7/32"));
	assert_refused(netlink_batch_send(netlink, &batch, &error), -ENODEV, &error, "nowhere: No such device");
}

static void full_batch_and_empty_one_are_sent(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	struct netlink_batch batch = {};
	struct shunt_error error;
	size_t before = count_addresses(netlink);

	(void)state;
	assert_done(netlink_batch_send(netlink, &batch, &error), &error);
	for (int i = 0; i < NETLINK_BATCH_MAX; i++) {
		char text[PREFIX_TEXT_MAX];

		snprintf(text, sizeof(text), "10.2.0.%d/32", i);
		netlink_batch_add(&batch, "address", 0, address_msg(LOOPBACK, text));
	}
	assert_done(netlink_batch_send(netlink, &batch, &error), &error);
	assert_int_equal(count_addresses(netlink), before + NETLINK_BATCH_MAX);
}

static int refuse(const struct nlmsghdr *reply, void *arg)
{
	size_t *n = arg;

	(void)reply;
	(*n)++;
	return -EBADMSG;
}

static void each_answer_is_that_of_its_request(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	_cleanup_nlmsg_ struct nl_msg *msg = dump_msg();
	struct netlink_batch batch = {};
	struct link_state link;
	size_t calls = 0;

	(void)state;
	/* Behind a failed batch, and behind a dump that its reader gave up. */
	netlink_batch_add(&batch, "one", 0, address_msg(NO_DEVICE, "10.0.0.8/32"));
	netlink_batch_add(&batch, "two", 0, address_msg(NO_DEVICE, "10.0.0.8/32"));
	assert_int_equal(netlink_batch_send(netlink, &batch, NULL), -ENODEV);
	assert_int_equal(link_get(netlink, "lo", 0, &link, NULL), 0);
	assert_int_equal(link.ifindex, LOOPBACK);

	assert_int_equal(netlink_call(netlink, msg, refuse, &calls, NULL), -EBADMSG);
	assert_int_equal(calls, 1);
	assert_int_equal(link_get(netlink, "none", 0, &link, NULL), -ENODEV);
	assert_int_equal(link_get(netlink, "lo", 0, &link, NULL), 0);
}

static void dump_of_many_messages_is_whole(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	size_t before = count_addresses(netlink);

	(void)state;
	add_many(netlink);
	assert_int_equal(count_addresses(netlink), before + MANY);
}

/* Adds another address while the first are read. */
static int change(const struct nlmsghdr *reply, void *arg)
{
	_cleanup_(netlink_closep) struct netlink *other = NULL;
	bool *changed = arg;

	(void)reply;
	if (*changed)
		return 0;
	*changed = true;
	other = open_netlink();
	return add_address(other, "10.0.0.9/32", NULL);
}

static void dump_that_changes_meanwhile_is_interrupted(void **state)
{
	_cleanup_(netlink_closep) struct netlink *netlink = open_netlink();
	_cleanup_nlmsg_ struct nl_msg *msg = dump_msg();
	struct shunt_error error;
	bool changed = false;
	size_t n = 0;

	(void)state;
	add_many(netlink);
	assert_refused(netlink_call(netlink, msg, change, &changed, &error), -EINTR, &error, "changed");
	/* The same request again. */
	assert_done(netlink_call(netlink, msg, count, &n, &error), &error);
	assert_true(n > MANY);
}

static void socket_of_another_namespace_stays_there_and_we_here(void **state)
{
	_cleanup_close_ int other = make_netns();
	_cleanup_(netlink_closep) struct netlink *here = open_netlink(), *there = NULL;
	const ino_t before = own_netns_inode();
	struct shunt_error error;
	struct link_state link;
	uint32_t ifindex;

	(void)state;
	assert_int_not_equal(netns_inode(other), before);
	there = open_netlink_at(other);
	assert_int_equal(own_netns_inode(), before);

	shell("ip link add here0 type veth peer name here1");
	shell_at(other, "ip link add there0 type veth peer name there1");
	assert_done(link_get(here, "here0", 0, &link, &error), &error);
	assert_done(link_get(there, "there0", 0, &link, &error), &error);
	assert_int_equal(link_get(there, "here0", 0, &link, NULL), -ENODEV);
	assert_int_equal(link_get(here, "there0", 0, &link, NULL), -ENODEV);
	assert_int_equal(netlink_ifindex(here, "here0", &ifindex), 0);
	assert_int_equal(ifindex, if_nametoindex("here0"));
	assert_int_equal(netlink_ifindex(there, "there0", &ifindex), 0);
	assert_int_equal(netlink_ifindex(there, "here0", &ifindex), -ENODEV);
}

static void what_is_no_network_namespace_is_refused_and_we_stay(void **state)
{
	_cleanup_close_ int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int fds[] = { mounts, null };
	const ino_t before = own_netns_inode();
	struct netlink *netlink = NULL;
	struct shunt_error error;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(fds); i++)
		assert_refused(netlink_open_at(fds[i], &netlink, &error), -EINVAL, &error, "network namespace");
	assert_null(netlink);
	assert_int_equal(own_netns_inode(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_host(error_has_the_errno_and_the_kernel_s_sentence),
		on_fresh_host(error_without_a_sentence_has_the_errno),
		on_fresh_host(failed_dump_has_the_kernel_s_sentence),
		on_fresh_host(no_message_is_no_memory_and_nothing_is_sent),
		on_fresh_host(batch_goes_on_behind_failures_and_returns_the_first),
		on_fresh_host(ignored_failure_is_none_and_hides_no_other),
		on_fresh_host(full_batch_and_empty_one_are_sent),
		on_fresh_host(each_answer_is_that_of_its_request),
		on_fresh_host(dump_of_many_messages_is_whole),
		on_fresh_host(dump_that_changes_meanwhile_is_interrupted),
		on_fresh_host(socket_of_another_namespace_stays_there_and_we_here),
		on_fresh_host(what_is_no_network_namespace_is_refused_and_we_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

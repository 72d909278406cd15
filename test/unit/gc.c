// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariant 3: whatever a killed process leaves is found and taken back; what lives is left alone. */
#include "unit-instance.h"

#include <signal.h>

#define HOST "nk0123456789abc"

static struct shunt_request request_for(const char *id, int netns)
{
	return (struct shunt_request) { .id = id, .netns_fd = netns, .driver = SHUNT_DRIVER_VETH };
}

static struct shunt_gc_result collected(void)
{
	struct shunt_gc_result result;
	struct shunt_error error;

	assert_done(shunt_gc(STATE, &result, &error), &error);
	return result;
}

/* The one endpoint that there is. */
static struct shunt_info only_endpoint(struct shunt_instance *instance)
{
	_cleanup_free_ struct shunt_info *list = NULL;
	struct shunt_error error;
	size_t n;

	assert_done(shunt_list(instance, NULL, &list, &n, &error), &error);
	assert_int_equal(n, 1);
	return list[0];
}

static void without_state_there_is_nothing_to_do_and_nothing_made(void **state)
{
	struct shunt_gc_result result = collected();

	(void)state;
	assert_int_equal(result.endpoints, 0);
	assert_int_equal(result.uplinks, 0);
	assert_false(result.unloaded);
	shell("test ! -e " STATE);
}

static void dead_endpoint_goes_and_the_living_stays(void **state)
{
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request a = request_for("a", first), b = request_for("b", second);
	struct shunt_info dead = attached(*state, &a), living = attached(*state, &b);
	struct shunt_gc_result result;
	struct shunt_info left;

	result = collected();
	assert_int_equal(result.endpoints, 0);
	kill_host_end(*state, &dead);
	result = collected();
	assert_int_equal(result.endpoints, 1);
	assert_int_equal(result.uplinks, 0);
	assert_false(result.unloaded);
	left = only_endpoint(*state);
	assert_int_equal(left.status, SHUNT_STATUS_READY);
	assert_memory_equal(&left.endpoint, &living.endpoint, sizeof(living.endpoint));

	kill_host_end(*state, &living);
	result = collected();
	assert_int_equal(result.endpoints, 1);
	/* This test has the instance open. */
	assert_false(result.unloaded);
	assert_nothing_left(*state);
}

static void with_nothing_attached_and_nobody_here_the_datapath_goes(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_info info = attached(*state, &request);

	*state = shunt_close(*state);
	assert_false(collected().unloaded);
	*state = open_instance();
	kill_host_end(*state, &info);
	*state = shunt_close(*state);
	assert_true(collected().unloaded);
	shell("test \"$(cd " STATE " && find . -mindepth 1 | sort | xargs)\" = './endpoints ./ports ./uplinks'");
	assert_false(collected().unloaded);
}

/* A process that attaches "web" and comes no further than its record, as the lock of "uplinks" is ours. */
static pid_t start_attach(struct shunt_instance *instance, int netns, int uplinks_lock)
{
	const struct shunt_request request = request_for("web", netns);
	pid_t pid = fork();

	if (pid == 0) {
		struct shunt_instance *own = NULL;
		struct shunt_info info;

		/* Which is not to be its own, too. */
		close(uplinks_lock);
		if (shunt_open(STATE, false, &own, NULL) >= 0)
			shunt_attach(own, &request, &info, NULL);
		_exit(1);
	}
	while (registry_is_empty(&instance->datapath) == 1) {
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		sched_yield();
	}
	return pid;
}

static void pending_record_of_a_killed_process_is_collected_and_of_a_living_one_not(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_instance *instance = *state;
	struct shunt_error error;
	struct shunt_info info;
	int lock = instance_lock(instance, "uplinks", &error);
	pid_t pid;

	assert_done(lock, &error);
	pid = start_attach(instance, netns, lock);
	info = only_endpoint(instance);
	assert_int_equal(info.status, SHUNT_STATUS_PENDING);
	assert_string_equal(info.stale_reason, "");
	assert_int_equal(info.endpoint.state, SHUNT_PENDING);
	/* Stopped, it has the lock of the endpoint and none that gc waits for. */
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	close(lock);
	assert_int_equal(collected().endpoints, 0);
	assert_int_equal(only_endpoint(instance).status, SHUNT_STATUS_PENDING);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	info = only_endpoint(instance);
	assert_int_equal(info.status, SHUNT_STATUS_STALE);
	assert_non_null(strstr(info.stale_reason, "killed"));
	assert_int_equal(collected().endpoints, 1);
	assert_nothing_left(instance);
}

static void pending_record_of_a_killed_process_is_in_nobody_s_way(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_error error;
	int lock = instance_lock(*state, "uplinks", &error);
	pid_t pid;

	assert_done(lock, &error);
	pid = start_attach(*state, netns, lock);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(lock);
	attached(*state, &request);
	assert_int_equal(only_endpoint(*state).status, SHUNT_STATUS_READY);
	assert_int_equal(shunt_detach(*state, "web", &error), 1);
	assert_nothing_left(*state);
}

/* Whatever verb comes next, and whomever it is for. */
static void what_is_unfinished_goes_with_the_next_verb(void **state)
{
	_cleanup_close_ int first = make_netns(), second = make_netns();
	struct shunt_request web = request_for("web", first), other = request_for("other", second);
	struct shunt_instance *instance = *state;
	struct shunt_endpoint_key key, found;
	struct shunt_error error;

	registry_key("web", "eth0", &key);
	for (int attaches = 0; attaches <= 1; attaches++) {
		struct shunt_info info = attached(instance, &web);

		/* Killed in the middle. */
		info.endpoint.state = SHUNT_PENDING;
		assert_int_equal(unfinished_put(&instance->datapath, &key), 0);
		assert_int_equal(registry_put(&instance->datapath, &key, &info.endpoint), 0);
		if (attaches) {
			attached(instance, &other);
			assert_string_equal(only_endpoint(instance).id, "other");
		}
		assert_int_equal(shunt_detach(instance, "other", &error), attaches);
		assert_nothing_left(instance);
	}
	/* Killed before all else. */
	assert_int_equal(unfinished_put(&instance->datapath, &key), 0);
	assert_int_equal(shunt_detach(instance, "other", &error), 0);
	assert_nothing_left(instance);
	/* Killed behind the last step: it is ready, and lives on. */
	attached(instance, &web);
	assert_int_equal(unfinished_put(&instance->datapath, &key), 0);
	assert_int_equal(shunt_detach(instance, "other", &error), 0);
	assert_int_equal(only_endpoint(instance).status, SHUNT_STATUS_READY);
	assert_int_equal(unfinished_list(&instance->datapath, &found, 1), 0);
}

/* Each step of an attach that has made what its record says, and was killed then. */
static void whatever_was_made_behind_a_pending_record_is_taken_back(void **state)
{
	struct shunt_instance *instance = *state;

	for (int forgets_index = 0; forgets_index <= 1; forgets_index++) {
		_cleanup_close_ int netns = make_netns();
		struct shunt_request request = request_for("web", netns);
		struct shunt_info info = attached(instance, &request);
		struct shunt_endpoint_key key;
		struct shunt_error error;

		registry_key("web", "eth0", &key);
		info.endpoint.state = SHUNT_PENDING;
		if (forgets_index) {
			/* Killed before the record learnt the index, so that nothing is attached to the device. */
			assert_done(datapath_detach(STATE, info.endpoint.host, &error), &error);
			assert_int_equal(interface_delete(&instance->datapath, info.endpoint.ifindex), 0);
			info.endpoint.ifindex = 0;
		}
		assert_int_equal(registry_put(&instance->datapath, &key, &info.endpoint), 0);
		assert_int_equal(only_endpoint(instance).status, SHUNT_STATUS_STALE);
		assert_int_equal(collected().endpoints, 1);
		assert_nothing_left(instance);
	}
}

static void directory_without_record_goes_unless_somebody_has_it(void **state)
{
	struct shunt_error error;
	int lock = instance_lock_endpoint(*state, HOST, true, NULL, &error);

	assert_done(lock, &error);
	assert_system(mkdir(STATE "/endpoints/nk1", 0700) == 0, "nk1");
	assert_int_equal(collected().endpoints, 0);
	shell("test \"$(ls " STATE "/endpoints)\" = " HOST);
	close(lock);
	collected();
	assert_int_equal(count_entries(STATE "/endpoints"), 0);
}

static void endpoint_that_cannot_be_taken_back_keeps_no_other(void **state)
{
	static const char *const ids[] = { "a", "b", "c" };
	struct shunt_instance *instance = *state;
	struct shunt_info info[ELEMENTSOF(ids)];
	struct shunt_gc_result result;
	struct shunt_error error;
	int netns[ELEMENTSOF(ids)];

	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		struct shunt_request request = request_for(ids[i], netns[i] = make_netns());

		info[i] = attached(instance, &request);
	}
	for (size_t i = 0; i < ELEMENTSOF(ids); i++) {
		kill_host_end(instance, &info[i]);
		close(netns[i]);
	}
	/* A directory is no pin. */
	shell("cd " STATE "/endpoints/%s; rm from_ct; mkdir from_ct", info[1].endpoint.host);
	assert_refused(shunt_gc(STATE, &result, &error), -EISDIR, &error, info[1].endpoint.host);
	assert_string_equal(only_endpoint(instance).id, "b");

	shell("rmdir " STATE "/endpoints/%s/from_ct", info[1].endpoint.host);
	assert_int_equal(collected().endpoints, 1);
	assert_nothing_left(instance);
}

static void other_verbs_take_the_dead_beside_theirs(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request a = request_for("a", netns), b = request_for("b", netns);
	struct shunt_instance *instance = *state;
	struct shunt_error error;
	struct shunt_info dead;

	b.interface = "eth1";
	dead = attached(instance, &a);
	kill_host_end(instance, &dead);
	attached(instance, &b);
	assert_string_equal(only_endpoint(instance).id, "b");

	dead = attached(instance, &a);
	kill_host_end(instance, &dead);
	assert_int_equal(shunt_detach(instance, "nobody", &error), 0);
	assert_string_equal(only_endpoint(instance).id, "b");

	dead = attached(instance, &a);
	kill_host_end(instance, &dead);
	assert_int_equal(shunt_detach(instance, "b", &error), 1);
	assert_nothing_left(instance);
}

/* Name and alias are anyone's to change; an index may be a stranger's. */
static void host_end_is_known_by_its_program(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_info info = attached(*state, &request);
	struct shunt_error error;

	shell("ip link set %s down; ip link set %s name other0 alias other up", info.endpoint.host, info.endpoint.host);
	assert_int_equal(collected().endpoints, 0);
	assert_int_equal(only_endpoint(*state).status, SHUNT_STATUS_READY);
	assert_int_equal(shunt_detach(*state, "web", &error), 1);
	shell("test ! -e /sys/class/net/other0");
	assert_nothing_left(*state);

	info = attached(*state, &request);
	kill_host_end(*state, &info);
	shell("ip link add stranger index %u type veth peer name x", info.endpoint.ifindex);
	assert_int_equal(only_endpoint(*state).status, SHUNT_STATUS_STALE);
	assert_int_equal(collected().endpoints, 1);
	shell("ip link show stranger >/dev/null");
	assert_nothing_left(*state);
}

static void uplinks_follow_the_host_while_something_is_attached(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_gc_result result;

	attached(*state, &request);
	shell("ip link add b0 type veth peer name b1; ip link set b1 up; ip link set b0 up; "
	      "ip route replace default dev b0");
	result = collected();
	assert_int_equal(result.uplinks, 2);
	assert_false(datapath_has_programs(if_nametoindex("a0")));
	assert_true(datapath_has_programs(if_nametoindex("b0")));
	assert_int_equal(collected().uplinks, 0);
}

/* A network that is in use and whose file cannot be read may have any uplink. */
static void uplinks_stay_while_a_network_in_use_is_unknown(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);

	request.network = "small";
	attached(*state, &request);
	shell("ip link add b0 type veth peer name b1; ip link set b1 up; ip link set b0 up; "
	      "ip route replace default dev b0; rm " NETWORKS "/small.json");
	assert_int_equal(collected().uplinks, 0);
	assert_true(datapath_has_programs(if_nametoindex("a0")));
}

static void remains_of_a_datapath_that_is_gone_are_swept(void **state)
{
	_cleanup_close_ int netns = make_netns();
	struct shunt_request request = request_for("web", netns);
	struct shunt_info info = attached(*state, &request);
	_cleanup_close_ int own = -EBADF, other = -EBADF;
	struct shunt_gc_result result;
	struct shunt_error error;
	int r;

	*state = shunt_close(*state);
	shell("rm -r " STATE "/datapath");
	/* Not by who is elsewhere, and cannot remove the device before its filter. */
	own = own_netns();
	other = make_netns();
	enter_netns(other);
	r = shunt_gc(STATE, &result, &error);
	enter_netns(own);
	assert_refused(r, -EXDEV, &error, "belongs to another network namespace");
	assert_true(datapath_has_programs(info.endpoint.ifindex));

	collected();
	/* Invariant 1: alive, it would send what nobody looks at. */
	assert_int_equal(if_nametoindex(info.endpoint.host), 0);
	assert_false(datapath_has_programs(if_nametoindex("a0")));
	shell("test \"$(cd " STATE " && find . -mindepth 1 | sort | xargs)\" = './endpoints ./ports ./uplinks'");
	*state = open_instance();
	attached(*state, &request);
	assert_int_equal(only_endpoint(*state).status, SHUNT_STATUS_READY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_host(without_state_there_is_nothing_to_do_and_nothing_made),
		on_fresh_networks(dead_endpoint_goes_and_the_living_stays),
		on_fresh_networks(with_nothing_attached_and_nobody_here_the_datapath_goes),
		on_fresh_networks(pending_record_of_a_killed_process_is_collected_and_of_a_living_one_not),
		on_fresh_networks(pending_record_of_a_killed_process_is_in_nobody_s_way),
		on_fresh_networks(what_is_unfinished_goes_with_the_next_verb),
		on_fresh_networks(whatever_was_made_behind_a_pending_record_is_taken_back),
		on_fresh_networks(directory_without_record_goes_unless_somebody_has_it),
		on_fresh_networks(endpoint_that_cannot_be_taken_back_keeps_no_other),
		on_fresh_networks(other_verbs_take_the_dead_beside_theirs),
		on_fresh_networks(host_end_is_known_by_its_program),
		on_fresh_networks(uplinks_follow_the_host_while_something_is_attached),
		on_fresh_networks(uplinks_stay_while_a_network_in_use_is_unknown),
		on_fresh_networks(remains_of_a_datapath_that_is_gone_are_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

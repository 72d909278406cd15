// SPDX-License-Identifier: GPL-2.0-or-later
#include "unit-instance.h"

#include <bpf/bpf.h>
#include <limits.h>
#include <signal.h>

#define HOST "nk0123456789abc"

/* Directories that are refused: how each is made, and what its line says. */
static const struct {
	const char *state;
	const char *made;
	int r;
	const char *about;
} refused[] = {
	{ "shunt", ":", -EINVAL, "not an absolute path" },
	{ "", ":", -EINVAL, "not an absolute path" },
	{ "/sys/fs/bpf/a.b", ":", -EINVAL, "no dots" },
	{ "/sys/fs/bpf/..", ":", -EINVAL, "no dots" },
	{ "/tmp/shunt", ":", -ENOTDIR, "/tmp is no directory on a bpffs" },
	{ "/shunt", ":", -ENOTDIR, "/ is no directory on a bpffs" },
	{ "/sys/fs/bpf/none/shunt", ":", -ENOTDIR, "/sys/fs/bpf/none is no directory" },
	{ STATE, "mkdir /sys/fs/bpf/other; ln -s other " STATE, -ENOTDIR, STATE },
	{ STATE, "mkdir /sys/fs/bpf/other; ln -s /sys/fs/bpf/other " STATE, -ENOTDIR, STATE },
	{ STATE, "ln -s none " STATE, -ENOTDIR, STATE },
	{ STATE, "mkdir -m 0755 " STATE, -EPERM, "mode 0755" },
	{ STATE, "mkdir -m 0720 " STATE, -EPERM, "mode 0720" },
	{ STATE, "mkdir -m 0704 " STATE, -EPERM, "mode 0704" },
	{ STATE, "mkdir -m 0700 " STATE "; chown 1 " STATE, -EPERM, "owner 1" },
};

static void directory_that_is_not_ours_alone_is_refused_and_untouched(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
		struct shunt_instance *instance = NULL;
		struct shunt_error error;

		fresh_host(NULL);
		shell("%s", refused[i].made);
		assert_refused(shunt_open(refused[i].state, true, &instance, &error), refused[i].r, &error,
			       refused[i].about);
		assert_null(instance);
		shell("test -z \"$(find -H /sys/fs/bpf -mindepth 2)\"");
	}
}

static void slashes_behind_the_path_do_not_count(void **state)
{
	struct shunt_instance *instance = NULL;
	struct shunt_error error;

	(void)state;
	assert_done(shunt_open(STATE "//", true, &instance, &error), &error);
	assert_string_equal(instance->state, STATE);
	shunt_close(instance);
}

static void bpffs_is_mounted_where_there_is_none(void **state)
{
	struct shunt_instance *instance = NULL;
	struct shunt_error error;

	(void)state;
	assert_system(umount("/sys/fs/bpf") == 0, "umount");
	assert_done(shunt_open(STATE, true, &instance, &error), &error);
	shunt_close(instance);
	shell("test -d " STATE "; test $(stat -c %%A /sys/fs/bpf) = drwx-----T");
}

static void without_create_nothing_is_made(void **state)
{
	struct shunt_instance *instance = NULL;
	struct shunt_error error;

	(void)state;
	assert_refused(shunt_open(STATE, false, &instance, &error), -ENOENT, &error, "nothing is attached here");
	assert_refused(instance_open_bare(STATE, &instance, &error), -ENOENT, &error, "nothing is attached here");
	shell("test ! -e " STATE);
	/* A directory without datapath, neither. */
	assert_system(mkdir(STATE, 0700) == 0, STATE);
	assert_refused(shunt_open(STATE, false, &instance, &error), -ENOENT, &error, "nothing is attached here");
	assert_int_equal(count_entries(STATE), 0);
	assert_null(instance);
}

static void datapath_of_another_namespace_or_layout_or_with_holes_is_refused(void **state)
{
	_cleanup_close_ int other = make_netns(), own = own_netns();
	struct shunt_instance *instance = *state, *second = NULL;
	struct shunt_error error;
	struct shunt_meta meta;
	const uint32_t zero = 0;
	int r;

	enter_netns(other);
	r = shunt_open(STATE, true, &second, &error);
	enter_netns(own);
	assert_refused(r, -EXDEV, &error, "belongs to network namespace");

	assert_int_equal(bpf_map_lookup_elem(instance->datapath.fd[MAP_META], &zero, &meta), 0);
	meta.abi++;
	strcpy(meta.version, "7.77");
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_META], &zero, &meta, BPF_ANY), 0);
	assert_refused(shunt_open(STATE, true, &second, &error), -EPROTO, &error, "was loaded by the newer shunt 7.77");
	meta.abi--;
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_META], &zero, &meta, BPF_ANY), 0);

	assert_system(unlink(STATE "/datapath/registry") == 0, "unlink");
	assert_refused(shunt_open(STATE, true, &second, &error), -EUCLEAN, &error, STATE "/datapath/registry");
	assert_null(second);
}

static void second_opener_finds_the_first_one_s_maps(void **state)
{
	struct shunt_instance *first = *state, *second = open_instance();
	const struct shunt_prefix address = parsed("10.207.0.9");
	char owner[SHUNT_IFNAME_MAX];

	assert_int_equal(address_claim(&first->datapath, &address, HOST), 0);
	assert_int_equal(address_owner(&second->datapath, &address, owner), 0);
	shunt_close(second);
}

static void instance_is_exclusive_only_while_nobody_else_has_it_open(void **state)
{
	struct shunt_instance *second = open_instance();

	assert_int_equal(instance_lock_exclusive(*state, NULL), 0);
	/* The attempt costs the lock that was there, so that the other's can succeed. */
	second = shunt_close(second);
	assert_int_equal(instance_lock_exclusive(*state, NULL), 1);
}

static void lock_of_an_endpoint_excludes_others_until_it_is_closed(void **state)
{
	struct shunt_instance *first = *state, *second = open_instance();
	struct shunt_error error;
	bool existed = true;
	int lock, other;

	lock = instance_lock_endpoint(first, HOST, false, &existed, &error);
	assert_done(lock, &error);
	assert_false(existed);
	assert_refused(instance_lock_endpoint(second, HOST, false, NULL, &error), -EWOULDBLOCK, &error, HOST);
	/* Another endpoint's is another lock. */
	other = instance_lock_endpoint(second, "nk0123456789abd", false, NULL, &error);
	assert_done(other, &error);
	close(other);
	close(lock);
	lock = instance_lock_endpoint(second, HOST, false, &existed, &error);
	assert_done(lock, &error);
	assert_true(existed);
	close(lock);
	shunt_close(second);
}

static void killed_process_leaves_no_lock(void **state)
{
	struct shunt_error error;
	int ready[2], lock;
	char word = 0;
	pid_t pid;

	assert_system(pipe(ready) == 0, "pipe");
	pid = fork();
	if (pid == 0) {
		/* Its own open directories: a lock belongs to these, not to a process. */
		struct shunt_instance *own = NULL;

		if (shunt_open(STATE, false, &own, NULL) >= 0 &&
		    instance_lock_endpoint(own, HOST, true, NULL, NULL) >= 0 &&
		    instance_lock(own, "uplinks", NULL) >= 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &word, 1), 1);
	close(ready[0]);
	assert_int_equal(instance_lock_endpoint(*state, HOST, false, NULL, &error), -EWOULDBLOCK);
	assert_int_equal(instance_lock_exclusive(*state, NULL), 0);

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	lock = instance_lock_endpoint(*state, HOST, false, NULL, &error);
	assert_done(lock, &error);
	close(lock);
	lock = instance_lock(*state, "uplinks", &error);
	assert_done(lock, &error);
	close(lock);
	assert_int_equal(instance_lock_exclusive(*state, NULL), 1);
}

/* Whether a process waits for a flock(): /proc/locks marks it by an arrow. */
static bool is_waiting(pid_t pid)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/locks", "re");
	char line[256], waiter[32];

	assert_non_null(f);
	snprintf(waiter, sizeof(waiter), " %d ", (int)pid);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "-> FLOCK") && strstr(line, waiter))
			return true;
	return false;
}

static void waiter_locks_what_has_the_name_after_it_was_removed(void **state)
{
	struct shunt_instance *instance = *state;
	struct shunt_error error;
	int status, lock;
	pid_t pid;

	lock = instance_lock_endpoint(instance, HOST, true, NULL, &error);
	assert_done(lock, &error);
	pid = fork();
	if (pid == 0) {
		struct stat locked, named;
		int fd;

		close(lock);
		fd = instance_lock_endpoint(instance, HOST, true, NULL, NULL);
		_exit(fd < 0 || fstat(fd, &locked) < 0 || stat(STATE "/endpoints/" HOST, &named) < 0 ||
		      locked.st_ino != named.st_ino);
	}
	while (!is_waiting(pid) && waitpid(pid, NULL, WNOHANG) == 0)
		sched_yield();
	assert_done(instance_remove_endpoint(instance, HOST, &error), &error);
	/* Somebody was faster and made it anew. */
	assert_system(mkdir(STATE "/endpoints/" HOST, 0700) == 0, HOST);
	close(lock);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void directory_of_an_endpoint_is_removed_if_it_is_empty(void **state)
{
	struct shunt_instance *instance = *state;
	struct shunt_error error;

	assert_done(instance_remove_endpoint(instance, HOST, &error), &error);
	assert_system(mkdir(STATE "/endpoints/" HOST, 0700) == 0, HOST);
	assert_int_equal(bpf_obj_pin(instance->datapath.fd[MAP_META], STATE "/endpoints/" HOST "/from_ct"), 0);
	assert_refused(instance_remove_endpoint(instance, HOST, &error), -ENOTEMPTY, &error, HOST);
	assert_system(unlink(STATE "/endpoints/" HOST "/from_ct") == 0, "unlink");
	assert_done(instance_remove_endpoint(instance, HOST, &error), &error);
	assert_int_equal(count_entries(STATE "/endpoints"), 0);
}

static void sweep_leaves_an_empty_directory_that_works_again(void **state)
{
	static const char *const pins[] = {
		STATE "/endpoints/" HOST "/from_ct", STATE "/endpoints/" HOST "/to_ct", STATE "/uplinks/7",
		STATE "/loading/meta",
	};
	struct shunt_instance *instance = *state;
	struct shunt_error error;

	shell("mkdir " STATE "/loading " STATE "/endpoints/" HOST " " STATE "/endpoints/nk1");
	for (size_t i = 0; i < ELEMENTSOF(pins); i++)
		assert_int_equal(bpf_obj_pin(instance->datapath.fd[MAP_META], pins[i]), 0);
	assert_int_equal(instance_lock_exclusive(instance, NULL), 1);
	assert_done(instance_sweep(instance, &error), &error);
	shell("test \"$(cd " STATE " && find . -mindepth 1 | sort | xargs)\" = './endpoints ./ports ./uplinks'");
	assert_done(instance_sweep(instance, &error), &error);
	*state = shunt_close(instance);
	*state = open_instance();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory_that_is_not_ours_alone_is_refused_and_untouched),
		on_fresh_host(slashes_behind_the_path_do_not_count),
		on_fresh_host(bpffs_is_mounted_where_there_is_none),
		on_fresh_host(without_create_nothing_is_made),
		on_fresh_instance(datapath_of_another_namespace_or_layout_or_with_holes_is_refused),
		on_fresh_instance(second_opener_finds_the_first_one_s_maps),
		on_fresh_instance(instance_is_exclusive_only_while_nobody_else_has_it_open),
		on_fresh_instance(lock_of_an_endpoint_excludes_others_until_it_is_closed),
		on_fresh_instance(killed_process_leaves_no_lock),
		on_fresh_instance(waiter_locks_what_has_the_name_after_it_was_removed),
		on_fresh_instance(directory_of_an_endpoint_is_removed_if_it_is_empty),
		on_fresh_instance(sweep_leaves_an_empty_directory_that_works_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "instance.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "mend.h"
#include "path.h"
#include "upgrade.h"

#define BPFFS "/sys/fs/bpf"

struct shunt_instance *shunt_close(struct shunt_instance *instance)
{
	if (!instance)
		return NULL;
	datapath_close(&instance->datapath);
	netlink_close(instance->host);
	if (instance->fd >= 0)
		close(instance->fd);
	free(instance->state);
	free(instance);
	return NULL;
}

static int lock(int fd, int operation)
{
	while (flock(fd, operation) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* Two at once would hide the first one's mount, and all in it, under the second's. */
static int mount_bpffs(struct shunt_error *error)
{
	_cleanup_close_ int fd = open(BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return shunt_fail(error, -errno, BPFFS ": %m; does this kernel have CONFIG_BPF_SYSCALL?");
	r = lock(fd, LOCK_EX);
	if (r < 0)
		return shunt_fail(error, r, BPFFS ": cannot be locked: %s", strerror(-r));
	if (on_bpffs(BPFFS))
		return 0;
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, "mode=0700") < 0)
		return shunt_fail(error, -errno, BPFFS ": no bpffs is mounted there, and mounting one failed: %m");
	return 0;
}

/* Makes sure that the directory that will hold @state is on a bpffs; mounts the usual one where nobody did. */
static int ensure_bpffs(const char *state, struct shunt_error *error)
{
	char parent[PATH_MAX];
	char *slash;

	strcpy(parent, state);
	slash = strrchr(parent, '/');
	if (strchr(slash, '.'))
		return shunt_fail(error, -EINVAL, "--state %s: a bpffs takes no dots in names", state);
	slash[slash == parent] = '\0';
	if (on_bpffs(parent))
		return 0;
	if (strcmp(parent, BPFFS) == 0)
		return mount_bpffs(error);
	return shunt_fail(error, -ENOTDIR, "--state %s: %s is no directory on a bpffs; mount one with 'mount -t bpf bpf DIR'",
			  state, parent);
}

/* Opens the state directory itself: a real directory, root's, for root alone. */
static int open_state(const char *state, struct shunt_error *error)
{
	_cleanup_close_ int place = open(state, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int fd;

	if (place < 0)
		return shunt_fail(error, -errno, errno == ENOENT ? "%s: nothing is attached here" : "%s: %m", state);
	if (fstat(place, &st) < 0)
		return shunt_fail(error, -errno, "%s: %m", state);
	if (st.st_uid != geteuid() || st.st_mode & (S_IRWXG | S_IRWXO))
		return shunt_fail(error, -EPERM, "%s: not mine alone (owner %u, mode %04o); remove it, or chown it to root "
				  "and chmod it 0700", state, st.st_uid, st.st_mode & 07777);
	fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? shunt_fail(error, -errno, "%s: %m", state) : fd;
}

/* Below a directory that is known to be ours: through a link to another place nothing may be made. */
static int make_directories(const struct shunt_instance *instance, struct shunt_error *error)
{
	static const char *const below[] = { "endpoints", "uplinks", "ports" };

	for (size_t i = 0; i < ELEMENTSOF(below); i++)
		if (mkdirat(instance->fd, below[i], 0700) < 0 && errno != EEXIST)	/* another hook was first */
			return shunt_fail(error, -errno, "%s/%s: cannot be made: %m", instance->state, below[i]);
	return 0;
}

/* What was attached before, where somebody removed it with its whole bpffs, would have the addresses that are free now. */
static int sweep_orphans(struct shunt_error *error)
{
	_cleanup_(netlink_closep) struct netlink *host = NULL;
	int r = netlink_open(&host, error);

	if (r >= 0)
		r = mend_orphans(host, NULL, 0, error);
	return r < 0 ? r : 0;
}

/*
 * With the directory to ourselves: finishes what a killed upgrade has left, and loads or replaces what is not of our layout.
 * Only who may create does that: it takes more rights than looking and detaching have.
 */
static int make_current(struct shunt_instance *instance, bool create, struct shunt_error *error)
{
	int r = datapath_check(instance->state, error);

	if (r == -ENOENT && create) {
		r = datapath_load(instance->state, error);
		return r < 0 ? r : sweep_orphans(error);
	}
	if (r == -ESTALE && create)
		r = upgrade_datapath(instance, error);
	else if (r >= 0 && upgrade_is_unfinished(instance))
		r = upgrade_finish(instance, error);
	return r < 0 ? r : 0;
}

/*
 * Opens the datapath under the shared lock, and makes it what it should be first. flock() trades locks in two steps, so that
 * between that and use somebody may unload: then once more.
 */
static int open_datapath(struct shunt_instance *instance, bool create, struct shunt_error *error)
{
	for (;;) {
		int r = lock(instance->fd, LOCK_SH);

		if (r < 0)
			return shunt_fail(error, r, "%s: cannot be locked: %s", instance->state, strerror(-r));
		if (!upgrade_is_unfinished(instance)) {
			r = datapath_open(instance->state, &instance->datapath, error);
			if (!create || (r != -ENOENT && r != -ESTALE))
				return r;
		}
		r = instance_lock_alone(instance, error);
		if (r >= 0)
			r = make_current(instance, create, error);
		if (r < 0)
			return r;
	}
}

static struct shunt_instance *new_instance(const char *state)
{
	struct shunt_instance *instance = malloc(sizeof(*instance));

	if (!instance)
		return NULL;
	*instance = (struct shunt_instance) { .fd = -EBADF, .datapath = DATAPATH_NONE, .state = strdup(state) };
	if (!instance->state)
		return shunt_close(instance);
	while (strlen(instance->state) > 1 && instance->state[strlen(instance->state) - 1] == '/')
		instance->state[strlen(instance->state) - 1] = '\0';
	return instance;
}

/* Puts the directory's place in the way that nobody else can change; -ENOENT where there is no such place. */
static int resolve(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_free_ char *parent = NULL, *place = NULL, *resolved = NULL;
	char *slash = strrchr(instance->state, '/');
	int r;

	if (instance->state[0] != '/' || strlen(instance->state) >= PATH_MAX)
		return shunt_fail(error, -EINVAL, "--state %s: not an absolute path", instance->state);
	parent = strndup(instance->state, (size_t)(slash - instance->state) + 1);
	if (!parent)
		return shunt_fail(error, -ENOMEM, "out of memory");
	r = path_resolve(parent, &place, error);
	if (r < 0)
		return r;
	if (asprintf(&resolved, "%s%s", strcmp(place, "/") == 0 ? "" : place, slash) < 0) {
		resolved = NULL;
		return shunt_fail(error, -ENOMEM, "out of memory");
	}
	free(instance->state);
	instance->state = TAKE_PTR(resolved);
	return 0;
}

int shunt_open(const char *state, bool create, struct shunt_instance **ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = new_instance(state);
	int r;

	if (!instance)
		return shunt_fail(error, -ENOMEM, "out of memory");
	r = resolve(instance, error);
	/* What is missing has words of its own. */
	if (create && (r >= 0 || r == -ENOENT)) {
		int mounted = ensure_bpffs(instance->state, error);

		r = mounted < 0 ? mounted : r;
	}
	if (create && r >= 0 && mkdir(instance->state, 0700) < 0 && errno != EEXIST)
		r = shunt_fail(error, -errno, "%s: cannot be made: %m", instance->state);
	if (r >= 0)
		r = instance->fd = open_state(instance->state, error);
	if (create && r >= 0)
		r = make_directories(instance, error);
	if (r >= 0)
		r = open_datapath(instance, create, error);
	if (r >= 0)
		r = netlink_open(&instance->host, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(instance);
	return 0;
}

int instance_open_bare(const char *state, struct shunt_instance **ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = new_instance(state);
	int r;

	if (!instance)
		return shunt_fail(error, -ENOMEM, "out of memory");
	r = resolve(instance, error);
	if (r >= 0)
		r = instance->fd = open_state(instance->state, error);
	if (r < 0)
		return r;
	r = lock(instance->fd, LOCK_SH);
	if (r < 0)
		return shunt_fail(error, r, "%s: cannot be locked: %s", instance->state, strerror(-r));
	r = netlink_open(&instance->host, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(instance);
	return 0;
}

int instance_lock(const struct shunt_instance *instance, const char *directory, struct shunt_error *error)
{
	_cleanup_close_ int fd = openat(instance->fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return shunt_fail(error, -errno, "%s/%s: %m", instance->state, directory);
	r = lock(fd, LOCK_EX);
	return r < 0 ? shunt_fail(error, r, "%s/%s: cannot be locked: %s", instance->state, directory, strerror(-r))
		     : TAKE_FD(fd);
}

int instance_lock_endpoint(const struct shunt_instance *instance, const char *host, bool wait, bool *ret_existed,
			   struct shunt_error *error)
{
	char path[64];
	bool existed;

	snprintf(path, sizeof(path), "endpoints/%.16s", host);
	for (;;) {
		_cleanup_close_ int fd = -EBADF;
		struct stat locked, named;
		int r;

		existed = mkdirat(instance->fd, path, 0700) < 0;
		if (existed && errno != EEXIST)
			return shunt_fail(error, -errno, "%s/%s: cannot be made: %m", instance->state, path);
		fd = openat(instance->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return shunt_fail(error, -errno, "%s/%s: %m", instance->state, path);
		r = lock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
		if (r < 0)
			return shunt_fail(error, r, "%s/%s: cannot be locked: %s", instance->state, path, strerror(-r));

		/* Whoever held it may have removed the directory: then this locks a thing without a name. */
		if (fstat(fd, &locked) < 0)
			return shunt_fail(error, -errno, "%s/%s: %m", instance->state, path);
		if (fstatat(instance->fd, path, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != locked.st_ino)
			continue;
		if (ret_existed)
			*ret_existed = existed;
		return TAKE_FD(fd);
	}
}

int instance_remove_endpoint(const struct shunt_instance *instance, const char *host, struct shunt_error *error)
{
	char path[64];

	snprintf(path, sizeof(path), "endpoints/%.16s", host);
	if (unlinkat(instance->fd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return shunt_fail(error, -errno, "%s/%s: cannot be removed: %m", instance->state, path);
	return 0;
}

int instance_lock_alone(const struct shunt_instance *instance, struct shunt_error *error)
{
	int r = lock(instance->fd, LOCK_EX);

	return r < 0 ? shunt_fail(error, r, "%s: cannot be locked: %s", instance->state, strerror(-r)) : 0;
}

int instance_lock_exclusive(const struct shunt_instance *instance, struct shunt_error *error)
{
	int r = lock(instance->fd, LOCK_EX | LOCK_NB);

	if (r == -EWOULDBLOCK)
		return 0;
	return r < 0 ? shunt_fail(error, r, "%s: cannot be locked: %s", instance->state, strerror(-r)) : 1;
}

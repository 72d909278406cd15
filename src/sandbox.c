// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c - a child in a network namespace of its own.
 *
 * The two talk over one socket pair. The child sends a struct report when it has its namespace, or could not get it;
 * it reads a message before it becomes the command: one byte, and behind it what /etc/resolv.conf shall be, if anything.
 * Then either the socket closes by close-on-exec, or the child sends another report of why there is no command. When one
 * dies, the other reads an end of file.
 *
 * The child has its own mount namespace too: /sys of the host would show the host's interfaces in /sys/class/net, and
 * programs that look there (most that want an interface's speed or state) would mix up both. It gets a fresh sysfs,
 * as `ip netns exec` gives, but keeps the host's /sys/fs/cgroup on it, where programs read their limits. Besides that and
 * /etc/resolv.conf nothing is changed; pins below /sys/fs/bpf are out of sight, which is as well.
 */
#include "sandbox.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "environment.h"
#include "util.h"

struct report {
	int r;			/* 0 or a negative errno */
	char what[32];
};

static struct report report(int r, const char *what)
{
	struct report report = { .r = r };

	snprintf(report.what, sizeof(report.what), "%s", what);
	return report;
}

static int up_loopback(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return -errno;
	return 0;
}

static int remount_sys(void)
{
	_cleanup_close_ int cgroups = -1;

	/* Nothing of this may be seen outside. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	/* A machine without cgroups there has none to keep. */
	cgroups = open_tree(AT_FDCWD, "/sys/fs/cgroup", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	if (cgroups >= 0 && move_mount(cgroups, "", AT_FDCWD, "/sys/fs/cgroup", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int write_file(const char *path, const char *text, size_t size)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t n;

	/* The command's umask is not for this. */
	if (fd < 0 || fchmod(fd, 0644) < 0)
		return -errno;
	n = write(fd, text, size);
	return n < 0 ? -errno : (size_t)n < size ? -ENOSPC : 0;
}

/*
 * A file that has no place outside: of a tmpfs that is mounted for as long as it takes to get hold of the file.
 *
 * It goes over the link that /etc/resolv.conf mostly is, not over what that leads to. That is replaced by a new file
 * whenever the host's servers change, and a mount is gone with the name that it is on, in every namespace.
 */
static int mount_resolver(const char *text, size_t size)
{
	static const char staged[] = "/sys/resolv.conf", place[] = "/etc/resolv.conf";
	_cleanup_close_ int file = -EBADF;
	int r;

	if (mount("tmpfs", "/sys", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755,size=64k") < 0)
		return -errno;
	r = write_file(staged, text, size);
	if (r < 0)
		return r;
	file = open_tree(AT_FDCWD, staged, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (file < 0 || umount2("/sys", MNT_DETACH) < 0)
		return -errno;
	/* What is not there any more says nothing wrong. */
	if (move_mount(file, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return errno == ENOENT ? 0 : -errno;
	return 0;
}

/* In the child. */
static struct report enter_namespaces(pid_t parent)
{
	int r;

	/* Whoever kills the parent with SIGKILL leaves nobody to wait for us or to take our interface back. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return report(-errno, "prctl");
	if (getppid() != parent)
		return report(-ESRCH, "the parent is gone");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return report(-errno, "a new network namespace");
	r = remount_sys();
	if (r < 0)
		return report(r, "a new /sys");
	r = up_loopback();
	if (r < 0)
		return report(r, "lo");
	return report(0, "");
}

static _Noreturn void child(int channel, pid_t parent, char **command, const sigset_t *signals)
{
	struct report result = enter_namespaces(parent);
	char go[SANDBOX_RESOLVER_MAX];
	ssize_t n;
	int r = 0;

	if (send(channel, &result, sizeof(result), MSG_NOSIGNAL) != sizeof(result) || result.r < 0)
		_exit(EXIT_FAILURE);
	n = recv(channel, go, sizeof(go), 0);
	if (n < 1)
		_exit(EXIT_FAILURE);

	if (n > 1)
		r = mount_resolver(go + 1, (size_t)n - 1);
	result = report(r, "its /etc/resolv.conf: ");
	if (r >= 0) {
		sigprocmask(SIG_SETMASK, signals, NULL);
		environment_enter();
		execvp(command[0], command);
		result = report(-errno, "");
	}
	(void)send(channel, &result, sizeof(result), MSG_NOSIGNAL);
	_exit(EXIT_FAILURE);
}

/* Reads the child's report: 0 and what it is, or -EPIPE if the child has closed its end. */
static int receive_report(int channel, struct report *ret)
{
	ssize_t n;

	do
		n = recv(channel, ret, sizeof(*ret), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(*ret) ? 0 : -EPIPE;
}

static void wait_gone(struct sandbox *sandbox)
{
	while (waitpid(sandbox->pid, NULL, 0) < 0 && errno == EINTR)
		;
	sandbox->pid = 0;
}

void sandbox_done(struct sandbox *sandbox)
{
	closep(&sandbox->channel);
	sandbox->channel = -EBADF;
	if (sandbox->pid > 0) {
		kill(sandbox->pid, SIGKILL);
		wait_gone(sandbox);
	}
}

static void block_signals(sigset_t *ret_before)
{
	static const int taken[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ELEMENTSOF(taken); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_BLOCK, &set, ret_before);
	/* An ignored SIGCHLD, which is inherited, would reap the child behind our back. */
	signal(SIGCHLD, SIG_DFL);
}

int sandbox_start(char **command, struct sandbox *ret, struct shunt_error *error)
{
	_cleanup_(sandbox_done) struct sandbox sandbox = SANDBOX_NONE;
	pid_t parent = getpid();
	struct report result;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return shunt_fail(error, -errno, "socketpair: %s", strerror(errno));
	sandbox.channel = pair[0];
	block_signals(&sandbox.signals);

	sandbox.pid = fork();
	if (sandbox.pid == 0) {
		close(pair[0]);
		child(pair[1], parent, command, &sandbox.signals);
	}
	close(pair[1]);
	if (sandbox.pid < 0)
		return shunt_fail(error, -errno, "fork: %s", strerror(errno));

	if (receive_report(sandbox.channel, &result) < 0)
		return shunt_fail(error, -ECHILD, "the command's process died before it had its namespace");
	if (result.r < 0)
		return shunt_fail(error, result.r, "the command's process: %s: %s", result.what, strerror(-result.r));

	*ret = sandbox;
	sandbox = (struct sandbox)SANDBOX_NONE;
	return 0;
}

int sandbox_release(struct sandbox *sandbox, const char *command, const char *resolver, struct shunt_error *error)
{
	char go[SANDBOX_RESOLVER_MAX] = "g";
	struct report result;

	if (resolver)
		snprintf(go + 1, sizeof(go) - 1, "%s", resolver);
	/* If the child is gone, sandbox_wait() says how. */
	(void)send(sandbox->channel, go, strlen(go), MSG_NOSIGNAL);
	if (receive_report(sandbox->channel, &result) < 0)
		return 0;
	wait_gone(sandbox);
	return shunt_fail(error, result.r, "%s: %s%s", command, result.what, strerror(-result.r));
}

/*
 * A key on the terminal goes to its whole foreground group, the command included: passing it on would deliver it
 * twice. The kernel is the sender then, and a process otherwise.
 */
static bool command_has_it(const siginfo_t *info)
{
	return (info->si_signo == SIGINT || info->si_signo == SIGQUIT) && info->si_code == SI_KERNEL;
}

int sandbox_wait(struct sandbox *sandbox)
{
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	for (;;) {
		siginfo_t info;
		int status;

		if (waitpid(sandbox->pid, &status, WNOHANG) == sandbox->pid) {
			sandbox->pid = 0;
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		}
		/* SIGCHLD is blocked, so that one that comes between the two calls is waiting here. */
		if (sigwaitinfo(&set, &info) < 0 || info.si_signo == SIGCHLD || command_has_it(&info))
			continue;
		kill(sandbox->pid, info.si_signo);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inject [-c] N kill|ERRNO COMMAND...: runs COMMAND up to its N-th kernel call, and kills it there, or lets that call fail.
 *
 * Counted is what COMMAND and its children ask the kernel for by name, descriptor, netlink or bpf(), libraries included,
 * from the first thing that main() does (a look at its standard descriptors); -c: only what changes what others see. A
 * process dies before its call has happened, so that the next number is the death behind it. The status is COMMAND's own,
 * 137 if it was killed, or 120 if it made fewer calls. The call is named on descriptor 9, if there is one, or how many there were.
 *
 * How: a filter of seccomp(2) stops each such call until we have decided. Nothing in COMMAND knows.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_REACHED 120
#define N_CALLS (sizeof(calls) / sizeof(*calls))
#define LOOKS(name) { SYS_##name, #name, false }
#define CHANGES(name) { SYS_##name, #name, true }

static const struct call {
	int number;
	const char *name;
	bool changes;
} calls[] = {
	CHANGES(bpf), CHANGES(sendto), CHANGES(sendmsg), CHANGES(setns), CHANGES(unshare), CHANGES(mount), CHANGES(umount2),
	CHANGES(mkdir), CHANGES(mkdirat), CHANGES(rmdir), CHANGES(unlink), CHANGES(unlinkat), CHANGES(rename), CHANGES(renameat),
	CHANGES(renameat2), CHANGES(write), CHANGES(pwrite64), CHANGES(writev), CHANGES(fchmod), CHANGES(flock),
	LOOKS(open), LOOKS(openat), LOOKS(read), LOOKS(pread64), LOOKS(recvfrom), LOOKS(recvmsg), LOOKS(socket),
	LOOKS(setsockopt), LOOKS(getsockopt), LOOKS(bind), LOOKS(connect), LOOKS(getsockname), LOOKS(stat), LOOKS(lstat),
	LOOKS(fstat), LOOKS(newfstatat), LOOKS(statx), LOOKS(statfs), LOOKS(fstatfs), LOOKS(access), LOOKS(faccessat),
	LOOKS(faccessat2), LOOKS(getdents64), LOOKS(lseek), LOOKS(ioctl), LOOKS(fcntl), LOOKS(dup), LOOKS(dup3),
	LOOKS(readlink), LOOKS(readlinkat), LOOKS(capget), LOOKS(clone), LOOKS(clone3), LOOKS(wait4), LOOKS(waitid),
	LOOKS(poll), LOOKS(ppoll), LOOKS(epoll_create1), LOOKS(epoll_ctl), LOOKS(epoll_wait), LOOKS(perf_event_open),
	LOOKS(memfd_create), LOOKS(ftruncate), LOOKS(name_to_handle_at),
};

static const struct call *find(int number)
{
	for (size_t i = 0; i < N_CALLS; i++)
		if (calls[i].number == number)
			return &calls[i];
	abort();	/* the filter has no other */
}

/* What a process that dies does not take along. */
static bool changes(const struct call *call, unsigned long long first)
{
	if (call->number != SYS_bpf)
		return call->changes;
	return first == BPF_MAP_UPDATE_ELEM || first == BPF_MAP_DELETE_ELEM || first == BPF_OBJ_PIN || first == BPF_LINK_CREATE ||
	       first == BPF_LINK_DETACH;
}

/* Return: the descriptor that the filter asks */
static int install(void)
{
	struct sock_filter filter[N_CALLS + 3];
	const struct sock_fprog program = { N_CALLS + 3, filter };

	filter[0] = (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_CALLS; i++)
		filter[1 + i] = (struct sock_filter)
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, (unsigned char)(N_CALLS - i), 0);
	filter[N_CALLS + 1] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[N_CALLS + 2] = (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Decides about every call until nobody is left, and waits for @pid. Return: whether the N-th was among them */
static bool supervise(int listener, pid_t pid, int *ret_status, bool only_changes, unsigned long n, int error)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	unsigned long count = 0;
	bool began = false;

	/* One of the two is always asleep: without a wakeup across processors this is ten times as fast. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	for (;;) {
		struct pollfd wait[] = { { .fd = listener, .events = POLLIN }, { .fd = process, .events = POLLIN } };
		struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };
		struct seccomp_notif asked = {};
		const struct call *call;

		if (poll(wait, 2, -1) < 0)
			continue;
		/* Who is dead counts as gone when it has been waited for; since 6.11 before that. */
		if (process >= 0 && (wait[1].revents || wait[0].revents & POLLHUP)) {
			(void)waitpid(pid, ret_status, 0);
			close(process);
			process = -1;
			continue;
		}
		if (wait[0].revents & POLLHUP) {
			if (count < n)
				dprintf(9, "%lu\n", count);
			return count >= n;
		}
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
			continue;
		call = find(asked.data.nr);
		began |= call->number == SYS_fcntl;
		answer.id = asked.id;
		if (began && (!only_changes || changes(call, asked.data.args[0])) && ++count == n) {
			dprintf(9, "%lu %s(%llu)\n", n, call->name, asked.data.args[0]);
			answer.error = -error;
			answer.flags = 0;
			if (error == 0)
				kill((pid_t)asked.pid, SIGKILL);
		}
		(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static int parse_error(const char *name)
{
	for (int error = 1; error < 134; error++)
		if (strerrorname_np(error) && strcmp(strerrorname_np(error), name) == 0)
			return error;
	return 0;
}

int main(int argc, char **argv)
{
	bool only_changes = argc > 1 && strcmp(argv[1], "-c") == 0, reached;
	char **arguments = argv + 1 + only_changes;
	int listener, status = 0;
	pid_t pid;

	if (argc < 4 + only_changes || (strcmp(arguments[1], "kill") != 0 && parse_error(arguments[1]) == 0)) {
		fprintf(stderr, "usage: %s [-c] N kill|ERRNO COMMAND...\n", argv[0]);
		return 2;
	}
	/* The child makes the listener as our next descriptor, for the table is shared until it becomes COMMAND; so long we wait. */
	listener = dup(STDERR_FILENO);
	close(listener);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		if (install() != listener)
			_exit(126);
		execvp(arguments[2], arguments + 2);
		_exit(127);
	}
	reached = supervise(listener, pid, &status, only_changes, strtoul(arguments[0], NULL, 10), parse_error(arguments[1]));
	if (!reached)
		return NOT_REACHED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

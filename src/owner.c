/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owner.c - whose an ID is.
 *
 * Theory of operation
 *
 * An ID is unique below one runtime's root. Two roots, or two runtimes, may have a container of the same ID each, and say
 * so to nobody. What they tell us tells two things apart that look alike:
 *
 *	createRuntime for an ID that is attached: the same container once more, or its successor, of whose end nobody told us.
 *		It replaces the old one and keeps the address. Or it is another container, while the first runs: to replace would
 *		silently cut the first one off, so it is refused, and its runtime shows why.
 *	poststop for an ID that is attached: that container has ended. Or it is for another one of the same ID that was never
 *		created, since we refused it (runc then runs poststop hooks all the same), or for this one by mistake
 *		(containerd and nerdctl after a createRuntime that failed). Then the endpoint stays.
 *
 * A container is alive while its first process is, which createRuntime has told. Not while its network namespace exists:
 * that of a container that has ended goes some time later, in the kernel's own time, or when the last who holds it lets go,
 * and its successor may be quicker. Nor is the process's number enough, which may be another's by now: with the time
 * of its start it is one process for as long as the kernel runs, and /proc tells both to whom has no rights over it.
 *
 *	the same namespace					it is the same container		replaced
 *	another; the first process has ended			its successor				replaced
 *	another; it ends while we wait				its successor, in a hurry		replaced
 *	another; it lives on					another container			refused
 *
 * The wait is for a container that is being killed while its successor is made, or while its poststop runs already: a
 * process does not end in the moment in which it is sent SIGKILL.
 *
 * The other may be one that its runtime has lost, its record having been removed. So its process is named, to be ended.
 *
 * People are not asked back: `shunt attach` and `shunt detach` do what they are told.
 */
#include "owner.h"

#include <errno.h>

#include "process.h"

#define PATIENCE_MS 2000	/* far below the timeouts that hooks have */

void owner_record(struct shunt_endpoint *endpoint, pid_t pid)
{
	uint64_t started;

	if (pid == 0 || process_started(pid, &started) < 0)
		return;
	endpoint->pid = (uint32_t)pid;
	endpoint->started = started;
}

bool owner_lives(const struct shunt_endpoint *endpoint)
{
	return endpoint->pid != 0 && process_outlives((pid_t)endpoint->pid, endpoint->started, PATIENCE_MS);
}

int owner_check(const char *id, const struct shunt_endpoint *old, const struct shunt_endpoint *new, struct shunt_error *error)
{
	if (new->pid == 0 || (new->netns_ino == old->netns_ino && new->netns_dev == old->netns_dev))
		return 0;
	if ((new->pid == old->pid && new->started == old->started) || !owner_lives(old))
		return 0;
	return shunt_fail(error, -EEXIST, "%s is the ID of another container, which runs (process %u) and would lose its network; "
			  "give one of them another ID, or take it from that one with 'shunt detach %s'", id, old->pid, id);
}

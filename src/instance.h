/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * instance.h - one state directory, open: its pins, its locks, and a socket to the host's rtnetlink.
 *
 * Locks are flock()s on directories of the bpffs, so that the kernel releases them whatever happens to the holder.
 * They are taken in this order:
 *
 *	STATE			shared by every open instance; exclusive to load or unload the datapath
 *	STATE/endpoints/HOST	one endpoint: exclusive while anything of it is made or unmade
 *	STATE/uplinks		which uplinks are attached, and which networks were checked
 *	STATE/ports		which ports of the host are whose
 *	STATE/endpoints		shared while the kernel's grace periods are to be short: expedite.h
 */
#ifndef SHUNT_INSTANCE_H
#define SHUNT_INSTANCE_H

#include "datapath.h"
#include "netlink.h"
#include "registry.h"
#include "shunt/shunt.h"

struct shunt_instance {
	char *state;		/* path, no slash at its end */
	int fd;			/* of that directory, with the shared lock */
	struct datapath datapath;
	struct netlink *host;
};

/* Opens and locks a directory below STATE, making it if need be. Return: the fd, which is the lock, or an errno */
int instance_lock(const struct shunt_instance *instance, const char *directory, struct shunt_error *error);

/**
 * instance_lock_endpoint() - Locks the directory of one endpoint, making it
 * @wait:	wait for whoever has it; otherwise -EWOULDBLOCK
 * @ret_existed:	whether it was there before; may be NULL
 *
 * Return: the fd, which is the lock, or an errno
 */
int instance_lock_endpoint(const struct shunt_instance *instance, const char *host, bool wait, bool *ret_existed,
			   struct shunt_error *error);

/* Removes that directory, whose lock the caller holds, if it is empty. */
int instance_remove_endpoint(const struct shunt_instance *instance, const char *host, struct shunt_error *error);

/* Waits until nobody else has the instance open, and keeps it so. */
int instance_lock_alone(const struct shunt_instance *instance, struct shunt_error *error);

/* Trades the shared lock for the exclusive one if nobody else has the instance open: 1 or 0, or an errno. */
int instance_lock_exclusive(const struct shunt_instance *instance, struct shunt_error *error);

/*
 * Removes the datapath, and what one that is gone has left: devices, links, and pins aside. With the exclusive lock. -EXDEV:
 * there is a device in another network namespace.
 */
int instance_sweep(const struct shunt_instance *instance, struct shunt_error *error);

/* Opens and locks the state directory without a datapath. Return: -ENOENT where there is none */
int instance_open_bare(const char *state, struct shunt_instance **ret, struct shunt_error *error);

#endif

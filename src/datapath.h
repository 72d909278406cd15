/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * datapath.h - the programs and maps of one instance: loaded once, pinned, and found again.
 */
#ifndef SHUNT_DATAPATH_H
#define SHUNT_DATAPATH_H

#include <linux/bpf.h>

#include "link.h"
#include "shunt/shunt.h"

enum datapath_object {
	MAP_INTERFACES,
	MAP_ADDRESSES4,
	MAP_ADDRESSES6,
	MAP_REGISTRY,
	MAP_UNFINISHED,
	MAP_NETWORKS,
	MAP_RULES,
	MAP_META,
	MAP_FLOWS4,
	MAP_FLOWS6,
	MAP_PORTS,
	MAP_PUBLISHED,
	MAP_PUBLICATIONS,
	MAP_ANSWERS,
	MAP_LOCALS,
	MAP_DIALLED,
	MAP_UPLINKS,
	PROGRAM_FROM_CT,
	PROGRAM_TO_CT,
	PROGRAM_ACROSS,
	PROGRAM_FROM_WIRE,
	PROGRAM_FROM_WIRE_L3,
	PROGRAM_TO_WIRE,
	PROGRAM_TO_WIRE_L3,
	PROGRAM_GATE,
	PROGRAM_CONNECT4,
	PROGRAM_CONNECT6,
	PROGRAM_SENDMSG4,
	PROGRAM_SENDMSG6,
	PROGRAM_RECVMSG4,
	PROGRAM_RECVMSG6,
	PROGRAM_GETPEERNAME4,
	PROGRAM_GETPEERNAME6,
	PROGRAM_BIND4,
	PROGRAM_BIND6,
	DATAPATH_OBJECTS,
};

/* Their pins in datapath/, and their names in the BPF object. */
extern const char *const datapath_names[DATAPATH_OBJECTS];

/* Where they are pinned before they are whole, and again before they go. */
#define DATAPATH_STAGED "loading"

/* Maps, which come first. A program is opened where it is needed: most verbs need one or none. */
#define DATAPATH_MAPS PROGRAM_FROM_CT

struct datapath {
	int fd[DATAPATH_OBJECTS];	/* of programs in an upgrade alone */
};

#define DATAPATH_NONE { .fd = { [0 ... DATAPATH_OBJECTS - 1] = -EBADF } }

/*
 * Opens the maps of @state. -ENOENT: nothing is loaded; -EPROTO: a newer version's layout; -ESTALE: an older one's, see
 * upgrade.h; -EXDEV: another namespace's.
 */
int datapath_open(const char *state, struct datapath *ret, struct shunt_error *error);
/* The same without opening them. */
int datapath_check(const char *state, struct shunt_error *error);
void datapath_close(struct datapath *datapath);

/* Opens a program of @state. Return: its fd, the caller's to close, or an errno */
int datapath_program(const char *state, enum datapath_object program, struct shunt_error *error);

/* Whether @state has an object: an older version may have loaded fewer. */
bool datapath_has(const char *state, enum datapath_object object);

/* Loads and pins everything for the namespace we are in; the caller holds the state directory's exclusive lock. */
int datapath_load(const char *state, struct shunt_error *error);

/* What a killed load, upgrade or unload has left aside. */
int datapath_remove_staged(const char *state);

/* Takes the pins of programs and maps away, also those that a killed load or unload left; the same lock. */
int datapath_unload(const char *state, struct shunt_error *error);

/* Whether an endpoint of these flags (enum shunt_flag) has a program on the way into it, where there are answers to be let out. */
bool datapath_has_to_ct(uint32_t flags);

/* Attaches an endpoint's programs to its host end and pins the links in endpoints/HOST, a directory that exists. */
int datapath_attach(const char *state, const struct shunt_endpoint *endpoint, struct shunt_error *error);

/* The same for those of them that are not attached any more, whose pins may be there. */
int datapath_reattach(const char *state, const struct shunt_endpoint *endpoint, struct shunt_error *error);

/* For a driver with a gate: one more, on the container's end @peer in @netns_fd, or in our own namespace where that is -1. */
int datapath_attach_gate(const char *state, const char *host, int netns_fd, uint32_t peer, struct shunt_error *error);

/*
 * Removes those pins; none is no error. The kernel frees the links a while later, which is soon enough behind their
 * device; the second form detaches them first, and returns when no packet will see them any more.
 */
int datapath_detach(const char *state, const char *host, struct shunt_error *error);
int datapath_detach_now(const char *state, const char *host, struct shunt_error *error);

/*
 * Removes the pin of a link by its path, seen from the directory @at. Its program is off the device on return: without
 * its last pin the kernel detaches a link too, but in its own time.
 */
int datapath_remove_link(int at, const char *path);

/* Attaches a program to a device and pins the link, or takes such a pin and its link away; one that is not there is no error. */
int datapath_link(int program_fd, uint32_t ifindex, enum bpf_attach_type type, const char *pin, struct shunt_error *error);
int datapath_unlink(const char *path, struct shunt_error *error);

/*
 * Attaches the wire program to an uplink and pins it as uplinks/@ifindex. Return: 1, 0 where it was there already, or an
 * errno
 */
int datapath_attach_uplink(const struct datapath *datapath, const char *state, const struct link_state *uplink,
			   struct shunt_error *error);

/* Attaches shunt_to_wire as well, for networks that the host's stack routes, if it is not there. Return: 0, or an errno */
int datapath_attach_egress(const char *state, const struct link_state *uplink, struct shunt_error *error);

/* Whether the pinned link of an uplink still attaches a program of ours to that device: 1, 0, -ENOENT for no link, or an errno. */
int datapath_uplink_alive(const char *state, uint32_t ifindex, struct shunt_error *error);
/* Which sizes of an uplink were raised, a bit for each of enum link_size. */
uint32_t datapath_uplink_raised(const struct datapath *datapath, uint32_t ifindex);
int datapath_note_raised(const struct datapath *datapath, uint32_t ifindex, uint32_t raised);
/* Before an uplink is detached: no more flows leave by it with the host's address, whose answers nobody would translate. */
void datapath_forget_uplink(const struct datapath *datapath, uint32_t ifindex);
/* When it returns, the device is free of it: a program cannot be attached twice to one, and the next attach may be near. */
int datapath_detach_uplink(const char *state, uint32_t ifindex, struct shunt_error *error);

/* How many entries each map of flows has room for; 0 where that cannot be told. */
uint32_t datapath_flows(const struct datapath *datapath);

/* Whether any program is attached to a device where ours would be. */
bool datapath_has_programs(uint32_t ifindex);

/* Whether this kernel has tcx: 1, 0, or an errno. */
int datapath_probe_tcx(void);

#endif

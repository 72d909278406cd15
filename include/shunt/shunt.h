/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shunt.h - the engine: endpoints, and the networks that they belong to.
 *
 * Adapters (hooks/) and verbs (src/verb-*.c) translate what their caller said into one request and call in here;
 * the engine knows no caller, prints nothing and keeps nothing outside the kernel.
 *
 * Every function returns 0 or more on success and a negative errno on failure, and then `error->text` is one line
 * that names the thing, the cause and, where there is one, the remedy. `ret` arguments are written on success only.
 */
#ifndef SHUNT_H
#define SHUNT_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shunt/abi.h"

#define SHUNT_DEFAULT_STATE "/sys/fs/bpf/shunt"
#define SHUNT_DEFAULT_NETWORK "default"
#define SHUNT_DEFAULT_INTERFACE "eth0"
#define SHUNT_ROUTE_PROTOCOL 207

struct shunt_error {
	char text[512];
};

/* Writes the line and returns @r, so that a failure is one statement. @error may be NULL. */
int shunt_fail(struct shunt_error *error, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* An address, or with its length a prefix: family is AF_INET or AF_INET6, 0 for none. */
struct shunt_prefix {
	int family;
	uint8_t bytes[16];	/* network order; the first 4 for AF_INET */
	uint8_t length;		/* bits: 0..32, 0..128 */
};

enum shunt_routing {
	SHUNT_ROUTING_BPF,
	SHUNT_ROUTING_KERNEL,
};

/* What a flow's other end may be. */
struct shunt_rule {
	struct shunt_prefix remote;	/* family 0: any address */
	uint8_t protocol;		/* IPPROTO_TCP, IPPROTO_UDP, or IPPROTO_ICMP for that of either family; 0: any */
	uint16_t port_low;		/* both included: 0 and 65535 for all, and where there are none */
	uint16_t port_high;
};

#define SHUNT_MAX_LIST 256

struct shunt_rule_list {
	bool given;
	size_t n;
	struct shunt_rule rule[SHUNT_MAX_LIST];
};

#define SHUNT_MAX_UPLINKS 16

/* A network as its file says it, defaults filled in. shunt.network(5) */
struct shunt_network {
	char name[SHUNT_NETWORK_MAX];
	struct shunt_prefix subnet4;	/* family 0 where it has none */
	struct shunt_prefix subnet6;
	enum shunt_mode mode;
	uint32_t mtu;			/* 0: the uplink's */
	bool uplinks_auto;		/* the interfaces that carry a default route */
	char uplinks[SHUNT_MAX_UPLINKS][IFNAMSIZ];
	size_t n_uplinks;
	enum shunt_routing routing;
	bool masquerade;
	uint16_t port_low;		/* masquerade leaves from these ports, both included; 0: chosen by ports_choose() */
	uint16_t port_high;
	uint32_t flows;			/* entries that each map of flows shall have room for; 0: whatever it has */
	bool isolate;
	bool internal;
	bool big_tcp;			/* packets above 64 KiB: src/big.h */
	struct shunt_rule_list rules[SHUNT_RULES_KINDS];	/* by enum shunt_rules_kind */
};

#define SHUNT_MAX_ADDRESSES 2
#define SHUNT_MAX_PUBLISH 64

/* What attach is asked for. Only id and a namespace are needed; the rest is NULL, 0 or -1 for the default. */
struct shunt_request {
	const char *id;
	int netns_fd;			/* of the container; the caller's own to close */
	pid_t pid;			/* its first process, if a runtime told: while that lives, no other container has the ID */
	const char *network;
	const char *addresses[SHUNT_MAX_ADDRESSES];	/* "10.207.0.9", with or without a length */
	size_t n_addresses;
	const char *interface;
	uint32_t mtu;
	enum shunt_mode mode;		/* 0: the network's */
	enum shunt_driver driver;	/* 0: netkit, or veth where the kernel has none */
	const char *publish[SHUNT_MAX_PUBLISH];	/* "8080:80", "127.0.0.1:5300:53/udp": shunt(1) */
	size_t n_publish;
	const char *service;		/* whose ports these are, shared with others of its name; or the container's alone */
};

/* An endpoint as it is now: the registry's record, and what the kernel says to it. */
enum shunt_status {
	SHUNT_STATUS_READY,
	SHUNT_STATUS_PENDING,		/* somebody is at work on it right now */
	SHUNT_STATUS_STALE,		/* its container, or whoever began it, is gone: gc takes it */
};

#define SHUNT_NOTICE_MAX 160

/* What the container has received and sent, as its own interface counts. */
struct shunt_traffic {
	bool known;			/* else it is gone, or we may not look at it */
	uint64_t rx_packets;
	uint64_t rx_bytes;		/* Ethernet headers included, also where there are none */
	uint64_t tx_packets;
	uint64_t tx_bytes;
};

struct shunt_info {
	char id[SHUNT_ID_MAX + 1];
	char interface[SHUNT_IFNAME_MAX];	/* peer's name in the container */
	enum shunt_status status;
	char stale_reason[128];			/* why, where status is stale */
	char notice[SHUNT_NOTICE_MAX];		/* of an attach: what else of the host it has changed; mostly "" */
	struct shunt_endpoint endpoint;
	struct shunt_traffic traffic;
	struct shunt_counters counters;		/* summed over the CPUs */
};

struct shunt_instance;	/* one state directory with its datapath, open */

/*
 * Opens an instance. With @create it mounts bpffs where there is none, makes the directory and loads the datapath
 * if it is not there yet; without, -ENOENT says that nothing is loaded.
 */
int shunt_open(const char *state, bool create, struct shunt_instance **ret, struct shunt_error *error);
struct shunt_instance *shunt_close(struct shunt_instance *instance);

static inline void shunt_closep(struct shunt_instance **instance)
{
	shunt_close(*instance);
}

/* All or nothing; -EEXIST never for the same ID and interface: the old one is replaced and keeps its address. */
int shunt_attach(struct shunt_instance *instance, const struct shunt_request *request, struct shunt_info *ret,
		 struct shunt_error *error);

/*
 * The same in two halves, for a manager that moves the container's end in by itself (systemd-nspawn). shunt_prepare()
 * makes all of it but leaves that end in our own namespace, down, under the name that shunt_parked_name() gives;
 * request->netns_fd is not looked at. shunt_complete() finds it in @netns_fd under the interface's name, addresses it and
 * lets packets in. In between the endpoint is pending, and lives for as long as the pair does.
 */
int shunt_prepare(struct shunt_instance *instance, const struct shunt_request *request, struct shunt_info *ret,
		  struct shunt_error *error);
int shunt_complete(struct shunt_instance *instance, const char *id, const char *interface, int netns_fd,
		   struct shunt_info *ret, struct shunt_error *error);
void shunt_parked_name(const char *id, const char *interface, char ret[static SHUNT_IFNAME_MAX]);

/* Takes all interfaces of @id back. Returns how many there were; an unknown ID is 0, not an error. */
int shunt_detach(struct shunt_instance *instance, const char *id, struct shunt_error *error);

/* The same at a runtime's word that the container has ended; what is of one that lives stays, and is not counted. */
int shunt_detach_ended(struct shunt_instance *instance, const char *id, struct shunt_error *error);

/* Undoes an attach: takes that one endpoint back, unless it was replaced or taken back since. */
int shunt_undo(struct shunt_instance *instance, const struct shunt_info *info, struct shunt_error *error);

/* All endpoints, or those of one ID where @id is not NULL, in the order of ID and interface; *ret is the caller's to free. */
int shunt_list(struct shunt_instance *instance, const char *id, struct shunt_info **ret, size_t *ret_n, struct shunt_error *error);

/*
 * Published ports: "[HOSTADDR:]HOSTPORT[-END]:PORT[-END][/tcp|udp]", many, of an endpoint that is attached. All or nothing;
 * -EADDRINUSE names who holds one. @interface is NULL where the container has only one.
 */
int shunt_publish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *specs, size_t n,
		  const char *service, struct shunt_error *error);

/* Takes them back; all of them where @n is 0. -ENOENT for one that is not there. Returns how many ports there were. */
int shunt_unpublish(struct shunt_instance *instance, const char *id, const char *interface, const char *const *specs, size_t n,
		    struct shunt_error *error);

/* What is published, as the maps have it: in the order of ifindex, protocol, address and port. */
struct shunt_port {
	struct shunt_publication_key key;
	struct shunt_publication value;
};

/* *ret is the caller's to free. */
int shunt_ports(struct shunt_instance *instance, struct shunt_port **ret, size_t *ret_n, struct shunt_error *error);

struct shunt_gc_result {
	unsigned endpoints;	/* that were taken back */
	unsigned mended;	/* that live, and lacked something */
	unsigned uplinks;	/* attached or detached */
	bool unloaded;		/* nothing was left, so the datapath went too */
};

/*
 * Takes the path, not an instance: what is to be collected may be the remains of one. It goes on behind what it cannot
 * take back, and then fails with the first of these.
 */
int shunt_gc(const char *state, struct shunt_gc_result *ret, struct shunt_error *error);

#define SHUNT_VERSION_MAX 25

struct shunt_upgrade_result {
	char from[SHUNT_VERSION_MAX];	/* the version that had loaded the datapath; "" where there is none */
	unsigned links;			/* of endpoints and uplinks that changed over; 0 where all was as it should be */
};

/* Replaces the programs of another version by this one's and converts its maps, with no packet lost. */
int shunt_upgrade(const char *state, struct shunt_upgrade_result *ret, struct shunt_error *error);

/* Networks: files in the directory SHUNT_NETWORKS (or /etc/shunt/networks), and the built-in default. */
int shunt_network_load(const char *name, struct shunt_network *ret, struct shunt_error *error);
/* Names in their order, NULL-terminated; the caller's to free with strv_free(). */
int shunt_network_names(char ***ret, struct shunt_error *error);

/* Words for what is shown. */
const char *shunt_drop_name(enum shunt_drop drop);
const char *shunt_driver_name(enum shunt_driver driver);
const char *shunt_mode_name(enum shunt_mode mode);
const char *shunt_status_name(enum shunt_status status);

#endif

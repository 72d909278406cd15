/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handover.c - the second half of an attach whose container's end somebody else has moved in.
 *
 * Whoever moved it may have flushed what was on it, and renamed it; nothing on the host's side has changed. It came up
 * nowhere in between: the programs were attached before it could be moved.
 */
#include "attachment.h"
#include "names.h"
#include "registry.h"

void shunt_parked_name(const char *id, const char *interface, char ret[static SHUNT_IFNAME_MAX])
{
	host_name(id, interface, ret);
	ret[1] = 'p';	/* nk... and np... are the two ends */
}

/* Reads what the first half wrote; completing what is complete does it once more, as a restarted manager will. */
static int resume(struct attachment *a, const char *id, struct shunt_error *error)
{
	char name[SHUNT_NETWORK_MAX + 1] = "";
	int r = registry_get(&a->instance->datapath, &a->key, &a->endpoint);

	if (r < 0)
		return r == -ENOENT ? shunt_fail(error, r, "%s: nothing was prepared for its %s", id, a->interface)
				    : registry_fail(r, error);
	if (a->endpoint.state != SHUNT_PREPARED && a->endpoint.state != SHUNT_READY)
		return shunt_fail(error, -ESTALE, "%s: whoever prepared its %s was killed; detach it and begin anew", id,
				  a->interface);
	memcpy(name, a->endpoint.network, SHUNT_NETWORK_MAX);
	return shunt_network_load(name, &a->network, error);
}

static int complete(struct shunt_instance *instance, const char *id, const char *interface, int netns_fd,
		    struct shunt_info *ret, struct shunt_error *error)
{
	struct attachment a = { .instance = instance };
	_cleanup_(netlink_closep) struct netlink *container = NULL;
	_cleanup_close_ int lock = -EBADF;
	struct link_state peer;
	char host[SHUNT_IFNAME_MAX];
	int r = id_check(id, error);

	if (r >= 0)
		r = interface_name_check(interface, error);
	if (r < 0)
		return r;
	copy_name(a.interface, sizeof(a.interface), interface);
	registry_key(id, interface, &a.key);
	host_name(id, interface, host);
	endpoint_mac(id, interface, a.mac);
	lock = instance_lock_endpoint(instance, host, true, NULL, error);
	if (lock < 0)
		return lock;
	r = resume(&a, id, error);
	if (r == -ENOENT)
		(void)instance_remove_endpoint(instance, host, NULL);
	if (r >= 0)
		r = endpoint_check_netns(netns_fd, &a.endpoint, error);
	if (r >= 0)
		r = netlink_open_at(netns_fd, &container, error);
	if (r < 0)
		return r;
	r = link_get(container, interface, 0, &peer, NULL);
	if (r < 0)
		return shunt_fail(error, r, r == -ENODEV ? "%s: the container has no interface %s: %s" :
				  "%s: cannot look at the container's %s: %s", id, interface, strerror(-r));
	/* Its manager may have made one of its own, and ours is where it was. */
	if (peer.other != a.endpoint.ifindex)
		return shunt_fail(error, -EEXIST, "%s: its %s is not the one that was prepared; tell its manager to move that one in, and "
				  "to make none of its own", id, interface);
	a.container = container;
	a.peer = peer.ifindex;
	r = attachment_finish(&a, error);
	if (r >= 0)
		attachment_describe(&a, ret);
	return r;
}

int shunt_complete(struct shunt_instance *instance, const char *id, const char *interface, int netns_fd,
		   struct shunt_info *ret, struct shunt_error *error)
{
	int r = complete(instance, id, interface, netns_fd, ret, error);

	(void)endpoint_collect_unfinished(instance, NULL);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * publish.c - which container has which port of the host.
 *
 * Theory of operation
 *
 * A publication is one port of one address of the host, or of all addresses of a family, that leads to one port of one
 * endpoint. It is made in this order, under the lock "ports":
 *
 *	1. the programs at the host's sockets that its protocol needs are attached, and know the host's addresses
 *	2. the port's bit is set: from here on no process can bind to all addresses with it
 *	3. it is looked for among the sockets of the host; who has it by now is named, and keeps it
 *	4. its entry in "publications"
 *	5. itself as a backend in "published": packets come
 *	6. in "answers", by which port of the host its own is reached
 *
 * and taken back in the order 5, 4, 6, 2, and 1 with the last one of its protocol. So what is in "publications" is all there is of it,
 * "published", "answers" and the bits can be made from that again, and what has no endpoint any more is found by its host end's
 * index. Nothing but "published" leads a packet anywhere: what "answers" says is looked up there (R1 in bpf/published.h).
 *
 * Invariants
 *
 *	P1. One port, one holder: of the publications whose addresses have one in common, all are of one endpoint, or of one
 *	    service. They are compared under the lock.
 *	P2. Who looks for what an endpoint has published finds it (I3 in endpoint.c): the record is flagged before the first.
 *	P3. The members of a service have the same ports. Where these lead in the container, and on which addresses of the
 *	    host they are, may differ.
 *
 * A port that a process got without bind(), as the source of a connection or a datagram, is not reserved: the kernel asks
 * nobody there. bpf/flow.h says what becomes of its packets.
 */
#include "publish.h"

#include <sys/stat.h>

#include "answers.h"
#include "claim.h"
#include "sockets.h"

int publish_lock(const struct shunt_instance *instance, struct shunt_error *error)
{
	/* An earlier version made no such directory. */
	if (mkdirat(instance->fd, "ports", 0700) < 0 && errno != EEXIST)
		return shunt_fail(error, -errno, "%s/ports: cannot be made: %m", instance->state);
	return instance_lock(instance, "ports", error);
}

/* Reads what is there. */
static int look(struct claim *claim, struct shunt_error *error)
{
	int r = port_table_list(&claim->instance->datapath, &claim->all, &claim->n_all);

	claim->bits = calloc(1, sizeof(*claim->bits));
	if (r >= 0 && !claim->bits)
		r = -ENOMEM;
	for (size_t i = 0; i < claim->n_all && r >= 0; i++)
		port_set_add(claim->bits, &claim->all[i].key.host);
	return r < 0 ? claim_map_fail(r, error) : 0;
}

/* Makes "published" what the publications say. */
static int rebuild(const struct claim *claim, struct shunt_error *error)
{
	int r = port_table_rebuild(&claim->instance->datapath, claim->all, claim->n_all);

	return r < 0 ? claim_map_fail(r, error) : 0;
}

/* What the datapath is told of ports, and what is attached for them, becomes what @bits say, which are of all that is left. */
static int settle(struct shunt_instance *instance, const struct port_set *bits, struct shunt_error *error)
{
	int r = answers_write(&instance->datapath);

	if (r >= 0)
		r = port_table_write_bits(&instance->datapath, bits);
	return r < 0 ? claim_map_fail(r, error) : sockets_detach(instance, port_set_protocols(bits), error);
}

/* Takes back what of it was done. */
static void undo(struct claim *claim, size_t n_done)
{
	struct port_set *bits = claim->bits;

	for (size_t i = 0; i < n_done; i++)
		(void)port_table_remove(&claim->instance->datapath, &claim->new[i]);
	*bits = (struct port_set){};
	for (size_t i = 0; i < claim->n_all; i++)
		port_set_add(bits, &claim->all[i].key.host);
	(void)settle(claim->instance, bits, NULL);
}

/* Steps 1 to 6, but that the host's addresses are known */
static int take(struct claim *claim, struct shunt_error *error)
{
	const struct datapath *datapath = &claim->instance->datapath;
	size_t done = 0;
	int r;

	for (size_t i = 0; i < claim->n_new; i++)
		port_set_add(claim->bits, &claim->new[i].key.host);
	r = sockets_attach(claim->instance, port_set_protocols(claim->bits), error);
	if (r >= 0) {
		r = port_table_write_bits(datapath, claim->bits);
		if (r < 0)
			claim_map_fail(r, error);
	}
	if (r >= 0)
		r = claim_check_sockets(claim, error);
	while (r >= 0 && done < claim->n_new) {
		r = port_table_add(datapath, &claim->new[done++]);
		if (r < 0)
			claim_map_fail(r, error);
	}
	if (r >= 0) {
		r = answers_write(datapath);
		if (r < 0)
			claim_map_fail(r, error);
	}
	if (r < 0)
		undo(claim, done);
	return r;
}

int publish_claim(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct publication *specs, size_t n,
		  const char *service, struct shunt_error *error)
{
	_cleanup_(claim_done) struct claim claim = { .instance = instance, .endpoint = endpoint, .service = service };
	_cleanup_close_ int lock = publish_lock(instance, error);
	int r;

	if (lock < 0)
		return lock;
	r = look(&claim, error);
	if (r >= 0)
		r = claim_expand(&claim, specs, n, error);
	/* Who asked for it was killed on the way, perhaps between two steps. */
	if (r >= 0 && claim_forget_known(&claim))
		r = rebuild(&claim, error);
	if (r >= 0)
		r = sockets_refresh_locals(instance, error);
	if (r >= 0)
		r = claim_check(&claim, specs, n, error);
	return r < 0 ? r : take(&claim, error);
}

/* As it was before give_back(), whose caller can try the same once more then. */
static void keep(struct claim *claim)
{
	const struct datapath *datapath = &claim->instance->datapath;

	for (size_t i = 0; i < claim->n_all; i++)
		port_set_add(claim->bits, &claim->all[i].key.host);
	(void)port_table_restore(datapath, claim->all, claim->n_all);
	(void)port_table_rebuild(datapath, claim->all, claim->n_all);
	(void)answers_write(datapath);
	(void)port_table_write_bits(datapath, claim->bits);
	(void)sockets_attach(claim->instance, port_set_protocols(claim->bits), NULL);
}

/* Return: how many ports went, or an errno */
static int give_back(struct claim *claim, struct shunt_error *error)
{
	size_t gone = 0;
	int r;

	*claim->bits = (struct port_set){};
	for (size_t i = 0; i < claim->n_all; i++) {
		if (!claim_wants(claim, &claim->all[i])) {
			port_set_add(claim->bits, &claim->all[i].key.host);
			continue;
		}
		r = port_table_remove(&claim->instance->datapath, &claim->all[i]);
		if (r < 0)
			return claim_map_fail(r, error);
		gone++;
	}
	/* Where none went, too: one that was killed before it had any leaves bits, and programs. */
	r = settle(claim->instance, claim->bits, error);
	return r < 0 ? r : (int)gone;
}

/* Each of those that were asked for is one that there is. */
static int check_there(const struct claim *claim, struct shunt_error *error)
{
	for (size_t i = 0; i < claim->n_new; i++) {
		char text[PORT_HOST_TEXT_MAX + 4];
		size_t k = 0;

		while (k < claim->n_all && (memcmp(&claim->all[k].key, &claim->new[i].key, sizeof(claim->new[i].key)) != 0 ||
					    claim->all[k].value.port != claim->new[i].value.port))
			k++;
		if (k == claim->n_all)
			return shunt_fail(error, -ENOENT, "port %s is not published so by this container",
					  port_format_host(&claim->new[i].key.host, text));
	}
	return 0;
}

int publish_release(struct shunt_instance *instance, const struct shunt_endpoint *endpoint, const struct publication *specs, size_t n,
		    struct shunt_error *error)
{
	_cleanup_(claim_done) struct claim claim = { .instance = instance, .endpoint = endpoint };
	_cleanup_close_ int lock = publish_lock(instance, error);
	int r;

	if (lock < 0)
		return lock;
	r = look(&claim, error);
	if (r >= 0)
		r = claim_expand(&claim, specs, n, error);
	if (r >= 0)
		r = check_there(&claim, error);
	if (r >= 0 && n > 0)
		r = claim_check_rest(&claim, error);
	if (r < 0)
		return r;
	r = give_back(&claim, error);
	if (r < 0 && n > 0)
		keep(&claim);
	return r;
}

/* Removes what is of no endpoint. What one has that is just made or taken back is of a record that is there. */
static int remove_orphans(struct claim *claim, struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *entries = NULL;
	size_t n, kept = 0;
	int r = registry_list(&claim->instance->datapath, NULL, &entries, &n);

	if (r < 0)
		return registry_fail(r, error);
	for (size_t i = 0; i < claim->n_all; i++) {
		size_t k = 0;

		while (k < n && entries[k].endpoint.ifindex != claim->all[i].key.ifindex)
			k++;
		if (k < n) {
			claim->all[kept++] = claim->all[i];
			continue;
		}
		r = port_table_remove(&claim->instance->datapath, &claim->all[i]);
		if (r < 0)
			return claim_map_fail(r, error);
	}
	claim->n_all = kept;
	return 0;
}

int publish_mend(struct shunt_instance *instance, struct shunt_error *error)
{
	_cleanup_(claim_done) struct claim claim = { .instance = instance };
	_cleanup_close_ int lock = publish_lock(instance, error);
	int r;

	if (lock < 0)
		return lock;
	r = look(&claim, error);
	if (r >= 0)
		r = remove_orphans(&claim, error);
	if (r < 0)
		return r;
	r = rebuild(&claim, error);
	if (r < 0)
		return r;
	*claim.bits = (struct port_set){};
	for (size_t i = 0; i < claim.n_all; i++)
		port_set_add(claim.bits, &claim.all[i].key.host);
	if (claim.n_all > 0) {
		r = sockets_refresh_locals(instance, error);
		if (r >= 0)
			r = sockets_attach(instance, port_set_protocols(claim.bits), error);
	}
	return r < 0 ? r : settle(instance, claim.bits, error);
}

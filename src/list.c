/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.c - what is attached, as the registry says it and the kernel confirms it.
 */
#include <fcntl.h>
#include <sys/file.h>

#include "endpoint.h"
#include "mend.h"
#include "traffic.h"

/* Whether somebody is at work on an endpoint right now. Looks without making anything. */
static bool is_locked(struct shunt_instance *instance, const struct shunt_endpoint *endpoint)
{
	char path[64];
	_cleanup_close_ int fd = -EBADF;

	snprintf(path, sizeof(path), "endpoints/%.16s", endpoint->host);
	fd = openat(instance->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/*
 * The list was read without locks, so what looks dead may have been detached or attached anew since: then its record is
 * another, and is looked at again. Return: whether there is anything to show
 */
static bool describe(struct shunt_instance *instance, const struct registry_entry *seen, struct shunt_info *ret)
{
	struct registry_entry entry = *seen;

	for (;;) {
		struct shunt_endpoint now;

		*ret = (struct shunt_info) { .endpoint = entry.endpoint };
		ret->status = entry.endpoint.state == SHUNT_PREPARED ? SHUNT_STATUS_PENDING : SHUNT_STATUS_READY;
		memcpy(ret->id, entry.key.id, SHUNT_ID_MAX);
		memcpy(ret->interface, entry.key.interface, sizeof(ret->interface));
		(void)interface_counters(&instance->datapath, entry.endpoint.ifindex, &ret->counters);
		if (!endpoint_is_dead(instance, &entry, ret->stale_reason, sizeof(ret->stale_reason))) {
			(void)traffic_read(instance->host, entry.endpoint.ifindex, &ret->traffic, NULL);
			if (mend_is_needed(instance, &entry, ret->stale_reason, sizeof(ret->stale_reason)) <= 0)
				return true;
		}
		ret->status = is_locked(instance, &entry.endpoint) ? SHUNT_STATUS_PENDING : SHUNT_STATUS_STALE;
		if (registry_get(&instance->datapath, &entry.key, &now) < 0)
			return false;
		if (memcmp(&now, &entry.endpoint, sizeof(now)) == 0)
			break;
		entry.endpoint = now;
	}
	if (ret->status == SHUNT_STATUS_PENDING)
		ret->stale_reason[0] = '\0';
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct shunt_info *x = a, *y = b;
	int r = strcmp(x->id, y->id);

	return r != 0 ? r : strcmp(x->interface, y->interface);
}

int shunt_list(struct shunt_instance *instance, const char *id, struct shunt_info **ret, size_t *ret_n,
	       struct shunt_error *error)
{
	_cleanup_free_ struct registry_entry *entries = NULL;
	_cleanup_free_ struct shunt_info *list = NULL;
	size_t n, shown = 0;
	int r = registry_list(&instance->datapath, id, &entries, &n);

	if (r < 0)
		return registry_fail(r, error);
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return shunt_fail(error, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		if (describe(instance, &entries[i], &list[shown]))
			shown++;
	qsort(list, shown, sizeof(*list), compare);
	*ret = TAKE_PTR(list);
	*ret_n = shown;
	return 0;
}

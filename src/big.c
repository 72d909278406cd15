/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "big.h"

#include <bpf/btf.h>

#include "forward.h"

/* By its type, which went when the header did. Where that cannot be told, it may. */
static bool kernel_marks_ipv6(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const bool marks = !btf || btf__find_by_name_kind(btf, "hop_jumbo_hdr", BTF_KIND_STRUCT) >= 0;

	btf__free(btf);
	return marks;
}

/* The second question takes some milliseconds. */
static bool ipv6_is_forwarded_and_marked(const struct shunt_network *network)
{
	return (network->routing == SHUNT_ROUTING_KERNEL || forward_enabled("all", AF_INET6) == 1) && kernel_marks_ipv6();
}

void big_sizes(const struct shunt_network *network, uint32_t ret[static LINK_SIZES])
{
	for (size_t i = 0; i < LINK_SIZES; i++)
		ret[i] = network->big_tcp ? BIG_SIZE : LINK_SIZE_DEFAULT;
	if (network->big_tcp && ipv6_is_forwarded_and_marked(network))
		ret[LINK_GSO] = ret[LINK_GRO] = LINK_SIZE_DEFAULT;
}

void big_limit(uint32_t size[static LINK_SIZES], const struct link_state *uplink)
{
	for (size_t i = 0; i < LINK_SIZES; i++)
		if (uplink->size[i] < size[i])
			size[i] = uplink->size[i];
}

static uint32_t raised_size(const struct link_state *uplink)
{
	return uplink->size_max < BIG_SIZE ? uplink->size_max : BIG_SIZE;
}

static int set_sizes(struct shunt_instance *instance, const struct link_state *uplink, const uint32_t size[static LINK_SIZES],
		     struct shunt_error *error)
{
	_cleanup_nlmsg_ struct nl_msg *msg = link_msg_sizes(uplink->ifindex, size);
	struct shunt_error words;
	int r = netlink_call(instance->host, msg, NULL, NULL, &words);

	return r < 0 ? shunt_fail(error, r, "uplink %s: gso_max_size: %s", uplink->name, words.text) : 0;
}

int big_raise(struct shunt_instance *instance, struct link_state *uplink, const uint32_t want[static LINK_SIZES],
	      struct shunt_error *error)
{
	uint32_t size[LINK_SIZES], raised = 0;
	int r;

	for (size_t i = 0; i < LINK_SIZES; i++) {
		size[i] = uplink->size[i];
		if (size[i] != LINK_SIZE_DEFAULT || want[i] <= LINK_SIZE_DEFAULT || raised_size(uplink) <= LINK_SIZE_DEFAULT)
			continue;
		size[i] = raised_size(uplink);
		raised |= 1U << i;
	}
	if (!raised)
		return 0;
	r = datapath_note_raised(&instance->datapath, uplink->ifindex,
				 raised | datapath_uplink_raised(&instance->datapath, uplink->ifindex));
	if (r < 0)
		return shunt_fail(error, r, "uplink %s: cannot be recorded: %s", uplink->name, strerror(-r));
	r = set_sizes(instance, uplink, size, error);
	if (r < 0)
		return r;
	memcpy(uplink->size, size, sizeof(size));
	return 1;
}

int big_restore(struct shunt_instance *instance, uint32_t ifindex, struct shunt_error *error)
{
	const uint32_t raised = datapath_uplink_raised(&instance->datapath, ifindex);
	uint32_t size[LINK_SIZES];
	struct link_state uplink;
	int r = raised ? link_get(instance->host, NULL, ifindex, &uplink, error) : -ENODEV;

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < LINK_SIZES; i++)
		size[i] = raised & 1U << i && uplink.size[i] == raised_size(&uplink) ? LINK_SIZE_DEFAULT : uplink.size[i];
	r = memcmp(size, uplink.size, sizeof(size)) != 0 ? set_sizes(instance, &uplink, size, error) : 0;
	return r == -ENODEV ? 0 : r;
}

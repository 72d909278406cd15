// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What publish.h says, without a packet: publish.c writes the question and reads the answer. */
#include "../../../bpf/publish.h"

struct shunt_tuple tuple;
struct shunt_backend backend;
bool open, found;

SEC("tc")
int ask(struct __sk_buff *skb)
{
	struct shunt_tuple asked = tuple;
	struct shunt_backend answer = {};
	int where;

	(void)skb;
	open = port_published(asked.dport, asked.protocol);
	where = publish_find(&asked, &answer);
	found = where;
	backend = answer;
	if (found)
		publish_count(&asked, answer.ifindex, where);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

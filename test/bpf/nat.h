/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * nat.h - flows that are translated: packets of both sides of them, and the map that they leave behind.
 *
 * What is expected is built from addresses and ports like any packet, all checksums anew: nothing of it is carried over from
 * what went in, but for the port that the datapath chose, where it had a choice.
 */
#ifndef SHUNT_TEST_NAT_H
#define SHUNT_TEST_NAT_H

#include <time.h>

#include "harness.h"

#define HOST4 "198.51.100.1"
#define HOST6 "2001:db8:100::1"
#define ROUTER4 "198.51.100.254"
#define ROUTER6 "2001:db8:100::fe"
#define BOB4 "10.207.0.3"
#define BOB6 "fd07::3"

enum { LOW = 61000, HIGH = 61999, INSIDE = 61234 /* one of them */, OUTSIDE = 40000 };

#ifndef BPF_F_TEST_SKB_CHECKSUM_COMPLETE
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)
#endif

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

/* One of both families, by the number that loops have for it. */
static const char *const alice[2] = { ALICE4, ALICE6 }, *const bob[2] = { BOB4, BOB6 }, *const host[2] = { HOST4, HOST6 };
static const char *const wire[2] = { WIRE4, WIRE6 }, *const router[2] = { ROUTER4, ROUTER6 };

/* Both families, and in each: all that is translated. */
#define EACH_WAY(v6, protocol) \
	(int v6 = 0, protocol = IPPROTO_TCP; v6 < 2; \
	 protocol = protocol == IPPROTO_TCP ? IPPROTO_UDP : protocol == IPPROTO_UDP ? IPPROTO_ICMP : IPPROTO_TCP, \
	 v6 += protocol == IPPROTO_TCP)

static inline const char *address_of(enum who who, bool v6)
{
	return v6 ? endpoints[who].address6 : endpoints[who].address4;
}

static inline int icmp_of(bool v6)
{
	return v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

/* A packet from a socket to another. Of ICMP, the request of an echo, with the source's port, or its reply with the other's. */
static inline struct spec leg(int protocol, const char *from, int sport, const char *to, int dport)
{
	const bool v6 = strchr(to, ':');
	struct spec s = { .from = from, .to = to, .protocol = protocol, .sport = sport, .dport = dport };

	if (protocol == IPPROTO_ICMP) {
		s.protocol = icmp_of(v6);
		s.type = sport ? 0 : v6 ? 129 : ZERO;
	}
	return s;
}

/* Ports of the other side, which has none in an echo. */
static inline int remote(int protocol)
{
	return protocol == IPPROTO_ICMP ? 0 : 443;
}

/* Of a checksum, from the transport header on. */
static inline int checksum_at(int protocol)
{
	return protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
}

static inline struct packet arriving(struct spec s)
{
	return macs(packet_make(s), UPLINK_MAC, ROUTER_MAC);
}

/* As a container in l3 mode gets it. */
static inline struct packet landed(struct spec s)
{
	return macs(hop(packet_make(s)), NO_MAC, NO_MAC);
}

static inline void from_text(const char *text, uint8_t ret[static 16])
{
	memset(ret, 0, 16);
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, ret), 1);
		return;
	}
	memset(ret + 10, 0xff, 2);
	assert_int_equal(inet_pton(AF_INET, text, ret + 12), 1);
}

static inline struct shunt_tuple tuple_of(struct spec s)
{
	struct shunt_tuple t = { .sport = htons(s.sport), .dport = htons(s.dport), .protocol = s.protocol };

	from_text(s.from, t.source);
	from_text(s.to, t.destination);
	return t;
}

static inline void map_address4(uint8_t to[16], uint32_t address)
{
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	memcpy(to + 12, &address, sizeof(address));
}

/* An entry's key as the map of its family has it. */
union entry_key {
	struct shunt_tuple v6;
	struct shunt_tuple4 v4;
};

static inline int entry_map(const struct shunt_tuple *t, union entry_key *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, 0xff };

	if (memcmp(t->source, mapped, sizeof(mapped)) != 0) {
		ret->v6 = *t;
		return bpf_map__fd(skel->maps.flows6);
	}
	ret->v4 = (struct shunt_tuple4) { .sport = t->sport, .dport = t->dport, .protocol = t->protocol };
	memcpy(&ret->v4.source, t->source + 12, sizeof(ret->v4.source));
	memcpy(&ret->v4.destination, t->destination + 12, sizeof(ret->v4.destination));
	return bpf_map__fd(skel->maps.flows4);
}

static inline bool entry_read(const struct shunt_tuple *t, struct shunt_flow *ret)
{
	union entry_key key;
	const int fd = entry_map(t, &key);

	return bpf_map_lookup_elem(fd, &key, ret) == 0;
}

static inline void entry_write(const struct shunt_tuple *t, const struct shunt_flow *flow, uint64_t how)
{
	union entry_key key;
	const int fd = entry_map(t, &key);

	assert_int_equal(bpf_map_update_elem(fd, &key, flow, how), 0);
}

/* What a map's size may do to an entry at any time. */
static inline void entry_lose(const struct shunt_tuple *t)
{
	union entry_key key;
	const int fd = entry_map(t, &key);

	assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

/* The keys of all entries. Return: how many, @max at most */
static inline int entries(struct shunt_tuple *ret, int max)
{
	struct shunt_tuple4 key4;
	int n = 0, at;

	for (void *last = NULL; n < max && bpf_map_get_next_key(bpf_map__fd(skel->maps.flows4), last, &key4) == 0; last = &key4) {
		ret[n] = (struct shunt_tuple) { .sport = key4.sport, .dport = key4.dport, .protocol = key4.protocol };
		map_address4(ret[n].source, key4.source);
		map_address4(ret[n++].destination, key4.destination);
	}
	at = n;
	while (n < max && bpf_map_get_next_key(bpf_map__fd(skel->maps.flows6), n > at ? &ret[n - 1] : NULL, &ret[n]) == 0)
		n++;
	return n;
}

static inline bool has_flow(struct spec s, struct shunt_flow *ret)
{
	struct shunt_tuple t = tuple_of(s);
	struct shunt_flow flow;

	return entry_read(&t, ret ?: &flow);
}

static inline void set_flow(struct spec s, const struct shunt_flow *flow)
{
	struct shunt_tuple t = tuple_of(s);

	entry_write(&t, flow, BPF_EXIST);
}

static inline void lose(struct spec s)
{
	struct shunt_tuple t = tuple_of(s);

	entry_lose(&t);
}

static inline uint32_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + t.tv_nsec) / (1 << 30) + 1;
}

/* Makes an entry seem to have been silent for so long. */
static inline void age(struct spec s, uint64_t seconds)
{
	struct shunt_flow flow;

	assert_true(has_flow(s, &flow));
	flow.seen = clock_now() - (uint32_t)((seconds * 1000000000) >> 30);
	/* 0 means something else, and is when a machine booted that is just as old. */
	flow.seen -= !flow.seen;
	flow.uplink_until = 0;
	set_flow(s, &flow);
}

static inline int count_entries(void)
{
	static struct shunt_tuple all[2 * FLOWS_MAX];

	return entries(all, 2 * FLOWS_MAX);
}

static inline void empty(struct bpf_map *map)
{
	uint8_t key[64];

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, key) == 0)
		bpf_map_delete_elem(bpf_map__fd(map), key);
}

static inline void forget_flows(void)
{
	empty(skel->maps.flows4);
	empty(skel->maps.flows6);
}

/* Which ports are ours, and of what kind. */
static inline void mark_ports(int from, int to, bool masquerade, int published)
{
	for (int port = from; port <= to; port++) {
		struct shunt_ports bits;
		uint32_t at = port / 64;
		const uint64_t bit = UINT64_C(1) << port % 64;

		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.ports), &at, &bits), 0);
		bits.masquerade |= masquerade ? bit : 0;
		bits.tcp |= published == IPPROTO_TCP ? bit : 0;
		bits.udp |= published == IPPROTO_UDP ? bit : 0;
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &at, &bits, 0), 0);
	}
}

/* Publishes a port of an address of the host for one endpoint. */
static inline void publish(const char *at, int port, int protocol, enum who who, const char *address, int inside)
{
	struct shunt_published_key key = { .port = htons(port), .protocol = protocol };
	struct shunt_published p = { .n = 1, .backend[0] = { .ifindex = IFINDEX(who), .port = htons(inside) } };
	struct shunt_publication_key mine = { .ifindex = IFINDEX(who) };
	struct shunt_publication counter = { .port = htons(inside) };

	from_text(at, key.address);
	from_text(address, p.backend[0].address);
	mine.host = key;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.publications), &mine, &counter, 0), 0);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.published), &key, &p, 0), 0);
	mark_ports(port, port, false, protocol);
}

static inline void masquerade(enum who who, int low, int high)
{
	also[who].flags |= SHUNT_F_MASQUERADE4 | SHUNT_F_MASQUERADE6;
	also[who].port_low = low;
	also[who].port_high = high;
	mark_ports(low, high, true, 0);
	put_interface(who, 0);
	put_addresses(who);
}

static inline void may_publish(enum who who)
{
	also[who].flags |= SHUNT_F_PUBLISHED;
	put_interface(who, 0);
	put_addresses(who);
}

/* From here on, only what has a rule of this kind. */
static inline void restrict_to(enum who who, uint32_t flag)
{
	also[who].flags |= flag;
	also[who].policy = who;
	put_interface(who, 0);
	put_addresses(who);
}

/* What a prefix's entry says: one range. */
static inline void rule(enum who who, enum shunt_rules_kind kind, const char *address, int length, int protocol, int low, int high)
{
	const bool v6 = strchr(address, ':');
	struct shunt_rules_key key = { .length = (v6 ? 32 : 128) + length, .set = SHUNT_RULES_SET(who, kind, v6) };
	struct shunt_rules rules = { .n = 1, .range = { { .protocol = protocol, .low = low, .high = high } } };

	from_text(address, key.address);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.rules), &key, &rules, BPF_ANY), 0);
}

/* ALICE is masqueraded, BOB may have published ports, and of nobody is any flow known. */
static inline int fresh_nat(void **state)
{
	const struct shunt_ports none = { 0 };

	for (uint32_t i = 0; i < 65536 / 64; i++)
		bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &i, &none, 0);
	memset(also, 0, sizeof(also));
	forget_flows();
	empty(skel->maps.fragments);
	empty(skel->maps.rules);
	empty(skel->maps.published);
	empty(skel->maps.publications);
	fresh(state);
	for (int who = NOBODY + 1; who < EVERYBODY; who++)
		put_addresses(who);
	masquerade(ALICE, LOW, HIGH);
	may_publish(BOB);
	return 0;
}

#define NAT_TEST(name) cmocka_unit_test_setup(name, fresh_nat)

/* Return: the port, or identifier, that a packet with a plain header comes from. */
static inline int source_port(const struct packet *p)
{
	const uint8_t *l4 = p->data + (is4(p) ? IP4 + 20 : IP6 + 40);
	const int protocol = p->data[is4(p) ? IP4 + 9 : IP6 + 6];

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		l4 += 4;
	return l4[0] << 8 | l4[1];
}

/* Sends the first packet of a flow to the wire, which all of is right. Return: the port that it leaves from. */
static inline int leaves(const char *file, int line, enum who who, struct spec s)
{
	struct packet in = packet_make(s), out, want;
	struct spec due = s;
	char where[64];

	snprintf(where, sizeof(where), "%s:%d", file, line);
	if (run(where, FROM_CT(who), &in, &out) != REDIRECTED)
		fail_msg("%s: did not leave", where);
	due.from = host[strchr(s.to, ':') != NULL];
	due.sport = source_port(&out);
	want = hop(packet_make(due));
	check_packet(where, out.data, out.len, &want);
	check_counters(where, &(struct outcome){ 0 });
	return due.sport;
}

#define LEAVES(...) leaves(__FILE__, __LINE__, __VA_ARGS__)

/* A packet of the wire reaches a container as if it had been sent to this address and port; by which device is not seen here. */
#define ARRIVES_AS(who, s, as) CHECK(FROM_WIRE(), arriving(s), REDIRECTED, .out = landed(as))

#endif

// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Masqueraded flows against a model that knows whose each port is, step by step.
 *
 * SHUNT_MODEL_STEPS widens it, and SHUNT_MODEL_SEED begins where another run did. With a range that is tried whole, a packet
 * may only be dropped if each port of it is somebody's.
 */
#include "nat.h"

enum { FEW = 32, PORTS = 14 /* of each container */, REMOTES = 2, FIRST = 61 * 1024, HOLE = FIRST + 5, PUBLIC = FIRST + 9 };

static const enum who members[] = { ALICE, LONER, STRANGER };
static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

struct socket {
	int who, v6, protocol, remote, at;	/* indices */
	int n;			/* the port that it has had last */
	bool lost;		/* its original entry */
};

struct port {
	struct socket *owner;	/* NULL: nobody's */
	bool dead, closed;
	bool lost;		/* its reply's entry */
	bool orphan;		/* its owner has another by now */
};

static struct socket sockets[3][2][3][REMOTES][PORTS];
static struct port ports[2][3][REMOTES][FEW];
static uint64_t seed, steps, outs, ins, drops, moved;

static uint32_t chance(uint32_t n)
{
	static uint64_t x;

	x = (x ?: seed) * 6364136223846793005 + 1442695040888963407;
	return (x >> 33) % n;
}

static const char *remote_text(int v6, int remote)
{
	return v6 ? (remote ? "2001:db8:9::a" : WIRE6) : remote ? "192.0.2.201" : WIRE4;
}

/* Some would keep theirs. */
static int number_of(const struct socket *s)
{
	return s->at % 3 ? OUTSIDE + s->at : FIRST + s->at;
}

static struct spec out_of(const struct socket *s)
{
	const int protocol = protocols[s->protocol];
	const char *from = address_of(members[s->who], s->v6), *to = remote_text(s->v6, s->remote);
	struct spec out = leg(protocol, from, number_of(s), to, remote(protocol));

	out.flags = ACK;
	return out;
}

static struct spec in_to(const struct socket *s, int n)
{
	const int protocol = protocols[s->protocol];
	struct spec in = leg(protocol, remote_text(s->v6, s->remote), remote(protocol), host[s->v6], n);

	in.flags = ACK;
	return in;
}

static struct port *port_of(const struct socket *s, int n)
{
	return &ports[s->v6][s->protocol][s->remote][n - FIRST];
}

static bool allowed(const struct socket *s, int n)
{
	return n >= FIRST && n < FIRST + FEW && n != HOLE && (n != PUBLIC || protocols[s->protocol] == IPPROTO_ICMP);
}

static bool is_free(const struct port *p)
{
	return !p->owner || p->dead || p->lost;
}

static bool owns(const struct socket *s)
{
	const struct port *p = s->n ? port_of(s, s->n) : NULL;

	return p && p->owner == s && !p->dead && !p->orphan;
}

#define CLAIM(condition) do { \
	if (!(condition)) \
		fail_msg("seed %ju, step %ju: not: %s", (uintmax_t)seed, (uintmax_t)steps, #condition); \
} while (0)

/* May a flow that begins have this port? One of a closed connection only if there is no other. */
static void check_choice(const struct socket *s, int n)
{
	CLAIM(allowed(s, n));
	CLAIM(is_free(port_of(s, n)) || port_of(s, n)->closed || port_of(s, n)->owner == s);
	/* Unless what is left of the flow goes on. */
	if (n != s->n && allowed(s, number_of(s)) && is_free(port_of(s, number_of(s))))
		CLAIM(n == number_of(s));
	if (is_free(port_of(s, n)) || port_of(s, n)->owner == s)
		return;
	for (int i = FIRST; i < FIRST + FEW; i++)
		CLAIM(!allowed(s, i) || !is_free(port_of(s, i)));
}

static void check_refusal(const struct socket *s)
{
	for (int i = FIRST; i < FIRST + FEW; i++)
		CLAIM(!allowed(s, i) || !(is_free(port_of(s, i)) || port_of(s, i)->closed));
	CLAIM(!owns(s));
}

static bool is_closed(struct spec s)
{
	const uint32_t both = SHUNT_FLOW_FIN_ORIGINAL | SHUNT_FLOW_FIN_REPLY;
	struct shunt_flow flow;

	return has_flow(s, &flow) && (flow.state & both) == both;
}

static void send_out(struct socket *s, uint8_t flags)
{
	struct spec spec = out_of(s), due;
	struct packet in, out, want;
	bool renewed = owns(s) && port_of(s, s->n)->lost;
	int n;

	spec.flags = flags;
	in = packet_make(spec);
	outs++;
	if (run("model", FROM_CT(members[s->who]), &in, &out) != REDIRECTED) {
		drops++;
		check_refusal(s);
		return;
	}
	n = source_port(&out);
	due = spec;
	due.from = host[s->v6];
	due.sport = n;
	want = hop(packet_make(due));
	check_packet("model", out.data, out.len, &want);
	if (owns(s) && !s->lost)
		CLAIM(n == s->n);
	else if (!owns(s) || n != s->n)
		check_choice(s, n);
	if (owns(s) && n != s->n)
		port_of(s, s->n)->orphan = true;
	moved += s->n && n != s->n;
	/* Where another had its port for a while and left, it may be the old flow yet, closed as it was. */
	if (!owns(s) || n != s->n)
		*port_of(s, n) = (struct port){ .owner = s, .closed = n == s->n && is_closed(in_to(s, n)) };
	s->n = n;
	s->lost = port_of(s, n)->lost = false;
	if (renewed)
		CLAIM(has_flow(in_to(s, n), NULL));
	CLAIM(has_flow(out_of(s), NULL));
}

/* To any port, whosever it is. */
static void bring_in(struct socket *any, int n, uint8_t flags)
{
	struct port *p = port_of(any, n);
	struct spec spec = in_to(any, n), as;
	struct packet in, out, want;
	int verdict;

	spec.flags = flags;
	in = arriving(spec);
	ins++;
	verdict = run("model", FROM_WIRE(), &in, &out);
	if (verdict == REDIRECTED) {
		CLAIM(p->owner && !p->dead && !p->lost);
		as = spec;
		as.to = out_of(p->owner).from;
		as.dport = number_of(p->owner);
		want = landed(as);
		check_packet("model", out.data, out.len, &want);
		if (p->orphan && (!p->owner->lost || !has_flow(out_of(p->owner), NULL)))
			return;
		CLAIM(has_flow(out_of(p->owner), NULL));
		if (p->orphan) {
			/* What was left of an older flow is all that is left. */
			port_of(p->owner, p->owner->n)->orphan = true;
			p->orphan = false;
			p->owner->n = n;
		}
		p->owner->lost = false;
		return;
	}
	CLAIM(verdict == (protocols[any->protocol] == IPPROTO_TCP && allowed(any, n) ? DROPPED : PASS_ON));
	CLAIM(!p->owner || p->dead || p->lost || p->orphan);
	if (p->dead || p->orphan)
		*p = (struct port){ 0 };
}

static void age_if_there(struct spec s, unsigned int seconds)
{
	if (has_flow(s, NULL))
		age(s, seconds);
}

/* All that may befall a flow without a packet. */
static void befall(struct socket *s)
{
	struct port *p = port_of(s, s->n);
	const struct spec out = out_of(s), in = in_to(s, s->n);

	switch (chance(5)) {
	case 0:
		age_if_there(out, 100000);
		age_if_there(in, 100000);
		p->dead = true;
		break;
	case 1:
		if (!p->lost && !s->lost) {
			lose(in);
			age(out, 2);
			p->lost = true;
		}
		break;
	case 2:
		if (!p->lost && !s->lost) {
			lose(out);
			age(in, 2);
			s->lost = true;
		}
		break;
	case 3:
		if (has_flow(out, NULL))
			lose(out);
		if (has_flow(in, NULL))
			lose(in);
		*p = (struct port){ 0 };
		break;
	case 4:
		if (protocols[s->protocol] != IPPROTO_TCP || p->lost || s->lost)
			break;
		send_out(s, FIN | ACK);
		bring_in(s, s->n, FIN | ACK);
		p->closed = true;
		break;
	}
}

/* The next packet of each flow that lives finds the clock one unit on. (Who changes entries as it walks meets them again.) */
static void tick(void)
{
	static struct shunt_tuple keys[2 * sizeof(ports) / sizeof(struct port) + 2 * sizeof(sockets) / sizeof(struct socket)];
	struct shunt_flow flow;
	int n = entries(keys, sizeof(keys) / sizeof(keys[0]));

	while (n-- > 0) {
		assert_true(entry_read(&keys[n], &flow));
		if (clock_now() - flow.seen > 1000)
			continue;
		flow.seen = clock_now() - 2;
		flow.uplink_until = 0;
		entry_write(&keys[n], &flow, BPF_EXIST);
	}
}

static struct socket *any_socket(void)
{
	const int who = chance(3), v6 = chance(2), protocol = chance(3), remote = chance(REMOTES), at = chance(PORTS);
	struct socket *s = &sockets[who][v6][protocol][remote][at];

	s->who = who;
	s->v6 = v6;
	s->protocol = protocol;
	s->remote = remote;
	s->at = at;
	return s;
}

/* No two flows that live are one to their peer. */
static void check_all(void)
{
	for (struct socket *s = (void *)sockets; s < (struct socket *)(sockets + 3); s++) {
		struct shunt_flow flow, reply;

		if (!owns(s) || s->lost || port_of(s, s->n)->lost)
			continue;
		CLAIM(has_flow(out_of(s), &flow));
		CLAIM(ntohs(flow.to.sport) == s->n);
		CLAIM(has_flow(in_to(s, s->n), &reply));
		CLAIM(reply.to_ifindex == (uint32_t)IFINDEX(members[s->who]) && flow.from_ifindex == reply.to_ifindex);
	}
}

static void few_for_all(void)
{
	const struct shunt_ports none = { 0 };
	const uint32_t at = FIRST / 64;

	for (uint32_t i = 0; i < 65536 / 64; i++)
		bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &i, &none, 0);
	for (int i = 0; i < 3; i++)
		masquerade(members[i], FIRST, FIRST + FEW - 1);
	bpf_map_update_elem(bpf_map__fd(skel->maps.ports), &at, &none, 0);
	mark_ports(FIRST, HOLE - 1, true, 0);
	mark_ports(HOLE + 1, FIRST + FEW - 1, true, 0);
	mark_ports(PUBLIC, PUBLIC, true, IPPROTO_TCP);
	mark_ports(PUBLIC, PUBLIC, true, IPPROTO_UDP);
}

static void whatever_happens_a_port_is_one_flow_s(void **state)
{
	const char *wide = getenv("SHUNT_MODEL_STEPS"), *again = getenv("SHUNT_MODEL_SEED");
	const uint64_t all = wide ? strtoull(wide, NULL, 0) : 30000;
	struct timespec now;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &now);
	seed = again ? strtoull(again, NULL, 0) : (uint64_t)now.tv_nsec + 1;
	print_message("SHUNT_MODEL_SEED=%ju\n", (uintmax_t)seed);
	few_for_all();
	for (steps = 0; steps < all; steps++) {
		struct socket *s = any_socket();
		const uint32_t what = chance(100);

		if (what < 55)
			send_out(s, ACK);
		else if (what < 85)
			bring_in(s, FIRST + chance(FEW), ACK);
		else if (what < 99 && owns(s))
			befall(s);
		else if (what == 99)
			tick();
		if (steps % 1000 == 0)
			check_all();
	}
	print_message("%ju steps: %ju out, %ju in, %ju refused, %ju moved to another port\n", (uintmax_t)steps, (uintmax_t)outs,
		      (uintmax_t)ins, (uintmax_t)drops, (uintmax_t)moved);
	assert_true(drops > all / 1000);
	assert_true(moved > all / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAT_TEST(whatever_happens_a_port_is_one_flow_s),
	};

	return cmocka_run_group_tests_name("nat-model", tests, setup, teardown);
}

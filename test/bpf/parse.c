// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* What a container may send and what is malformed: lengths, versions, options and extension headers. */
#include "harness.h"

static void lengths_and_versions_that_lie_are_malformed(void **state)
{
	static const struct { int at, byte; } lies4[] = {
		{ IP4, 0x55 }, { IP4, 0x65 }, { IP4, 0x05 }, { IP4, 0x44 }, { IP4, 0x40 }, { IP4, 0x4f },
		{ IP4_TOT_LEN, 0xff }, { IP4_TOT_LEN + 1, 0 }, { IP4_TOT_LEN + 1, 19 }, { IP4_TOT_LEN + 1, 61 },
	};
	static const struct { int at, byte; } lies6[] = {
		{ IP6, 0x40 }, { IP6, 0x70 }, { IP6_PAYLOAD_LEN, 0xff }, { IP6_PAYLOAD_LEN + 1, 41 },
		{ IP6_PAYLOAD_LEN + 1, 0 },
	};
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(lies4) / sizeof(*lies4); i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4);
		p.data[lies4[i].at] = lies4[i].byte;
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
		CHECK(FROM_VETH(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	/* The same with options. */
	for (int length = 0; length < 0x10000; length += length < 80 ? 1 : 4095) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\1\1\1\0", .extra_len = 4);
		if (length >= 24 && length <= (int)p.len - IP4)
			continue;
		put16(p.data + IP4_TOT_LEN, length);
		seal4(&p);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	for (size_t i = 0; i < sizeof(lies6) / sizeof(*lies6); i++) {
		p = PACKET(.from = ALICE6, .to = WIRE6);
		p.data[lies6[i].at] = lies6[i].byte;
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
}

static void padding_behind_the_packet_is_harmless(void **state)
{
	struct packet p = PACKET(.from = ALICE4, .to = WIRE4, .payload = ZERO);

	(void)state;
	p.len = 60;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	p = PACKET(.from = ALICE6, .to = WIRE6, .payload = ZERO);
	p.len += 4;
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
}

static void a_packet_of_headers_alone_goes_out(void **state)
{
	struct packet p = PACKET(.from = ALICE6, .to = WIRE6, .protocol = IPPROTO_NONE);

	(void)state;
	p.len = IP6 + 40;
	put16(p.data + IP6_PAYLOAD_LEN, 0);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	p = PACKET(.from = ALICE4, .to = WIRE4);
	p.len = IP4 + 20;
	put16(p.data + IP4_TOT_LEN, 20);
	seal4(&p);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
}

static void source_routes_are_malformed(void **state)
{
	static const struct { const char *bytes; size_t len; } options[] = {
		{ "\x83\7\4\n\xcf\0\3\0", 8 },		/* loose */
		{ "\x89\7\4\n\xcf\0\3\0", 8 },		/* strict */
		{ "\1\1\1\x89\7\4\n\xcf\0\3\0\0", 12 },	/* behind padding */
		{ "\7\3\0\x83\7\4\n\xcf\0\3\0\0", 12 },	/* behind another */
		{ "\7\1\0\0", 4 },			/* a length that goes nowhere */
		{ "\7\0\0\0", 4 },
		{ "\7\5\0\0", 4 },			/* past the end */
		{ "\1\1\1\7", 4 },			/* no length at all */
	};
	char type0[24] = { IPPROTO_UDP, 2, 0, 1 }, hidden[32] = { IPPROTO_ROUTING, 0, 1, 4 }, many[80] = { 0 };
	static const char fragment[48] = {
		[0] = IPPROTO_ROUTING, 4, 0, 1,
		[8] = IPPROTO_DSTOPTS, 2, 0, 1,
		[32] = IPPROTO_UDP, 1, [40] = IPPROTO_UDP, 0, 2,
	};
	static const char ah[36] = { [0] = IPPROTO_ROUTING, 1, [12] = IPPROTO_UDP, 2, 0, 1, IPPROTO_UDP, 0, 2 };
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .extra = options[i].bytes, .extra_len = options[i].len);
		CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	}
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = type0, .extra_len = 24, .next = IPPROTO_ROUTING);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	memcpy(hidden + 8, type0, 24);
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = hidden, .extra_len = 32, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	/* Behind headers whose length is not told as others'. Read as others', they would hide it. */
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = fragment, .extra_len = 48, .next = IPPROTO_FRAGMENT);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = ah, .extra_len = 36, .next = IPPROTO_AH);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	/* One more header than anyone looks behind. */
	for (int i = 0; i < 9; i++)
		many[i * 8] = i == 8 ? IPPROTO_UDP : IPPROTO_DSTOPTS;
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = many, .extra_len = 72, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = many + 8, .extra_len = 64, .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	/* A whole packet, by its first fragment header, that a second one makes a fragment. */
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = "\54\0\0\0\0\0\0\7" "\21\0\5\270\0\0\0\7", .extra_len = 16,
		   .next = IPPROTO_FRAGMENT);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
	/* A chain that is cut off. */
	p = PACKET(.from = ALICE6, .to = WIRE6, .extra = "\21\377\0\0\0\0\0\0", .extra_len = 8,
		   .next = IPPROTO_DSTOPTS);
	CHECK(FROM_CT(ALICE), p, DROPPED, .loser = ALICE, .why = SHUNT_DROP_MALFORMED);
}

static void fragments_and_harmless_options_go_out(void **state)
{
	static const unsigned int fragments[] = { IP4_MF, IP4_MF | 185, 185, IP4_DF };
	static const struct { const char *bytes; size_t len; int next; } extras[] = {
		{ "\0\0\1\4\0\0\0\0", 8, IPPROTO_HOPOPTS },
		{ "\0\0\1\4\0\0\0\0", 8, IPPROTO_DSTOPTS },
		{ "\0\0\0\1\0\0\0\7", 8, IPPROTO_FRAGMENT },	/* first of several */
		{ "\0\0\5\270\0\0\0\7", 8, IPPROTO_FRAGMENT },	/* last */
		{ "\0\0\2\0\0\0\0\0" "\xfd\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2", 24, IPPROTO_ROUTING },	/* type 2 */
		{ "\0\1\0\0\0\0\0\0\0\0\0\0", 12, IPPROTO_AH },
	};
	struct packet p;

	(void)state;
	for (int i = 0; i < 4; i++) {
		p = PACKET(.from = ALICE4, .to = WIRE4, .frag = fragments[i]);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	}
	p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\1\1\7\7\4\0\0\0\0\0\0\0", .extra_len = 12);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));	/* record route */
	p = PACKET(.from = ALICE4, .to = WIRE4, .extra = "\x94\4\0\0\0\x83\0\0", .extra_len = 8);
	CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));	/* router alert; nothing past the end */
	for (size_t i = 0; i < sizeof(extras) / sizeof(*extras); i++) {
		char extra[32];

		memcpy(extra, extras[i].bytes, extras[i].len);
		extra[0] = IPPROTO_UDP;
		p = PACKET(.from = ALICE6, .to = WIRE6, .extra = extra, .extra_len = extras[i].len,
			   .next = extras[i].next);
		CHECK(FROM_CT(ALICE), p, REDIRECTED, .out = hop(p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lengths_and_versions_that_lie_are_malformed),
		TEST(padding_behind_the_packet_is_harmless),
		TEST(a_packet_of_headers_alone_goes_out),
		TEST(source_routes_are_malformed),
		TEST(fragments_and_harmless_options_go_out),
	};

	return cmocka_run_group_tests_name("parse", tests, setup, teardown);
}

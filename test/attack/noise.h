/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * noise.h - what an enemy's frames are made of: chance, bytes and sums.
 */
#ifndef SHUNT_TEST_NOISE_H
#define SHUNT_TEST_NOISE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <linux/if_ether.h>

#define FRAME_MAX 90000		/* more than any length field can say */
#define POOL_MAX 32

struct frame {
	uint16_t ethertype;	/* what it says that it is */
	bool v6;
	size_t l3, l4;		/* where the headers begin */
	size_t len;
	uint8_t data[FRAME_MAX];
};

/* A family's addresses: the sender's own, and all that it likes to pose as or to speak to. */
struct pool {
	uint8_t own[16];
	uint8_t other[POOL_MAX][16];
	unsigned int n, real;	/* the first of them are somebody's */
};

static struct pool pools[2];	/* IPv4, IPv6 */
static uint8_t own_mac[ETH_ALEN];
static uint64_t seed;

static inline uint64_t any(void)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;	/* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline unsigned int below(unsigned int n)
{
	return (any() >> 32) % n;
}

static inline bool one_in(unsigned int n)
{
	return below(n) == 0;
}

#define ONE_OF(...) ((const unsigned int[]){ __VA_ARGS__ }[below(sizeof((unsigned int[]){ __VA_ARGS__ }) / sizeof(int))])

static inline void set16(uint8_t *at, unsigned int value)
{
	at[0] = value >> 8;
	at[1] = value;
}

/* Appends @n bytes of noise. Return: where they are. */
static inline uint8_t *grow(struct frame *f, size_t n)
{
	uint8_t *at = f->data + f->len;

	if (n > FRAME_MAX - f->len)
		n = FRAME_MAX - f->len;
	for (size_t i = 0; i < n; i += 8) {
		uint64_t noise = any();

		memcpy(at + i, &noise, n - i < 8 ? n - i : 8);
	}
	f->len += n;
	return at;
}

static inline uint8_t *grow_zero(struct frame *f, size_t n)
{
	uint8_t *at = f->data + f->len;

	memset(at, 0, n);
	f->len += n;
	return at;
}

static inline uint32_t add_up(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return sum;
}

static inline uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Writes the transport's checksum as if all were well; what is no header of that kind takes no harm. */
static inline void seal(struct frame *f, uint8_t protocol)
{
	size_t len = f->len - f->l4;
	uint8_t *l4 = f->data + f->l4, *addresses = f->data + f->l3 + (f->v6 ? 8 : 12);
	int at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 :
		 protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? 2 : -1;
	uint32_t sum = protocol == IPPROTO_ICMP ? 0 : add_up(addresses, f->v6 ? 32 : 8, len + protocol);

	if (at < 0 || len < (size_t)at + 2)
		return;
	set16(l4 + at, 0);
	set16(l4 + at, folded(add_up(l4, len, sum)));
}

#endif

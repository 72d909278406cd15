// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * flood DEVICE SECONDS udp|syn|scan OWN ADDRESS...
 *
 * Sends datagrams, or TCP's first word to each of their ports, from OWN to ADDRESSes of its family as fast as it goes;
 * scan: to all that differ in their last 16 bits, so that the host looks for neighbours whom nobody has heard of.
 * Prints how many it has sent a second.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/if_packet.h>

#include "noise.h"

#define SOCKETS 64

static void write_flood(struct frame *f, bool syn, bool scan)
{
	struct pool *p = &pools[f->v6];
	uint8_t *ip = f->data + ETH_HLEN;
	uint8_t protocol = syn ? IPPROTO_TCP : IPPROTO_UDP, *to = ip + (f->v6 ? 24 : 16);

	f->len = ETH_HLEN;
	memcpy(f->data, own_mac, ETH_ALEN);
	set16(f->data + 12, f->v6 ? ETH_P_IPV6 : ETH_P_IP);
	f->l3 = f->len;
	grow_zero(f, f->v6 ? 40 : 20);
	f->l4 = f->len;
	grow_zero(f, syn ? 20 : 64);
	memcpy(ip + (f->v6 ? 8 : 12), p->own, f->v6 ? 16 : 4);
	memcpy(to, p->other[below(p->n)], f->v6 ? 16 : 4);
	if (scan)
		set16(to + (f->v6 ? 14 : 2), any());
	ip[0] = f->v6 ? 0x60 : 0x45;
	ip[f->v6 ? 6 : 9] = protocol;
	ip[f->v6 ? 7 : 8] = 64;
	set16(ip + (f->v6 ? 4 : 2), f->len - (f->v6 ? f->l4 : f->l3));
	if (!f->v6)
		set16(ip + 10, folded(add_up(ip, 20, 0)));
	set16(f->data + f->l4, any());
	set16(f->data + f->l4 + 2, syn && one_in(2) ? 7000 : any());
	if (syn)
		f->data[f->l4 + 12] = 5 << 4, f->data[f->l4 + 13] = 2;
	else
		set16(f->data + f->l4 + 4, 64);
	seal(f, protocol);
}

/* Packets that wait for a neighbour's answer count against their socket: so there are many, none of which waits. */
static void open_sockets(const char *device, int fds[static SOCKETS])
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(device) };
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	for (int i = 0; i < SOCKETS; i++) {
		fds[i] = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
		if (bind(fds[i], (struct sockaddr *)&to, sizeof(to)) || ioctl(fds[i], SIOCGIFHWADDR, &request)) {
			perror(device);
			exit(1);
		}
	}
	memcpy(own_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	static struct frame f;
	double begin = now(), seconds;
	unsigned long n = 0, sent = 0;
	int fds[SOCKETS];

	if (argc < 6)
		return 2;
	open_sockets(argv[1], fds);
	seconds = atof(argv[2]);
	f.v6 = strchr(argv[4], ':');
	for (int i = 4; i < argc && i < POOL_MAX; i++)
		if (inet_pton(f.v6 ? AF_INET6 : AF_INET, argv[i], i == 4 ? pools[f.v6].own : pools[f.v6].other[i - 5]) != 1)
			return 2;
	pools[f.v6].n = argc - 5;
	for (; n % 256 || now() - begin < seconds; n++) {
		write_flood(&f, !strcmp(argv[3], "syn"), !strcmp(argv[3], "scan"));
		sent += send(fds[n % SOCKETS], f.data, f.len, 0) >= 0;
	}
	printf("%.0f a second\n", sent / seconds);
	return 0;
}

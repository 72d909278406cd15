// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * packets DEVICE COUNT SEED OWN4 OWN6 ADDRESS...
 *
 * Sends COUNT frames out of DEVICE, past the IP stack, by each way that a packet socket has: plain, past the queueing
 * discipline, with a checksum or a segmentation that it asks for (PACKET_VNET_HDR), and with the kernel's own link-layer
 * header. Some come from OWN4 or OWN6 and some from ADDRESSes, and they go to all of these.
 *
 * Prints how many the kernel took and how many it refused, which is also what a netkit device says of one it dropped.
 * The same SEED gives the same frames.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "frames.h"

enum { PLAIN, VNET, COOKED, WAYS };	/* each of them also past the qdisc */

static const char *const always[] = {
	"127.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.1.1", "192.0.2.66", "240.0.0.1",
	"::1", "::", "ff02::1", "ff02::2", "ff05::1:3", "fe80::1", "fe80::200:ff:fe00:0", "2001:db8::66",
	"::ffff:10.99.0.1", "::10.99.0.1", "64:ff9b::a63:1",
};

static void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void read_address(const char *text, bool own)
{
	bool v6 = strchr(text, ':');
	struct pool *p = &pools[v6];

	if ((!own && p->n == POOL_MAX) || inet_pton(v6 ? AF_INET6 : AF_INET, text, own ? p->own : p->other[p->n]) != 1) {
		errno = EINVAL;
		die(text);
	}
	p->n += !own;
}

static int open_way(int way, bool bypass, const char *device)
{
	int fd = socket(AF_PACKET, way == COOKED ? SOCK_DGRAM : SOCK_RAW, 0), yes = 1, room = 1 << 22;
	struct ifreq request = { 0 };

	if (fd < 0)
		die("socket");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		die(device);
	memcpy(own_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) ||
	    (bypass && setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes))) ||
	    (way == VNET && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes))))
		die("setsockopt");
	return fd;
}

/* What is asked of the device: a checksum where it belongs or anywhere, segments of a kind that fits or does not. */
static struct virtio_net_hdr offload(const struct frame *f)
{
	struct virtio_net_hdr h = { 0 };

	if (!one_in(4)) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = one_in(2) ? f->l4 : below(one_in(8) ? 65536 : f->l4 + 8);
		h.csum_offset = one_in(2) ? ONE_OF(6, 16, 2) : below(one_in(8) ? 65536 : 32);
	} else if (one_in(4)) {
		h.flags = any();
	}
	if (one_in(2)) {
		h.gso_type = ONE_OF(VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6, VIRTIO_NET_HDR_GSO_UDP,
				    VIRTIO_NET_HDR_GSO_UDP_L4, below(256));
		h.gso_type |= one_in(8) ? VIRTIO_NET_HDR_GSO_ECN : 0;
		h.gso_size = one_in(8) ? below(65536) : ONE_OF(1, 8, 100, 536, 1400, 1448, 0xffff);
		h.hdr_len = one_in(4) ? below(65536) : f->l4 + 20;
	}
	return h;
}

/* Return: whether the kernel took it. */
static bool send_one(int fd, int way, int ifindex, struct frame *f)
{
	struct virtio_net_hdr h = { 0 };
	size_t skip = way == COOKED && f->len > ETH_HLEN ? ETH_HLEN : 0;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = ifindex, .sll_halen = ETH_ALEN,
		.sll_protocol = htons(one_in(30) ? ONE_OF(ETH_P_IP, ETH_P_IPV6, ETH_P_ALL, ETH_P_8021Q, 4) : f->ethertype),
	};
	struct iovec part[2] = { { &h, way == VNET ? sizeof(h) : 0 }, { f->data + skip, f->len - skip } };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 2 };

	if (way == VNET)
		h = offload(f);
	memcpy(to.sll_addr, f->data, ETH_ALEN);
	if (sendmsg(fd, &m, 0) >= 0)
		return true;
	if (errno == ENODEV || errno == ENXIO || errno == ENETDOWN || errno == EPERM)
		die("sendmsg");
	return false;
}

int main(int argc, char **argv)
{
	static struct frame f;
	unsigned long count, taken = 0, refused = 0;
	int fds[WAYS][2], ifindex;

	if (argc < 7) {
		fprintf(stderr, "usage: packets DEVICE COUNT SEED OWN4 OWN6 ADDRESS...\n");
		return 2;
	}
	ifindex = if_nametoindex(argv[1]);
	count = strtoul(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0);
	for (int i = 4; i < argc; i++)
		read_address(argv[i], i < 6);
	for (int v6 = 0; v6 < 2; v6++)
		pools[v6].real = pools[v6].n;
	if (!pools[0].real || !pools[1].real) {
		fprintf(stderr, "packets: an address of each family, at least\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		read_address(always[i], false);
	for (int way = 0; way < WAYS; way++)
		for (int bypass = 0; bypass < 2; bypass++)
			fds[way][bypass] = open_way(way, bypass, argv[1]);

	for (unsigned long i = 0; i < count; i++) {
		int way = ONE_OF(PLAIN, PLAIN, VNET, VNET, COOKED);

		frame_make(&f);
		*(send_one(fds[way][below(2)], way, ifindex, &f) ? &taken : &refused) += 1;
	}
	printf("%lu taken, %lu refused, seed %s\n", taken, refused, argv[3]);
	return 0;
}

/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * socket.h - the host's own sockets and published ports.
 *
 * Packets of the host to itself never meet an uplink. So whoever connects or sends to a published port is led to the
 * container's own address as it says where to: by 127.0.0.1 and ::1, which no packet could keep, as by any other address of
 * the host. It is told that it speaks to whom it meant.
 *
 * The programs are attached to the root of cgroup2 and so see sockets of all network namespaces, while a port is published that
 * needs them. What each asks first is what lets most go on: before whose socket it is, whether its port is published, or whether
 * it was ever led anywhere.
 *
 * A socket that is bound to a loopback address cannot reach a container: the kernel lets no such packet out of the host.
 */
#ifndef SHUNT_BPF_SOCKET_H
#define SHUNT_BPF_SOCKET_H

#include <linux/errno.h>

#include "publish.h"
#include "tuple.h"

enum { REFUSE, ALLOW };

/* Of the host's network namespace, which the engine fills in; there is no 0. */
const volatile __u64 host_cookie = 0;

static __always_inline bool is_loopback(const __u8 address[16])
{
	const __u32 *a = (const __u32 *)address;

	return is_mapped4(address) ? address[12] == 127 : (a[0] | a[1] | a[2] | (a[3] ^ bpf_htonl(1))) == 0;
}

static __always_inline bool is_unspecified(const __u8 address[16])
{
	const __u32 *a = (const __u32 *)address;

	return a[3] == 0 && (is_mapped4(address) || (a[0] | a[1] | a[2]) == 0);
}

/* What the caller of connect() or the like gave as address. */
static __always_inline void read_address(struct bpf_sock_addr *ctx, bool six, __u8 ret[16])
{
	__u32 *a = (__u32 *)ret;

	if (!six) {
		map4(ret, ctx->user_ip4);
		return;
	}
	a[0] = ctx->user_ip6[0];
	a[1] = ctx->user_ip6[1];
	a[2] = ctx->user_ip6[2];
	a[3] = ctx->user_ip6[3];
}

static __always_inline void write_address(struct bpf_sock_addr *ctx, bool six, const __u8 address[16], __be16 port)
{
	const __u32 *a = (const __u32 *)address;

	ctx->user_port = port;
	if (!six) {
		ctx->user_ip4 = a[3];
		return;
	}
	ctx->user_ip6[0] = a[0];
	ctx->user_ip6[1] = a[1];
	ctx->user_ip6[2] = a[2];
	ctx->user_ip6[3] = a[3];
}

/* Whether it is to speak with a loopback address for its own: sendmsg() says so with each datagram. */
static __always_inline bool from_loopback(struct bpf_sock_addr *ctx, bool six, bool datagram)
{
	__u8 address[16] __attribute__((aligned(8)));
	struct bpf_sock *sk = ctx->sk;
	__u32 *a = (__u32 *)address;

	if (!six) {
		map4(address, datagram ? ctx->msg_src_ip4 : sk ? sk->src_ip4 : 0);
	} else if (datagram) {
		a[0] = ctx->msg_src_ip6[0];
		a[1] = ctx->msg_src_ip6[1];
		a[2] = ctx->msg_src_ip6[2];
		a[3] = ctx->msg_src_ip6[3];
	} else {
		a[0] = sk ? sk->src_ip6[0] : 0;
		a[1] = sk ? sk->src_ip6[1] : 0;
		a[2] = sk ? sk->src_ip6[2] : 0;
		a[3] = sk ? sk->src_ip6[3] : 0;
	}
	return is_loopback(address);
}

typedef struct {
	__s64 counter;
} __attribute__((preserve_access_index)) atomic64_t;

struct sock_common {
	atomic64_t skc_cookie;
} __attribute__((preserve_access_index));

struct sock {
	struct sock_common __sk_common;
} __attribute__((preserve_access_index));

struct bpf_sock_addr_kern {
	struct sock *sk;
} __attribute__((preserve_access_index));

/*
 * Whether the socket may have been led somewhere: remember() gives it a cookie, which few others ask for. So most sockets
 * end here, without a look-up, whosever they are.
 */
static __always_inline bool has_cookie(struct bpf_sock_addr *ctx)
{
	const struct bpf_sock_addr_kern *inside = bpf_cast_to_kern_ctx(ctx);

	return inside->sk->__sk_common.skc_cookie.counter != 0;
}

static __always_inline bool of_host(struct bpf_sock_addr *ctx)
{
	return bpf_get_netns_cookie(ctx) == host_cookie;
}

/* Which entries answer for an address that the host's socket speaks to. */
static __always_inline __u32 where_to_look(const __u8 address[16])
{
	return is_loopback(address) || bpf_map_lookup_elem(&locals, address) ? PUBLISH_EXACT | PUBLISH_ANY : PUBLISH_EXACT;
}

/* Remembers what the socket meant. It says it again with each datagram. */
static __always_inline void remember(__u64 cookie, const struct shunt_tuple *meant, const struct shunt_backend *b, int found)
{
	struct shunt_dialled key = { .cookie = cookie, .port = b->port };
	struct shunt_dialled_as as = { .port = meant->dport }, *before;

	__builtin_memcpy(key.address, b->address, sizeof(key.address));
	__builtin_memcpy(as.address, meant->destination, sizeof(as.address));
	before = bpf_map_lookup_elem(&dialled, &key);
	if (before && before->port == as.port && same6(before->address, as.address))
		return;
	bpf_map_update_elem(&dialled, &key, &as, BPF_ANY);
	publish_count(meant, b->ifindex, found);
}

/* The socket stands for the port that it has not yet: so all its datagrams find one backend. */
static __always_inline void lead(struct bpf_sock_addr *ctx, bool six, bool datagram)
{
	struct shunt_tuple meant = { .dport = ctx->user_port, .protocol = ctx->protocol };
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct shunt_backend b = {};
	__u32 where;
	int found;

	read_address(ctx, six, meant.destination);
	__builtin_memcpy(meant.source, &cookie, sizeof(cookie));
	where = where_to_look(meant.destination);
	found = publish_choose(&meant, &b, where | (is_mapped4(meant.destination) ? PUBLISH_TO4 : 0));
	if (!found && !is_mapped4(meant.destination) && !datagram)
		found = publish_choose(&meant, &b, where | PUBLISH_TO4);
	if (!found)
		return;
	remember(cookie, &meant, &b, found);
	write_address(ctx, six, b.address, b.port);
}

/**
 * dial() - leads a socket of the host that connects or sends to a published port
 * @six: for an IPv6 address, which may be a mapped one
 * @datagram: sendmsg(), for an address of its own; the kernel takes no IPv4 address for an IPv6 one here
 *
 * Most who come here speak to another port.
 */
static __always_inline void dial(struct bpf_sock_addr *ctx, bool six, bool datagram)
{
	if (port_published(ctx->user_port, ctx->protocol) && of_host(ctx) && !from_loopback(ctx, six, datagram))
		lead(ctx, six, datagram);
}

static __always_inline void tell(struct bpf_sock_addr *ctx, bool six)
{
	struct shunt_dialled key = { .cookie = bpf_get_socket_cookie(ctx), .port = ctx->user_port };
	const struct shunt_dialled_as *as;

	read_address(ctx, six, key.address);
	as = bpf_map_lookup_elem(&dialled, &key);
	if (as)
		write_address(ctx, six, as->address, as->port);
}

/* The other way: what a socket of the host is told of whom it hears, or is connected to. */
static __always_inline void recall(struct bpf_sock_addr *ctx, bool six)
{
	if (has_cookie(ctx) && of_host(ctx))
		tell(ctx, six);
}

/*
 * A published port is taken, for whoever binds to it. All addresses are taken by any: which ones are published on a port that
 * is so on single addresses is not asked for.
 */
static __always_inline int reserve(struct bpf_sock_addr *ctx, bool six)
{
	struct shunt_tuple wanted = { .dport = ctx->user_port, .protocol = ctx->protocol };
	struct shunt_published_key key;

	if (!port_published(wanted.dport, wanted.protocol) || !of_host(ctx))
		return ALLOW;
	read_address(ctx, six, wanted.destination);
	if (!is_unspecified(wanted.destination)) {
		publish_key(&wanted, false, &key);
		if (!bpf_map_lookup_elem(&published, &key)) {
			publish_key(&wanted, true, &key);
			if (!bpf_map_lookup_elem(&published, &key))
				return ALLOW;
		}
	}
	bpf_set_retval(-EADDRINUSE);
	return REFUSE;
}

#endif

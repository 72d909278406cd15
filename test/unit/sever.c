// SPDX-License-Identifier: GPL-2.0-or-later
/* Whoever speaks to an address of a container that is no more is told so, and nobody else. */
#include "unit-netns.h"

#include <arpa/inet.h>
#include <net/if.h>

#include "address.h"
#include "sever.h"

#define PORT 4000

static struct sockaddr_in6 address_of(const char *text, uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
	return address;
}

/* A socket with port @from, or any; IPv4's addresses are dotted, and of IPv6 it has one that nobody is sought by. */
static int speaker(int type, const char *to, uint16_t from)
{
	const struct sockaddr_in6 own6 = address_of(strchr(to, '.') ? "::" : "fd00::9", from);
	const struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons(from) };
	const bool six = strchr(to, ':');
	int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	assert_system(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0, "socket");
	assert_system(six ? bind(fd, (struct sockaddr *)&own6, sizeof(own6)) == 0 :
			    bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0, "bind");
	return fd;
}

static void speaks(int fd, const char *to)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 peer6;

	if (strchr(to, ':')) {
		peer6 = address_of(to, PORT);
		assert_system(connect(fd, (struct sockaddr *)&peer6, sizeof(peer6)) == 0, to);
		return;
	}
	assert_int_equal(inet_pton(AF_INET, to, &peer.sin_addr), 1);
	assert_system(connect(fd, (struct sockaddr *)&peer, sizeof(peer)) == 0, to);
}

/* One that hears all that comes to PORT. */
static int hearer(int type)
{
	struct sockaddr_in6 any = address_of("::", PORT);
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);

	assert_system(fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0, "bind");
	assert_system(type == SOCK_DGRAM || listen(fd, 64) == 0, "listen");
	return fd;
}

static int error_of(int fd)
{
	int error = -1;

	assert_system(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) }) == 0, "SO_ERROR");
	return error;
}

static int fresh_addresses(void **state)
{
	fresh_host(state);
	shell("ip addr add fd00::2/128 dev lo nodad; ip addr add fd00::3/128 dev lo nodad; "
	      "ip addr add fd00::9/128 dev lo nodad");
	return 0;
}

#define HOST_END 77	/* a device that is gone */

static void sever_all(const char *first, const char *second)
{
	struct shunt_prefix addresses[2];
	struct shunt_error error;

	assert_int_equal(prefix_parse(first, &addresses[0]), 0);
	if (second)
		assert_int_equal(prefix_parse(second, &addresses[1]), 0);
	assert_done(sever(addresses, second ? 2 : 1, HOST_END, &error), &error);
}

static void who_speaks_to_it_is_told_and_nobody_else(void **state)
{
	static const struct {
		const char *to;
		int first, both;	/* what there is of it when IPv4's address is gone, and when IPv6's is, too */
	} cases[] = {
		{ "127.0.0.2", ECONNABORTED, 0 }, { "::ffff:127.0.0.2", ECONNABORTED, 0 }, { "fd00::2", 0, ECONNABORTED },
		{ "127.0.0.3", 0, 0 }, { "::ffff:127.0.0.3", 0, 0 }, { "fd00::3", 0, 0 },
	};
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int fds[ELEMENTSOF(types)][ELEMENTSOF(cases)], hears[ELEMENTSOF(types)];

	(void)state;
	for (size_t t = 0; t < ELEMENTSOF(types); t++) {
		hears[t] = hearer(types[t]);
		for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
			fds[t][i] = speaker(types[t], cases[i].to, 0);
			speaks(fds[t][i], cases[i].to);
		}
	}
	sever_all("127.0.0.2", NULL);
	for (size_t t = 0; t < ELEMENTSOF(types); t++)
		for (size_t i = 0; i < ELEMENTSOF(cases); i++)
			assert_int_equal(error_of(fds[t][i]), cases[i].first);
	sever_all("127.0.0.2", "fd00::2");
	for (size_t t = 0; t < ELEMENTSOF(types); t++) {
		for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
			assert_int_equal(error_of(fds[t][i]), cases[i].both);
			close(fds[t][i]);
		}
		assert_int_equal(error_of(hears[t]), 0);
		close(hears[t]);
	}
}

/* Of these the kernel finds one, whichever it is asked for; and lists them in one order or the other. */
static void sockets_that_share_addresses_and_ports_are_all_told(void **state)
{
	static const char *const to[] = { "127.0.0.2", "fd00::2", "::ffff:127.0.0.2" };

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(to) * 2; i++) {
		const char *peer = to[i / 2];
		int fds[40];

		for (size_t k = 0; k < ELEMENTSOF(fds); k++)
			fds[k] = speaker(SOCK_DGRAM, peer, 5000);
		for (size_t k = 0; k < ELEMENTSOF(fds); k++)
			speaks(fds[i % 2 ? k : ELEMENTSOF(fds) - 1 - k], peer);
		sever_all("127.0.0.2", "fd00::2");
		for (size_t k = 0; k < ELEMENTSOF(fds); k++) {
			assert_int_equal(error_of(fds[k]), ECONNABORTED);
			close(fds[k]);
		}
	}
}

/* By a device of the host's, it is another machine that has that address. */
static void who_is_bound_to_another_device_speaks_to_another(void **state)
{
	const uint32_t lo = if_nametoindex("lo");
	struct shunt_prefix address;
	struct shunt_error error;
	int fd = speaker(SOCK_DGRAM, "127.0.0.2", 0);

	(void)state;
	assert_system(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0, "SO_BINDTODEVICE");
	speaks(fd, "127.0.0.2");
	sever_all("127.0.0.2", NULL);
	assert_int_equal(error_of(fd), 0);
	assert_int_equal(prefix_parse("127.0.0.2", &address), 0);
	assert_done(sever(&address, 1, lo, &error), &error);
	assert_int_equal(error_of(fd), ECONNABORTED);
	close(fd);
}

static void nobody_is_told_for_no_address(void **state)
{
	int fd = speaker(SOCK_DGRAM, "127.0.0.2", 0);

	(void)state;
	speaks(fd, "127.0.0.2");
	assert_int_equal(sever(NULL, 0, HOST_END, NULL), 0);
	assert_int_equal(error_of(fd), 0);
	close(fd);
}

static void this_kernel_can(void **state)
{
	(void)state;
	assert_int_equal(sever_probe(), 1);
}

#define on_fresh_addresses(test) cmocka_unit_test_setup(test, fresh_addresses)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_addresses(who_speaks_to_it_is_told_and_nobody_else),
		on_fresh_addresses(sockets_that_share_addresses_and_ports_are_all_told),
		on_fresh_addresses(who_is_bound_to_another_device_speaks_to_another),
		on_fresh_addresses(nobody_is_told_for_no_address),
		on_fresh_addresses(this_kernel_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Invariants P1 to P3 of publish.c: whose a port is, and that whatever is left of it is found. */
#include "unit-instance.h"

#include <arpa/inet.h>

#include "answers.h"
#include "port-table.h"
#include "publish.h"
#include "registry.h"
#include "sockets.h"

/* Endpoints that are no more than a record: host ends 101, 102, ... with 10.207.0.N and fd00:207::N. */
static struct shunt_endpoint endpoint(struct shunt_instance *instance, unsigned n)
{
	struct shunt_endpoint e = {
		.state = SHUNT_READY, .ifindex = 100 + n, .network = "default",
		.flags = SHUNT_F_ADDRESS4 | SHUNT_F_ADDRESS6 | SHUNT_F_PUBLISHED,
		.address4 = htonl(0x0acf0000 + n), .address6 = { 0xfd, 0, 2, 7, [15] = (uint8_t)n },
	};
	struct shunt_endpoint_key key;
	char id[8];

	snprintf(id, sizeof(id), "c%u", n);
	registry_key(id, "eth0", &key);
	host_name(id, "eth0", e.host);
	assert_int_equal(registry_put(&instance->datapath, &key, &e), 0);
	return e;
}

static int claim(struct shunt_instance *instance, const struct shunt_endpoint *e, const char *text, const char *service,
		 struct shunt_error *error)
{
	struct publication spec;

	*error = (struct shunt_error){};
	assert_done(publication_parse(text, &spec, error), error);
	return publish_claim(instance, e, &spec, 1, service, error);
}

static int release(struct shunt_instance *instance, const struct shunt_endpoint *e, const char *text, struct shunt_error *error)
{
	struct publication spec;

	*error = (struct shunt_error){};
	assert_done(publication_parse(text, &spec, error), error);
	return publish_release(instance, e, &spec, 1, error);
}

static void assert_none(struct shunt_instance *instance);

/* How many programs are at the host's sockets. */
enum { FOR_TCP = 6, FOR_UDP = 10 };

/* Loading takes longer than all the rest: one instance is for all, and what one test leaves is nobody's for the next. */
static int one_instance(void **state)
{
	fresh_host(NULL);
	assert_system(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "nsdelegate") == 0, "/sys/fs/cgroup");
	*state = open_instance();
	shell("ip addr add 192.0.2.1/24 dev lo; ip addr add 2001:db8::1/64 dev lo nodad");
	return 0;
}

static int fresh_ports(void **state)
{
	struct shunt_instance *instance = *state;
	struct registry_entry entry = {};
	struct shunt_error error;

	while (registry_next(&instance->datapath, &entry) == 0)
		assert_int_equal(registry_delete(&instance->datapath, &entry.key), 0);
	assert_done(publish_mend(instance, &error), &error);
	assert_none(instance);
	return 0;
}

static int end(void **state)
{
	fresh_ports(state);
	return close_instance(state);
}

#define on_fresh_ports(test) cmocka_unit_test_setup(test, fresh_ports)

static bool bit(struct shunt_instance *instance, uint16_t port, bool udp)
{
	struct shunt_ports bits;
	uint32_t at = port / 64;

	assert_int_equal(bpf_map_lookup_elem(instance->datapath.fd[MAP_PORTS], &at, &bits), 0);
	return (udp ? bits.udp : bits.tcp) >> port % 64 & 1;
}

/* Backends of a key. */
static unsigned backends(struct shunt_instance *instance, const char *host, uint16_t port, uint8_t protocol)
{
	struct shunt_published_key key = { .port = htons(port), .protocol = protocol };
	struct shunt_prefix address = parsed(host);
	struct shunt_published p;

	mapped_address(&address, key.address);
	return bpf_map_lookup_elem(instance->datapath.fd[MAP_PUBLISHED], &key, &p) < 0 ? 0 : p.n;
}

static void assert_none(struct shunt_instance *instance)
{
	assert_true(map_is_empty(instance->datapath.fd[MAP_PUBLISHED]));
	assert_true(map_is_empty(instance->datapath.fd[MAP_PUBLICATIONS]));
	assert_true(map_is_empty(instance->datapath.fd[MAP_ANSWERS]));
	for (uint32_t i = 0; i < 65536 / 64; i++) {
		struct shunt_ports bits;

		assert_int_equal(bpf_map_lookup_elem(instance->datapath.fd[MAP_PORTS], &i, &bits), 0);
		assert_true(bits.tcp == 0 && bits.udp == 0);
	}
	assert_int_equal(count_entries(STATE "/ports"), 0);
}

/* By which port of the host a container's answers: "ADDRESS:PORT", or "". */
static const char *answers_by(struct shunt_instance *instance, const char *container, uint16_t port, uint8_t protocol)
{
	static char text[PORT_HOST_TEXT_MAX + 4];
	struct shunt_published_key key = { .port = htons(port), .protocol = protocol }, by;
	struct shunt_prefix address = parsed(container);

	mapped_address(&address, key.address);
	if (bpf_map_lookup_elem(instance->datapath.fd[MAP_ANSWERS], &key, &by) < 0)
		return "";
	return port_format_host(&by, text);
}

#define ANSWERS(container, port, protocol, by) assert_string_equal(answers_by(*state, container, port, protocol), by)

static void a_container_answers_by_the_first_port_that_the_wire_reaches(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1), b = endpoint(*state, 2);
	struct shunt_error error;

	assert_done(claim(*state, &a, "8080:80", NULL, &error), &error);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "0.0.0.0:8080/tcp");
	ANSWERS("fd00:207::1", 80, IPPROTO_TCP, "[::]:8080/tcp");
	ANSWERS("10.207.0.1", 80, IPPROTO_UDP, "");
	ANSWERS("10.207.0.1", 8080, IPPROTO_TCP, "");
	ANSWERS("10.207.0.2", 80, IPPROTO_TCP, "");
	assert_done(claim(*state, &a, "8000:80", NULL, &error), &error);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "0.0.0.0:8000/tcp");
	assert_done(claim(*state, &a, "192.0.2.1:70:80", NULL, &error), &error);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "0.0.0.0:8000/tcp");
	assert_int_equal(release(*state, &a, "8000:80", &error), 2);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "0.0.0.0:8080/tcp");
	assert_int_equal(release(*state, &a, "8080:80", &error), 2);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "192.0.2.1:70/tcp");
	ANSWERS("fd00:207::1", 80, IPPROTO_TCP, "");
	assert_int_equal(publish_release(*state, &a, NULL, 0, &error), 1);
	assert_done(claim(*state, &a, "127.0.0.1:8080:80", NULL, &error), &error);
	assert_done(claim(*state, &a, "[::1]:8080:80", NULL, &error), &error);
	a.flags &= ~(uint32_t)SHUNT_F_ADDRESS6;
	assert_done(claim(*state, &a, "8081:81", NULL, &error), &error);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "");
	ANSWERS("fd00:207::1", 80, IPPROTO_TCP, "");
	ANSWERS("10.207.0.1", 81, IPPROTO_TCP, "0.0.0.0:8081/tcp");
	/* Each member of a service is one of its own. */
	assert_done(claim(*state, &a, "9000:90", "web", &error), &error);
	assert_done(claim(*state, &b, "9000:91", "web", &error), &error);
	ANSWERS("10.207.0.1", 90, IPPROTO_TCP, "0.0.0.0:9000/tcp");
	ANSWERS("10.207.0.2", 91, IPPROTO_TCP, "0.0.0.0:9000/tcp");
	assert_int_equal(publish_release(*state, &b, NULL, 0, &error), 2);
	ANSWERS("10.207.0.1", 90, IPPROTO_TCP, "0.0.0.0:9000/tcp");
	ANSWERS("10.207.0.2", 91, IPPROTO_TCP, "");
	assert_true(publish_release(*state, &a, NULL, 0, &error) > 0);
	assert_none(*state);
}

static void what_is_claimed_is_there_and_what_is_released_is_not(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1);
	struct shunt_error error;

	assert_done(claim(*state, &a, "8000-8002:80", NULL, &error), &error);
	assert_int_equal(count_entries(STATE "/ports"), FOR_TCP);
	assert_done(claim(*state, &a, "192.0.2.1:53:53/udp", NULL, &error), &error);
	assert_int_equal(backends(*state, "0.0.0.0", 8002, IPPROTO_TCP), 1);
	assert_int_equal(backends(*state, "::", 8000, IPPROTO_TCP), 1);
	assert_int_equal(backends(*state, "192.0.2.1", 53, IPPROTO_UDP), 1);
	assert_true(bit(*state, 8001, false) && bit(*state, 53, true));
	assert_false(bit(*state, 8003, false) || bit(*state, 8001, true) || bit(*state, 53, false));
	assert_int_equal(count_entries(STATE "/ports"), FOR_UDP);
	assert_int_equal(release(*state, &a, "8000-8001:80", &error), 4);
	assert_int_equal(count_entries(STATE "/ports"), FOR_UDP);
	assert_false(bit(*state, 8001, false));
	assert_true(bit(*state, 8002, false));
	assert_refused(release(*state, &a, "8002:80", &error), -ENOENT, &error, "8002/tcp");
	assert_int_equal(release(*state, &a, "192.0.2.1:53:53/udp", &error), 1);
	assert_int_equal(count_entries(STATE "/ports"), FOR_TCP);
	assert_int_equal(publish_release(*state, &a, NULL, 0, &error), 2);
	assert_none(*state);
}

static void bits_of_others_stay(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1);
	struct shunt_instance *instance = *state;
	struct shunt_ports bits = { .masquerade = 7 };
	const uint32_t at = 8000 / 64;
	struct shunt_error error;

	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_PORTS], &at, &bits, BPF_ANY), 0);
	assert_done(claim(instance, &a, "8000:80", NULL, &error), &error);
	assert_int_equal(publish_release(instance, &a, NULL, 0, &error), 2);
	assert_int_equal(bpf_map_lookup_elem(instance->datapath.fd[MAP_PORTS], &at, &bits), 0);
	assert_true(bits.masquerade == 7 && bits.tcp == 0);
}

static void one_port_has_one_holder(void **state)
{
	static const struct {
		const char *text;
		int r;
	} others[] = {
		{ "8080:80", -EADDRINUSE },
		{ "0.0.0.0:8080:80", -EADDRINUSE },
		{ "192.0.2.1:8080:80", -EADDRINUSE },
		{ "[::1]:8080:80", -EADDRINUSE },
		{ "1000-9000:1", -EADDRINUSE },
		{ "8080:80/udp", 0 },
		{ "8081:80", 0 },
		{ "192.0.2.1:9090:80", -EADDRINUSE },
		{ "127.0.0.1:9090:80", 0 },
		{ "[2001:db8::1]:9090:80", 0 },
	};
	struct shunt_endpoint a = endpoint(*state, 1), b = endpoint(*state, 2);
	struct shunt_error error;

	assert_done(claim(*state, &a, "8080:80", NULL, &error), &error);
	assert_done(claim(*state, &a, "192.0.2.1:9090:80", NULL, &error), &error);
	for (size_t i = 0; i < ELEMENTSOF(others); i++) {
		int r = claim(*state, &b, others[i].text, NULL, &error);

		if (r != others[i].r)
			fail_msg("%s: %d: %s", others[i].text, r, error.text);
		if (r < 0)
			assert_refused(r, -EADDRINUSE, &error, "held by container c1");
		else
			assert_true(publish_release(*state, &b, NULL, 0, &error) > 0);
	}
	assert_refused(claim(*state, &a, "127.0.0.1:8080:80", NULL, &error), -EEXIST, &error, "by this container already");
	assert_int_equal(backends(*state, "0.0.0.0", 8080, IPPROTO_TCP), 1);
}

static void what_is_refused_leaves_nothing(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1);
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(8005) };
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int udp = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct shunt_error error;

	assert_system(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0, "listen");
	assert_refused(claim(*state, &a, "8000-8010:80", NULL, &error), -EADDRINUSE, &error, "0.0.0.0:8005/tcp is held by \"publish\"");
	assert_refused(claim(*state, &a, "8005-8010:80", NULL, &error), -EADDRINUSE, &error, "0.0.0.0:8005/tcp is held by");
	assert_refused(claim(*state, &a, "8000-8005:80", NULL, &error), -EADDRINUSE, &error, "0.0.0.0:8005/tcp is held by");
	assert_refused(claim(*state, &a, "192.0.2.1:8005:80", NULL, &error), -EADDRINUSE, &error, "held by \"publish\"");
	assert_refused(claim(*state, &a, "192.0.2.9:80:80", NULL, &error), -EADDRNOTAVAIL, &error, "192.0.2.9 is no address of this host");
	assert_done(claim(*state, &a, "81:80", NULL, &error), &error);
	assert_system(bind(udp, (struct sockaddr *)&any, sizeof(any)) == 0, "bind");
	assert_refused(claim(*state, &a, "8005:80/udp", NULL, &error), -EADDRINUSE, &error, "8005/udp is held by \"publish\"");
	assert_int_equal(count_entries(STATE "/ports"), FOR_TCP);
	assert_int_equal(publish_release(*state, &a, NULL, 0, &error), 2);
	a.flags &= ~(uint32_t)SHUNT_F_ADDRESS6;
	assert_refused(claim(*state, &a, "[2001:db8::1]:80:80", NULL, &error), -EADDRNOTAVAIL, &error, "no IPv6 address");
	assert_none(*state);
}

static void without_ipv6_a_container_is_reached_by_its_loopback_address(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1);
	struct shunt_error error;

	a.flags &= ~(uint32_t)SHUNT_F_ADDRESS6;
	assert_done(claim(*state, &a, "80:80", NULL, &error), &error);
	assert_done(claim(*state, &a, "[::1]:81:80", NULL, &error), &error);
	assert_int_equal(backends(*state, "::", 80, IPPROTO_TCP), 1);
	a.flags = SHUNT_F_ADDRESS6;
	assert_done(claim(*state, &a, "82:80", NULL, &error), &error);
	assert_int_equal(backends(*state, "0.0.0.0", 82, IPPROTO_TCP), 0);
	assert_int_equal(backends(*state, "::", 82, IPPROTO_TCP), 1);
}

static void members_of_a_service_have_the_same_ports(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1), b = endpoint(*state, 2), c = endpoint(*state, 3);
	struct shunt_error error;

	assert_done(claim(*state, &a, "80:8000", "web", &error), &error);
	assert_done(claim(*state, &a, "81:8001", "web", &error), &error);
	assert_refused(claim(*state, &b, "80:80", "web", &error), -EINVAL, &error, "81/tcp");
	assert_refused(claim(*state, &b, "80-82:80", "web", &error), -EINVAL, &error, "82/tcp");
	assert_done(claim(*state, &b, "80-81:80", "web", &error), &error);
	assert_refused(claim(*state, &a, "82:80", "web", &error), -EINVAL, &error, "82/tcp");
	assert_refused(claim(*state, &c, "80-81:80", NULL, &error), -EADDRINUSE, &error, "service web (container c1); name it");
	assert_refused(claim(*state, &c, "80-81:80", "other", &error), -EADDRINUSE, &error, "service web");
	assert_int_equal(backends(*state, "0.0.0.0", 80, IPPROTO_TCP), 2);
	assert_int_equal(publish_release(*state, &a, NULL, 0, &error), 4);
	assert_int_equal(backends(*state, "0.0.0.0", 80, IPPROTO_TCP), 1);
	/* On another address of the host, which is another key. */
	assert_int_equal(publish_release(*state, &b, NULL, 0, &error), 4);
	assert_done(claim(*state, &a, "192.0.2.1:80:80", "web", &error), &error);
	assert_done(claim(*state, &b, "127.0.0.1:80:80", "web", &error), &error);
}

static void a_service_is_full_with_so_many(void **state)
{
	struct shunt_error error;
	struct shunt_endpoint e;

	for (unsigned i = 1; i <= SHUNT_MAX_BACKENDS; i++) {
		e = endpoint(*state, i);
		assert_done(claim(*state, &e, "80:80", "web", &error), &error);
	}
	assert_int_equal(backends(*state, "::", 80, IPPROTO_TCP), SHUNT_MAX_BACKENDS);
	e = endpoint(*state, SHUNT_MAX_BACKENDS + 1);
	assert_refused(claim(*state, &e, "80:80", "web", &error), -ENOSPC, &error, "service web has 32 containers");
}

/* Each state that a kill can leave: gc makes one of it that works, or nothing. */
static void what_a_kill_leaves_is_mended(void **state)
{
	struct shunt_endpoint a = endpoint(*state, 1), b = endpoint(*state, 2), c = endpoint(*state, 3);
	struct shunt_instance *instance = *state;
	const struct shunt_ports stale = { .tcp = UINT64_MAX, .udp = UINT64_MAX };
	const uint32_t at = 5;
	struct shunt_port orphan = { .key = { .host = { .port = htons(99), .protocol = IPPROTO_TCP }, .ifindex = 77 } };
	struct shunt_published_key key = { .port = htons(80), .protocol = IPPROTO_TCP };
	struct shunt_published published = { .n = 1, .backend = { { .ifindex = 77 } } };
	struct shunt_prefix first = parsed("10.207.0.1");
	struct shunt_error error;

	assert_done(claim(instance, &a, "80:80", "web", &error), &error);
	assert_done(claim(instance, &b, "80:80", "web", &error), &error);
	assert_done(claim(instance, &c, "53:53/udp", NULL, &error), &error);
	/* Behind step 4, and one of nobody's; what is said of :: is wrong, and one is of no publication. */
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_PUBLISHED], &key, &published, BPF_ANY), 0);
	key.address[0] = 0xfd;
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_PUBLISHED], &key, &published, BPF_ANY), 0);
	key = (struct shunt_published_key){ .address = { [10] = 0xff, 0xff }, .port = htons(80), .protocol = IPPROTO_TCP };
	assert_int_equal(bpf_map_delete_elem(instance->datapath.fd[MAP_PUBLISHED], &key), 0);
	assert_int_equal(port_table_add(&instance->datapath, &orphan), 0);
	/* "answers" lacks one, has one of nobody's, and one that is wrong. */
	assert_int_equal(answers_write(&instance->datapath), 0);
	mapped_address(&first, key.address);
	assert_int_equal(bpf_map_delete_elem(instance->datapath.fd[MAP_ANSWERS], &key), 0);
	key.address[15] = 2;
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_ANSWERS], &key, &key, BPF_EXIST), 0);
	assert_int_equal(bpf_map_update_elem(instance->datapath.fd[MAP_PORTS], &at, &stale, BPF_ANY), 0);
	shell("rm " STATE "/ports/connect4 " STATE "/ports/sendmsg6; ip addr add 192.0.2.2/24 dev lo");

	assert_done(publish_mend(instance, &error), &error);
	assert_int_equal(backends(instance, "0.0.0.0", 80, IPPROTO_TCP), 2);
	assert_int_equal(backends(instance, "::", 80, IPPROTO_TCP), 2);
	assert_int_equal(backends(instance, "::", 99, IPPROTO_TCP), 0);
	assert_int_equal(backends(instance, "fd00::", 80, IPPROTO_TCP), 0);
	ANSWERS("10.207.0.1", 80, IPPROTO_TCP, "0.0.0.0:80/tcp");
	ANSWERS("10.207.0.2", 80, IPPROTO_TCP, "0.0.0.0:80/tcp");
	ANSWERS("10.207.0.3", 53, IPPROTO_UDP, "0.0.0.0:53/udp");
	assert_true(bit(instance, 80, false));
	assert_false(bit(instance, 99, false) || bit(instance, 320, false) || bit(instance, 320, true));
	assert_int_equal(count_entries(STATE "/ports"), FOR_UDP);
	assert_true(sockets_is_local(instance, (const uint8_t[16]){ [10] = 0xff, 0xff, 192, 0, 2, 2 }));
	assert_int_equal(publish_release(instance, &c, NULL, 0, &error), 2);
	/* As an earlier version did for any port. */
	assert_done(sockets_attach(instance, PORTS_UDP, &error), &error);
	assert_int_equal(count_entries(STATE "/ports"), FOR_UDP);
	assert_done(publish_mend(instance, &error), &error);
	assert_int_equal(count_entries(STATE "/ports"), FOR_TCP);
	assert_int_equal(publish_release(instance, &a, NULL, 0, &error), 2);
	assert_int_equal(publish_release(instance, &b, NULL, 0, &error), 2);
	assert_none(instance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fresh_ports(a_container_answers_by_the_first_port_that_the_wire_reaches),
		on_fresh_ports(what_is_claimed_is_there_and_what_is_released_is_not),
		on_fresh_ports(bits_of_others_stay),
		on_fresh_ports(one_port_has_one_holder),
		on_fresh_ports(what_is_refused_leaves_nothing),
		on_fresh_ports(without_ipv6_a_container_is_reached_by_its_loopback_address),
		on_fresh_ports(members_of_a_service_have_the_same_ports),
		on_fresh_ports(a_service_is_full_with_so_many),
		on_fresh_ports(what_a_kill_leaves_is_mended),
	};

	return cmocka_run_group_tests(tests, one_instance, end);
}

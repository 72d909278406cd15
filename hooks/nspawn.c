// SPDX-License-Identifier: GPL-2.0-or-later
#include "nspawn.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "nspawn-bus.h"
#include "nspawn-text.h"
#include "nspawn-udev.h"
#include "netns.h"
#include "request.h"
#include "rights.h"
#include "util.h"

#define MACHINE_NAME_MAX 64

int machine_name_check(const char *machine, struct shunt_error *error)
{
	bool good = machine[0] && strlen(machine) <= MACHINE_NAME_MAX && !strstr(machine, "..");

	/* Names between the dots, which neither begin nor end with a '-'. */
	for (const char *c = machine; *c && good; c++) {
		bool edge = c == machine || c[-1] == '.' || !c[1] || c[1] == '.';

		good = isascii(*c) && (isalnum(*c) || (*c == '-' && !edge) || (*c == '.' && c != machine && c[1]));
	}
	return good ? 0 : shunt_fail(error, -EINVAL, "\"%s\" is no name of a machine: 1 to %d letters, digits, - and ., with none of "
				     "the last two at an end; rename it with 'machinectl rename'", machine, MACHINE_NAME_MAX);
}

int nspawn_mode_parse(const char *text, enum nspawn_mode *ret, struct shunt_error *error)
{
	if (strcmp(text, "interface") == 0)
		*ret = NSPAWN_MODE_INTERFACE;
	else if (strcmp(text, "namespace") == 0)
		*ret = NSPAWN_MODE_NAMESPACE;
	else
		return shunt_fail(error, -EINVAL, "--mode \"%s\" is none; it is interface or namespace", text);
	return 0;
}

/* A file of the machine's; NULL for no memory */
static char *run_path(const char *machine, const char *suffix)
{
	char *path;

	return asprintf(&path, NSPAWN_DIRECTORY "/%s.%s", machine, suffix) < 0 ? NULL : path;
}

int nspawn_argument(const struct nspawn_request *request, char **ret)
{
	char parked[SHUNT_IFNAME_MAX];
	char *text;

	shunt_parked_name(request->request.id, NSPAWN_INTERFACE, parked);
	if (request->mode == NSPAWN_MODE_NAMESPACE)
		text = run_path(request->request.id, "netns");
	else if (asprintf(&text, "%s:" NSPAWN_INTERFACE, parked) < 0)
		text = NULL;
	if (!text)
		return -ENOMEM;
	*ret = text;
	return 0;
}

static int write_network(const struct shunt_info *info, struct shunt_error *error)
{
	_cleanup_free_ char *text = NULL, *path = run_path(info->id, "network");
	char addresses[2 * (INET6_ADDRSTRLEN + 16)] = "", one[INET6_ADDRSTRLEN];
	const struct shunt_endpoint *endpoint = &info->endpoint;
	const char *routes4 = "", *routes6 = "";
	_cleanup_free_ char *routes = NULL;
	int n = 0;

	if (endpoint->flags & SHUNT_F_ADDRESS4) {
		n = snprintf(addresses, sizeof(addresses), "Address=%s/32\n",
			     inet_ntop(AF_INET, &endpoint->address4, one, sizeof(one)));
		routes4 = "\n[Route]\nDestination=0.0.0.0/0\nScope=link\n";
	}
	if (endpoint->flags & SHUNT_F_ADDRESS6) {
		snprintf(addresses + n, sizeof(addresses) - (size_t)n, "Address=%s/128\n",
			 inet_ntop(AF_INET6, endpoint->address6, one, sizeof(one)));
		routes6 = "\n[Route]\nDestination=::/0\n";
	}
	if (asprintf(&routes, "%s%s", routes4, routes6) < 0)
		routes = NULL;
	if (routes && path) {
		const struct text_word words[] = { { "addresses", addresses }, { "routes", routes } };

		text = text_fill(nspawn_host0_network, words, ELEMENTSOF(words));
	}
	if (!text)
		return shunt_fail(error, -ENOMEM, "machine %s: out of memory", info->id);
	return text_write(path, text, error);
}

/* In the child. */
static int bind_new_namespace(const char *path)
{
	if (unshare(CLONE_NEWNET) < 0 || mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) < 0)
		return errno;
	return 0;
}

/* Everything that is mounted on a file, one on the other. */
static int unmount(const char *path)
{
	while (umount2(path, MNT_DETACH) == 0)
		;
	return errno == EINVAL || errno == ENOENT ? 0 : -errno;
}

/* A namespace that is held by a file. What an earlier one has left there may be half of it. */
static int make_namespace(const char *path, struct shunt_error *error)
{
	_cleanup_close_ int fd = -EBADF;
	int status, r;
	pid_t pid;

	r = unmount(path);
	if (r >= 0)
		r = text_remove(path);
	if (r < 0)
		return shunt_fail(error, r, "%s is in the way: %s", path, strerror(-r));
	r = text_write(path, "", error);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0)
		_exit(bind_new_namespace(path));
	if (pid < 0)
		return shunt_fail(error, -errno, "fork: %m");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return shunt_fail(error, -errno, "waitpid: %m");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return shunt_fail(error, -EIO, "cannot make the network namespace %s: %s", path,
				  WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
	return netns_open_path(path, error);
}

static int pre_interface(struct shunt_instance *instance, const struct shunt_request *request, struct shunt_info *ret,
			 struct shunt_error *error)
{
	char parked[SHUNT_IFNAME_MAX];
	int r = shunt_prepare(instance, request, ret, error);

	shunt_parked_name(request->id, request->interface, parked);
	return r < 0 ? r : udev_wait(parked, error);
}

static int pre_namespace(struct shunt_instance *instance, struct shunt_request *request, struct shunt_info *ret,
			 struct shunt_error *error)
{
	_cleanup_free_ char *path = run_path(request->id, "netns");
	_cleanup_close_ int netns = -EBADF;

	if (!path)
		return shunt_fail(error, -ENOMEM, "machine %s: out of memory", request->id);
	netns = make_namespace(path, error);
	if (netns < 0)
		return netns;
	request->netns_fd = netns;
	return shunt_attach(instance, request, ret, error);
}

/* Gone already is a result, not an error. */
static int release_namespace(const char *machine, struct shunt_error *error)
{
	_cleanup_free_ char *path = run_path(machine, "netns");
	int r;

	if (!path)
		return shunt_fail(error, -ENOMEM, "machine %s: out of memory", machine);
	r = unmount(path);
	if (r >= 0)
		r = text_remove(path);
	return r < 0 ? shunt_fail(error, r, "%s cannot be removed: %s", path, strerror(-r)) : 0;
}

static int remove_files(const char *machine, struct shunt_error *error)
{
	_cleanup_free_ char *network = run_path(machine, "network");
	int r = network ? text_remove(network) : -ENOMEM;

	if (r < 0)
		return shunt_fail(error, r, "files of machine %s cannot be removed: %s", machine, strerror(-r));
	return release_namespace(machine, error);
}

/* A machine that runs would lose its interface to the next one. Of a unit that starts anew no process is left. */
static int check_not_running(const char *machine, struct shunt_error *error)
{
	_cleanup_close_ int netns = -EBADF;
	pid_t leader;

	if (machine_leader(machine, &leader, NULL) >= 0)
		netns = netns_open_pid(leader, NULL);
	return netns < 0 ? 0 : shunt_fail(error, -EBUSY, "machine %s is running; stop it first: machinectl poweroff %s", machine, machine);
}

int nspawn_pre(const char *state, const struct nspawn_request *request, struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	struct shunt_request inner = request->request;
	struct shunt_info info;
	int r = machine_name_check(inner.id, error);

	inner.interface = NSPAWN_INTERFACE;
	if (r >= 0)
		r = rights_check(RIGHTS_ATTACH, error);
	if (r >= 0)
		r = request_check(&inner, NULL, error);
	if (r >= 0)
		r = check_not_running(inner.id, error);
	if (r >= 0)
		r = shunt_open(state, true, &instance, error);
	if (r < 0)
		return r;
	r = request->mode == NSPAWN_MODE_NAMESPACE ? pre_namespace(instance, &inner, &info, error) :
						     pre_interface(instance, &inner, &info, error);
	if (r >= 0)
		r = write_network(&info, error);
	if (r < 0) {
		(void)shunt_detach_ended(instance, inner.id, NULL);
		(void)remove_files(inner.id, NULL);
		return r;
	}
	*ret = info;
	return 0;
}

int nspawn_post(const char *state, const char *machine, struct shunt_info *ret, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	_cleanup_close_ int netns = -EBADF;
	pid_t leader;
	int r = machine_name_check(machine, error);

	if (r >= 0)
		r = rights_check(RIGHTS_ATTACH, error);
	if (r < 0)
		return r;
	r = shunt_open(state, false, &instance, error);
	if (r == -ENOENT)
		return shunt_fail(error, r, "nothing was prepared for machine %s; 'shunt nspawn pre %s' comes before its start", machine,
				  machine);
	if (r >= 0)
		r = machine_leader(machine, &leader, error);
	if (r < 0)
		return r;
	netns = netns_open_pid(leader, error);
	if (netns < 0)
		return netns;
	r = shunt_complete(instance, machine, NSPAWN_INTERFACE, netns, ret, error);
	/* From here on the machine's processes hold it, so that it dies with them even where nobody calls stop. */
	if (r >= 0)
		(void)release_namespace(machine, NULL);
	return r;
}

int nspawn_stop(const char *state, const char *machine, struct shunt_error *error)
{
	_cleanup_(shunt_closep) struct shunt_instance *instance = NULL;
	int r = machine_name_check(machine, error);

	if (r < 0)
		return r;
	r = shunt_open(state, false, &instance, error);
	if (r == -ENOENT)
		return remove_files(machine, error);
	if (r >= 0)
		r = rights_check(RIGHTS_ATTACH, error);
	if (r >= 0)
		/* Less what a living container of the same ID has: a runtime told of its process, and nobody does of ours. */
		r = shunt_detach_ended(instance, machine, error);
	/* The namespace outlives the device, so that what cannot be taken back can be looked at. */
	return r < 0 ? r : remove_files(machine, error);
}

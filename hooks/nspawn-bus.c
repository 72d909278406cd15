// SPDX-License-Identifier: GPL-2.0-or-later
#include "nspawn-bus.h"

#include <sys/stat.h>
#include <systemd/sd-bus.h>

#include "names.h"
#include "util.h"

#define MACHINED "org.freedesktop.machine1"
#define SYSTEMD "org.freedesktop.systemd1"

static void bus_closep(sd_bus **bus)
{
	sd_bus_flush_close_unref(*bus);
}

static void message_unrefp(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

/* Calls MANAGER.@method, which takes a string and answers with an object's path, and reads that object's @property. */
static int get_property(const char *service, const char *manager, const char *method, const char *name,
			const char *interface, const char *property, char type, void *ret)
{
	_cleanup_(message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_(bus_closep) sd_bus *bus = NULL;
	_cleanup_free_ char *bus_interface = NULL;
	const char *path;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return r;
	if (asprintf(&bus_interface, "%s.Manager", service) < 0) {
		bus_interface = NULL;
		return -ENOMEM;
	}
	r = sd_bus_call_method(bus, service, manager, bus_interface, method, NULL, &reply, "s", name);
	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return r;
	return type == 's' ? sd_bus_get_property_string(bus, service, path, interface, property, NULL, ret) :
			     sd_bus_get_property_trivial(bus, service, path, interface, property, NULL, type, ret);
}

/* Whether a process is in a network namespace that is not ours: 1, 0 also where it is gone, or an errno. */
static int is_elsewhere(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat("/proc/self/ns/net", &ours) < 0)
		return -errno;
	if (stat(path, &theirs) < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : -errno;
	return ours.st_ino != theirs.st_ino;
}

/* Return: 0; -ESRCH: there is no $MAINPID, or no such process below it; or another errno */
static int leader_of_service(pid_t *ret)
{
	const char *text = secure_getenv("MAINPID");
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	uint64_t main_pid;
	int child;

	if (!text || number_parse(text, 1, INT32_MAX, &main_pid) < 0)
		return -ESRCH;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)main_pid, (int)main_pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (errno = 0, fscanf(f, "%d", &child) == 1) {
		int r = is_elsewhere(child);

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*ret = child;
		return 0;
	}
	return ferror(f) && errno != 0 ? -errno : -ESRCH;
}

int machine_leader(const char *machine, pid_t *ret, struct shunt_error *error)
{
	uint32_t leader;
	int of_service, r = get_property(MACHINED, "/org/freedesktop/machine1", "GetMachine", machine, MACHINED ".Machine", "Leader", 'u',
			     &leader);

	if (r >= 0 && leader != 0) {
		*ret = (pid_t)leader;
		return 0;
	}
	of_service = leader_of_service(ret);
	if (of_service >= 0)
		return 0;
	if (of_service != -ESRCH)
		return shunt_fail(error, of_service, "machine %s: cannot look at the processes of $MAINPID: %s", machine, strerror(-of_service));
	if (r >= 0 || r == -ENXIO)	/* which is what its "no machine known" becomes */
		return shunt_fail(error, -ESRCH, "machine %s is not running; start it first: machinectl start %s", machine, machine);
	return shunt_fail(error, r, "machine %s: systemd-machined does not answer (%s), and $MAINPID leads to no machine; start "
			  "systemd-machined.service, or use this as ExecStartPost= of the machine's service", machine, strerror(-r));
}

int machine_is_active(const char *machine)
{
	_cleanup_free_ char *unit = NULL, *state = NULL;
	int r;

	if (asprintf(&unit, "systemd-nspawn@%s.service", machine) < 0) {
		unit = NULL;
		return -ENOMEM;
	}
	r = get_property(SYSTEMD, "/org/freedesktop/systemd1", "LoadUnit", unit, SYSTEMD ".Unit", "ActiveState", 's', &state);
	return r < 0 ? r : strcmp(state, "inactive") != 0 && strcmp(state, "failed") != 0;
}

/* It runs generators and reads all units before it answers; systemctl waits as long. */
#define RELOAD_SECONDS 180

int systemd_reload(struct shunt_error *error)
{
	_cleanup_(message_unrefp) sd_bus_message *message = NULL;
	_cleanup_(bus_closep) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_message_new_method_call(bus, &message, SYSTEMD, "/org/freedesktop/systemd1", SYSTEMD ".Manager",
						   "Reload");
	if (r >= 0)
		r = sd_bus_call(bus, message, RELOAD_SECONDS * 1000000ULL, NULL, NULL);
	return r < 0 ? shunt_fail(error, r, "done, but systemd could not be told of it (%s); run 'systemctl daemon-reload'",
				  strerror(-r)) : 0;
}

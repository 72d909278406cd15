// SPDX-License-Identifier: GPL-2.0-or-later
#include "nspawn-unit.h"

#include <limits.h>
#include <sys/stat.h>

#include "nspawn-bus.h"
#include "nspawn-text.h"
#include "request.h"
#include "rights.h"
#include "util.h"

#define MARK "# Written by \"shunt nspawn enable "
#define OPTIONS_MAX (2 * PATH_MAX)

void nspawn_files_done(struct nspawn_files *files)
{
	free(files->dropin.path);
	free(files->dropin.text);
	free(files->nspawn.path);
	free(files->nspawn.text);
	*files = (struct nspawn_files){};
}

static int out_of_memory(const char *machine, struct shunt_error *error)
{
	return shunt_fail(error, -ENOMEM, "machine %s: out of memory", machine);
}

static int set_paths(const char *machine, struct nspawn_files *files, struct shunt_error *error)
{
	if (asprintf(&files->dropin.path, "/etc/systemd/system/systemd-nspawn@%s.service.d/50-shunt.conf", machine) < 0)
		files->dropin.path = NULL;
	if (asprintf(&files->nspawn.path, "/etc/systemd/nspawn/%s.nspawn", machine) < 0)
		files->nspawn.path = NULL;
	return files->dropin.path && files->nspawn.path ? 0 : out_of_memory(machine, error);
}

/* Where machinectl looks for what it starts. */
static const char *const directories[] = {
	"/etc/machines", "/run/machines", "/var/lib/machines", "/usr/local/lib/machines", "/usr/lib/machines",
};

/* A user may well begin with the network, so only `machinectl start` needs it. */
static bool has_image(const char *machine)
{
	static const char *const suffixes[] = { "", ".raw", ".v", ".raw.v" };

	for (size_t i = 0; i < ELEMENTSOF(directories); i++)
		for (size_t k = 0; k < ELEMENTSOF(suffixes); k++) {
			char path[PATH_MAX];

			snprintf(path, sizeof(path), "%s/%s%s", directories[i], machine, suffixes[k]);
			if (access(path, F_OK) == 0)
				return true;
		}
	return false;
}

/* What goes into a unit's command line as it is: no blank, quote, '%', '$' or '\'. */
static bool is_plain(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_.,:@+=-")] == '\0';
}

/* The program that runs now, which is the one that systemd is to run. */
static int own_path(char ret[static PATH_MAX], struct shunt_error *error)
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);

	if (n < 0)
		return shunt_fail(error, -errno, "/proc/self/exe: %m");
	ret[n] = '\0';
	if (!is_plain(ret))
		return shunt_fail(error, -EINVAL, "\"%s\" cannot be written into a unit; install shunt where the path has no blanks",
				  ret);
	return 0;
}

static void options_text(const char *state, const struct shunt_request *request, char *ret, size_t size)
{
	FILE *f = fmemopen(ret, size, "w");

	if (!f) {
		*ret = '\0';
		return;
	}
	if (state)
		fprintf(f, " --state %s", state);
	if (request->network)
		fprintf(f, " --network %s", request->network);
	for (size_t i = 0; i < request->n_addresses; i++)
		fprintf(f, " --address %s", request->addresses[i]);
	if (request->mtu)
		fprintf(f, " --mtu %u", request->mtu);
	if (request->driver)
		fprintf(f, " --driver %s", shunt_driver_name(request->driver));
	for (size_t i = 0; i < request->n_publish; i++)
		fprintf(f, " --publish %s", request->publish[i]);
	if (request->service)
		fprintf(f, " --service %s", request->service);
	fclose(f);
}

/*
 * What the machine gets as resolv.conf. "auto" means off for a machine with a network of its own; and the host's own
 * file will not do where it names resolved's 127.0.0.53, which is the machine itself from inside.
 */
static const char *resolv_conf(void)
{
	return access("/run/systemd/resolve/resolv.conf", F_OK) == 0 ? "replace-uplink" : "replace-host";
}

static int set_texts(const char *state, const struct nspawn_request *request, struct nspawn_files *files,
		     struct shunt_error *error)
{
	const bool namespace = request->mode == NSPAWN_MODE_NAMESPACE;
	char program[PATH_MAX], options[OPTIONS_MAX] = "", state_option[PATH_MAX] = "", parked[SHUNT_IFNAME_MAX];
	int r = own_path(program, error);

	if (r < 0)
		return r;
	if (state && (state[0] != '/' || !is_plain(state)))
		return shunt_fail(error, -EINVAL, "--state \"%s\" cannot be written into a unit; use an absolute path without blanks",
				  state);
	if (state)
		snprintf(state_option, sizeof(state_option), " --state %s", state);
	options_text(state, &request->request, options, sizeof(options));
	shunt_parked_name(request->request.id, NSPAWN_INTERFACE, parked);

	const struct text_word words[] = {
		{ "machine", request->request.id }, { "program", program }, { "options", options },
		{ "state", state_option }, { "interface", parked }, { "resolv", resolv_conf() },
	};

	files->dropin.text = text_fill(namespace ? nspawn_namespace_conf : nspawn_interface_conf, words, ELEMENTSOF(words));
	files->nspawn.text = text_fill(namespace ? nspawn_namespace_nspawn : nspawn_interface_nspawn, words, ELEMENTSOF(words));
	files->dropin.ours = files->nspawn.ours = true;
	return files->dropin.text && files->nspawn.text ? 0 : out_of_memory(request->request.id, error);
}

/* Whether there is a file and it begins as ours do: 1, 0, -ENOENT, or another errno. Writes what is in it. */
static int is_ours(const char *path, char **ret_text, struct shunt_error *error)
{
	int r = text_read(path, ret_text);

	if (r < 0)
		return r == -ENOENT ? r : shunt_fail(error, r, "%s: %s", path, strerror(-r));
	return strncmp(*ret_text, MARK, strlen(MARK)) == 0;
}

/*
 * Whether our .nspawn file is as we wrote it, in one of the ways in which we write it: for the machine that its first line
 * names, of which this one may be a clone, or a new name.
 */
static bool is_unchanged(const char *text)
{
	static const char *const resolv[] = { "replace-uplink", "replace-host" };
	static const char *const templates[] = { nspawn_interface_nspawn, nspawn_namespace_nspawn };
	const char *name = text + strlen(MARK);
	_cleanup_free_ char *machine = strndup(name, strcspn(name, "\"\n"));
	char parked[SHUNT_IFNAME_MAX];

	if (!machine || machine_name_check(machine, NULL) < 0)
		return false;
	shunt_parked_name(machine, NSPAWN_INTERFACE, parked);
	for (size_t i = 0; i < ELEMENTSOF(templates) * ELEMENTSOF(resolv); i++) {
		const struct text_word words[] = {
			{ "machine", machine }, { "interface", parked }, { "resolv", resolv[i % ELEMENTSOF(resolv)] },
		};
		_cleanup_free_ char *ours = text_fill(templates[i / ELEMENTSOF(resolv)], words, ELEMENTSOF(words));

		if (ours && strcmp(ours, text) == 0)
			return true;
	}
	return false;
}

/* nspawn reads one file alone, and looks into /etc first: ours would take the place of the user's elsewhere. */
static int check_elsewhere(const char *machine, const char *path, struct shunt_error *error)
{
	for (size_t i = 0; i <= ELEMENTSOF(directories); i++) {
		const char *directory = i < ELEMENTSOF(directories) ? directories[i] : "/run/systemd/nspawn";
		char other[PATH_MAX];

		snprintf(other, sizeof(other), "%s/%s.nspawn", directory, machine);
		if (access(other, F_OK) == 0)
			return shunt_fail(error, -EEXIST, "%s is yours, and would not be read any more with %s beside it; move it "
					  "there, then enable again", other, path);
	}
	return 0;
}

/* Looks at the user's own .nspawn file, which ours becomes when it is changed: with all that is needed in it, it stays as it is. */
static int use_theirs(const struct nspawn_request *request, const char *text, struct nspawn_file *file,
		      struct shunt_error *error)
{
	const char *machine = request->request.id;
	_cleanup_free_ char *interface = NULL, *bind = NULL;

	if (asprintf(&bind, NSPAWN_DIRECTORY "/%s.network:/run/systemd/network/10-shunt.network", machine) < 0)
		bind = NULL;
	if (!bind || nspawn_argument(request, &interface) < 0)
		return out_of_memory(machine, error);
	file->ours = false;
	if (request->mode == NSPAWN_MODE_NAMESPACE) {
		if (text_has_section(text, "Network"))
			return shunt_fail(error, -EEXIST, "%s is yours and has a section [Network], which would override the prepared "
					  "namespace; take that section out", file->path);
		if (text_has_setting(text, "Exec", "PrivateUsers", NULL) && !text_has_setting(text, "Exec", "PrivateUsers", "no"))
			return shunt_fail(error, -EEXIST, "%s has PrivateUsers=, and private users cannot enter a prepared namespace; "
					  "set PrivateUsers=no there, or use --mode interface", file->path);
		return 0;
	}
	if (text_has_setting(text, "Network", "Interface", interface))
		return 0;
	return shunt_fail(error, -EEXIST, "%s is yours and stays as it is; add to it, in place of other ways to a network: [Network] "
			  "Interface=%s, [Files] BindReadOnly=%s, [Exec] ResolvConf=%s; then enable again", file->path, interface, bind,
			  resolv_conf());
}

static int check_files(const struct nspawn_request *request, struct nspawn_files *files, struct shunt_error *error)
{
	_cleanup_free_ char *dropin = NULL, *nspawn = NULL;
	int r = is_ours(files->dropin.path, &dropin, error);

	if (r == 0)
		return shunt_fail(error, -EEXIST, "%s exists and was not written by shunt; move it away", files->dropin.path);
	if (r < 0 && r != -ENOENT)
		return r;
	r = is_ours(files->nspawn.path, &nspawn, error);
	if (r == -ENOENT)
		return check_elsewhere(request->request.id, files->nspawn.path, error);
	if (r < 0)
		return r;
	return r > 0 && is_unchanged(nspawn) ? 0 : use_theirs(request, nspawn, &files->nspawn, error);
}

/* The drop-in's directory is ours too, if nothing else is in it. */
static void remove_dropin(const char *path)
{
	_cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));

	(void)unlink(path);
	if (directory)
		(void)rmdir(directory);
}

int nspawn_enable(const char *state, const struct nspawn_request *request, struct nspawn_files *ret,
		  struct shunt_error *error)
{
	_cleanup_(nspawn_files_done) struct nspawn_files files = {};
	struct shunt_request inner = request->request;
	int r = machine_name_check(inner.id, error);

	inner.interface = NSPAWN_INTERFACE;
	if (r >= 0 && !has_image(inner.id))
		r = shunt_fail(error, -ENOENT, "there is no machine %s in /var/lib/machines; 'machinectl list-images' shows which there "
			       "are", inner.id);
	if (r >= 0)
		r = request_check(&inner, NULL, error);
	if (r >= 0)
		r = set_paths(inner.id, &files, error);
	if (r >= 0)
		r = set_texts(state, request, &files, error);
	if (r >= 0)
		r = check_files(request, &files, error);
	if (r >= 0 && files.nspawn.ours)
		r = text_write(files.nspawn.path, files.nspawn.text, error);
	if (r < 0)
		return r;
	r = text_write(files.dropin.path, files.dropin.text, error);
	if (r < 0) {
		if (files.nspawn.ours)
			(void)unlink(files.nspawn.path);
		return r;
	}
	*ret = files;
	files = (struct nspawn_files){};
	return systemd_reload(error);
}

int nspawn_disable(const char *machine, struct nspawn_files *ret, struct shunt_error *error)
{
	_cleanup_(nspawn_files_done) struct nspawn_files files = {};
	int r = machine_name_check(machine, error), dropin, nspawn;

	if (r >= 0)
		r = set_paths(machine, &files, error);
	if (r < 0)
		return r;
	dropin = is_ours(files.dropin.path, &files.dropin.text, error);
	if (dropin == 0)
		return shunt_fail(error, -EEXIST, "%s was not written by shunt; it stays", files.dropin.path);
	nspawn = is_ours(files.nspawn.path, &files.nspawn.text, error);
	if ((dropin < 0 && dropin != -ENOENT) || (nspawn < 0 && nspawn != -ENOENT))
		return dropin < 0 && dropin != -ENOENT ? dropin : nspawn;
	files.dropin.ours = dropin > 0;
	files.nspawn.ours = nspawn > 0;
	if ((files.dropin.ours || files.nspawn.ours) && machine_is_active(machine) > 0)
		return shunt_fail(error, -EBUSY, "machine %s is running; stop it first: machinectl poweroff %s", machine, machine);
	if (files.nspawn.ours && !is_unchanged(files.nspawn.text))
		return shunt_fail(error, -EEXIST, "%s was changed since shunt wrote it; take out what is shunt's together with the first "
				  "line, then disable again", files.nspawn.path);
	if (files.nspawn.ours && unlink(files.nspawn.path) < 0)
		return shunt_fail(error, -errno, "%s: %m", files.nspawn.path);
	if (files.dropin.ours)
		remove_dropin(files.dropin.path);
	*ret = files;
	files = (struct nspawn_files){};
	return ret->dropin.ours || ret->nspawn.ours ? systemd_reload(error) : 0;
}

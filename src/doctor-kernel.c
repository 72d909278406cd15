// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor-kernel.c - what this kernel can do. Features are probed for; its version is only advice, as distributions
 * carry features back and leave them out.
 */
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "datapath.h"
#include "doctor.h"
#include "libbpf.h"
#include "link.h"
#include "rights.h"
#include "sever.h"
#include "util.h"

static bool check_rights(struct doctor *doctor)
{
	struct shunt_error error;

	if (rights_check(RIGHTS_ATTACH, &error) < 0) {
		doctor_add(doctor, "rights", SEVERITY_FAIL, "run as root", "%s", error.text);
		return false;
	}
	doctor_add(doctor, "rights", SEVERITY_OK, "", "CAP_NET_ADMIN and CAP_SYS_ADMIN in the initial user namespace");
	return true;
}

static void check_version(struct doctor *doctor)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return;
	if (major < 6 || (major == 6 && minor < 8))
		doctor_add(doctor, "kernel", SEVERITY_WARN, "Linux 6.8 or later is what shunt is tested with", "Linux %s",
			   name.release);
	else
		doctor_add(doctor, "kernel", SEVERITY_OK, "", "Linux %s", name.release);
}

static void check_netkit(struct doctor *doctor)
{
	int r = link_probe_netkit();

	if (r > 0)
		doctor_add(doctor, "netkit", SEVERITY_OK, "", "netkit pairs can be made");
	else if (r == 0)
		doctor_add(doctor, "netkit", SEVERITY_WARN, "use a kernel with CONFIG_NETKIT=y",
			   "this kernel has no netkit; veth is used instead, which costs some throughput");
	else
		doctor_add(doctor, "netkit", SEVERITY_WARN, "run as root", "cannot tell: %s", strerror(-r));
}

static void check_tcx(struct doctor *doctor)
{
	int r = datapath_probe_tcx();

	if (r > 0)
		doctor_add(doctor, "tcx", SEVERITY_OK, "", "programs can be attached by tcx links");
	else if (r == 0)
		doctor_add(doctor, "tcx", SEVERITY_FAIL, "use Linux 6.6 or later with CONFIG_NET_XGRESS=y and CONFIG_BPF_SYSCALL=y",
			   "this kernel has no tcx, so nothing can be attached to an uplink");
	else
		doctor_add(doctor, "tcx", SEVERITY_WARN, "run as root", "cannot tell: %s", strerror(-r));
}

static void check_sever(struct doctor *doctor)
{
	int r = sever_probe();

	if (r > 0)
		doctor_add(doctor, "sockets", SEVERITY_OK, "", "the host's connections to a container can be ended with it");
	else if (r == 0)
		doctor_add(doctor, "sockets", SEVERITY_WARN, "use a kernel with CONFIG_INET_DIAG_DESTROY=y, and tcp_diag and udp_diag",
			   "this kernel ends no sockets: the host's own processes go on to speak to whoever gets a dead "
			   "container's address");
	else
		doctor_add(doctor, "sockets", SEVERITY_WARN, "run as root", "cannot tell: %s", strerror(-r));
}

static void check_btf(struct doctor *doctor)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		doctor_add(doctor, "btf", SEVERITY_OK, "", "the kernel describes its types");
	else
		doctor_add(doctor, "btf", SEVERITY_FAIL, "use a kernel with CONFIG_DEBUG_INFO_BTF=y",
			   "no /sys/kernel/btf/vmlinux, without which the programs cannot be loaded");
}

/* Only who loads or upgrades opens it: an attach to what is loaded goes without. */
static void check_libbpf(struct doctor *doctor)
{
	struct shunt_error error;
	unsigned major, minor;

	if (libbpf_open(&error) < 0) {
		doctor_add(doctor, "libbpf", SEVERITY_FAIL, "install libbpf (Debian: libbpf1)", "%.*s: the programs cannot be loaded",
			   (int)strcspn(error.text, ";"), error.text);
		return;
	}
	major = libbpf_major_version();
	minor = libbpf_minor_version();
	if (major < 1 || (major == 1 && minor < 5))
		doctor_add(doctor, "libbpf", SEVERITY_WARN, "libbpf 1.5 or later is what shunt is tested with", "libbpf %u.%u", major,
			   minor);
	else
		doctor_add(doctor, "libbpf", SEVERITY_OK, "", "libbpf %u.%u", major, minor);
}

static void check_jit(struct doctor *doctor)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int enabled;

	/* Only the initial network namespace shows it; kernels built to compile always show 1. */
	if (!f || fscanf(f, "%d", &enabled) != 1)
		return;
	if (enabled)
		doctor_add(doctor, "jit", SEVERITY_OK, "", "programs are compiled");
	else
		doctor_add(doctor, "jit", SEVERITY_WARN, "sysctl net.core.bpf_jit_enable=1",
			   "the BPF JIT is switched off: each packet's programs are interpreted");
}

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static void check_bpffs(struct doctor *doctor)
{
	_cleanup_free_ char *parent = strdup(doctor->state);
	char *slash;

	if (!parent)
		return;
	/* A directory may be written with slashes behind it: its parent is not before the last of these. */
	for (size_t size = strlen(parent); size > 1 && parent[size - 1] == '/'; size--)
		parent[size - 1] = '\0';
	slash = strrchr(parent, '/');
	if (parent[0] != '/') {
		doctor_add(doctor, "bpffs", SEVERITY_FAIL, "give --state an absolute path", "%s is not absolute", parent);
		return;
	}
	slash[slash == parent] = '\0';
	if (on_bpffs(parent))
		doctor_add(doctor, "bpffs", SEVERITY_OK, "", "%s is on a bpffs", parent);
	else if (strcmp(parent, "/sys/fs/bpf") == 0)
		doctor_add(doctor, "bpffs", SEVERITY_OK, "", "no bpffs at %s yet; the first attach mounts it", parent);
	else
		doctor_add(doctor, "bpffs", SEVERITY_FAIL, "mount -t bpf bpf DIRECTORY", "%s is on no bpffs", parent);
}

static void check_state(struct doctor *doctor)
{
	struct stat st;

	if (lstat(doctor->state, &st) < 0) {
		if (errno == ENOENT)
			doctor_add(doctor, "state", SEVERITY_OK, "", "no %s: nothing is attached", doctor->state);
		else
			doctor_add(doctor, "state", SEVERITY_FAIL, "run as root", "%s: %s", doctor->state, strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode))
		doctor_add(doctor, "state", SEVERITY_FAIL, "remove it", "%s is no directory", doctor->state);
	else if (st.st_uid != 0 || st.st_mode & (S_IRWXG | S_IRWXO))
		doctor_add(doctor, "state", SEVERITY_FAIL, "find out who did that; then chown root and chmod 0700",
			   "%s belongs to user %u with mode %04o: others can change who owns which address", doctor->state,
			   (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
	else
		doctor_add(doctor, "state", SEVERITY_OK, "", "%s is root's alone", doctor->state);
}

void doctor_kernel(struct doctor *doctor)
{
	bool rights = check_rights(doctor);

	check_version(doctor);
	if (rights) {
		check_netkit(doctor);
		check_tcx(doctor);
		check_sever(doctor);
	}
	check_btf(doctor);
	check_libbpf(doctor);
	check_jit(doctor);
	check_bpffs(doctor);
	check_state(doctor);
}

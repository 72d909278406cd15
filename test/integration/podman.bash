# A podman with the files that `make install` puts where it looks for hooks, in $hooks, and an image, "box", of a busybox.
# Sourced behind lib.bash. What it makes is in $place.
# shellcheck shell=bash
place=${place:-/tmp}
make -s -C "$here/../.." -o all install PREFIX=$place/prefix >/dev/null
hooks=$place/prefix/share/containers/oci/hooks.d
cat >/etc/containers/storage.conf <<CONF
[storage]
driver = "vfs"
runroot = "/run/containers"
graphroot = "$place/containers"
CONF
cat >/etc/containers/containers.conf <<CONF
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
hooks_dir = ["$hooks"]
CONF
mkdir -p /tmp/root/bin
cp "$(command -v busybox)" /tmp/root/bin/
for applet in sh sleep ping ip cat nslookup; do ln -s busybox /tmp/root/bin/$applet; done
tar -C /tmp/root -c . | podman import -q - box >/dev/null

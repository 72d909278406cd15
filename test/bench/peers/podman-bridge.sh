#!/bin/bash
# podman with a bridge of netavark's, which masquerades.
. "$(dirname "$0")/../bench.bash"

world
no_way_back
cat >/etc/containers/storage.conf <<'CONF'
[storage]
driver = "vfs"
runroot = "/run/containers"
graphroot = "/tmp/containers"
CONF
cat >/etc/containers/containers.conf <<'CONF'
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
mkdir -p /tmp/root/bin
cp "$(command -v busybox)" /tmp/root/bin/
ln -s busybox /tmp/root/bin/sleep
tar -C /tmp/root -c . | podman import -q - box >/dev/null
podman network create --ipv6 --disable-dns bench >/dev/null
for name in one two; do
        id=$(podman run -q -d --name $name --network bench box sleep 10000 </dev/null)
        ip netns attach $name "$(crun state "$id" | jq .pid)"
done
measure one two

#!/bin/bash
# lab: kernels=old
# Debian 12's kernel has neither netkit nor tcx: shunt says so, and leaves nothing.
. "$(dirname "$0")/lib.bash"

world
ip netns add box
for driver in auto netkit veth; do
        refuse 'Linux 6.1.*no tcx.*Linux 6.8' shunt attach box --netns /run/netns/box --driver $driver
done
bundle box
check_not "a container does not start" start crun box
check_equal "nothing of ours is there" "$(ls /sys/class/net)" "lo
wire"
check_not "doctor says no" shunt doctor
check "and names the kernel" sh -c 'shunt doctor | grep -E "6\.1\..*"'
check "detach of what never was" shunt detach box
unloaded
finish

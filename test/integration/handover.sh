#!/bin/bash
# lab: check=backports
# A manager that moves the container's end in by itself, as systemd-nspawn does: its steps, one by one and by hand. The
# machine is a process in namespaces of its own; machined is absent.
. "$(dirname "$0")/lib.bash"

world
# Where /sys is read-only nobody waits for udev: not nspawn, so not we.
mount -o remount,ro /sys

# machine: a supervisor with one child in a network namespace; sets MAINPID and leader
machine() {
        sh -c 'unshare --net sleep 1000 & wait' &
        MAINPID=$!
        backgrounds+=("$MAINPID")
        export MAINPID
        eventually elsewhere
}
elsewhere() {
        leader=$(cat "/proc/$MAINPID/task/$MAINPID/children") && leader=${leader% } && [ -n "$leader" ] &&
                [ "$(readlink "/proc/$leader/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
end_machine() { kill "$leader" "$MAINPID" 2>/dev/null || true; wait "$MAINPID" 2>/dev/null || true; }
# What nspawn does between pre and post.
move() { ip link set "$1" netns "$leader"; nsenter -t "$leader" -n ip link set "$1" name host0; }
inside() { nsenter -t "$leader" -n "$@"; }
state() { shunt show web --json | jq -r .state; }

parked=$(shunt nspawn pre web --driver "$driver")
check "pre says what nspawn is to be told" grep -Eqx 'np[0-9a-f]{13}:host0' <<<"$parked"
parked=${parked%:host0}
check "the machine's end waits in our namespace" ip link show "$parked"
check_not "and is down" sh -c "ip link show $parked | grep -q UP"
check_equal "the endpoint is pending" pending "$(state)"
check "gc leaves it alone" shunt gc
check "the host end is there still" ip link show "$(host_end web)"
v4=$(address4 web) v6=$(address6 web)
check "its networkd is told of IPv4" grep -qx "Address=$v4/32" /run/shunt/nspawn/web.network
check "its networkd is told of IPv6" grep -qx "Address=$v6/128" /run/shunt/nspawn/web.network
refuse 'web is not running|machined does not answer' env -u MAINPID shunt nspawn post web

machine
refuse 'has no interface host0' shunt nspawn post web
move "$parked"
check "post" shunt nspawn post web
check_equal "the endpoint is ready" ready "$(state)"
check_equal "the addresses are the same" "$v4 $v6" "$(address4 web) $(address6 web)"
check "host to machine, IPv4" ping4 "$v4"
check "host to machine, IPv6" ping6 "$v6"
check "machine to beyond, IPv4" inside ping -n -c 1 -W 5 10.99.0.2
check "machine to beyond, IPv6" inside ping -n -c 1 -W 5 fd99::2
check "post once more" shunt nspawn post web
check "host to machine, still" ping4 "$v4"

# Nor is another's interface taken for ours.
inside ip link set host0 name ours
ip link add ve-web type veth peer name host0 netns "$leader"
refuse 'its host0 is not the one that was prepared' shunt nspawn post web
check_equal "which gets no address" "" "$(inside ip -o addr show host0)"
ip link del ve-web
inside ip link set ours name host0

# It dies, and its manager moves the interface back, bare.
inside ip link set host0 down
inside ip link set host0 netns $$ name "$parked"
end_machine
check "stop" shunt nspawn stop web
check_equal "its files are gone" "" "$(ls /run/shunt/nspawn)"
check "stop once more" shunt nspawn stop web
nothing_left

# The machine's networkd was faster than post.
parked=$(shunt nspawn pre web --driver "$driver")
machine
move "${parked%:host0}"
check_equal "a machine keeps its addresses over a restart" "$v4 $v6" "$(address4 web) $(address6 web)"
inside ip addr add "$v4/32" dev host0
inside ip addr add "$v6/128" dev host0 nodad
inside ip link set host0 up
inside ip route add default dev host0 scope link proto static
inside ip -6 route add default dev host0 proto static
check "post finds what it would have set" shunt nspawn post web
check "host to machine, IPv4" ping4 "$v4"
check "host to machine, IPv6" ping6 "$v6"

# A crash: nobody moves anything back, and nobody calls stop.
end_machine
eventually sh -c "! ip link show $(host_end web)"
check_equal "a machine that died without a word is stale" stale "$(state)"
check "pre takes its place" shunt nspawn pre web --driver "$driver"
check_equal "with the same addresses" "$v4 $v6" "$(address4 web) $(address6 web)"
check "pre again replaces it" shunt nspawn pre web --driver "$driver"
check "stop of what never started" shunt nspawn stop web
nothing_left

# A container may have the same ID.
bundle web
check "a container of the machine's name" start crun web
shunt nspawn pre web --driver "$driver" >/dev/null
check_equal "both are there" "eth0 host0" "$(shunt list --json | jq -r '[.[].peer.name] | sort | join(" ")')"
check "the machine stops" shunt nspawn stop web
check "the container stays" ping4 "$(address4 web)"
check "and ends" stop crun web
nothing_left

# A whole namespace, complete before the first process.
path=$(shunt nspawn pre db --mode namespace --driver "$driver")
check_equal "pre says where it is" /run/shunt/nspawn/db.netns "$path"
check_equal "it is ready" ready "$(shunt show db --json | jq -r .state)"
check "host to it" ping4 "$(address4 db)"
check "it to beyond, IPv6" nsenter --net="$path" ping -n -c 1 -W 5 fd99::2
check "another takes its place" shunt nspawn pre db --mode namespace --driver "$driver"
check "stop" shunt nspawn stop db
check_equal "its files are gone" "" "$(ls /run/shunt/nspawn)"
check_equal "and its mounts" "" "$(grep netns /proc/self/mounts | grep shunt || true)"
nothing_left

# Refused, and nothing is left.
refuse 'network "nowhere" is unknown' shunt nspawn pre web --network nowhere
refuse 'standard output: No space' sh -c "exec shunt nspawn pre web --driver $driver >/dev/full"
refuse '"a_b" is no name of a machine' shunt nspawn pre a_b
refuse 'machine nobody' shunt nspawn post nobody
mount -o remount,rw /sys
refuse 'udev is not running.*systemd-udevd' shunt nspawn pre web --driver "$driver"
nothing_left
unloaded
finish

#!/bin/bash
# lab: check=stable
# What people and the kernel do to endpoints behind our back: list says it, gc or the next verb heals it, and whose
# container lives has its network again, or none at all.
. "$(dirname "$0")/lib.bash"

released() { ! bpftool net show | grep -q shunt_; }
world
plain one
plain two
ip netns add other
pins=/sys/fs/bpf/shunt/endpoints
state() { shunt show "$1" --json | jq -r .state; }
reason() { shunt show "$1" --json | jq -r .stale_reason; }
# Whose host end suffers, and who shares its network.
who=one mate=two
works() {
        check "$1: out" in_ct $who ping -n -c 1 -W 5 10.99.0.2
        check "$1: in, and the host" ping4 "$(address4 $who)"
        check "$1: in, and the host, IPv6" ping6 "$(address6 $who)"
        check "$1: between two" in_ct $mate ping -n -c 1 -W 5 "$(address4 $who)"
}
# Under a false name, which only a program tells from a true one.
filtered() {
        local before
        before=$(dropped $who spoofed)
        in_ct $who "$here/net.py" forge eth0 - spoof 10.99.0.2 -- 10.207.0.77 >/dev/null
        check "$1: the filter is there" test "$(dropped $who spoofed)" -gt "$before"
}
# Until gc comes nothing may get out without its filter. The kernel takes its time to let go of that.
unfiltered() { ! bpftool net show | grep -q "$end.*shunt_from_ct"; }
shut() { eventually unfiltered; check_not "$1: it is shut until then" in_ct $who ping -n -c 1 -W 0.5 10.99.0.1; }
found() { # WHAT REASON
        check_equal "$1: list says so" stale "$(state $who)"
        check "$1: and what" grep -q "$2" <<<"$(reason $who)"
}
healed() { # WHAT GC'S WORDS
        check_equal "$1: gc heals it" "$2" "$(shunt gc)"
        check_equal "$1: ready" ready "$(state $who)"
        works "$1"
        filtered "$1"
}
# Programs of the host end: one more where there are rules, and one more on netkit.
across=$([ "$driver" != netkit ] || echo across)
lose_programs() { # NAME...
        local name
        end=$(host_end $who)
        check_equal "$who has these" "$*" "$(find "$pins/$end" -type f ! -name gate -printf '%f\n' | sort | xargs)"
        works "at first"
        filtered "at first"
        for name; do
                rm "$pins/$end/$name"
                found "pin of $name removed" "took a program"
                [ "$name" != from_ct ] || shut "pin of $name removed"
                [ "$name" != across ] || works "without it, by the host's stack"
                healed "pin of $name removed" "0 endpoints removed, 1 mended, 0 uplinks changed"
                bpftool link detach pinned "$pins/$end/$name"
                found "link of $name detached" "took a program"
                [ "$name" != from_ct ] || shut "link of $name detached"
                healed "link of $name detached" "0 endpoints removed, 1 mended, 0 uplinks changed"
        done
        find "$pins/$end" -type f ! -name gate -delete
        shut "all pins removed"
        healed "all pins removed" "0 endpoints removed, 1 mended, 0 uplinks changed"
}
mkdir -p /etc/shunt/networks
echo '{"subnets": ["10.58.0.0/24", "fd58::/64"], "allow": {"out": ["0.0.0.0/0", "::/0"]}}' >/etc/shunt/networks/ruled.json
plain ruled --network ruled
plain mate --network ruled
who=ruled mate=mate
lose_programs $across from_ct to_ct
shunt detach ruled
shunt detach mate
who=one mate=two
lose_programs $across from_ct
index=$(cat "/sys/class/net/$end/ifindex") v4=$(address4 one) v6=$(address6 one)

# Routes.
ip route del "$v4"
found "route deleted" "the route to $v4/32"
healed "route deleted" "0 endpoints removed, 1 mended, 0 uplinks changed"
ip -6 route del "$v6"
found "IPv6 route deleted" "the route to $v6/128"
healed "IPv6 route deleted" "0 endpoints removed, 1 mended, 0 uplinks changed"
ip link set "$end" down
check_equal "set down by somebody: it is ready" ready "$(state one)"
check_equal "and stays down" "0 endpoints removed, 0 uplinks changed" "$(shunt gc)"
ip link set "$end" up
found "up again, without its routes" "the route to"
healed "up again" "0 endpoints removed, 1 mended, 0 uplinks changed"

# Names.
ip link set "$end" down
ip link set "$end" name renamed0
ip link set renamed0 alias mine up
shunt gc >/dev/null
check_equal "another name and another alias: ready" ready "$(state one)"
works "another name and another alias"
filtered "another name and another alias"
ip link set renamed0 down
ip link set renamed0 name "$end"
ip link set "$end" alias one up
shunt gc >/dev/null
works "its own name again"

# The uplink's. What was flushed comes back with it.
back() { ip route add default via 10.99.0.2; ip addr add fd99::1/64 dev "$1" nodad; ip -6 route add default via fd99::2; }
rm /sys/fs/bpf/shunt/uplinks/*
check_equal "pin of the uplink removed" "0 endpoints removed, 1 uplinks changed" "$(shunt gc)"
works "pin of the uplink removed"
bpftool link detach pinned /sys/fs/bpf/shunt/uplinks/*
check_equal "link of the uplink detached" "0 endpoints removed, 1 uplinks changed" "$(shunt gc)"
works "link of the uplink detached"
ip link set wire down
ip link set wire name uplink0 up
back uplink0
check_equal "the uplink renamed" "0 endpoints removed, 0 uplinks changed" "$(shunt gc)"
works "the uplink renamed"
ip link set uplink0 down
ip link set uplink0 name wire up
back wire

# A default route that moves, followed by the next verb that attaches.
ip link add wire2 type veth peer name wire2 netns beyond
ip addr add 10.96.0.1/24 dev wire2
ip link set wire2 up
ip -n beyond addr add 10.96.0.2/24 dev wire2
ip -n beyond link set wire2 up
ip route replace default via 10.96.0.2 dev wire2
ip -n beyond route replace 10.0.0.0/8 via 10.96.0.1
shunt attach other --netns /run/netns/other --driver "$driver" >/dev/null
check "the default route moved: attach of another follows" bpftool net show dev wire2
check "in, by the new way" beyond ping -n -c 1 -W 5 "$v4"
ip route replace default via 10.99.0.2 dev wire
ip -n beyond route replace 10.0.0.0/8 via 10.99.0.1
ip link del wire2
shunt detach other
shunt gc >/dev/null
works "the default route is back"

# The host end is deleted, and its number becomes a stranger's.
ip link del "$end"
found "host end deleted" "its interface is gone"
ip link add stranger index "$index" type veth peer name stranger1
found "its number is a stranger's" "its interface is gone"
check_equal "gc takes it" "1 endpoints removed, 0 uplinks changed" "$(shunt gc)"
check "and not the stranger" ip link show stranger
ip link del stranger
shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
works "attached anew"
in_ct one ip link del eth0
found "the container deleted its end" "its interface is gone"
check "the next verb, another's, takes it" shunt attach other --netns /run/netns/other --driver "$driver"
check_equal "whole" "$(printf '%s\n' "$(host_end two)" "$(host_end other)" | sort)" "$(ls $pins)"
shunt detach other
shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
works "attached anew"

# The gate cannot be put back.
if [ "$driver" = veth ]; then
        rm "$pins/$(host_end one)/gate"
        found "gate removed" "took shunt_gate"
        check_equal "gc takes it back" "1 endpoints removed, 0 uplinks changed" "$(shunt gc)"
        check_not "the container has no interface rather than half a filter" in_ct one ip link show eth0
        shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
fi

# The datapath is removed, and then all of the bpffs.
rm -r /sys/fs/bpf/shunt/datapath
check "gc behind a removed datapath" shunt gc
check "leaves no device" no_links
check "attach" shunt attach one --netns /run/netns/one --driver "$driver"
check "attach" shunt attach two --netns /run/netns/two --driver "$driver"
works "attached anew"
rm -r /sys/fs/bpf/shunt
# The kernel takes its time to free the links, and a pair whose programs run is somebody's.
eventually released
shut "all that is pinned is removed"
check_equal "all that is pinned is removed: gc takes what is left" "2 endpoints removed, 0 uplinks changed" "$(shunt gc)"
nothing_left
check "attach" shunt attach one --netns /run/netns/one --driver "$driver"
check "attach" shunt attach two --netns /run/netns/two --driver "$driver"
works "attached anew"
umount /sys/fs/bpf
mount -t bpf bpf /sys/fs/bpf -o mode=0700
eventually released
shut "bpffs unmounted"
check_equal "bpffs unmounted: gc takes what is left" "2 endpoints removed, 0 uplinks changed" "$(shunt gc)"
nothing_left
shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
umount /sys/fs/bpf
mount -t bpf bpf /sys/fs/bpf -o mode=0700
eventually released
check "bpffs unmounted: another may have the address at once" \
        shunt attach two --netns /run/netns/two --driver "$driver" --address "$v4"
check_not "and the first has none" in_ct one ip link show eth0
shunt detach two
nothing_left
unloaded
finish

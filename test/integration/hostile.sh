#!/bin/bash
# Root in a container has all rights over its network namespace and none outside. Whatever it does to its interface or
# by it, those who talk meanwhile go on, nobody hears a false name, and shunt tells what is there.
#
#   ATTACK_SECONDS   of each flood (2; 1 where the machine is emulated)
#
# lab: check=stable
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/ears.bash"

seconds=${ATTACK_SECONDS:-$([ "${LAB_ACCEL:-}" = tcg ] && echo 1 || echo 2)}
world
no_masquerade
net off wire
plain two
two4=$(address4 two) two6=$(address6 two)
kernel=() kinds=()

# enter: a container, "evil", whose network namespace belongs to a user namespace of its own
enter() {
        unshare --user --map-root-user --net --mount sleep 1000 &
        evil=$!
        eventually grep -qx sleep /proc/$evil/comm
        shunt attach evil --pid $evil --driver "$driver" >/dev/null
        v4=$(address4 evil) v6=$(address6 evil) end=$(host_end evil)
        mac=$(inside ip -br link show eth0 | awk '{ print $3 }')
        ears host "$end" "ip saddr $v4 counter name own accept" "ip6 saddr $v6 counter name own accept"
}
leave() { kill $evil; wait $evil 2>/dev/null || true; }
# inside COMMAND...: as root of its user namespace; privileged COMMAND...: as one who has all rights outside as well
inside() { nsenter -t $evil -U -n --preserve-credentials "$@"; }
privileged() { nsenter -t $evil -n "$@"; }

# forge [DEVICE]: frames of every kind, which need not get anywhere: the device may be down, or refuse them
forge() {
        inside build/test/attack/packets "${1:-eth0}" 200 $((RANDOM)) "$v4" "$v6" 10.99.0.1 10.99.0.2 "$two4" fd99::1 fd99::2 "$two6" \
                >/dev/null 2>&1 || true
}
# still STATE WHAT: what is to be so after each deed; evil is in STATE
still() {
        local state=$1 what=$2 ear talk
        for ear in "host $end" "two eth0" "beyond wire"; do
                [ "$ear" != "host $end" ] || [ -e "/sys/class/net/$end" ] || continue
                [ "$(heard $ear forged)" = 0 ] || die "$what: $ear heard a false name"
        done
        for talk in "${talks[@]}"; do kill -0 "$talk" || die "$what: a talk has ended"; done
        in_ct two ping -n -c 1 -W 5 10.99.0.2 >/dev/null || die "$what: two does not reach beyond"
        ping6 "$two6" >/dev/null || die "$what: the host does not reach two"
        [[ $(shunt list) =~ evil\ [^$'\n']*\ $state\  ]] || die "$what: evil is not $state: $(shunt list)"
        ok "$what"
}
# served: evil itself has its network
spoofed_more() { [ "$(dropped evil spoofed)" -gt "$1" ]; }
served() { inside ping -n -c 1 -W 5 10.99.0.2 >/dev/null || die "$*: evil is not served"; }

enter
talkers "$v4" "$v6"
beliefs >/tmp/before
forge
still ready "packets under false names"
check "which were counted" eventually spoofed_more 10

echo "# its interface"
for change in "mtu 576" "mtu 1400" "mtu 65535" "mtu 1500" "txqueuelen 1" "promisc on" "allmulticast on" "arp on" "multicast off" \
        "address 02:00:00:00:00:99" "address $mac" "gso_max_size 2000" "group 7" "alias two" "addrgenmode random" "type netkit peer forward" \
        "vf 0 mac 02:00:00:00:00:99" "netns $$" "master lo" "down" "up" "name wire" "name eth0 down" "up"; do
        inside ip link set dev "$(inside ls /proc/sys/net/ipv4/conf | grep -xE 'eth0|wire')" $change >/dev/null 2>&1 || true
        forge
done
still ready "its interface changed in all its properties"
inside ip addr add "$two4/32" dev eth0
inside ip addr add 10.99.0.1/24 dev eth0
inside ip addr add "$two6/128" dev eth0 nodad
inside ip -6 addr add fd99::1/64 dev eth0 nodad
inside sh -c 'for i in ipv4/ip_forward ipv6/conf/all/forwarding ipv4/conf/all/proxy_arp ipv6/conf/all/proxy_ndp \
        ipv4/conf/all/accept_source_route ipv4/conf/all/route_localnet; do echo 1 >/proc/sys/net/$i; done'
inside ip route replace 127.0.0.0/8 dev eth0 table local 2>/dev/null || true
forge
inside ping -n -c 1 -W 0.2 -I "$two4" 10.99.0.2 >/dev/null || true
inside ping -n -c 1 -W 0.2 -I fd99::1 fd99::2 >/dev/null || true
inside "$here/net.py" advertise eth0 2>/dev/null || true
still ready "others' addresses, forwarding, proxies and router advertisements"
inside ip addr flush dev eth0
inside ip route flush table all 2>/dev/null || true
still ready "no addresses and no routes"
inside ip link add own0 type veth peer name own1
for device in eth0 own0; do
        check_equal "$device does not get to the host" EPERM "$(inside "$here/net.py" banish $device $$)"
done
inside ip link del own0
check_equal "the host has no other devices than before" "lo $(printf '%s\n' "$end" "$(host_end two)" | sort | xargs) wire" \
        "$(cd /sys/class/net && echo *)"
leave
eventually sh -c '! ip link show "$1"' - "$end"
still stale "its end"
check "gc" shunt gc
check_equal "takes back what it had" "" "$(shunt list --json | jq -r '.[] | select(.id == "evil").id')"

echo "# elsewhere"
enter
nsenter -t $evil -U -n --preserve-credentials unshare --net sleep 1000 &
elsewhere=$!
eventually grep -qx sleep /proc/$elsewhere/comm
away() { nsenter -t $elsewhere -U -n --preserve-credentials "$@"; }
inside ip link set eth0 netns $elsewhere
still ready "its interface moved to another namespace of its own"
away ip link set eth0 name lan0 up
away ip addr add "$v4/32" dev lan0
away ip route add default dev lan0
check "where it is served" away ping -n -c 1 -W 5 10.99.0.2
away build/test/attack/packets lan0 200 7 "$v4" "$v6" 10.99.0.1 "$two4" fd99::1 "$two6" >/dev/null
still ready "and no less watched"
away ip link set lan0 netns $evil
inside ip link set lan0 name eth0 up
still ready "and back again"
kill $elsewhere
check "detach finds it" shunt detach evil
shunt attach evil --pid $evil --driver "$driver" >/dev/null
ears host "$end" "ip saddr $v4 counter name own accept" "ip6 saddr $v6 counter name own accept"
served "attached anew"
inside ip link del eth0
still stale "its interface deleted"
check "attach gives another" shunt attach evil --pid $evil --driver "$driver"
end=$(host_end evil)
ears host "$end" "ip saddr $v4 counter name own accept" "ip6 saddr $v6 counter name own accept"
served "attached once more"
still ready "which is ready"

echo "# devices and queues of its own"
tc_inside() { inside tc "$@" 2>/dev/null || true; }
all=(protocol all u32 match u32 0 0)
inside ip link add ifb0 type ifb && inside ip link set ifb0 up
tc_inside qdisc add dev eth0 clsact
tc_inside filter add dev eth0 ingress prio 1 "${all[@]}" action mirred egress mirror dev eth0
in_ct two ping -n -c 3 -i 0.1 -W 1 "$v4" >/dev/null || true
still ready "all that comes in is sent back under the sender's name"
check "and was counted" eventually spoofed_more 0
tc_inside filter del dev eth0 ingress
tc_inside filter add dev eth0 egress prio 1 "${all[@]}" action mirred egress mirror dev ifb0
forge
still ready "all that goes out is mirrored to an ifb device"
tc_inside qdisc del dev eth0 clsact
tc_inside qdisc add dev eth0 root handle 1: prio
tc_inside filter add dev eth0 parent 1: prio 1 "${all[@]}" action mirred egress redirect dev ifb0
forge
still ready "or taken to it by a queueing discipline"
tc_inside qdisc del dev eth0 root
inside ip link del ifb0
for kind in "macvlan mode private" "macvlan mode bridge" "macvlan mode passthru" "ipvlan mode l2" "ipvlan mode l3" "macvtap" "vlan id 7" \
        "vxlan id 7 remote 10.99.0.2 dstport 4789" "macsec encrypt off"; do
        inside ip link add own0 link eth0 type $kind 2>/dev/null || continue
        kinds+=("${kind%% *}")
        inside ip link set own0 up 2>/dev/null || true
        forge own0
        forge
        inside ip link del own0
done
still ready "devices on top of it: ${kinds[*]}"
for kind in bridge bond team; do
        inside ip link add own0 type $kind 2>/dev/null || continue
        inside ip link set eth0 down
        inside ip link set eth0 master own0 2>/dev/null || true
        inside ip link set own0 up
        inside ip link set eth0 up
        forge own0
        inside ip link del own0
        # A bond leaves its ports down.
        inside ip link set eth0 up
        forge
done
still ready "and devices that it is a port of"
[ "$driver" = netkit ] && kernel=(netkit)
for kind in veth "${kernel[@]}"; do
        inside ip link add own0 type "$kind" peer name own1
        inside ip link set own0 up
        inside ip link set own1 up
        forge own0
        inside ip link del own0
done
still ready "pairs of its own"

echo "# programs, by one who may load them"
bpftool prog loadall build/test/attack/inside.bpf.o /sys/fs/bpf/inside
spoofed=$(dropped evil spoofed)
privileged bpftool net attach xdpgeneric pinned /sys/fs/bpf/inside/bounce dev eth0
in_ct two ping -n -c 3 -i 0.1 -W 0.2 "$v4" >/dev/null || true
ping -n -c 2 -i 0.1 -W 0.2 "$v4" >/dev/null || true
privileged bpftool net detach xdpgeneric dev eth0
still ready "XDP that sends all back under the sender's name"
check "which was counted" eventually spoofed_more "$spoofed"
inside ip addr replace "$v4/32" dev eth0
inside ip route replace default dev eth0
for program in rename hairpin; do
        for where in ingress egress; do
                spoofed=$(dropped evil spoofed)
                privileged tc qdisc add dev eth0 clsact
                privileged tc filter add dev eth0 $where bpf da pinned /sys/fs/bpf/inside/$program
                in_ct two ping -n -c 2 -i 0.1 -W 0.2 "$v4" >/dev/null || true
                timeout 1 nsenter -t $evil -n ping -n -c 2 -i 0.1 -W 0.2 10.99.0.2 >/dev/null 2>&1 || true
                privileged tc qdisc del dev eth0 clsact
                still ready "tc: $program at $where"
        done
done
inside ip link add ifb0 type ifb
inside ip link set ifb0 up
privileged tc qdisc add dev eth0 clsact
privileged tc filter add dev eth0 egress prio 1 protocol all bpf da pinned /sys/fs/bpf/inside/once
privileged tc filter add dev eth0 egress prio 2 "${all[@]}" action mirred egress redirect dev ifb0
forge
check "packets went through an ifb device and on" test "$(inside ip -s -j link show ifb0 | jq '.[0].stats64.tx.packets')" -gt 20
privileged tc qdisc del dev eth0 clsact
inside ip link del ifb0
still ready "what is marked to pass by tc on the host passes by nobody"
privileged bpftool net attach tcx_egress pinned /sys/fs/bpf/inside/rename dev eth0
timeout 1 nsenter -t $evil -n ping -n -c 2 -i 0.1 -W 0.2 10.99.0.2 >/dev/null 2>&1 || true
privileged bpftool net detach tcx_egress dev eth0
still ready "tcx: rename at egress"
privileged bpftool net attach tcx_egress pinned /sys/fs/bpf/inside/across dev eth0
check "who calls a packet for the host one for another container still speaks to the host" \
        nsenter -t $evil -n ping -n -c 2 -i 0.1 -W 2 -m "$(cat "/sys/class/net/$(host_end two)/ifindex")" 10.99.0.1
privileged bpftool net detach tcx_egress dev eth0
served "that over"

echo "# floods"
for flood in "udp $v4 $two4" "udp $v6 fd99::2 fd99::1" "syn $v4 10.99.0.1 $two4 10.99.0.2" "syn $v6 $two6" \
        "scan $v4 10.99.0.0 10.207.0.0 10.50.0.0" "scan $v6 fd99::1000 $v6"; do
        read -r what own_address to <<<"$flood"
        echo "# $what: $(inside build/test/attack/flood eth0 "$seconds" $what $own_address $to)"
        still ready "$what to $to"
done

beliefs >/tmp/after
check "nobody was made to believe anything" diff /tmp/before /tmp/after
talked
leave
shunt detach evil
shunt detach two
nothing_left
finish

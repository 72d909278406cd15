#!/bin/bash
# lab: check=stable
# BIG TCP: packets above 64 KiB pass on every way, of both families, and what they carry arrives whole.
. "$(dirname "$0")/lib.bash"

world
# The machine beyond has an administrator of its own, who has raised its wire. Nothing on the way cuts or merges.
large=(gso_max_size 196608 gso_ipv4_max_size 196608 gro_max_size 196608 gro_ipv4_max_size 196608)
ip -n beyond link set wire "${large[@]}"
sizes() { ip "${@:2}" -d -j link show "$1" | jq -c '.[0] | [.gso_max_size, .gso_ipv4_max_size, .gro_max_size, .gro_ipv4_max_size]'; }
usual='[65536,65536,65536,65536]' raised='[196608,196608,196608,196608]'
# Such kernels have an option before a large packet of IPv6, and do not forward it themselves.
marks=no
! grep -qa hop_jumbo_hdr /sys/kernel/btf/vmlinux || marks=yes

mkdir -p /etc/shunt/networks
network() { jq -n "$2" >"/etc/shunt/networks/$1.json"; }
network big '{subnets: ["10.61.0.0/24", "fd61::/64"], big_tcp: true, masquerade: false}'
network hidden '{subnets: ["10.62.0.0/24", "fd62::/64"], big_tcp: true, isolate: false}'
network stack '{subnets: ["10.63.0.0/24", "fd63::/64"], big_tcp: true, routing: "kernel"}'
network narrow '{subnets: ["10.65.0.0/24"], big_tcp: true, uplinks: ["narrow"]}'
network small '{subnets: ["10.64.0.0/24", "fd64::/64"], masquerade: false}'
check_equal "the key is shown, and is off otherwise" "true false" \
        "$(shunt network show big --json | jq .big_tcp) $(shunt network show small --json | jq .big_tcp)"

echo "# who is raised, and told of it"
plain small --network small 2>/tmp/said
check_equal "without it nothing is raised" "$usual $usual" "$(sizes wire) $(sizes eth0 -n small)"
check_equal "and nothing said" "" "$(</tmp/said)"
plain one --network big 2>/tmp/said
check_equal "who raises an uplink says so" "shunt: one: big_tcp: uplink wire takes packets of up to 196608 bytes now, for all who \
send and receive by it" "$(</tmp/said)"
plain two --network big 2>/tmp/said
check_equal "once" "" "$(</tmp/said)"
plain hidden --network hidden
check_equal "the uplink and both ends of the pair are raised" "$raised $raised $raised" \
        "$(sizes wire) $(sizes eth0 -n one) $(sizes "$(host_end one)")"
# A tunnel of another kind.
[ -e /dev/net/tun ] || modprobe tun
ip tuntap add narrow mode tun
ip link set narrow up
plain narrow --network narrow 2>/tmp/said
check "an uplink that takes no more is named" grep -q "big_tcp changes nothing: an uplink of network narrow takes 65536" /tmp/said
shunt detach narrow
shunt doctor >/tmp/doctor || true
check "so does doctor" grep -q '^warn  big_tcp .*network narrow has big_tcp, and narrow takes packets of 65536 bytes at most' /tmp/doctor
check "and of the one that does, how much" grep -q '^ok .* network big: wire takes IPv4 packets of up to 196608 bytes' /tmp/doctor
ip link del narrow

for who in one two hidden small; do background /tmp/serve.$who in_ct $who "$here/net.py" serve; done
background /tmp/serve.beyond beyond "$here/net.py" serve

# watched NETNS DEVICE NETNS DEVICE COMMAND...: what is seen there meanwhile, in seen_1 and seen_2: IN OUT ZERO JUMBO
watched() {
        local watcher where=("${@:1:4}")
        background /tmp/watched "$here/big.py" watch "${where[@]}"
        watcher=${backgrounds[-1]}
        unset 'backgrounds[-1]'
        shift 4
        "$@" >/tmp/command.out 2>&1 || die "$*: $(</tmp/command.out)"
        kill "$watcher"
        wait "$watcher" || true
        { read -r; read -r -a seen_1; read -r -a seen_2; } </tmp/watched
        echo "# in, out, of length 0, with a jumbo option: at ${where[0]} ${seen_1[*]}, at ${where[2]} ${seen_2[*]}"
}
large() { local n; for n; do [ "$n" -gt 66000 ] || return 1; done; }
mib=${BIG_MIB:-4}
# both WHAT CLIENT DEVICE SERVER DEVICE ADDRESS: streams both ways are whole, and large at both ends
both() {
        local jumbo=no
        watched "$2" "$3" "$4" "$5" ip netns exec "$2" "$here/big.py" streams "$6" "$mib"
        check "$1: whole, and above 64 KiB both ways" large "${seen_1[0]}" "${seen_1[1]}" "${seen_2[0]}" "${seen_2[1]}"
        [[ $6 != *:* ]] || jumbo=$marks
        check "$1: their headers say so" test "${seen_1[2]}" -gt 0 -a "${seen_2[2]}" -gt 0 -a \
                $jumbo = "$([ "${seen_1[3]}" = 0 ] && echo no || echo yes)"
}

echo "# every way"
for family in 4 6; do
        address=address$family beyond=10.99.0.2 host=10.99.0.1
        [ $family = 4 ] || beyond=fd99::2 host=fd99::1
        both "container to beyond, IPv$family" one eth0 beyond wire $beyond
        both "the same, masqueraded" hidden eth0 beyond wire $beyond
        both "beyond to container" beyond wire one eth0 "$($address one)"
        both "container to container" one eth0 two eth0 "$($address two)"
        [ $family = 6 ] || shunt publish hidden 7000:7000
        both "beyond to a published port" beyond wire hidden eth0 $host
        watched one eth0 two eth0 net exchange "$($address one)" "$mib"
        check "host to container" large "${seen_1[0]}" "${seen_1[1]}"
done
both "container to a published port" one eth0 hidden eth0 10.99.0.1
shunt unpublish hidden

echo "# options, and rules that look at ports"
watched one eth0 beyond wire in_ct one "$here/big.py" options 10.99.0.2 "$mib"
check "IPv4 options do no harm" large "${seen_1[1]}" "${seen_2[0]}"
# One to whom there is no way but by the port.
ip -n beyond addr add fd98::2/128 dev lo
ip -6 route add unreachable fd98::2
ip -6 rule add ipproto tcp dport 7000 table 77
ip -6 route add fd98::2 via fd99::2 dev wire table 77
both "by a rule, IPv6" one eth0 beyond wire fd98::2
ip -6 rule del ipproto tcp dport 7000 table 77

echo "# what is larger than the uplink takes"
# Root in a container may say what it likes of its own end.
ip -n small link set eth0 "${large[@]}"
for address in 10.99.0.2 fd99::2; do
        ip link set wire gso_max_size 65536
        watched small eth0 beyond wire in_ct small "$here/big.py" streams $address "$mib"
        check "is cut there, $address" test "${seen_1[1]}" -gt 66000 -a "${seen_2[0]}" -lt 65536
        ip link set wire "${large[@]}"
done

echo "# a path that becomes narrower"
sent_more_than() { [ "$(shunt show one --json | jq .counters.tx_bytes)" -gt $((before + $1)) ]; }
for address in 10.99.0.2 fd99::2; do
        before=$(shunt show one --json | jq .counters.tx_bytes)
        in_ct one "$here/big.py" streams $address "${BIG_MIB_LONG:-120}" >/tmp/stream 2>&1 &
        stream=$!
        eventually sent_more_than 20000000
        # Locked: the kernel, too, forwards by no other.
        ip route add $address dev wire mtu lock 1350
        wait $stream || die "a stream that is told of a smaller MTU: $(</tmp/stream)"
        ok "a stream goes on, $address"
        ip route del $address dev wire
done
check "it was told" test "$(dropped one too_big)" -gt 0

echo "# by the host's stack"
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
plain stack --network stack
both "masqueraded, IPv4" stack eth0 beyond wire 10.99.0.2
if [ $marks = yes ]; then
        check_equal "what it would not forward is not made" [65536,196608,65536,196608] "$(sizes eth0 -n stack)"
        ip -n beyond link set wire gso_max_size 65536
        check "streams of IPv6" in_ct stack "$here/big.py" streams fd99::2 "$mib"
        ip -n beyond link set wire "${large[@]}"
else
        both "masqueraded, IPv6" stack eth0 beyond wire fd99::2
fi

echo "# what the uplink merges"
for feature in tso gso; do beyond "$here/big.py" set wire $feature off; done
"$here/big.py" set wire gro on
# Of larger frames, as it takes some dozens at once.
ip link set wire mtu 9000
ip -n beyond link set wire mtu 9000
shunt attach two --netns /run/netns/two --network big --driver "$driver" >/dev/null
for address in "$(address4 two)" "$(address6 two)"; do
        watched beyond wire two eth0 beyond "$here/big.py" streams "$address" "$mib"
        check "arrives as one, $address" test "${seen_1[1]}" -le 9000 -a "${seen_2[0]}" -gt 66000
done

finish_background
for who in small one two hidden stack; do shunt detach $who; done
check_equal "with the last container the uplink is as it was" $usual "$(sizes wire)"
nothing_left
unloaded
finish

#!/bin/bash
# lab: check=backports
# Side by side with others on one host: podman's own bridge, Docker's rules and a container behind them, firewalld's, and
# whoever flushes them all. Each reaches out and is reached as it would be alone, and none touches what the other has made.
. "$(dirname "$0")/lib.bash"

world
. "$here/podman.bash"

# tcp NAMESPACE HOST PORT: whoever listens there answers
tcp() { ip netns exec "$1" timeout 30 bash -c "exec 3<>/dev/tcp/$2/$3"; }
refused() { ! ip netns exec "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$2/$3" 2>/dev/null; }
# What the host filters, without what it counts.
rules() { nft -s list ruleset | sed 's/counter packets .*/counter/'; }

# podman's own: a bridge, masquerade and published ports of netavark's making, IPv4 and IPv6.
podman network create --ipv6 --subnet 10.89.0.0/24 --subnet fd89::/64 --disable-dns bridged >/dev/null
begin_pod() { podman run -q -d --name pod --network bridged -p 8000:7000 --ip 10.89.0.2 --ip6 fd89::2 box sleep 1000 </dev/null >/dev/null; }
serve_pod() {
        ip netns attach pod "$(podman inspect --format '{{.State.Pid}}' pod)"
        background /tmp/pod ip netns exec pod "$here/net.py" serve
}

# Docker's: docker0 and what dockerd 28 sets up for one container that publishes a port, by iptables-nft, IPv4 alone. It drops
# what is forwarded, and what would reach a container past its published port. Who has podman beside it must allow that bridge;
# of shunt, nothing is said.
docker() {
        ip link add docker0 type bridge
        ip addr add 172.17.0.1/16 dev docker0
        ip link set docker0 up
        ip netns add docker
        ip link add vethd type veth peer name eth0 netns docker
        ip link set vethd master docker0 up
        ip -n docker addr add 172.17.0.2/16 dev eth0
        ip -n docker link set eth0 up
        ip -n docker route add default via 172.17.0.1
        background /tmp/docker ip netns exec docker "$here/net.py" serve
}
docker_rules() {
        nft -f - <<'NFT'
table ip raw {
        chain PREROUTING {
                type filter hook prerouting priority raw; policy accept;
                iifname != "docker0" ip daddr 172.17.0.2 counter drop
        }
}
table ip filter {
        chain DOCKER-USER {
                iifname "podman1" accept
                oifname "podman1" accept
        }
        chain DOCKER-CT { oifname "docker0" ct state established,related counter accept; }
        chain DOCKER-BRIDGE { oifname "docker0" counter jump DOCKER; }
        chain DOCKER {
                iifname != "docker0" oifname "docker0" ip daddr 172.17.0.2 tcp dport 7000 counter accept
                iifname != "docker0" oifname "docker0" counter drop
        }
        chain DOCKER-FORWARD {
                jump DOCKER-CT
                jump DOCKER-BRIDGE
                iifname "docker0" counter accept
        }
        chain FORWARD {
                type filter hook forward priority filter; policy drop;
                jump DOCKER-USER
                jump DOCKER-FORWARD
        }
}
table ip nat {
        chain DOCKER { iifname != "docker0" tcp dport 8001 counter dnat to 172.17.0.2:7000; }
        chain PREROUTING {
                type nat hook prerouting priority dstnat; policy accept;
                fib daddr type local counter jump DOCKER
        }
        chain OUTPUT {
                type nat hook output priority dstnat; policy accept;
                ip daddr != 127.0.0.0/8 fib daddr type local counter jump DOCKER
        }
        chain POSTROUTING {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr 172.17.0.0/16 oifname != "docker0" counter masquerade
        }
}
table ip6 filter {
        chain FORWARD {
                type filter hook forward priority filter; policy drop;
                iifname "podman1" accept
                oifname "podman1" accept
        }
}
NFT
}

# What firewalld 2.3 loads, its chains in one, with the uplink in the zone "public", the others' in "docker" and "trusted", as they ask
# for, and nothing said of shunt: what is for the host, and what it forwards, is rejected unless it belongs to something known; IPv6
# is looked at for where it comes from.
firewalld_rules() {
        nft -f - <<'NFT'
table inet firewalld {
        chain filter_PREROUTING {
                type filter hook prerouting priority filter + 10; policy accept;
                icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
                meta nfproto ipv6 fib saddr . mark . iif oif missing drop
        }
        chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept; }
        chain filter_INPUT {
                type filter hook input priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname "lo" accept
                ct state invalid drop
                iifname "docker0" accept
                ip saddr 10.89.0.0/24 accept
                ip6 saddr fd89::/64 accept
                tcp dport 22 accept
                meta l4proto { icmp, ipv6-icmp } accept
                reject with icmpx admin-prohibited
        }
        chain filter_FORWARD {
                type filter hook forward priority filter + 10; policy accept;
                ct state { established, related } accept
                ct status dnat accept
                iifname "lo" accept
                ct state invalid drop
                iifname "docker0" accept
                ip saddr 10.89.0.0/24 accept
                ip6 saddr fd89::/64 accept
                oifname { "docker0", "wire" } accept
                reject with icmpx admin-prohibited
        }
}
NFT
}

background /tmp/beyond ip netns exec beyond "$here/net.py" serve
background /tmp/asked ip netns exec beyond "$here/net.py" names
plain one >/dev/null
plain two >/dev/null
v4=$(address4 one) v6=$(address6 one) w4=$(address4 two) w6=$(address6 two)
background /tmp/one ip netns exec one "$here/net.py" serve
# Two streams that nothing here may hurt: out of a container, and from one to the other.
background /tmp/out ip netns exec two "$here/net.py" talk 10.99.0.2
out=$!
background /tmp/across ip netns exec two "$here/net.py" talk "$v6"
across=$!

# streams: how much each of them has heard
streams() { ip netns exec two ss -Htin state established dport = 7000 | grep -o 'bytes_received:[0-9]*' | cut -d : -f 2 | xargs; }
go_on() {
        local now
        now=$(streams)
        [ "${now% *}" -gt "${before% *}" ] && [ "${now#* }" -gt "${before#* }" ]
}
# ours WHEN: all ways of shunt's containers, to and fro
ours() {
        local pair from to before
        for pair in "one 10.99.0.2" "two fd99::2" "two $v4" "two $v6" "beyond $v4" "beyond $v6"; do
                read -r from to <<<"$pair"
                tcp "$from" "$to" 7000 || die "$1: no TCP from $from to $to"
                ip netns exec "$from" ping -n -q -c 1 -W 20 "$to" >/dev/null || die "$1: no ping from $from to $to"
        done
        for to in "$v4" "$v6" "$w4" "$w6"; do
                ping -n -q -c 1 -W 20 "$to" >/dev/null || die "$1: no ping from the host to $to"
        done
        # The server there tells who asks.
        in_ct one busybox nslookup web.test 10.99.0.2 >/dev/null || die "$1: no answer by UDP"
        [ "$(tail -n 1 /tmp/asked)" = 10.99.0.1 ] || die "$1: not with the host's address, but $(tail -n 1 /tmp/asked)"
        in_ct one busybox nslookup web.test fd99::2 >/dev/null || die "$1: no answer by UDP, IPv6"
        [ "$(tail -n 1 /tmp/asked)" = fd99::1 ] || die "$1: not with the host's address, but $(tail -n 1 /tmp/asked)"
        before=$(streams)
        eventually go_on
        ok "$1: containers of shunt's reach out with the host's address, are reached, and reach each other"
}
# theirs WHEN: the same for podman's and Docker's
theirs() {
        local pair from to port
        # An address that is new speaks for nobody until it is known to be nobody else's.
        eventually sh -c '! ip -n pod -6 addr show tentative | grep -q .'
        for pair in "pod 10.99.0.2 7000" "pod fd99::2 7000" "beyond 10.99.0.1 8000" "beyond fd99::1 8000" "${@:2}"; do
                read -r from to port <<<"$pair"
                tcp "$from" "$to" "$port" || die "$1: no TCP from $from to $to port $port"
        done
        ok "$1: the others' containers reach out, and their published ports are reached"
}

ours "alone"
begin_pod
serve_pod
theirs "podman"
ours "podman beside"
check "from one of shunt's, podman's published port is reached" tcp one 10.99.0.1 8000
check "IPv6 too" tcp one fd99::1 8000
check "and podman's container itself, as netavark's rules let anybody" tcp one 10.89.0.2 7000
check "IPv6 too" tcp one fd89::2 7000
check "podman's reach one of shunt's" tcp pod "$v4" 7000
check "IPv6 too" tcp pod "$v6" 7000

rules >/tmp/before
plain three >/dev/null
shunt gc >/dev/null
shunt detach three
ip netns del three
rules >/tmp/after
check_equal "what comes, goes and is collected leaves netavark's rules alone" "" "$(diff /tmp/before /tmp/after || true)"
podman rm -f -t 0 pod >/dev/null
ip netns del pod
ours "podman's gone"
begin_pod
serve_pod
theirs "and begun again"

# Docker's, beside these.
docker
docker_rules
with_docker=("docker 10.99.0.2 7000" "beyond 10.99.0.1 8001" "one 10.99.0.1 8001")
theirs "Docker's rules, which drop what is forwarded" "pod 10.99.0.1 8001" "${with_docker[@]}"
ours "Docker's rules"
check "which keep strangers from a port that is not published" refused beyond 172.17.0.2 7000
# Not even one packet gets there.
guarded() { nft -j list chain ip raw PREROUTING | jq '[.nftables[].rule.expr[]?.counter.packets // empty] | add'; }
before=$(guarded)
check "and shunt's containers too" refused one 172.17.0.2 7000
check "by a rule of Docker's" test "$(guarded)" -gt "$before"

# All three at once, to one server: each has its own ports of the one address of the host.
many() { for ((i = 0; i < 50; i++)); do tcp "$1" 10.99.0.2 7000 || return 1; done; }
pids=()
for name in one two pod docker; do many $name & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || die "one of many connections failed"; done
ok "200 connections of all of them to one server"

firewalld_rules
ours "firewalld's rules"
theirs "firewalld's rules" "${with_docker[@]}"
nft delete table inet firewalld

# Whoever flushes everything takes the others' masquerade and published ports. Ours are none of it.
nft flush ruleset
ours "nothing filtered"
check "podman makes its own anew" podman network reload pod
docker_rules
theirs "made again" "${with_docker[@]}"
ours "made again"

# A host that drops all that it forwards, by a policy and nothing else.
nft flush ruleset
nft 'table inet filter { chain forward { type filter hook forward priority 0; policy drop; }; }'
ours "a FORWARD policy of drop"
check "which stops others" refused docker 10.99.0.2 7000

kill -TERM $out $across
wait $out $across || die "a stream has ended badly: $(cat /tmp/out /tmp/across)"
for stream in out across; do
        read -r answered longest < <(tail -n 1 /tmp/$stream)
        ok "all this time, a stream went on, $stream: $answered words answered, the longest wait was $longest ms"
done
finish_background
shunt detach one
shunt detach two
nothing_left
check_equal "podman's container lives" running "$(podman inspect --format '{{.State.Status}}' pod)"
finish

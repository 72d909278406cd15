#!/bin/bash
# lab: timeout=900 check=stable
# Another version takes over under load: with other programs, and with maps of another layout. What flows flows on.
. "$(dirname "$0")/lib.bash"

old=$(command -v shunt)
programs=$PWD/build/next/programs/build/shunt
layout=$PWD/build/next/layout/build/shunt
[ -x "$programs" ] && [ -x "$layout" ] || die "make build/next/{programs,layout}/build/shunt comes first"
seconds=${LAB_SECONDS:-6}

# use SHUNT: what the helpers call shunt from here on
use() { mkdir -p /tmp/bin; ln -sfn "$1" /tmp/bin/shunt; hash -r; }
PATH=/tmp/bin:$PATH
# links FIELD: of all that we have pinned
links() { find /sys/fs/bpf/shunt/{endpoints,uplinks,ports} -type f -exec bpftool -j link show pinned {} \; | jq -sc "[.[].$1] | unique"; }
packets() { shunt show "$1" --json | jq .counters.tx_packets; }
list() { shunt list --json | jq -c '[.[] | {id, addresses, interface, peer, created, state}]'; }

use "$old"
check_equal "nothing is loaded, nothing is done" "nothing is loaded" "$(shunt upgrade)"
world
plain a --publish 8080:80 --publish 8080:80/udp
plain b
background /tmp/answer in_ct a "$here/ports.py" answer a 80
published() {
        local way
        for way in tcp sendto; do
                check_equal "what a publishes answers by $way" "a 10.99.0.1 127.0.0.1:8080" "$("$here/ports.py" ask $way 127.0.0.1 8080)"
        done
}
published
before=$(list) links=$(links id) loaded=$(links prog_id) counted=$(packets a)
check "a second time changes nothing" sh -c "shunt upgrade | grep -x '.* to .*: 0 links changed over'"
check_equal "no link has another program" "$loaded" "$(links prog_id)"

# losses: what devices dropped, as NAME IN OUT
losses() { (cd /sys/class/net && grep . -r nk*/statistics/[rt]x_dropped wire/statistics/[rt]x_dropped); }
lost=$(losses)

# What must not notice: a stream of TCP, one of numbered datagrams each way out and across, and pings each way in. Datagrams
# are few enough for a receiver that is not scheduled for a second.
flows=()
flow() { local file=/tmp/flow.$1; shift; "$@" >"$file" 2>&1 & flows+=($!); }
# stream NAME FROM TO ADDRESS PORT [OPTION...]
stream() {
        local name=$1 from=$2 to=$3 address=$4 port=$5
        shift 5
        ip netns exec "$to" iperf3 --server --one-off --port "$port" >/tmp/server.$name 2>&1 &
        eventually sh -c "ip netns exec $to ss -Htln 'sport = $port' | grep -q ."
        flow "$name" ip netns exec "$from" iperf3 --json --client "$address" --port "$port" --time $((seconds * 2)) "$@"
}
stream tcp a beyond 10.99.0.2 5201 --bitrate 50M
stream out a beyond fd99::2 5202 --udp --bitrate 400K --length 500
stream across a b "$(address4 b)" 5203 --udp --bitrate 400K --length 500
stream in beyond b "$(address6 b)" 5204 --udp --bitrate 400K --length 500
# By number, not until some time: of that, the last would be on their way.
flow ping4 beyond ping -f -q -i 0.002 -c $((seconds * 750)) -W 10 "$(address4 a)"
flow ping6 ip netns exec b ping -f -q -i 0.002 -c $((seconds * 750)) -W 10 "$(address6 a)"

sleep $((seconds / 2))
# As if the older one had not known it yet.
answers() { bpftool -j map dump pinned /sys/fs/bpf/shunt/datapath/answers | jq -c 'map([.key, .value]) | sort'; }
reached=$(answers)
check "by which ports a answers is known" test "$(jq length <<<"$reached")" = 4
rm /sys/fs/bpf/shunt/datapath/answers
use "$programs"
check "an upgrade to other programs" sh -c "shunt upgrade --json | jq -e '.links >= 5 and .from != .to'"
check_equal "the links are the same" "$links" "$(links id)"
check_not "their programs are not" test "$loaded" = "$(links prog_id)"
check_equal "what is attached is the same" "$before" "$(list)"
check_equal "and by which ports it answers" "$reached" "$(answers)"
published
sleep $((seconds / 2))
loaded=$(links prog_id)
use "$layout"
refuse "older shunt .*'shunt upgrade'" shunt list
check "an upgrade to another layout" shunt upgrade
check_equal "the links are the same" "$links" "$(links id)"
check_not "their programs are not" test "$loaded" = "$(links prog_id)"
check_equal "what is attached is the same" "$before" "$(list)"
check_equal "and by which ports it answers" "$reached" "$(answers)"
published
check "what was counted is not lost" test "$(packets a)" -gt "$counted"
for pid in "${flows[@]}"; do wait "$pid" || { tail -n 20 /tmp/flow.*; die "a flow broke"; }; done
for name in ping4 ping6; do check "no $name was lost" grep -q ' 0% packet loss' /tmp/flow.$name; done
check "a's own interface counts as ever" eventually counts_right a
check "the stream got through" jq -e '.end.sum_received.bytes > 1000000' /tmp/flow.tcp
for name in out across in; do
        check_equal "no datagram $name was lost" "0 true" "$(jq -r '.end.sum | "\(.lost_packets) \(.packets > 1000)"' /tmp/flow.$name)"
done
check_equal "nor dropped at any device" "$lost" "$(losses)"

# The older version meets the newer maps.
use "$old"
pins=$(find /sys/fs/bpf/shunt | sort)
refuse 'loaded by the newer shunt .*layout' shunt list
refuse 'loaded by the newer shunt' shunt attach c --netns /run/netns/a
refuse 'loaded by the newer shunt' shunt detach a
refuse 'loaded by the newer shunt' shunt upgrade
refuse 'loaded by the newer shunt' shunt gc
check_equal "it has touched nothing" "$pins $links" "$(find /sys/fs/bpf/shunt | sort) $(links id)"

# Life goes on with the newer one.
use "$layout"
plain c
check "an endpoint of before reaches one of after" in_ct a ping -n -c 1 -W 5 "$(address4 c)"
check "and the other way" in_ct c ping -6 -n -c 1 -W 5 "$(address6 b)"
for name in a b c; do shunt detach $name; ip netns del $name; done
nothing_left
unloaded

# Who attaches does not ask: it upgrades.
use "$old"
plain a
use "$layout"
refuse "older shunt .*'shunt upgrade'" shunt gc
plain b
check "an attach has upgraded" in_ct a ping -n -c 1 -W 5 "$(address4 b)"
for name in a b; do shunt detach $name; done
nothing_left
unloaded

# Killed at any call that changes something, an upgrade has not begun, or the next verb finishes it. check takes every ninth of
# these calls, SHUNT_FAULTS=changes each.
give() { shunt attach "$1" --netns "/run/netns/$1" --driver "$driver" >/dev/null; }
# Whether every link runs a program of the version that is pinned, and nothing is left aside.
whole() {
        local pin ids='' id
        for pin in /sys/fs/bpf/shunt/datapath/shunt_*; do ids+=" $(bpftool -j prog show pinned "$pin" | jq .id) "; done
        for id in $(links prog_id | jq -r '.[]'); do [[ $ids == *" $id "* ]] || return 1; done
        [ ! -e /sys/fs/bpf/shunt/loading ]
}
inject=$here/../../build/test/faults/inject
stride=9 begun=0 finished=0
[ -z "${SHUNT_FAULTS:-}" ] || stride=1
for ((n = 1; ; n += stride)); do
        use "$old"
        give a
        give b
        status=0
        "$inject" -c $n kill "$layout" upgrade >/tmp/said 2>&1 9>/dev/null || status=$?
        [ $status = 137 ] || break
        if shunt list >/tmp/said 2>&1; then
                begun=$((begun + 1))
                whole || die "killed at call $n: not as before"
        else
                grep -q 'newer shunt' /tmp/said || die "killed at call $n: $(</tmp/said)"
                finished=$((finished + 1))
                use "$layout"
                shunt list >/dev/null
                whole || die "killed at call $n, and the next verb has not finished it"
        fi
        in_ct a ping -n -c 1 -W 5 "$(address4 b)" >/dev/null || die "killed at call $n: a does not reach b"
        use "$layout"
        shunt upgrade >/dev/null
        whole || die "killed at call $n, an upgrade has not finished it"
        in_ct b ping -6 -n -c 1 -W 5 "$(address6 a)" >/dev/null || die "killed at call $n: b does not reach a"
        shunt detach a
        shunt detach b
        shunt gc >/dev/null
done
check_equal "beyond its last call it is done" 120 "$status"
check "killed before it had begun ($begun), and in its midst ($finished)" test $begun -gt 0 -a $finished -gt 0
use "$layout"
for name in a b; do shunt detach $name; ip netns del $name; done
nothing_left
unloaded
finish

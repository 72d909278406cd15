#!/bin/bash
# lab: check=stable
# Published ports from out there, from other containers and from the container itself; those of one that was, of many, and of
# several that share one.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

world
strangers
plain web --publish 8080:8080 --publish 7012:7002 --publish 7012:7002/udp --publish 5201:5201 --publish 5201:5201/udp
plain two
v4=$(address4 web) v6=$(address6 web)
ip -n web link set lo up
background /tmp/web in_ct web "$here/nat.py" serve 7002 web
background /tmp/far beyond "$here/nat.py" serve 7002 beyond
web_server web
from() { if [ "$1" = host ]; then shift; "$@"; else ip netns exec "$@"; fi; }

echo "# from everywhere"
for way in "beyond 10.99.0.1 10.99.0.2" "beyond fd99::1 fd99::2" "two 10.99.0.1 10.99.0.1" "two fd99::1 fd99::1" \
        "web 10.99.0.1 10.99.0.1" "web fd99::1 fd99::1"; do
        read -r netns host peer <<<"$way"
        [[ $host != *:* ]] || url="[$host]"
        [[ $host == *:* ]] || url=$host
        fetch "curl, $netns to $host" "$netns" "http://$url:8080/" "$peer"
        for kind in tcp udp; do
                check_equal "$kind, $netns to $host" "$peer web" \
                        "$(from "$netns" "$here/nat.py" ask $kind "$host" 0 7012 | cut -d ' ' -f 1,3)"
        done
done
check "a container that is masqueraded asks a port of the host, and it is the host's" \
        grep -qE '^10.99.0.1 [0-9]+ web$' <(in_ct two "$here/nat.py" ask tcp 10.99.0.1 0 7012)
ip route del default
ip -6 route del default
for way in "two 203.0.113.1" "two 2001:db8::1" "web 203.0.113.1" "web 2001:db8::1"; do
        read -r netns stranger <<<"$way"
        for kind in tcp udp; do
                check_not "$kind, $netns to $stranger, to which the host knows no way" \
                        grep -q web <(PATIENCE=0.3 in_ct "$netns" "$here/ports.py" ask $kind "$stranger" 7012)
        done
done
ip route add default via 10.99.0.2
ip -6 route add default via fd99::2
ip netns exec web iperf3 -s >/dev/null &
backgrounds+=($!)
eventually listens web 5201
measure beyond 10.99.0.1 -t 1
measure beyond fd99::1 -t 1 -R
measure beyond 10.99.0.1 -t 1 -u -b 20M -l 4000
measure two fd99::1 -t 1
gather /tmp/crowd ip netns exec beyond "$here/nat.py" spread 200 10.99.0.1 7012
crowd=${backgrounds[-1]}
check_equal "200 connections at once" "ready web:200" "$(cat /tmp/crowd)"
nft flush ruleset
forget '.formatted.value.state % 2 == 1'
check_equal "which go on when one entry of each is forgotten" "again web:200" "$(all_speak "$crowd" /tmp/crowd)"
forget true
check_equal "and when both are, as they find the same again" "again web:200" "$(all_speak "$crowd" /tmp/crowd)"

echo "# a container that speaks first"
background /tmp/push ip netns exec web "$here/nat.py" push 7005
server=${backgrounds[-1]}
shunt publish web 7015:7005
listeners=()
for host in 10.99.0.1 fd99::1; do
        gather "/tmp/listen.${#listeners[@]}" ip netns exec beyond "$here/nat.py" listen 20 "$host" 7015
        listeners+=("${backgrounds[-1]}")
done
# pushes WHAT: it says a word to all of them
pushes() {
        local before i
        before=$(grep -c pushed /tmp/push) || true
        kill -USR1 "$server"
        until [ "$(grep -c pushed /tmp/push)" -gt "$before" ]; do nap 50000; done
        for i in "${!listeners[@]}"; do
                check_equal "$1: each of listeners $i hears it" "again 20" "$(all_speak "${listeners[i]}" "/tmp/listen.$i")"
        done
}
pushes "at first"
forget true
pushes "when all entries are forgotten"

echo "# one that was"
# A flow each way that somebody out there goes on with: of a port that it published, and of one that it left by.
in_ct web "$here/nat.py" ask udp 10.99.0.2 20500 7003 >/dev/null 2>&1 || true
count='table inet count {
        counter hits { }
        chain hear { type filter hook input priority 0; tcp dport 7002 counter name hits; udp dport { 7002, 20500 } counter name hits; }
}'
hits() { ip netns exec "$1" nft -j list counter inet count hits | jq '.nftables[] | .counter? // empty | .packets'; }
knock() { # each of them says another word
        beyond "$here/nat.py" say 10.99.0.1 7003 20500
        beyond "$here/nat.py" say 10.99.0.1 7004 7012
}
knock
ip netns exec web nft -f - <<<"$count"
knock
all_speak "$crowd" /tmp/crowd >/dev/null
hears() { [ "$(hits web)" -ge 202 ]; }
eventually hears
ok "what they say is heard by the container: $(hits web) packets"
shunt detach web
plain heir --address "$v4" --address "$v6"
check_equal "another has its addresses" "$v4 $v6" "$(address4 heir) $(address6 heir)"
ip netns exec heir nft -f - <<<"$count"
knock
check_equal "the connections have ended" "again lost:200" "$(all_speak "$crowd" /tmp/crowd)"
check_equal "and the heir has heard nothing" 0 "$(hits heir)"
for pid in $(ip netns pids web); do kill "$pid"; done
shunt detach heir
check "the same again, with the same ports" shunt attach web --netns /run/netns/web --driver "$driver" --publish 7012:7002
background /tmp/web in_ct web "$here/nat.py" serve 7002 again
check_equal "is reached" "10.99.0.2 again" "$(beyond "$here/nat.py" ask tcp 10.99.0.1 0 7012 | cut -d ' ' -f 1,3)"
check_equal "while udp is published no more" "" "$(beyond "$here/nat.py" ask udp 10.99.0.1 0 7012 2>/dev/null || true)"

echo "# a thousand"
start=${EPOCHREALTIME/./}
plain thousand --publish 30000-30999:40000-40999 >/dev/null
ok "attached with 1000 ports in $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
for port in 40000 40500 40999; do
        background /tmp/port ip netns exec thousand "$here/nat.py" serve $port at$port
        check_equal "port $((port - 10000))" "10.99.0.2 at$port" "$(beyond "$here/nat.py" ask tcp 10.99.0.1 0 $((port - 10000)) | cut -d ' ' -f 1,3)"
        check_equal "port $((port - 10000)) by IPv6" "fd99::2 at$port" "$(beyond "$here/nat.py" ask tcp fd99::1 0 $((port - 10000)) | cut -d ' ' -f 1,3)"
done
check_equal "one that nobody answers refuses" "" "$(beyond "$here/nat.py" ask tcp 10.99.0.1 0 30001 2>/dev/null || true)"
shunt detach thousand

echo "# several that share one"
for name in a b c; do
        plain $name --publish 9000:7002 --service shared >/dev/null
        background /tmp/$name ip netns exec $name "$here/nat.py" serve 7002 $name
done
gather /tmp/spread ip netns exec beyond "$here/nat.py" spread 120 10.99.0.1 9000
spread=${backgrounds[-1]}
gather /tmp/spread6 ip netns exec two "$here/nat.py" spread 30 fd99::1 9000
spread6=${backgrounds[-1]}
before=$(cat /tmp/spread)
check "each has a share: $before" grep -qE '^ready a:[2-9][0-9] b:[2-9][0-9] c:[2-9][0-9]$' /tmp/spread
check "also of another container's: $(cat /tmp/spread6)" grep -qE '^ready a:[0-9]+ b:[0-9]+ c:[0-9]+$' /tmp/spread6
shunt detach b
read -r _ a b c <<<"$before"
check_equal "one leaves, and the others' connections stay" "again $a $c lost:${b#b:}" "$(all_speak "$spread" /tmp/spread)"
read -r _ a b c </tmp/spread6
check_equal "also of another container's" "again $a $c lost:${b#b:}" "$(all_speak "$spread6" /tmp/spread6)"
gather /tmp/later ip netns exec beyond "$here/nat.py" spread 40 10.99.0.1 9000
check "what begins now goes to who is left: $(cat /tmp/later)" grep -qE '^ready a:[0-9]+ c:[0-9]+$' /tmp/later
check "it comes back" shunt attach b --netns /run/netns/b --driver "$driver" --publish 9000:7002 --service shared
check_equal "which moves nobody" "again $(cut -d ' ' -f 2- /tmp/later)" "$(all_speak "${backgrounds[-1]}" /tmp/later)"

echo "# one that is taken back"
gather /tmp/taken ip netns exec beyond "$here/nat.py" spread 6 10.99.0.1 9000
gather /tmp/taken2 ip netns exec two "$here/nat.py" spread 6 fd99::1 9000
shunt unpublish a
shunt unpublish b
shunt unpublish c
nap 1500000
check_equal "ends its connections from the wire" "again lost:6" "$(all_speak "${backgrounds[-2]}" /tmp/taken)"
check_equal "and from another container" "again lost:6" "$(all_speak "${backgrounds[-1]}" /tmp/taken2)"

finish_background
for ct in web two a b c; do shunt detach $ct; done
nothing_left
finish

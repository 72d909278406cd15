# What scenarios share whose containers' addresses are translated. Sourced behind lib.bash.
# shellcheck shell=bash

nat() { "$here/nat.py" "$@"; }

# strangers: beyond has never heard of containers
strangers() {
        ip -n beyond route del 10.0.0.0/8
        ip -n beyond -6 route del fd00::/8
}

# addresses N: beyond has 10.97.0.1 to 10.97.0.N and fd97::1 to fd97::N (in hex), all of them in servers4 and servers6
addresses() {
        local i
        servers4=() servers6=()
        for ((i = 1; i <= $1; i++)); do
                servers4+=("10.97.0.$i") servers6+=("fd97::$(printf %x $i)")
                echo "addr add ${servers4[-1]}/32 dev lo"
                echo "addr add ${servers6[-1]}/128 dev lo nodad"
        done | ip -n beyond -batch -
        for ((i = 1; i <= $1; i++)); do servers4+=("10.97.0.$i") servers6+=("fd97::$(printf %x $i)"); done
}

flows=/sys/fs/bpf/shunt/datapath/flows
# all_flows: the entries of both families, each with the map that it is in
all_flows() {
        local map
        for map in ${flows}4 ${flows}6; do bpftool -j map dump pinned $map | jq -c --arg map $map '.[] | .map = $map'; done
}
# outlive_shortcuts: packets are looked up again
outlive_shortcuts() { nap 250000; }
# age SECONDS: all flows are silent for so much longer than they are; nothing may come meanwhile
age() {
        # Byte 52 of the value is "seen", in units of 2^30 ns.
        all_flows | jq -r --argjson units $(($1 * 1000000000 >> 30)) '
                def hex: ltrimstr("0x") | explode | map(if . > 96 then . - 87 else . - 48 end) | reduce .[] as $d (0; . * 16 + $d);
                def bytes: [range(4) as $i | (. / pow(256; $i) | floor) % 256];
                (.value[52:56] | map(hex) | to_entries | map(.value * pow(256; .key)) | add) as $seen |
                "map update pinned \(.map) key hex \(.key | map(ltrimstr("0x")) | join(" ")) value \((.value[:52] | map(hex)) +
                ((($seen + 4294967296 - $units) % 4294967296) | if . == 0 then 4294967295 else . end | bytes) + (.value[56:] | map(hex)) | map(tostring) | join(" "))"' >/tmp/age
        bpftool batch file /tmp/age >/dev/null
        outlive_shortcuts
}
# forget CONDITION: removes the entries that it holds for, in jq's language
forget() {
        all_flows | jq -r "select($1) |
                \"map delete pinned \(.map) key hex \(.key | map(ltrimstr(\"0x\")) | join(\" \"))\"" >/tmp/forget
        bpftool batch file /tmp/forget >/dev/null
        outlive_shortcuts
}
# entries PREFIX...: how many come from addresses that begin with such hexadecimal digits
entries() {
        local prefix
        all_flows | jq -r '.key | map(ltrimstr("0x")) | join("")' >/tmp/entries
        for prefix; do grep -c "^$prefix" /tmp/entries || true; done | xargs
}
# gather FILE COMMAND...: as background, for a crowd that needs longer
gather() {
        local end=$((SECONDS + 100))
        "${@:2}" >"$1" 2>&1 &
        backgrounds+=($!)
        until grep -q ready "$1"; do
                kill -0 "${backgrounds[-1]}" 2>/dev/null && [ $SECONDS -lt $end ] || die "it ended, or is not there within 100 s: ${*:2}: $(cat "$1")"
                nap 50000
        done
}
# all_speak PID FILE: a crowd speaks again, and says how that went
all_speak() {
        local before end=$((SECONDS + 100))
        before=$(grep -c again "$2") || true
        kill -USR1 "$1"
        until [ "$(grep -c again "$2")" -gt "$before" ]; do
                kill -0 "$1" 2>/dev/null && [ $SECONDS -lt $end ] || die "it ended, or has said nothing for 100 s: $2: $(tail -n 1 "$2")"
                nap 50000
        done
        tail -n 1 "$2"
}
# speaker NAME host|NETNS KIND HOST [SPORT]: one who speaks all the time. hushed: ends them all, behind some more answers.
speaker() {
        local in=()
        [ "$2" = host ] || in=(ip netns exec "$2")
        background "/tmp/$1" "${in[@]}" "$here/nat.py" speak "${@:3}"
        speakers+=("${backgrounds[-1]}")
}
speakers=()
hushed() { kill "${speakers[@]}"; wait "${speakers[@]}" || true; speakers=(); }
# went_on NAME WHAT: it was seen by one name alone, no connection has ended, and hardly any datagram was lost
went_on() {
        local names words lost longest
        read -r words lost longest < <(tail -n 1 "/tmp/$1")
        names=$(grep -vc '^ready$' "/tmp/$1")
        check "$1 goes on, $2: $words words answered, $lost lost, the longest wait was $longest ms" \
                test "$words" -gt 3 -a "$names" = 2 -a "$lost" -le 3
}

web_page() {
        head -c 3M /dev/urandom >/tmp/page
        cat >/tmp/answer <<'END'
#!/bin/bash
while read -r line && [ "${line%$'\r'}" ]; do :; done
printf 'HTTP/1.0 200 OK\r\nX-Peer: %s\r\n\r\n' "$SOCAT_PEERADDR"
cat /tmp/page
END
        chmod +x /tmp/answer
}
# web_server NETNS: on port 8080 there, with a page of 3 MiB, which says who has come
web_server() {
        [ -e /tmp/page ] || web_page
        ip netns exec "$1" socat TCP6-LISTEN:8080,ipv6only=0,fork,reuseaddr EXEC:/tmp/answer &
        backgrounds+=($!)
        eventually ip netns exec "$1" curl -s -m 2 -o /dev/null http://localhost:8080/
}
# fetch WHAT FROM URL PEER: the page comes whole, and the server saw PEER
fetch() {
        ip netns exec "$2" curl -s -m 60 -D /tmp/headers -o /tmp/fetched "$3" || die "$1: curl: $?"
        check "$1" cmp /tmp/page /tmp/fetched
        check_equal "and it saw who came" "$4" "$(sed -n 's/^X-Peer: \([^\r]*\).*/\1/p' /tmp/headers | python3 -SEc '
import socket
print(socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, input().strip("[]"))).removeprefix("::ffff:"))')"
}
# listens NETNS PORT: somebody does
listens() { ip netns exec "$1" ss -Hltn "sport = $2" | grep -q LISTEN; }
# measure NETNS SERVER OPTION...
measure() {
        local netns=$1 server=$2 end=$((SECONDS + 60))
        shift 2
        # A server is busy until it has seen that the last client has left.
        until ip netns exec "$netns" iperf3 -c "$server" -J "$@" >/tmp/iperf3 || [ $SECONDS -ge $end ]; do nap 200000; done
        check "iperf3 $* to $server: $(jq -r '.end | (.sum_received // .sum).bits_per_second / 1e6 | floor' /tmp/iperf3) Mbit/s" \
                jq -e '.end | (.sum_received // .sum).bytes > 100000' /tmp/iperf3
}

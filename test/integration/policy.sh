#!/bin/bash
# lab: check=stable
# What a network's file lets flows be: which leave with the container's own address, which may begin at all, in both directions.
. "$(dirname "$0")/lib.bash"

world
export SHUNT_NETWORKS=/tmp/networks
mkdir -p $SHUNT_NETWORKS
# network NAME JSON
network() { echo "$2" >"$SHUNT_NETWORKS/$1.json"; }
ask() { local where=$1; shift; in_ct "$where" "$here/ports.py" ask "$@"; }
ask_beyond() { beyond "$here/ports.py" ask "$@"; }
# answer NAME NAMESPACE PORT...: somebody there answers, and says with which address he is spoken to
answer() { local name=$1 where=$2; shift 2; background "/tmp/$name" ip netns exec "$where" "$here/ports.py" answer "$name" "$@"; }
# away NAME...: they go, with their namespaces
away() { local name; for name; do shunt detach "$name"; ip netns del "$name"; done; }
# Nothing is said, and nothing comes.
silent() { check_equal "$1" ETIMEDOUT "$(PATIENCE=0.7 "${@:2}")"; }
both='"subnets": ["10.207.0.0/16", "fd00:207::/64"]'
ip -n beyond addr add 10.98.0.1/32 dev lo
ip -n beyond addr add fd98::1/128 dev lo nodad
answer there beyond 80 443
background /tmp/serve ip netns exec beyond "$here/net.py" serve

echo "# masquerade_except"
network default "{$both, \"masquerade_except\": [\"10.99.0.0/16\", \"fd99::/32\", \"10.97.0.1\"]}"
plain one
check_equal "elsewhere sees the host's address" "there 10.99.0.1 10.98.0.1:80" "$(ask one tcp 10.98.0.1 80)"
check_equal "what is excepted sees the container's own" "there $(address4 one) 10.99.0.2:80" "$(ask one tcp 10.99.0.2 80)"
check_equal "by UDP" "there $(address4 one) 10.99.0.2:80" "$(ask one udp 10.99.0.2 80)"
check_equal "and IPv6" "there $(address6 one) [fd99::2]:80" "$(ask one tcp fd99::2 80)"
check_equal "elsewhere IPv6 sees the host's" "there fd99::1 [fd98::1]:80" "$(ask one tcp fd98::1 80)"
check "ping, to what is excepted, in fragments" in_ct one ping -n -q -c 3 -i 0.05 -W 5 -s 4000 10.99.0.2
for to in 10.99.0.2 fd99::2; do check "TCP both ways, and UDP in fragments, to $to" in_ct one "$here/net.py" exchange $to 8; done
check_equal "the network's description says so" '["10.99.0.0/16","fd99::/32","10.97.0.1/32"]' \
        "$(shunt network show default --json | jq -c .masquerade_except)"
away one

echo "# out, masqueraded"
out='"tcp/80", "10.99.0.0/24 tcp/7000", "10.98.0.0/16 udp/7000-7001", "fd99::/64 tcp/7000", "fd99::2 udp", "10.98.0.0/24 icmp", "fd98::/32 icmp"'
network default "{$both, \"allow\": {\"out\": [$out, \"10.99.0.2 udp/7001\"]}}"
plain one
for to in 10.99.0.2 fd99::2; do check "TCP both ways, and UDP in fragments, to $to" in_ct one "$here/net.py" exchange $to 8; done
for to in 10.98.0.1 fd98::1; do
        check "ping to $to" in_ct one ping -n -q -c 3 -i 0.05 -W 5 -s 4000 $to
        check_equal "a port that is allowed for any address: $to" "there" "$(ask one tcp $to 80 | cut -d ' ' -f 1)"
done
before=$(dropped one not_allowed)
check_equal "another port is refused at once" EHOSTUNREACH "$(ask one tcp 10.99.0.2 443)"
check_equal "by IPv6, too" EACCES "$(ask one tcp fd99::2 443)"
check_equal "another protocol" EHOSTUNREACH "$(ask one udp 10.99.0.2 80)"
check_equal "an address out of the subnet" EHOSTUNREACH "$(ask one tcp 10.98.0.1 7000)"
check_not "ping elsewhere" in_ct one ping -n -c 1 -W 2 10.99.0.2
check_not "ping elsewhere, IPv6" in_ct one ping -n -c 1 -W 2 fd99::2
check "each is counted" test "$(dropped one not_allowed)" -ge $((before + 6))
background /tmp/host "$here/ports.py" answer host 80 443
check_equal "the host's port 80 is allowed as any" "host" "$(ask one tcp 10.99.0.1 80 | cut -d ' ' -f 1)"
check_equal "its port 443 is not" EHOSTUNREACH "$(ask one tcp 10.99.0.1 443)"
check_equal "nor by IPv6" EACCES "$(ask one tcp fd99::1 443)"
answer inside one 443 444
check_equal "the host asks as it likes, and is answered" "inside 10.99.0.1 $(address4 one):443" "$("$here/ports.py" ask tcp "$(address4 one)" 443)"
check_equal "by UDP and IPv6" "inside fd99::1 [$(address6 one)]:444" "$("$here/ports.py" ask udp "$(address6 one)" 444)"
check "and pings" ping -n -q -c 2 -i 0.05 -W 5 -s 4000 "$(address4 one)"
check_equal "somebody beyond asks, and is answered" "inside 10.99.0.2 $(address4 one):443" "$(ask_beyond tcp "$(address4 one)" 443)"
check_equal "by UDP and IPv6" "inside fd99::2 [$(address6 one)]:444" "$(ask_beyond udp "$(address6 one)" 444)"
plain two
check_equal "a neighbour is asked without a rule" "inside $(address4 two) $(address4 one):443" "$(ask two tcp "$(address4 one)" 443)"

echo "# rules that change"
background /tmp/talk ip netns exec one "$here/net.py" talk 10.99.0.2
talker=${backgrounds[-1]}
network default "{$both, \"allow\": {\"out\": []}}"
plain three
check_equal "who comes later has the new rules" EHOSTUNREACH "$(ask three tcp 10.99.0.2 80)"
check_equal "who was there keeps his" there "$(ask one tcp 10.99.0.2 80 | cut -d ' ' -f 1)"
shunt gc >/dev/null
check_equal "also behind gc" there "$(ask one tcp 10.99.0.2 80 | cut -d ' ' -f 1)"
sets() { bpftool -j map dump pinned /sys/fs/bpf/shunt/datapath/rules | jq '[.[].key[4:8]] | unique | map(select(.[0] == "0x06" or (.[0] | ltrimstr("0x") | test("[6e]$")))) | length'; }
check_equal "there are two sets of rules" 2 "$(sets)"
kill -TERM "$talker"
wait "$talker" || true
check "what was begun goes on" test "$(tail -n 1 /tmp/talk | cut -d ' ' -f 1)" -ge 5
away one
away two
shunt gc >/dev/null
check_equal "gc removes the rules that nobody has" 1 "$(sets)"
away three
finish_background

echo "# in and out, routed"
answer there beyond 80 443
background /tmp/serve ip netns exec beyond "$here/net.py" serve
network default "{$both, \"masquerade\": false, \"allow\": {\"out\": [\"tcp/80\", \"udp/7000-7001\"], \"in\":
        [\"10.99.0.0/24 tcp/7000\", \"10.99.0.2 udp/7001\", \"fd99::/64 tcp/7000\", \"fd99::/64 udp\", \"10.99.0.2 icmp\"]}}"
plain one
background /tmp/inside ip netns exec one "$here/net.py" serve
answer inside one 443
check_equal "out" "there $(address4 one) 10.99.0.2:80" "$(ask one tcp 10.99.0.2 80)"
check_equal "out, what is not allowed" EHOSTUNREACH "$(ask one tcp 10.99.0.2 443)"
for way in "$(address4 one)" "$(address6 one)"; do
        check "in: TCP both ways, and UDP in fragments, to $way" beyond "$here/net.py" exchange "$way" 8
        silent "in: another port of $way" ask_beyond tcp "$way" 443
done
check "in: ping" beyond ping -n -q -c 3 -i 0.05 -W 5 -s 4000 "$(address4 one)"
check_not "in: no ping by IPv6" beyond ping -n -c 1 -W 1 "$(address6 one)"
check_not "in: nor from another address" beyond ping -n -c 1 -W 1 -I 10.98.0.1 "$(address4 one)"
check "in: what is not allowed is counted" test "$(dropped one not_allowed)" -gt 4
check_equal "the host is not asked" "inside 10.99.0.1 $(address4 one):443" "$("$here/ports.py" ask tcp "$(address4 one)" 443)"
away one
finish_background

echo "# published ports, and other networks"
network default "{$both, \"allow\": {\"in\": [\"10.208.0.0/24 tcp/80\", \"10.99.0.2 tcp/81\", \"fd99::2 tcp/81\"]}}"
network other '{"subnets": ["10.208.0.0/24", "fd00:208::/64"]}'
network open '{"subnets": ["10.209.0.0/24", "fd00:209::/64"], "isolate": false, "allow": {"in": ["10.210.0.0/24 tcp/80"], "out": []}}'
network wide '{"subnets": ["10.210.0.0/24"], "isolate": false}'
plain one --publish 8080:80 --publish 8081:81
answer inside one 80 81
plain two --network other
silent "another network's container has no way in by the address" ask two tcp "$(address4 one)" 80
check_equal "but by the published port" "inside 10.99.0.1 10.99.0.1:8080" "$(ask two tcp 10.99.0.1 8080)"
silent "and only by one that its rule is for" ask two tcp 10.99.0.1 8081
silent "the wire by the other only" ask_beyond tcp 10.99.0.1 8080
check_equal "the wire by its own" "inside 10.99.0.2 10.99.0.1:8081" "$(ask_beyond tcp 10.99.0.1 8081)"
check_equal "and by IPv6" "inside fd99::2 [fd99::1]:8081" "$(ask_beyond tcp fd99::1 8081)"
check_equal "the host by either" "inside 10.99.0.1 10.99.0.1:8080" "$("$here/ports.py" ask tcp 10.99.0.1 8080)"
plain near
check_equal "who is of the network needs no rule" "inside 10.99.0.1 10.99.0.1:8080" "$(ask near tcp 10.99.0.1 8080)"
away near
plain three --network open
plain four --network wide
answer third three 80 81
answer fourth four 80
check_equal "from network to network, a port that is allowed" "third $(address4 four) $(address4 three):80" "$(ask four tcp "$(address4 three)" 80)"
silent "one that is not" ask four tcp "$(address4 three)" 81
check_equal "nothing the other way round" EHOSTUNREACH "$(ask three tcp "$(address4 four)" 80)"
away one two three four
finish_background

echo "# routed by the host's stack"
for path in ipv4/conf/wire ipv6/conf/all; do echo 1 >/proc/sys/net/$path/forwarding; done
answer there beyond 80 443
network default "{$both, \"routing\": \"kernel\", \"allow\": {\"out\": [\"tcp/80\"], \"in\": [\"tcp/81\"]}}"
plain one --publish 8081:81 --publish 8082:82
answer inside one 81 82
check_equal "out, masqueraded" "there 10.99.0.1 10.99.0.2:80" "$(ask one tcp 10.99.0.2 80)"
check_equal "out, what is not allowed" EHOSTUNREACH "$(ask one tcp 10.99.0.2 443)"
check_equal "in, by its address" "inside 10.99.0.2 $(address4 one):81" "$(ask_beyond tcp "$(address4 one)" 81)"
silent "in, what is not allowed" ask_beyond tcp "$(address4 one)" 82
check_equal "in, by its published port" "inside 10.99.0.2 10.99.0.1:8081" "$(ask_beyond tcp 10.99.0.1 8081)"
silent "in, by one that is not allowed" ask_beyond tcp 10.99.0.1 8082
check_equal "the host" "inside 10.99.0.1 $(address4 one):82" "$("$here/ports.py" ask tcp "$(address4 one)" 82)"
away one
finish_background
echo "# how many flows there is room for"
room() { for family in 4 6; do bpftool -j map show pinned /sys/fs/bpf/shunt/datapath/flows$family | jq .max_entries; done | xargs; }
shunt gc >/dev/null
network default "{$both, \"flows\": 2048}"
network other '{"subnets": ["10.208.0.0/24"], "flows": 1024}'
background /tmp/serve ip netns exec beyond "$here/net.py" serve
plain one
check_equal "the most that any file asks for" "2048 2048" "$(room)"
background /tmp/talk ip netns exec one "$here/net.py" talk 10.99.0.2
talker=${backgrounds[-1]}
check_not "doctor has nothing to say of it" sh -c "shunt doctor | grep 'ask.* flows'"
network other '{"subnets": ["10.208.0.0/24"], "flows": 131072}'
check "one that asks for more is told" sh -c "shunt doctor | grep -E '^warn  flows .*131072 flows.*room for 2048; shunt upgrade$'"
port() { bpftool -j map dump pinned /sys/fs/bpf/shunt/datapath/flows4 | jq -c '[.[] | .key, .value[0:40] | map(tonumber? // .)] | unique | length'; }
known=$(port)
check "upgrade makes larger ones" shunt upgrade
check_equal "which have that room" "131072 131072" "$(room)"
check_equal "and all flows" "$known" "$(port)"
check_not "doctor is content" sh -c "shunt doctor | grep 'ask.* flows'"
kill -TERM "$talker"
wait "$talker" || true
check "what was begun goes on" test "$(tail -n 1 /tmp/talk | cut -d ' ' -f 1)" -ge 5
rm "$SHUNT_NETWORKS/other.json"
check "upgrade makes none that is smaller" sh -c "shunt upgrade | grep ': 0 links'"
away one
finish_background
nothing_left
finish

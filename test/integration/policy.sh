#!/bin/bash
# What a network's file lets flows be: which leave with the container's own address, which may begin at all, in both directions.
. "$(dirname "$0")/lib.bash"

world
export SHUNT_NETWORKS=/tmp/networks
mkdir -p $SHUNT_NETWORKS
# network NAME JSON
network() { echo "$2" >"$SHUNT_NETWORKS/$1.json"; }
# from WHERE ADDRESS: what address somebody there sees us with
seen_by() { in_ct "$1" timeout 10 socat -t 5 -u "TCP:$2" - </dev/null; }
# Says with which address it is spoken to.
# shellcheck disable=SC2016 # the shell that socat starts
teller() { beyond socat "TCP-LISTEN:$1,fork,reuseaddr${2:-}" 'SYSTEM:echo $SOCAT_PEERADDR'; }

ip -n beyond addr add 10.98.0.1/32 dev lo
ip -n beyond addr add fd98::1/128 dev lo nodad
network default '{"subnets": ["10.207.0.0/16", "fd00:207::/64"], "masquerade_except": ["10.98.0.0/16", "fd98::/32", "10.99.0.77"]}'
plain one
teller 80 & backgrounds+=($!)
teller 81 ,pf=ip6 & backgrounds+=($!)
eventually beyond socat -u /dev/null TCP:127.0.0.1:80
eventually beyond socat -u /dev/null TCP:[::1]:81
check_equal "elsewhere sees the host's address" 10.99.0.1 "$(seen_by one 10.99.0.2:80)"
check_equal "what is excepted sees the container's own" "$(address4 one)" "$(seen_by one 10.98.0.1:80)"
check "the same by ping" in_ct one ping -n -q -c 3 -i 0.05 -W 5 10.98.0.1
check "and in fragments" in_ct one ping -n -q -c 3 -i 0.05 -W 5 -s 4000 10.98.0.1
six=$(seen_by one '[fd98::1]:81')
check_equal "and with IPv6" "$(address6 one)" "$(in_ct one getent ahostsv6 "${six//[\[\]]/}" | awk 'NR == 1 { print $1 }')"
six=$(seen_by one '[fd99::2]:81')
check_equal "elsewhere the host's" fd99::1 "$(in_ct one getent ahostsv6 "${six//[\[\]]/}" | awk 'NR == 1 { print $1 }')"
check_equal "which the network's description says" '["10.98.0.0/16","fd98::/32","10.99.0.77/32"]' \
        "$(shunt network show default --json | jq -c .masquerade_except)"
finish_background
shunt detach one
nothing_left
finish

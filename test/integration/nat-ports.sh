#!/bin/bash
# lab: check=stable
# Ports to leave with: those of the host's own sockets are passed over, those that have been used come again, and where all are
# taken that is told. Flows live as long as they should, silent or not.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

world
strangers
addresses 2
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.58.0.0/24", "fd58::/64"], "masquerade_ports": "15000-15063" }' >/etc/shunt/networks/few.json
plain one
plain few --network few
plain other --network few
background /tmp/server beyond "$here/nat.py" serve

echo "# sockets of the host in the range"
background /tmp/listener "$here/nat.py" serve 20010
speaker bound host tcp 10.99.0.2 20011
for kind in tcp udp; do
        read -r address port < <(in_ct one "$here/nat.py" ask $kind 10.99.0.2 20010)
        check "$kind: a port on which the host listens is passed over: $port" test "$address" = 10.99.0.1 -a "$port" != 20010
        read -r address port < <(in_ct one "$here/nat.py" ask $kind 10.99.0.2 20012)
        check_equal "$kind: one on which it does not is kept" "10.99.0.1 20012" "$address $port"
        check_equal "$kind: who is out there reaches the host" "10.99.0.2 20010" "$(beyond "$here/nat.py" ask $kind 10.99.0.1 20010 20010)"
done
read -r address port < <(in_ct one "$here/nat.py" ask tcp 10.99.0.2 20011)
check "a port from which the host speaks there is passed over: $port" test "$port" != 20011
hushed
went_on bound "from its own port"

echo "# ports that become the host's"
sysctls=/proc/sys/net/ipv4
plain early
asked() { in_ct "$1" "$here/nat.py" ask tcp 10.99.0.2 "$2" | cut -d ' ' -f 2; }
check_equal "a port is kept" 20050 "$(asked early 20050)"
echo 20040-20060,8080 >$sysctls/ip_local_reserved_ports
shunt gc >/dev/null
check_not "one that is reserved is not, behind gc" test "$(asked early 20051)" = 20051
check_equal "one beside it is" 20061 "$(asked early 20061)"
echo >$sysctls/ip_local_reserved_ports
shunt gc >/dev/null
check_equal "and when it is free again" 20052 "$(asked early 20052)"
read -r was <$sysctls/ip_local_port_range
echo 16384 60999 >$sysctls/ip_local_port_range
plain late
check "who comes when they are the host's gets others: $(asked late 20053)" test "$(asked late 20054)" -lt 16384
shunt gc >/dev/null
check_equal "who was there, and has no others, keeps them, behind gc" 20055 "$(asked early 20055)"
echo 24000 60999 >$sysctls/ip_local_port_range
shunt gc >/dev/null
check_not "who has some that are not the host's has these alone" test "$(asked early 24055)" = 24055
echo 1024 65535 >$sysctls/ip_local_port_range
ip netns add none
refuse "leave none to masquerade with" shunt attach none --netns /run/netns/none --driver "$driver"
shunt gc >/dev/null
check "where none are left, nobody loses what he has: $(asked late 20058)" test "$(asked late 20059)" -lt 16384
echo "$was" >$sysctls/ip_local_port_range
shunt gc >/dev/null
check "who came late goes on as he did" test "$(asked late 20056)" -lt 16384
check_equal "and who was there as ever, when they are free again" 20057 "$(asked early 20057)"
for ct in early late; do shunt detach $ct; done

echo "# ports that have been used"
times=100
[ "${LAB_ACCEL:-}" != tcg ] || times=20
read -r ports longest < <(in_ct one "$here/nat.py" serial $times 10.99.0.2 20020)
check_equal "$times connections from one port, each while the server remembers the last; the longest took $longest ms" 1 "$ports"
read -r ports longest < <(in_ct few "$here/nat.py" serial 100 10.99.0.2)
check "100 connections by 64 ports, $ports of them; the longest took $longest ms" test "$ports" -le 64
read -r ports longest < <(in_ct other "$here/nat.py" serial 20 10.99.0.2)
check "and 20 of another container by the same; the longest took $longest ms" test "$ports" -ge 1

echo "# no more than there are"
check_equal "a flow from each of 64 ports" 64 "$(in_ct few "$here/nat.py" ports 30000 30063 10.99.0.2)"
check_equal "and none to spare" "0 0" "$(in_ct other "$here/nat.py" ports 30000 30003 10.99.0.2 0.3) $(dropped few no_port)"
check_equal "which is counted" 4 "$(dropped other no_port)"
check_equal "to elsewhere they can be used again" 4 "$(in_ct other "$here/nat.py" ports 30000 30003 10.97.0.1)"
age 400
check_equal "and there, when their flows have been silent for long" 4 "$(in_ct other "$here/nat.py" ports 30000 30003 10.99.0.2)"

echo "# flows that are silent"
gather /tmp/talk-tcp ip netns exec one "$here/nat.py" crowd 8 10.97.0.1 10.97.0.2 fd97::1 fd97::2
crowd=${backgrounds[-1]}
# goes_on WHAT: all speak again, and nobody out there sees another port
goes_on() { check_equal "$1: connections go on by the same ports" "again 8 0" "$(all_speak "$crowd" /tmp/talk-tcp)"; }
goes_on "at once"
age 86000
goes_on "after nearly a day"
forget '.formatted.value.state % 2 == 1'
goes_on "when one entry of each is forgotten"
forget '.formatted.value.state % 2 == 0'
goes_on "when the other one is"
forget true
goes_on "when both are"
age 90000
goes_on "after more than a day"
check_equal "with two entries for each" "4 4" "$(entries 0acf fd9700)"

finish_background
for ct in one few other; do shunt detach $ct; done
nothing_left
finish

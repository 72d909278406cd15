#!/bin/bash
# lab: check=backports timeout=900
# Many flows behind one address: none loses its port, none takes another's, and the host's own sockets are not shadowed.
#
#   FLOWS    connections that live at once (10000; 1500 where the machine is emulated)
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nat.bash"

count=${FLOWS:-$([ "${LAB_ACCEL:-}" = tcg ] && echo 1500 || echo 10000)}
room=$((count * 6))

world
strangers
addresses 64
mkdir -p /etc/shunt/networks
# Where there are 16384 ports, a few hundred flows of two containers hardly ever meet; here they do.
echo '{ "subnets": ["10.59.0.0/24", "fd59::/64"], "masquerade_ports": "15000-15199", "flows": '$room' }' >/etc/shunt/networks/narrow.json
plain one --network narrow
plain two --network narrow
plain other
background /tmp/server beyond "$here/nat.py" serve
background /tmp/listener "$here/nat.py" serve
# The host's own: a connection each way, while all else goes on.
speaker out host tcp 10.99.0.2
speaker in beyond tcp fd99::1

echo "# as many as can be told apart"
# Half of them from each of two containers, so that both want the same ports to the same places.
gather /tmp/crowd1 ip netns exec one "$here/nat.py" crowd $((count * 2 / 5)) "${servers4[@]}"
gather /tmp/crowd2 ip netns exec two "$here/nat.py" crowd $((count * 2 / 5)) "${servers4[@]}"
gather /tmp/crowd3 ip netns exec two "$here/nat.py" crowd $((count / 5)) "${servers6[@]}"
crowds=("${backgrounds[@]: -3}")
for crowd in 1 2 3; do
        read -r _ n low high seen </tmp/crowd$crowd
        ok "$n connections, by ports $low to $high of $seen"
        check "all of the range" test "$low" -ge 15000 -a "$high" -le 15199
        check_equal "with the host's address" "$([ $crowd = 3 ] && echo fd99::1 || echo 10.99.0.1)" "$seen"
done
# again WHAT: each connection of all crowds speaks
again() {
        local crowd n
        for crowd in 1 2 3; do
                read -r _ n _ </tmp/crowd$crowd
                check_equal "$1: each connection of crowd $crowd is answered, by the same port" "again $n 0" \
                        "$(all_speak "${crowds[crowd - 1]}" /tmp/crowd$crowd)"
        done
}
again "all at once"
check_equal "each is told by two entries" "$((count * 4 / 5)) $((count / 5))" \
        "$(entries 0a3b00 fd5900)"

echo "# more than there is room for"
# By a port that is not of the crowds' range: what is to be seen is that they are forgotten, not that ports are taken.
for sport in 14000 14001; do
        check "$room flows that nobody answers" ip netns exec other "$here/nat.py" spray $room $sport "${servers4[@]}"
done
ok "of $((count * 4 / 5)) connections before, $(entries 0a3b00) are still known"
again "after those"

hushed
went_on out "which is the host's own"
went_on in "which is the host's own"
finish_background
for ct in one two other; do shunt detach $ct; done
nothing_left
finish

#!/bin/bash
# lab: check=stable
# Whom of the host's own processes a container's end leaves without a peer: they hear of it at once, and whoever gets its
# addresses hears nothing of them.
. "$(dirname "$0")/lib.bash"

others=(tcp 127.0.0.1 8080 udp ::1 8053 tcp 10.99.0.2 7000 udp fd99::2 7000)
at=(127.0.0.1 10.99.0.1 ::1 fd99::1 ::ffff:127.0.0.1)
count='table inet count {
        counter hits { }
        chain hear { type filter hook input priority 0; tcp dport 80 counter name hits; udp dport 53 counter name hits; }
}'
hits() { in_ct "$1" nft -j list counter inet count hits | jq '.nftables[] | .counter? // empty | .packets'; }
told() { grep -E " $2\$" /tmp/clings | grep -c "^$1"; }
told_all() { [ "$(told tcp 'hears ECONNABORTED')/$(told udp 'hears ECONNABORTED')" = 7/7 ]; }
attach_old() { shunt attach old --netns /run/netns/old --driver "$driver" --publish 8180:80 --publish 8153:53/udp; }
detached() { shunt detach old; }
dead() { ip -n old link del eth0 && shunt gc; }
anew() { attach_old; }

world
plain web --publish 8080:80 --publish 8053:53/udp
background /tmp/web in_ct web "$here/ports.py" answer web 80 53
background /tmp/far beyond "$here/ports.py" answer far 7000
for end in detached dead anew; do
        echo "# $end"
        ip netns add old
        attach_old >/dev/null
        was4=$(address4 old) was6=$(address6 old)
        background /tmp/old in_ct old "$here/ports.py" answer old 80 53
        touch /tmp/clinging
        talks=(tcp "$was4" 80 tcp "$was6" 80 udp "$was4" 53 udp "$was6" 53)
        for to in "${at[@]}"; do talks+=(tcp "$to" 8180 udp "$to" 8153); done
        background /tmp/clings "$here/ports.py" cling /tmp/clinging "${talks[@]}" "${others[@]}"
        cling=${backgrounds[-1]}
        check "it is $end" $end
        eventually told_all
        ok "each socket of the host that spoke to it hears of it"
        heir=old
        if [ $end != anew ]; then
                heir=heir
                plain heir --address "$was4" --address "$was6" >/dev/null
                background /tmp/heir in_ct heir "$here/ports.py" answer heir 80 53
        fi
        check_equal "the next has its addresses" "$was4 $was6" "$(address4 $heir) $(address6 $heir)"
        in_ct $heir nft -f - <<<"$count"
        rm /tmp/clinging
        wait "$cling"
        check_equal "and hears nothing of what they say then" 0 "$(hits $heir)"
        check_equal "which goes nowhere" "7 7" "$(told tcp 'gets EPIPE') $(told udp 'gets EDESTADDRREQ')"
        check_equal "who spoke to another goes on" "2 2" "$(told '.* 80..' 'gets web') $(told '.* 7000' 'gets far')"
        check_equal "and has heard nothing" 14 "$(grep -c hears /tmp/clings)"
        shunt detach $heir
        # shellcheck disable=SC2046 # numbers
        kill $(ip netns pids old) $([ $heir = old ] || ip netns pids heir)
        ip netns del old
        [ $heir = old ] || ip netns del heir
done

echo "# an attach that is refused"
beyond ip addr add 10.207.5.5/32 dev lo
ip route add 10.207.5.5/32 via 10.99.0.2
ip netns add late
touch /tmp/clinging
background /tmp/clings "$here/ports.py" cling /tmp/clinging tcp 10.207.5.5 7000 tcp 10.207.5.5 7000
cling=${backgrounds[-1]}
refuse 'File exists' shunt attach late --netns /run/netns/late --driver "$driver" --address 10.207.5.5
rm /tmp/clinging
wait "$cling"
check_equal "who speaks to the machine that has the address goes on" "2 0" "$(grep -c 'gets far' /tmp/clings) $(grep -c hears /tmp/clings || true)"
ip route del 10.207.5.5/32
ip netns del late

finish_background
shunt detach web
nothing_left
finish

# What scenarios share that send under false names, or try to harm those who talk meanwhile. Sourced behind lib.bash.
# shellcheck shell=bash

# The host's own network namespace has no name yet.
ip netns attach host $$

# ears NETNS DEVICE RULE...: counts what arrives there before anyone else could take it, by the first RULE that fits;
# what fits none is "forged". On the host, where a packet may have been marked to pass by tc, and those ears with it, the
# IP stack's own look is another pair.
ears() {
        local netns=$1 device=$2
        shift 2
        [ "$netns" != host ] || nft -f - <<NFT
table inet ears-$device
delete table inet ears-$device
table inet ears-$device {
        counter forged { }
        chain hear {
                type filter hook prerouting priority -300; policy accept;
                iifname != "$device" accept
                $(printf '%s\n' "${@/counter name own /}")
                counter name forged
        }
}
NFT
        ip netns exec "$netns" nft -f - <<NFT
table netdev ears-$device
delete table netdev ears-$device
table netdev ears-$device {
        counter own { }
        counter forged { }
        chain hear {
                type filter hook ingress device "$device" priority -300; policy accept;
                $(printf '%s\n' "$@")
                counter name forged
        }
}
NFT
}
# heard NETNS DEVICE own|forged
heard() {
        if [ "$1 $3" = "host forged" ]; then
                local above
                above=$(nft list counter inet "ears-$2" forged | sed -n 's/.*packets \([0-9]*\) .*/\1/p')
                [ "$above" = 0 ] || { echo "$above"; return; }
        fi
        ip netns exec "$1" nft list counter netdev "ears-$2" "$3" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

# talkers ADDRESS...: the host and a machine beyond talk with "two", all the time; ears there and on the wire that know
# them, our own pings and the senders' ADDRESSes. What the host says on the wire has all hops left, as no other's has.
talkers() {
        local two4 two6 address netns own=()
        two4=$(address4 two) two6=$(address6 two)
        for address; do
                case $address in
                *:*) own+=("ip6 saddr $address counter name own accept") ;;
                *) own+=("ip saddr $address counter name own accept") ;;
                esac
        done
        # What they say while they prove their link-local addresses, they say under none.
        for netns in host beyond; do eventually sh -c "! ip -n $netns -6 addr show tentative | grep -q ."; done
        background /tmp/serve ip netns exec two "$here/net.py" serve
        background /tmp/talk-host "$here/net.py" talk "$two4"
        talks=("${backgrounds[-1]}")
        background /tmp/talk-beyond ip netns exec beyond "$here/net.py" talk "$two6"
        talks+=("${backgrounds[-1]}")
        ears two eth0 "ip saddr 10.99.0.1 tcp dport 7000 accept" "ip6 saddr fd99::2 tcp dport 7000 accept" \
                "ip saddr 10.99.0.2 icmp type echo-reply accept" "ip6 saddr fd99::1 ip6 hoplimit 64 icmpv6 type echo-request accept" \
                "ip saddr 10.99.0.1 ip ttl 64 icmp type echo-request accept" "${own[@]}"
        ears beyond wire "ip6 saddr $two6 tcp sport 7000 accept" "${own[@]}" \
                "ip saddr $two4 icmp type echo-request accept" "ip saddr 10.99.0.1 ip ttl 64 icmp type echo-request accept" \
                "ip6 saddr fd99::1 ip6 hoplimit 64 icmpv6 type echo-request accept" \
                "arp saddr ip 10.99.0.1 arp operation request accept" \
                "arp saddr ip 10.99.0.1 arp daddr ip 10.99.0.2 accept" \
                "ip6 saddr { fd99::1, fe80::/10 } ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept" \
                "ip6 saddr { ::, fe80::/10 } ip6 daddr ff02::16 ip6 hoplimit 1 accept"
}
# What each of them takes for granted: addresses, routes, and who is who on the wire.
beliefs() {
        local netns
        { ping4 10.99.0.2 && ping6 fd99::2; } >/dev/null
        for netns in host two beyond; do
                ip -n $netns addr | grep -vE 'valid_lft|^[0-9]+: (nk|ifb)' | sed 's/ link-netnsid [0-9]*//'
                ip -n $netns route show table all
                ip -n $netns -6 route show table all | sed 's/ expires [0-9]*sec//'
                ip -n $netns neigh | sed -n 's/^\(10.99.0.[12]\|fd99::[12]\) .*lladdr \([0-9a-f:]*\).*/\1 \2/p'
        done
}
# talked: ends them, if nobody has before. No wait may have been so long that it was for the next but few of TCP's repetitions, which is
# more than any machine is busy for.
talked() {
        local talk words longest
        check "the talks went on" kill "${talks[@]}"
        wait "${talks[@]}"
        for talk in host beyond; do
                read -r words longest < <(tail -n 1 "/tmp/talk-$talk")
                echo "# $talk: $words words answered, the longest wait was $longest ms"
                check "$talk never waited for long" test "$longest" -lt 30000
        done
        finish_background
}

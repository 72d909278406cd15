#!/bin/bash
# lab: check=stable
# What the host filters and tracks is none of the containers' business: no packet of theirs passes its FORWARD chain or
# its connection tracking, and no setting of the host is changed.
. "$(dirname "$0")/lib.bash"

# All settings but those of shunt's own devices, which come and go with them, and what the kernel counts by itself.
settings() {
        # Some may only be written; what connection tracking counts is no setting.
        { grep -rs . /proc/sys/net --exclude-dir='nk*' --exclude=nf_conntrack_count || true; } | sort
}

world
nft -f - <<'NFT'
table inet guard {
        counter seen { }
        counter forwarded { }
        chain prerouting {
                type filter hook prerouting priority -300; policy accept;
                ip saddr 10.207.0.0/16 counter name seen
                ip daddr 10.207.0.0/16 counter name seen
                ip6 saddr fd00::/8 ip6 saddr != fd99::/64 counter name seen
                ip6 daddr fd00::/8 ip6 daddr != fd99::/64 counter name seen
        }
        chain forward {
                type filter hook forward priority 0; policy drop;
                counter name forwarded
        }
        chain track {
                type filter hook prerouting priority 0; policy accept;
                ct state new counter
        }
}
NFT
count() { nft -j list counter inet guard "$1" | jq '.nftables[] | .counter? // empty | .packets'; }

# Now that the modules that this needs have brought their settings.
settings >/tmp/before

plain one
plain two
v4=$(address4 one) v6=$(address6 one) w4=$(address4 two) w6=$(address6 two)
background /tmp/two in_ct two "$here/net.py" serve
background /tmp/beyond beyond "$here/net.py" serve
background /tmp/one in_ct one "$here/net.py" serve
for pair in "one 10.99.0.2" "one fd99::2" "one $w4" "beyond $v4" "beyond $v6"; do
        read -r from to <<<"$pair"
        check "with a FORWARD chain that drops all, $from to $to" ip netns exec "$from" "$here/net.py" exchange "$to" 2
        check "and ping" ip netns exec "$from" ping -n -q -c 2 -i 0.01 -W 5 "$to"
done
check_equal "the host's PREROUTING hook saw none of it" 0 "$(count seen)"
check_equal "nor did its FORWARD chain" 0 "$(count forwarded)"
check_equal "nor did its connection tracking" "" "$(conntrack -L 2>/dev/null | grep -F -e "$v4" -e "$v6" -e "$w4" -e "$w6" || true)"

# That these can see: the host's own traffic with a container does pass them.
check "host to container" ping4 "$v4"
check "container to host" in_ct one ping -n -c 1 -W 5 10.99.0.1
check "which PREROUTING sees" test "$(count seen)" -gt 0
check "and connection tracking too" sh -c "conntrack -L 2>/dev/null | grep -qF '$v4'"

check_equal "the host does not forward IPv4" 0 "$(cat /proc/sys/net/ipv4/ip_forward)"
check_equal "nor IPv6" 0 "$(cat /proc/sys/net/ipv6/conf/all/forwarding)"
check_not "nor does the wire" grep -q 1 /proc/sys/net/ipv4/conf/wire/forwarding /proc/sys/net/ipv6/conf/wire/forwarding
settings >/tmp/during
check_equal "no setting has changed while containers run" "" "$(diff /tmp/before /tmp/during || true)"
check_equal "no rule of ours is in the host's firewall" "table inet guard" "$(nft list tables)"

finish_background
shunt detach one
shunt detach two
nothing_left
settings >/tmp/after
check_equal "nor afterwards" "" "$(diff /tmp/before /tmp/after || true)"
finish

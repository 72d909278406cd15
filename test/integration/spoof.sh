#!/bin/bash
# lab: check=stable
# Root in a container sends by whatever name he likes, and nobody but the counter ever hears of it.
. "$(dirname "$0")/lib.bash"

world
plain one
plain two
v4=$(address4 one) v6=$(address6 one) w4=$(address4 two) w6=$(address6 two)
gateway4=10.207.0.1 gateway6=$(gateway6)

# Who may hear it: the host's stack, where it would begin; a neighbour; a machine beyond.
nft -f - <<'NFT'
table inet ears {
        counter forged { }
        counter honest { }
        chain hear {
                type filter hook prerouting priority raw; policy accept;
                udp dport 4242 @th,64,32 0x666f7267 counter name forged
                udp dport 4242 @th,64,32 0x686f6e65 counter name honest
        }
}
NFT
heard() { nft -j list counter inet ears "$1" | jq '.nftables[] | .counter? // empty | .packets'; }
background /tmp/beyond beyond "$here/net.py" watch forged honest-beyond
background /tmp/two in_ct two "$here/net.py" watch forged honest-two

# By AF_PACKET, past the container's own stack: its neighbour's address, the host's, the gateway's, another machine's, a
# stranger's, and such as nobody has.
sources4=("$w4" 10.99.0.1 "$gateway4" 10.99.0.2 192.0.2.1 127.0.0.1 0.0.0.0 255.255.255.255 224.0.0.1 169.254.1.1)
sources6=("$w6" fd99::1 "$gateway6" fd99::2 2001:db8::1 ::1 :: ff02::1 fe80::1 "::ffff:$v4")
spoofed=$(dropped one spoofed)
sent=$(in_ct one "$here/net.py" forge eth0 - forged 10.99.0.2 10.99.0.1 "$w4" fd99::2 fd99::1 "$w6" -- \
        "${sources4[@]}" "${sources6[@]}")
check_equal "sixty packets are sent under false names" 60 "$sent"
eventually test_dropped one spoofed $((spoofed + 60))
ok "each is dropped and counted"

# By the container's own stack, with addresses that it has given itself.
ip -n one addr add 192.0.2.9/32 dev eth0
ip -n one addr add "$w4/32" dev eth0
ip -n one addr add 2001:db8::9/128 dev eth0 nodad
check_not "ping by an address of its own choice" in_ct one ping -n -c 2 -i 0.01 -W 0.3 -I 192.0.2.9 10.99.0.2
check_not "ping by its neighbour's" in_ct one ping -n -c 2 -i 0.01 -W 0.3 -I "$w4" 10.99.0.1
check_not "ping by an IPv6 address of its own choice" in_ct one ping -n -c 2 -i 0.01 -W 0.3 -I 2001:db8::9 fd99::2
# Not exactly six: where ping sees its packet dropped, it tries again at once.
check "these are counted too" test "$(dropped one spoofed)" -ge $((spoofed + 66))
for address in 192.0.2.9/32 "$w4/32" 2001:db8::9/128; do ip -n one addr del "$address" dev eth0; done

# The wire: who sends from beyond under a container's name is not let in either.
before=$(dropped one spoofed)
background /tmp/one in_ct one "$here/net.py" watch forged honest-one
check_equal "packets come in from the wire under a neighbour's name" 2 \
        "$(beyond "$here/net.py" forge wire "$(cat /sys/class/net/wire/address)" forged "$v4" "$v6" -- "$w4" "$w6")"
eventually test_dropped one spoofed $((before + 2))
ok "each is dropped and counted"

# Under its own name it is heard, which shows that the ears can hear. What it says last, the ears hear last.
in_ct one "$here/net.py" forge eth0 - honest-host 10.99.0.1 fd99::1 -- "$v4" "$v6" >/dev/null
in_ct one "$here/net.py" forge eth0 - honest-beyond 10.99.0.2 fd99::2 -- "$v4" "$v6" >/dev/null
in_ct one "$here/net.py" forge eth0 - honest-two "$w4" "$w6" -- "$v4" "$v6" >/dev/null
in_ct two "$here/net.py" forge eth0 - honest-one "$v4" "$v6" -- "$w4" "$w6" >/dev/null
wait "${backgrounds[@]}"
check_equal "the host heard nothing forged" 0 "$(heard forged)"
check_equal "but what was honest" 2 "$(heard honest)"
for ear in beyond two one; do
        check_equal "$ear heard nothing forged" ready "$(cat /tmp/$ear)"
done
check_equal "and honest packets are not counted" $((before + 2)) "$(dropped one spoofed)"

shunt detach one
shunt detach two
nothing_left
finish

#!/bin/bash
# Root in a container sends frames of every kind, sound and broken, under true names and false. Nobody but the sender is
# ever named as the source of what arrives anywhere, and those who talk meanwhile go on.
#
#   ATTACK_FRAMES   how many each sender sends (50000; 3000 where the machine is emulated)
#   ATTACK_SEED     which (some that is told)
#
# lab: timeout=600
. "$(dirname "$0")/lib.bash"

frames=${ATTACK_FRAMES:-$([ "${LAB_ACCEL:-}" = tcg ] && echo 3000 || echo 50000)}
seed=${ATTACK_SEED:-$RANDOM$RANDOM}
echo "# $frames frames from each sender, ATTACK_SEED=$seed"

world
net off wire
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.50.0.0/24", "fd50::/64"], "isolate": true }' >/etc/shunt/networks/apart.json
echo '{ "subnets": ["10.51.0.0/24", "fd51::/64"], "routing": "kernel" }' >/etc/shunt/networks/kernel.json
senders=(one slow)
plain one
plain slow --network kernel
plain two
plain apart --network apart
# The driver's other mode, where packets come with the container's own link-layer header.
if [ "$driver" = netkit ]; then
        plain ether --mode l2
        senders+=(ether)
fi

# ears NETNS DEVICE RULE...: counts what arrives there before anyone else could take it, by the first RULE that fits;
# what fits none is "forged".
ears() {
        local netns=$1 device=$2
        shift 2
        ip netns exec "$netns" nft -f - <<NFT
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
heard() { ip netns exec "$1" nft -j list counter netdev "ears-$2" "$3" | jq '.nftables[] | .counter? // empty | .packets'; }
from() { local list; list=$(printf '%s, ' "$@"); echo "${list%, }"; }

# The host's own network namespace has no name yet.
ip netns attach host $$
own4=() own6=()
for sender in "${senders[@]}"; do
        own4+=("$(address4 "$sender")") own6+=("$(address6 "$sender")")
        ears host "$(host_end "$sender")" "ip saddr ${own4[-1]} counter name own accept" "ip6 saddr ${own6[-1]} counter name own accept"
done
own=("ip saddr { $(from "${own4[@]}") } counter name own accept" "ip6 saddr { $(from "${own6[@]}") } counter name own accept")
two4=$(address4 two) two6=$(address6 two)

# Who talks meanwhile: the host and a machine beyond with a neighbour, which hears nothing else.
background /tmp/serve ip netns exec two "$here/net.py" serve
background /tmp/talk-host "$here/net.py" talk "$two4"
talks=("${backgrounds[-1]}")
background /tmp/talk-beyond ip netns exec beyond "$here/net.py" talk "$two6"
talks+=("${backgrounds[-1]}")
ears two eth0 "ip saddr 10.99.0.1 tcp dport 7000 accept" "ip6 saddr fd99::2 tcp dport 7000 accept" "${own[@]}"
ears apart eth0
# The host itself asks for its neighbours on the wire; nobody else's packet would have all its hops left.
ears beyond wire "ip6 saddr $two6 tcp sport 7000 accept" "${own[@]}" "arp saddr ip 10.99.0.1 arp operation request accept" \
        "arp saddr ip 10.99.0.1 arp daddr ip 10.99.0.2 accept" \
        "ip6 saddr { fd99::1, fe80::/10 } ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept" \
        "ip6 saddr fe80::/10 ip6 daddr ff02::16 accept"

others=(10.99.0.1 10.99.0.2 10.207.0.1 "$two4" "$(address4 apart)" fd99::1 fd99::2 "$(gateway6)" "$two6" "$(address6 apart)")
for i in "${!senders[@]}"; do
        sender=${senders[i]}
        echo "# $sender: $(in_ct "$sender" build/test/attack/packets eth0 "$frames" "$((seed + i))" "${own4[i]}" "${own6[i]}" "${others[@]}")"
        ok "$sender has sent"
        echo "# dropped: $(shunt show "$sender" --json | jq -c .counters.dropped)"
        for reason in spoofed malformed protocol multicast; do
                check "some counted as $reason" test "$(dropped "$sender" $reason)" -gt 0
        done
        check "the host heard it" test "$(heard host "$(host_end "$sender")" own)" -gt 0
        check_equal "and nothing under another name" 0 "$(heard host "$(host_end "$sender")" forged)"
done
# What is on its way arrives: a queue or two of softirqs.
nap 300000
for ear in "two eth0" "beyond wire"; do
        check "$ear heard them" test "$(heard $ear own)" -gt 0
        check_equal "and nothing under another name" 0 "$(heard $ear forged)"
done
check_equal "another network heard nothing at all" 0 "$(heard apart eth0 forged)"
echo "# heard by two: $(heard two eth0 own), beyond: $(heard beyond wire own)"

check "the talks went on" kill "${talks[@]}"
wait "${talks[@]}"
echo "# words answered and the longest wait, ms: host $(tail -n 1 /tmp/talk-host), beyond $(tail -n 1 /tmp/talk-beyond)"
finish_background
for sender in "${senders[@]}"; do
        check_equal "$sender is still attached" ready "$(shunt show "$sender" --json | jq -r .state)"
        check "and served as before" in_ct "$sender" ping -n -c 1 -W 5 10.99.0.2
done
for ct in "${senders[@]}" two apart; do shunt detach "$ct"; done
nothing_left
finish

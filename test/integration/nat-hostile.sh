#!/bin/bash
# Root in a masqueraded container sends frames of every kind. Beyond, nobody ever hears a source but the host's address, with
# ports that are for masquerade; and those who talk meanwhile go on.
#
#   ATTACK_FRAMES, ATTACK_SEED   as in fuzz.sh
#
# lab: check=stable
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/ears.bash"
. "$(dirname "$0")/nat.bash"

frames=${ATTACK_FRAMES:-$([ "${LAB_ACCEL:-}" = tcg ] && echo 10000 || echo 50000)}
seed=${ATTACK_SEED:-$RANDOM$RANDOM}
echo "# $frames frames from each sender, ATTACK_SEED=$seed"

world
net off wire
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.51.0.0/24", "fd51::/64"], "routing": "kernel" }' >/etc/shunt/networks/kernel.json
senders=(one slow)
plain one --publish 8080:80 --publish 8053:53/udp
plain slow --network kernel
plain two --publish 7100:7002
if [ "$driver" = netkit ]; then
        plain ether --mode l2
        senders+=(ether)
fi
own4=() own6=()
for sender in "${senders[@]}"; do
        own4+=("$(address4 "$sender")") own6+=("$(address6 "$sender")")
        ears host "$(host_end "$sender")" "ip saddr ${own4[-1]} counter name own accept" "ip6 saddr ${own6[-1]} counter name own accept"
done
two4=$(address4 two) two6=$(address6 two)
talkers "${own4[@]}" "${own6[@]}"
# Who is masqueraded meanwhile, and who is published.
background /tmp/server beyond "$here/nat.py" serve
background /tmp/served ip netns exec two "$here/nat.py" serve 7002 two
speaker out two tcp 10.99.0.2
speaker out6 two tcp fd99::2
background /tmp/in ip netns exec beyond "$here/nat.py" spread 10 10.99.0.1 7100
in=${backgrounds[-1]}
# What two gets by masquerade and by its port, and what others get at that, are no names of the senders'.
ears two eth0 "ip saddr 10.99.0.1 tcp dport 7000 accept" "ip6 saddr fd99::2 tcp dport 7000 accept" \
        "ip saddr 10.99.0.2 tcp dport 7002 accept" "ip saddr 10.99.0.2 tcp sport 7002 accept" "ip6 saddr fd99::2 tcp sport 7002 accept" \
        "ip saddr 10.99.0.2 icmp type echo-reply accept" "ip6 saddr fd99::1 ip6 hoplimit 64 icmpv6 type echo-request accept" \
        "ip saddr 10.99.0.1 ip ttl 64 icmp type echo-request accept" \
        "ip saddr { $(IFS=,; echo "${own4[*]}"), 10.99.0.1 } counter name own accept" \
        "ip6 saddr { $(IFS=,; echo "${own6[*]}"), fd99::1 } counter name own accept"
# A fragment that is not the first has no ports. Errors, and echoes' answers, are the host's own or are about a flow.
range=16384-32767
ears beyond wire "ip6 saddr $two6 tcp sport 7000 accept" \
        "ip saddr 10.99.0.1 tcp sport 7100 accept" "ip saddr 10.99.0.1 ip ttl 64 icmp type echo-request accept" \
        "ip saddr 10.99.0.1 tcp sport $range counter name own accept" "ip saddr 10.99.0.1 udp sport $range counter name own accept" \
        "ip saddr 10.99.0.1 tcp sport { 8080, 8053 } accept" "ip saddr 10.99.0.1 udp sport { 8080, 8053 } accept" \
        "ip saddr 10.99.0.1 icmp type echo-request icmp id $range counter name own accept" \
        "ip saddr 10.99.0.1 icmp type { destination-unreachable, time-exceeded, parameter-problem } accept" \
        "ip saddr 10.99.0.1 ip frag-off & 0x1fff != 0 counter name own accept" \
        "ip6 saddr fd99::1 tcp sport $range counter name own accept" "ip6 saddr fd99::1 udp sport $range counter name own accept" \
        "ip6 saddr fd99::1 icmpv6 type echo-request icmpv6 id $range counter name own accept" \
        "ip6 saddr fd99::1 icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept" \
        "ip6 saddr fd99::1 ip6 hoplimit 64 icmpv6 type echo-request accept" \
        "ip6 saddr fd99::1 frag frag-off > 0 counter name own accept" \
        "arp saddr ip 10.99.0.1 accept" "ip6 saddr { fd99::1, fe80::/10 } ip6 hoplimit 255 accept" \
        "ip6 saddr { ::, fe80::/10 } ip6 daddr ff02::16 ip6 hoplimit 1 accept"
others=(10.99.0.1 10.99.0.2 10.207.0.1 "$two4" fd99::1 fd99::2 "$(gateway6)" "$two6")
beliefs >/tmp/before
for i in "${!senders[@]}"; do
        sender=${senders[i]}
        echo "# $sender: $(in_ct "$sender" build/test/attack/packets eth0 "$frames" "$((seed + i))" "${own4[i]}" "${own6[i]}" "${others[@]}")"
        ok "$sender has sent"
        echo "# dropped: $(shunt show "$sender" --json | jq -c .counters.dropped)"
        check "some was dropped as no port could be told" test "$(dropped "$sender" untranslated)" -gt 0
        check_equal "the host heard nothing under another name" 0 "$(heard host "$(host_end "$sender")" forged)"
done
nap 300000
for ear in "two eth0" "beyond wire"; do
        check "$ear heard them" test "$(heard $ear own)" -gt 0
        check_equal "and nothing under a name that is not theirs to use" 0 "$(heard $ear forged)"
done
beliefs >/tmp/after
check "nobody was made to believe anything" diff /tmp/before /tmp/after

echo "# more flows than there is room for, from one container"
check "40000 datagrams to other places" ip netns exec one "$here/nat.py" spray 40000 14000 10.99.0.2 10.99.0.3 10.99.0.4
check_equal "who came by a published port goes on" "again two:10" "$(all_speak "$in" /tmp/in)"
hushed
went_on out "masqueraded"
went_on out6 "masqueraded"
finish_background
for ct in "${senders[@]}" two; do shunt detach "$ct"; done
nothing_left
finish

#!/bin/bash
# Root in a container sends frames of every kind, sound and broken, under true names and false. Nobody but the sender is
# ever named as the source of what arrives anywhere, and those who talk meanwhile go on.
#
#   ATTACK_FRAMES   how many each sender sends (50000; 10000 where the machine is emulated)
#   ATTACK_SEED     which (some that is told)
#
# lab: check=stable
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/ears.bash"

frames=${ATTACK_FRAMES:-$([ "${LAB_ACCEL:-}" = tcg ] && echo 10000 || echo 50000)}
seed=${ATTACK_SEED:-$RANDOM$RANDOM}
echo "# $frames frames from each sender, ATTACK_SEED=$seed"

world
no_masquerade
net off wire
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.50.0.0/24", "fd50::/64"], "isolate": true }' >/etc/shunt/networks/apart.json
echo '{ "subnets": ["10.51.0.0/24", "fd51::/64"], "routing": "kernel", "masquerade": false }' >/etc/shunt/networks/kernel.json
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

own4=() own6=()
for sender in "${senders[@]}"; do
        own4+=("$(address4 "$sender")") own6+=("$(address6 "$sender")")
        ears host "$(host_end "$sender")" "ip saddr ${own4[-1]} counter name own accept" "ip6 saddr ${own6[-1]} counter name own accept"
done
hears() { [ "$(heard "$1" "$2" own)" -gt 0 ]; }
talkers "${own4[@]}" "${own6[@]}"
ears apart eth0
beliefs >/tmp/before
others=(10.99.0.1 10.99.0.2 10.207.0.1 "$(address4 two)" "$(address4 apart)" fd99::1 fd99::2 "$(gateway6)" "$(address6 two)" "$(address6 apart)")
for i in "${!senders[@]}"; do
        sender=${senders[i]}
        echo "# $sender: $(in_ct "$sender" build/test/attack/packets eth0 "$frames" "$((seed + i))" "${own4[i]}" "${own6[i]}" "${others[@]}")"
        ok "$sender has sent"
        echo "# dropped: $(shunt show "$sender" --json | jq -c .counters.dropped)"
        for reason in spoofed malformed protocol multicast; do
                check "some counted as $reason" test "$(dropped "$sender" $reason)" -gt 0
        done
        eventually hears host "$(host_end "$sender")"
        ok "the host heard it"
        check_equal "and nothing under another name" 0 "$(heard host "$(host_end "$sender")" forged)"
done
# What is on its way arrives before what is sent last.
for sender in "${senders[@]}"; do for to in 10.99.0.2 "$(address4 two)"; do in_ct "$sender" ping -n -q -c 1 -W 5 "$to" >/dev/null || true; done; done
for ear in "two eth0" "beyond wire"; do
        eventually hears $ear
        ok "$ear heard them"
        check_equal "and nothing under another name" 0 "$(heard $ear forged)"
done
check_equal "another network heard nothing at all" 0 "$(heard apart eth0 forged)"
echo "# heard by two: $(heard two eth0 own), beyond: $(heard beyond wire own)"

beliefs >/tmp/after
check "nobody was made to believe anything" diff /tmp/before /tmp/after
talked
for sender in "${senders[@]}"; do
        check_equal "$sender is still attached" ready "$(shunt show "$sender" --json | jq -r .state)"
        check "and served as before" in_ct "$sender" ping -n -c 1 -W 5 10.99.0.2
done
for ct in "${senders[@]}" two apart; do shunt detach "$ct"; done
nothing_left
finish

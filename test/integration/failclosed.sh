#!/bin/bash
# Not one packet leaves a container before its program is attached: neither while attach is slow, nor where it is killed
# or fails. Inside, somebody sends all the time, under the container's name and under a false one.
. "$(dirname "$0")/lib.bash"

world
no_masquerade
# The kernel's own look at sources would hide what we are after.
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
ip netns add one
plain two
# What the two ends of the wire say by themselves, once they have settled.
settled='ip -6 addr show dev wire scope link -tentative | grep -q fe80'
eventually sh -c "$settled"
eventually beyond sh -c "$settled"
known="10.99.0.1|fd99::1|$(ip -6 -j addr show dev wire scope link | jq -r '[.[].addr_info[].local // empty][0]')"
background /tmp/beyond beyond "$here/net.py" watch "" honest-last
watcher=$!
background /tmp/one in_ct one "$here/net.py" chatter eth0

attach=(shunt attach one --netns /run/netns/one --driver "$driver")
spoofed() { [ "$(dropped one spoofed)" -gt 2 ]; }

"${attach[@]}" >/dev/null
v4=$(address4 one) v6=$(address6 one)
end=$(host_end one)
if [ "$driver" = netkit ]; then
        check_equal "without a program, the container's end would drop all it sends" blackhole \
                "$(ip -d -j link show "$end" | jq -r '.[0].linkinfo.info_data.peer_policy')"
fi
eventually sh -c "[ \$(grep -c '^$v4 ' /tmp/beyond) -gt 2 ]"
ok "what is sent under the container's name arrives"
eventually spoofed
ok "what is sent under a false one is dropped"
shunt detach one

# Held up where it matters: as soon as the container has the device, and as soon as that is up.
for stage in exists up; do
        check "attach is held up at the device: $stage" net hold one eth0 $stage 300 "${attach[@]}"
        shunt detach one
done
# And anywhere.
for ((delay = 1; delay < 60; delay += 8)); do
        "${attach[@]}" >/dev/null &
        pid=$!
        nap $((delay * 1000))
        kill -STOP $pid 2>/dev/null || true
        nap 40000
        kill -CONT $pid 2>/dev/null || true
        wait $pid
        shunt detach one
done
ok "attach is held up eight times on its way"

for ((delay = 1; delay < 60; delay += 8)); do
        "${attach[@]}" >/dev/null &
        pid=$!
        nap $((delay * 1000))
        kill -KILL $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        nap 10000
done
ok "and killed eight times"
shunt gc >/dev/null
check_equal "gc leaves nothing half made" ready "$(shunt list --json | jq -r '.[].state' | sort -u)"
shunt detach one
check_equal "nor anything without an owner" "$(host_end two)" "$(ls /sys/fs/bpf/shunt/endpoints)"

# It fails when all is made but the last: somebody else's route to the address is there already.
ip route add 10.207.9.9/32 dev wire proto static
refuse 'route to 10.207.9.9' "${attach[@]}" --address 10.207.9.9
check_equal "their route is unharmed" static "$(ip -j route show 10.207.9.9 | jq -r '.[].protocol')"
ip route del 10.207.9.9
check_equal "and no device is left in the container" lo "$(ip -n one -j link | jq -r '[.[].ifname] | join(" ")')"

"${attach[@]}" >/dev/null
while kill -0 $watcher 2>/dev/null; do
        in_ct one "$here/net.py" forge eth0 - honest-last 10.99.0.2 -- "$v4" >/dev/null
done
check_equal "of the container's packets, beyond saw none but under its own name" "$v4 10.99.0.2" \
        "$(grep -vE "^($known|no IP|ready)" /tmp/beyond | sort -u | grep -v "^$v6 ")"
echo "# $(grep -c "^$v4 " /tmp/beyond) packets under its own name"

finish_background
shunt detach one
shunt detach two
nothing_left
finish

#!/bin/bash
# lab: check=backports
# Killed at any moment, shunt leaves nothing that gc does not find; at work in crowds, it gives each its own.
. "$(dirname "$0")/lib.bash"

world
ip netns add one
plain keeper >/dev/null
keeper=$(host_end keeper)
only_keeper() {
        check_equal "$1, and only the other is there" keeper "$(shunt list --json | jq -r '[.[].id] | join(" ")')"
        check_equal "by pins" "$keeper" "$(ls /sys/fs/bpf/shunt/endpoints)"
        check_equal "by devices" "$keeper" "$(ip -j link show | jq -r '[.[].ifname | select(startswith("nk"))] | join(" ")')"
        check_equal "by routes" "$keeper" "$(ip -j route show proto 207 | jq -r '[.[].dev] | join(" ")')"
        check_equal "by addresses" "1 1" "$(for map in addresses4 addresses6; do
                bpftool map dump pinned /sys/fs/bpf/shunt/datapath/$map -j | jq length; done | xargs)"
        check_equal "by interfaces" 1 "$(bpftool map dump pinned /sys/fs/bpf/shunt/datapath/interfaces -j | jq length)"
        check "and it works" in_ct keeper ping -n -c 1 -W 5 10.99.0.2
}

# How long an attach takes here, in microseconds.
begin=$EPOCHREALTIME
shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
end=$EPOCHREALTIME
took=$((${end/./} - ${begin/./}))
begin=$EPOCHREALTIME
shunt detach one
end=$EPOCHREALTIME
took_detach=$((${end/./} - ${begin/./}))

# A file in its place: the kernel's own is for all who work here at once.
echo 0 >/tmp/expedited
mount --bind /tmp/expedited /sys/kernel/rcu_expedited
touch -d '1 minute ago' /tmp/expedited
completed=0
for ((i = 0; i < 30; i++)); do
        shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null &
        pid=$!
        nap $((took * i / 28))
        kill -KILL $pid 2>/dev/null || true
        # Its own status, or that of the signal.
        wait $pid 2>/dev/null && completed=$((completed + 1))
        if ((i % 5 == 0)); then
                shunt gc >/dev/null
                left=$(shunt list --json | jq -r '.[] | select(.id == "one").state')
                [ -z "$left" ] || [ "$left" = ready ] || die "gc left a $left endpoint"
        fi
done
[ $completed -lt 30 ] || die "no attach was killed"
echo "# 30 times killed in $took us, too late $completed times"
ok "an attach that follows a killed one takes over what is there"
shunt detach one
shunt gc >/dev/null
only_keeper "after thirty killed attaches"
check "grace periods were short" test -n "$(find /tmp/expedited -newermt '-1 minute')"
check_equal "and are no more" 0 "$(head -n 1 /sys/kernel/rcu_expedited)"

for ((i = 0; i < 6; i++)); do
        shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null
        shunt detach one &
        pid=$!
        nap $((took_detach * i / 5))
        kill -KILL $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        shunt gc >/dev/null
        left=$(shunt list --json | jq -r '.[] | select(.id == "one").state')
        [ -z "$left" ] || [ "$left" = ready ] || die "gc left a $left endpoint"
done
shunt detach one
only_keeper "after six killed detaches"
check_equal "grace periods are as they were" 0 "$(head -n 1 /sys/kernel/rcu_expedited)"
echo 207 >/tmp/expedited
shunt gc >/dev/null
check_equal "gc takes away the mark of who was killed" 0 "$(head -n 1 /sys/kernel/rcu_expedited)"
umount /sys/kernel/rcu_expedited

# What is kept of a network.
mkdir -p /etc/shunt/networks
echo '{ "subnets": ["10.58.0.0/24"] }' >/etc/shunt/networks/other.json
recorded() { bpftool -j map dump pinned /sys/fs/bpf/shunt/datapath/networks | jq length; }
shunt attach one --netns /run/netns/one --network other --driver "$driver" >/dev/null
shunt gc >/dev/null
check_equal "both networks are known" 2 "$(recorded)"
shunt detach one
shunt gc >/dev/null
check_equal "one that nobody is of is forgotten" 1 "$(recorded)"
shunt attach one --netns /run/netns/one --network other --driver "$driver" >/dev/null
check "and begins anew" in_ct one ping -n -c 1 -W 5 10.99.0.2
shunt detach one
shunt detach keeper
nothing_left

# The very first of all, which loads the datapath.
shunt gc >/dev/null
for ((i = 1; i <= 4; i++)); do
        shunt attach one --netns /run/netns/one --driver "$driver" >/dev/null &
        pid=$!
        nap $((took * i * 3 / 2))
        kill -KILL $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
done
check "after four killed loads, one succeeds" shunt attach one --netns /run/netns/one --driver "$driver"
check "and works" in_ct one ping -n -c 1 -W 5 10.99.0.2
shunt detach one
nothing_left
unloaded
finish

#!/bin/bash
# shunt run: a network for the life of one command, which neither sees us nor leaves anything.
. "$(dirname "$0")/lib.bash"

world
umount /sys/fs/bpf
run=(shunt run --driver "$driver")
# status EXPECTED WHAT COMMAND...
status() {
        local expected=$1 what=$2 got=0
        shift 2
        "$@" >/tmp/out 2>/tmp/err || got=$?
        check_equal "$what" "$expected" $got
}

status 0 "a command that succeeds" "${run[@]}" -- true
check_equal "which mounts bpffs where nobody did, for root alone" "bpf_fs drwx-----T" "$(stat -f -c %T /sys/fs/bpf) $(stat -c %A /sys/fs/bpf)"
check_equal "prints nothing of ours" "" "$(cat /tmp/out /tmp/err)"
status 7 "one that fails" "${run[@]}" -- sh -c 'exit 7'
status 137 "one that is killed" "${run[@]}" -- sh -c 'kill -9 $$'
status 127 "one that is not there" "${run[@]}" -- /nosuch
check_equal "one line says so" 1 "$(wc -l </tmp/err)"
status 126 "one that is no program" "${run[@]}" -- /etc/passwd
status 1 "an unknown network" "${run[@]}" --network nowhere -- touch /tmp/started
check_not "does not start the command" test -e /tmp/started
status 2 "no command" "${run[@]}"
nothing_left

check_equal "input and output are the command's" HELLO "$(echo hello | "${run[@]}" -- tr a-z A-Z)"
check "the network works" "${run[@]}" -- ping -n -c 1 -W 5 10.99.0.2
check "the network works, IPv6" "${run[@]}" -- ping -n -c 1 -W 5 fd99::2
check_equal "the command sees its own interfaces, by name" "eth0/ lo/" "$("${run[@]}" -- sh -c 'cd /sys/class/net && echo */')"
check_equal "and an address that was asked for" 10.207.9.9 \
        "$("${run[@]}" --address 10.207.9.9 -- ip -4 -j addr show eth0 | jq -r '[.[].addr_info[].local // empty][0]')"
nothing_left

# Signals: what somebody sends to us is for the command.
mkfifo /tmp/pipe
for signal in TERM HUP USR1; do
        "${run[@]}" --id sig -- sh -c "trap 'exit 42' $signal; echo ready >/tmp/pipe; while :; do sleep 0.05; done" &
        pid=$!
        read -r _ </tmp/pipe
        check_equal "it is listed while it runs" sig "$(shunt list --json | jq -r '.[].id')"
        kill -$signal $pid
        got=0
        wait $pid || got=$?
        check_equal "SIG$signal reaches the command" 42 $got
done
nothing_left

# Killed without a chance: the command goes with it, and the rest is gc's.
"${run[@]}" --id lost -- sh -c 'echo $$ >/tmp/pipe; exec sleep 1000' &
pid=$!
read -r child </tmp/pipe
kill -KILL $pid
wait $pid 2>/dev/null || true
eventually sh -c "! kill -0 $child"
ok "with shunt killed, its command dies"
eventually sh -c '[ "$(shunt list --json | jq -r ".[].state")" = stale ]'
check "and gc takes the rest" shunt gc
nothing_left
finish

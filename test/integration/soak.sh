#!/bin/bash
# lab: timeout=900 check=stable
# Attach, detach, kill and gc in any order, all at once, again and again: nothing grows, nobody else notices, nothing is left.
#
# SOAK_SECONDS  how long (16); 600 is what shunt is held to
# SOAK_SEED     of the order, which is printed
. "$(dirname "$0")/lib.bash"

world
seconds=${SOAK_SECONDS:-16}
seed=${SOAK_SEED:-$((EPOCHSECONDS % 32768))}
workers=6 slots=8
mkdir -p /etc/shunt/networks /tmp/soak
echo '{ "subnets": ["10.58.0.0/27", "fd58::/64"] }' >/etc/shunt/networks/snug.json

# What there is on our account; links are counted by their programs, pinned or not.
holds() {
        local pin map entries=() programs
        programs=$(for pin in /sys/fs/bpf/shunt/datapath/shunt_*; do bpftool -j prog show pinned "$pin"; done | jq -s '[.[].id]')
        for map in interfaces addresses4 addresses6 registry unfinished networks; do
                entries+=("$(bpftool -j map dump pinned /sys/fs/bpf/shunt/datapath/$map | jq length)")
        done
        echo "$(loaded | wc -l) programs and maps," \
                "$(bpftool -j link show | jq --argjson ids "$programs" '[.[] | select(.prog_id as $id | $ids | index($id))] | length') links," \
                "$(find /sys/fs/bpf/shunt -mindepth 1 | wc -l) pins, entries ${entries[*]}," \
                "$(find /sys/class/net | wc -l) devices, $({ ip route show table all; ip -6 route show table all; } | wc -l) routes," \
                "$(wc -l </proc/self/mountinfo) mounts, $(find /run -xdev | wc -l) files in /run"
}
# On a machine of our own there is more to count, as nobody else is at work: processes, their open files, programs, maps, links,
# and the KiB that the kernel cannot take back.
machine() {
        local slab processes files
        # What it frees later, and what it keeps for the next of the kind.
        sleep 5
        echo 3 >/proc/sys/vm/drop_caches
        for slab in /sys/kernel/slab/*/shrink; do echo 1 >"$slab"; done
        # By nothing that is a process itself.
        processes=(/proc/[0-9]*) files=(/proc/[0-9]*/fd/*)
        echo "${#processes[@]} ${#files[@]}" \
                "$(bpftool -j prog show | jq length) $(bpftool -j map show | jq length) $(bpftool -j link show | jq length)" \
                "$(awk '/^(SUnreclaim|Percpu|KernelStack|PageTables):/ { sum += $2 } END { print sum }' /proc/meminfo)"
}
# settled COMMAND...: what it says, once it says so twice
settled() {
        local now='' last tries
        for ((tries = 0; tries < 60; tries++)); do
                last=$now now=$("$@")
                [ "$now" != "$last" ] || break
                nap 200000
        done
        echo "$now"
}
# machine_as_before: in numbers, and memory but for what DID steps may have left with the kernel
machine_as_before() {
        read -ra is < <(machine)
        [ "${was[*]:0:5}" = "${is[*]:0:5}" ] && [ "${is[5]}" -le $((was[5] + 512 + did / 8)) ]
}
alone() { [ "${LAB_KERNEL:-native}" != native ]; }

# A slot is a container: a namespace that lives as long as the process in it.
declare -A process
ours=$(readlink /proc/self/ns/net)
born() { # SLOT
        [ -z "${process[$1]:-}" ] || return 0
        unshare --net sleep infinity &
        process[$1]=$!
        while [ "$(readlink "/proc/${process[$1]}/ns/net")" = "$ours" ]; do nap 5000; done
}
dies() { # SLOT
        [ -n "${process[$1]:-}" ] || return 0
        kill -KILL "${process[$1]}"
        wait "${process[$1]}" 2>/dev/null || true
        process[$1]=
}
# killed COMMAND...: by SIGKILL at a moment that nobody chose
killed() {
        "$@" >/dev/null 2>&1 &
        nap $((RANDOM * 2))
        kill -KILL $! 2>/dev/null || true
        wait $! 2>/dev/null || true
}
# tried PATTERN COMMAND...: that it fails is a finding, unless it says PATTERN
tried() {
        local allowed=$1 out
        shift
        out=$("$@" 2>&1) && return
        [[ -n $allowed && $out =~ $allowed ]] || echo "$*: $out" >>/tmp/soak/findings
        return 1
}
# reached ID PID: that the first packet to it is answered; what was to see if not
reached() {
        local address
        address=$(address6 "$1")
        tried '' ping -n -c 1 -W 5 "$address" && return
        { shunt show "$1"; ip -6 route get "$address"; nsenter -t "$2" -n ip -6 addr; nsenter -t "$2" -n ip -6 route show table all; } \
                >>/tmp/soak/findings 2>&1 || true
}
# Some IDs are everybody's, so that a namespace may have its eth0 by another ID.
worker() { # NUMBER
        local slot id attach
        RANDOM=$((seed + $1))
        while ((EPOCHSECONDS < end)); do
                slot=$((RANDOM % slots))
                id=w$1s$slot
                ((RANDOM % 5 > 0)) || id=any$slot
                born $slot
                attach=(shunt attach "$id" --pid "${process[$slot]}" --driver "$driver")
                ((RANDOM % 4 > 0)) || attach+=(--network snug)
                case $((RANDOM % 10)) in
                # What is attached hears its first packet: IPv6, of which the kernel puts most off.
                0 | 1 | 2 | 3) if tried 'exists in the container already|is full' "${attach[@]}" && [[ $id != any* ]]; then
                                reached $id "${process[$slot]}"
                        fi ;;
                4 | 5) tried '' shunt detach $id || true ;;
                6) killed "${attach[@]}" ;;
                7) killed shunt detach $id ;;
                8) dies $slot ;;
                9) tried '' shunt gc || true
                        tried '' shunt list || true ;;
                esac
                echo >>/tmp/soak/did
        done
        for slot in "${!process[@]}"; do dies "$slot"; done
}
# round SECONDS: all workers; behind them nothing but the keeper
round() {
        local i pids=() end=$((EPOCHSECONDS + $1))
        for ((i = 0; i < workers; i++)); do
                worker $i &
                pids+=($!)
        done
        wait "${pids[@]}"
        seed=$((seed + workers))
        eventually only_keeper
}
only_keeper() { shunt gc && [ "$(shunt list --json | jq -r '.[].id')" = keeper ] && [ "$(find /sys/class/net -name 'nk*' | wc -l)" = 1 ]; }

echo "seed $seed"
: >/tmp/soak/findings
plain keeper
v4=$(address4 keeper) v6=$(address6 keeper)
pinned=$(loaded)
# The first round warms up: slabs, and what the kernel keeps for the next of the kind.
round $((seconds / 4))
warm=$(wc -l </tmp/soak/did)
before=$(settled holds) was=() is=()
! alone || read -ra was < <(machine)
round $((seconds - seconds / 4))
did=$(($(wc -l </tmp/soak/did) - warm))
check_equal "nothing failed in $did steps" "" "$(head -n 40 /tmp/soak/findings)"
for ((tries = 0; tries < 60; tries++)); do after=$(holds); [ "$after" != "$before" ] || break; nap 500000; done
check_equal "there is as much as before: $before" "$before" "$after"
check_equal "the same programs and maps are loaded" "$pinned" "$(loaded)"
if alone; then
        # One network namespace in each hundredth step is more, and so are some hundred bytes in each.
        for ((tries = 0; tries < 10; tries++)); do ! machine_as_before || break; done
        check_equal "${was[*]:0:5} processes, their open files, programs, maps and links" "${was[*]:0:5}" "${is[*]:0:5}"
        check "memory of ${was[5]} KiB, then ${is[5]}" test "${is[5]}" -le $((was[5] + 512 + did / 8))
fi
check_equal "who was there all the time kept its addresses" "$v4 $v6" "$(address4 keeper) $(address6 keeper)"
check "and its network" in_ct keeper ping -n -c 1 -W 5 10.99.0.2
shunt detach keeper
nothing_left
unloaded
finish

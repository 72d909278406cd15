#!/bin/bash
# lab: check=backports timeout=1500
# Many at once: 200 hooks of crun in parallel, a subnet that fills up, and attach, whose work hardly grows.
#
# HOOKS       containers that crun starts at the same time      (200; in an emulated guest 24)
# LENGTH      of the subnet that is filled                      (24; there 27)
# ENDPOINTS   that live at once when attach is measured again   (as many as are there; 4000 is what shunt is held to)
#
# What the kernel does for an attach can be told exactly where an instruction is a nanosecond:
# lab run --count --kernel stable --memory 6G --env ENDPOINTS=4000 many
. "$(dirname "$0")/lib.bash"

world
wide=yes
[ "${LAB_ACCEL:-}" != tcg ] || wide=no
[ $wide = yes ] && hooks=${HOOKS:-200} length=${LENGTH:-24} || hooks=${HOOKS:-24} length=${LENGTH:-27}
addresses=$(((1 << (32 - length)) - 3))		# but for the first, the last, and the gateway's
mkdir -p /etc/shunt/networks /tmp/took /tmp/said
echo "{ \"subnets\": [\"10.58.0.0/$length\"] }" >/etc/shunt/networks/full.json

# attach NUMBER [OPTION...]
attach() { local n=$1; shift; shunt attach "c$n" --netns "/run/netns/c$n" --driver "$driver" "$@" >/dev/null; }
# namespaces FROM TO
namespaces() { local i; for ((i = $1; i <= $2; i++)); do echo "netns add c$i"; done | ip -batch -; }
count() { local all=(/sys/fs/bpf/shunt/endpoints/*/); echo ${#all[@]}; }

# work NUMBER: attaches it, and says what that cost: "CALLS BYTES INSTRUCTIONS", which are system calls, bytes that came by
# netlink, and the program's own instructions. Not the program that sanitizers are in: valgrind does not run it, and it does more.
measured=$here/../../build/shunt
work() {
        # Valgrind takes an interface's index in a call of bpf() for a file's number, and fails one that is beyond the limit.
        ulimit -n 100000
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --trace-syscalls=yes --log-file=/tmp/valgrind \
                "$measured" attach "c$1" --netns "/run/netns/c$1" --driver "$driver" >/dev/null
        python3 - <<'EOF'
import re
# 0x2d is recvfrom, which is only used for netlink. What waits is told in two lines.
text = open("/tmp/valgrind").read()
calls = re.findall(r"^SYSCALL\[\d+,\d+\]\(\s*(\d+)\)(.*)", text, re.M)
begun = [c for c in calls if not c[1].startswith(" ... [async]")]
read = [int(m[1], 16) for c in calls if c[0] == "45" and (m := re.search(r"Success\((0x[0-9a-f]+)\)", c[1]))]
print(len(begun), sum(read), re.search(r"Collected : (\d+)", text)[1])
EOF
}

# pace NUMBER: attaches it and those behind it, $paced in all, at their own pace, and says the median of what each took in
# microseconds: "CPU MACHINE ELAPSED", where CPU is the process's time on one, and MACHINE what all processes had of all CPUs,
# for the kernel's threads do some of the work. It is 0 where the kernel does not tell.
paced=9
pace() {
        python3 - "$measured" "$driver" "$1" $paced <<'EOF'
import resource, statistics, subprocess, sys, time
shunt, driver, first, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def now():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        ran = sum(int(line.split()[7]) for line in open("/proc/schedstat") if line.startswith("cpu"))
    except FileNotFoundError:
        ran = 0
    return (used.ru_utime + used.ru_stime) * 1e6, ran / 1e3, time.monotonic() * 1e6
took = []
for name in (f"c{i}" for i in range(first, first + n)):
    before = now()
    subprocess.run([shunt, "attach", name, "--netns", "/run/netns/" + name, "--driver", driver], check=True,
                   stdout=subprocess.DEVNULL)
    took.append([b - a for a, b in zip(before, now())])
print(*(round(statistics.median(column)) for column in zip(*took)))
EOF
}
# tell WHAT CPU MACHINE ELAPSED
tell() { ok "$1: $2 us on a CPU,$([ "$3" = 0 ] || echo " $3 us on all CPUs with the kernel's threads,") $4 us elapsed"; }
# kilobytes FIELD: of /proc/meminfo
kilobytes() { awk -v field="$1:" '$1 == field { print $2 }' /proc/meminfo; }
# within PERCENT BEFORE NOW
within() { (($3 * 100 <= $2 * $1)); }

namespaces 1 $((10 + paced))
for i in {1..9}; do attach $i; done
read -r calls bytes instructions <<<"$(work 10)"
check "the work of the 10th attach: $calls system calls, $bytes bytes by netlink, $instructions instructions" test "$bytes" -gt 0
read -r -a first <<<"$(pace 11)"
tell "and those behind it" "${first[@]}"

# All of one bundle. A hook in crun's hook takes the time.
bundle many shunt.network=full
cat >/tmp/timed <<EOF
#!/bin/bash
state=\$(</dev/stdin)
[[ \$state =~ \"id\":\ *\"([a-z0-9]+)\" ]]
begin=\${EPOCHREALTIME/./}
$(command -v shunt) oci-hook createRuntime <<<"\$state" 2>"/tmp/said/\${BASH_REMATCH[1]}"
status=\$?
echo \$((\${EPOCHREALTIME/./} - begin)) >"/tmp/took/\${BASH_REMATCH[1]}"
exit \$status
EOF
chmod +x /tmp/timed
jq '.hooks.createRuntime[0] = { path: "/tmp/timed", timeout: 300 }' /tmp/bundle/many/config.json >/tmp/config.json
mv /tmp/config.json /tmp/bundle/many/config.json
# crun_all WORD...: crun with these for each container at the same time, with % for its name
crun_all() {
        local i pid pids=() failed=0
        for ((i = 1; i <= hooks; i++)); do
                crun "${@//%/h$i}" </dev/null >"/tmp/said/crun$i" 2>&1 &
                pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || failed=$((failed + 1)); done
        [ $failed -eq 0 ] || { cat /tmp/said/*; echo "$failed failed"; return 1; }
}
check "$hooks containers of crun at once" crun_all run --detach --bundle /tmp/bundle/many %
check_equal "none of their hooks said anything" "" "$(cat /tmp/said/h*)"
check_equal "all are ready, each with an address of its own" "$hooks $hooks" "$(shunt list --json |
        jq -r '[.[] | select(.network == "full" and .state == "ready")] | "\(length) \([.[].addresses[]] | unique | length)"')"
mapfile -t took < <(sort -n /tmp/took/*)
check_equal "each hook was timed" "$hooks" "${#took[@]}"
median=${took[hooks / 2]} slowest=${took[-1]}
check "none took longer than 10 times the median: $((median / 1000)) ms, the slowest $((slowest / 1000)) ms" \
        test "$slowest" -le $((10 * median))
check "a first reaches a last" nsenter -t "$(crun state h1 | jq .pid)" -n ping -n -c 1 -W 5 "$(address4 h$hooks)"

# The rest of the subnet.
next=$((11 + paced)) last=$((11 + paced + addresses - hooks))
namespaces $next $last
for ((i = next; i < last; i++)); do attach $i --network full; done
refuse "network full: subnet 10.58.0.0/$length is full" attach $last --network full
crun delete --force h7
check "one detach, and there is room again" attach $last --network full
refuse "network full: subnet 10.58.0.0/$length is full" shunt attach other --netns "/run/netns/c$last" --interface eth1 \
        --network full --driver "$driver"

# Attach again, with so many. Their namespaces, which cost more than what attach puts into them, are there before.
next=$((last + 1)) more=$((${ENDPOINTS:-0} - $(count) - 1))
[ $more -gt 0 ] || more=0
namespaces $next $((next + more + paced))
slab=$(kilobytes Slab) percpu=$(kilobytes Percpu)
for ((i = next; i < next + more; i++)); do
        case $((i - next + ${ENDPOINTS:-0} - more)) in
        100 | 1000 | 2000)
                read -r -a then <<<"$(pace $i)"
                i=$((i + paced - 1))
                tell "with $(count)" "${then[@]}"
                ;;
        *) attach $i ;;
        esac
done
if [ $more -gt 0 ]; then
        slab=$((($(kilobytes Slab) - slab) / more)) percpu=$((($(kilobytes Percpu) - percpu) / more))
        maps=$(loaded | while read -r what id; do [ "$what" != map ] || bpftool -j map show id "$id"; done |
                jq -s 'map(.bytes_memlock) | add / 1024 | floor')
        ok "$more more, each with $slab kB of slab and $percpu kB of per-CPU memory; all maps have $maps kB"
fi
read -r -a then <<<"$(pace $((next + more)))"
tell "with $(count)" "${then[@]}"
# Elsewhere it says more of who else is at work. What elapsed is mostly the kernel's wait for two grace periods, in ticks.
if [ "${LAB_COUNT:-no}" = yes ]; then
        check "of all CPUs $((then[1] * 100 / first[1])) % of the 10th's" within 120 "${first[1]}" "${then[1]}"
fi
now=$(count)
read -r calls2 bytes2 instructions2 <<<"$(work $((next + more + paced)))"
check "attach with $now others: $calls2 system calls" within 102 "$calls" "$calls2"
check "$bytes2 bytes by netlink" within 105 "$bytes" "$bytes2"
check "$instructions2 instructions of its own" within 105 "$instructions" "$instructions2"

# All end at once, half of them with nobody to say so.
check "the containers of crun end at once" crun_all delete --force %
namespaces=(/run/netns/c*)
now=$(count)
ip -all netns del 2>/dev/null
end=$((SECONDS + 10 + ${#namespaces[@]} / 20))
until no_links || ((SECONDS > end)); do nap 200000; done
check_equal "gc takes the rest" "$now endpoints removed, 0 uplinks changed, datapath unloaded" "$(shunt gc)"
nothing_left
finish

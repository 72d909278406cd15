#!/bin/bash
# lab: check=backports
# Many at once: 200 hooks of crun in parallel, a subnet that fills up, and attach, whose work does not grow.
#
# HOOKS       containers that crun starts at the same time      (200; in an emulated guest 24)
# LENGTH      of the subnet that is filled                      (24; there 27)
# ENDPOINTS   that live at once when attach is measured again   (as many as are there; 4000 is what shunt is held to)
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
# netlink, and the program's own instructions. Then another, NUMBER + 1, at its own pace: microseconds on a CPU, the kernel's
# part too. Not the program that sanitizers are in: valgrind does not run it, and it does more.
measured=$here/../../build/shunt
work() {
        valgrind --tool=callgrind --callgrind-out-file=/dev/null --trace-syscalls=yes --log-file=/tmp/valgrind \
                "$measured" attach "c$1" --netns "/run/netns/c$1" --driver "$driver" >/dev/null
        python3 - "$measured" "$driver" "c$(($1 + 1))" <<'EOF'
import re, resource, subprocess, sys
shunt, driver, name = sys.argv[1:]
# 0x2d is recvfrom, which is only used for netlink. What waits is told in two lines.
text = open("/tmp/valgrind").read()
calls = re.findall(r"^SYSCALL\[\d+,\d+\]\(\s*(\d+)\)(.*)", text, re.M)
begun = [c for c in calls if not c[1].startswith(" ... [async]")]
read = [int(m[1], 16) for c in calls if c[0] == "45" and (m := re.search(r"Success\((0x[0-9a-f]+)\)", c[1]))]
own = int(re.search(r"Collected : (\d+)", text)[1])
subprocess.run([shunt, "attach", name, "--netns", "/run/netns/" + name, "--driver", driver], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(len(begun), sum(read), own, round((used.ru_utime + used.ru_stime) * 1e6))
EOF
}
# within PERCENT BEFORE NOW
within() { (($3 * 100 <= $2 * $1)); }

namespaces 1 11
for i in {1..9}; do attach $i; done
read -r calls bytes instructions micros <<<"$(work 10)"
check "the work of the 10th attach: $calls system calls, $bytes bytes by netlink, $instructions instructions, $micros us of CPU" \
        test "$bytes" -gt 0

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
rest=$((addresses - hooks))
namespaces 12 $((12 + rest))
for ((i = 12; i < 12 + rest; i++)); do attach $i --network full; done
last=$((12 + rest))
refuse "network full: subnet 10.58.0.0/$length is full" attach $last --network full
crun delete --force h7
check "one detach, and there is room again" attach $last --network full
refuse "network full: subnet 10.58.0.0/$length is full" shunt attach other --netns "/run/netns/c$last" --interface eth1 \
        --network full --driver "$driver"

# Attach again, with so many.
next=$((last + 1)) more=$((${ENDPOINTS:-0} - $(count) - 1))
[ $more -gt 0 ] || more=0
namespaces $next $((next + more + 1))
for ((i = next; i < next + more; i++)); do attach $i; done
[ $more -eq 0 ] || ok "$more more"
now=$(count)
read -r calls2 bytes2 instructions2 micros2 <<<"$(work $((next + more)))"
check "attach with $now others: $calls2 system calls" within 102 "$calls" "$calls2"
check "$bytes2 bytes by netlink" within 105 "$bytes" "$bytes2"
check "$instructions2 instructions of its own" within 105 "$instructions" "$instructions2"
# What the kernel does for it is exact only where an instruction is a nanosecond.
ok "$micros2 us on a CPU, which is $((micros2 * 100 / micros)) % of the 10th's"

# All end at once, half of them with nobody to say so.
check "the containers of crun end at once" crun_all delete --force %
namespaces=(/run/netns/c*)
ip -all netns del 2>/dev/null
end=$((SECONDS + 10 + ${#namespaces[@]} / 20))
until no_links || ((SECONDS > end)); do nap 200000; done
check_equal "gc takes the rest" "$((now - hooks + 3)) endpoints removed, 0 uplinks changed, datapath unloaded" "$(shunt gc)"
nothing_left
finish

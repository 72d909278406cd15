#!/bin/bash
# lab: check=backports
# What shunt may do once it runs, and what it reads of the environment: as little as the verb needs, which /proc shows of
# one that is stopped in its middle; and the command of `run` gets both as its caller has them.
. "$(dirname "$0")/lib.bash"

world
umask 077
net_admin=12 sys_ptrace=19 sys_admin=21 kill=5 read_search=2
# A caller that hands capabilities on in all ways that there are: what shunt has not given up, it still has.
handed=+net_admin,+sys_admin,+sys_ptrace,+kill,+net_raw,+chown,+dac_override
everything=(setpriv "--inh-caps=$handed" "--ambient-caps=$handed")

mask() { local bit sum=0; for bit; do ((sum |= 1 << bit)); done; printf %016x $sum; }
status() { sed -nE 's/^(Cap...|NoNewPrivs):\t/\1=/p' "/proc/$1/status" | paste -sd' '; }
expected() { local kept; kept=$(mask "$@"); echo "CapInh=$(mask) CapPrm=$kept CapEff=$kept CapBnd=$(mask) CapAmb=$(mask) NoNewPrivs=1"; }
has() { [ "$(status "$1")" = "$2" ]; }
waits_for_lock() { grep -q -- "-> FLOCK .* $1 " /proc/locks; }

# caught "BITS..." VERB [ARG...]: at the lock of the state directory, which somebody else holds, the verb has these
# capabilities and no others
caught() {
        local bits=$1 holder pid
        shift
        # The holder has to live: /proc/locks tells of nobody who waits for a process that is gone.
        flock --no-fork /sys/fs/bpf/shunt sleep 60 &
        holder=$!
        eventually grep -q "FLOCK .* $holder " /proc/locks
        "${everything[@]}" shunt "$@" <"${input:-/dev/null}" >/dev/null 2>&1 &
        pid=$!
        eventually waits_for_lock $pid
        # shellcheck disable=SC2086
        check_equal "rights of $*" "$(expected $bits)" "$(status $pid)"
        kill $pid $holder
        wait $pid $holder 2>/dev/null || true
}

echo "# what is left at work"
ip netns add box
plain first
unshare --net sleep 1000 &
target=$!
eventually sh -c "! [ /proc/$target/ns/net -ef /proc/self/ns/net ]"
printf '{"ociVersion":"1.2.0","id":"box","status":"created","pid":%s}' $target >/tmp/state.json
caught "$net_admin" list
caught "$net_admin" show first
caught "" network list
caught "$net_admin" detach first
caught "$net_admin $sys_admin $sys_ptrace $read_search" publish first 8080:80
caught "$net_admin" unpublish first
caught "" service list
caught "$net_admin" gc
caught "$net_admin $sys_admin" doctor
caught "$net_admin $sys_admin $sys_ptrace $read_search" attach box --netns /run/netns/box
input=/tmp/state.json caught "$net_admin $sys_admin $sys_ptrace" oci-hook createRuntime
input=/tmp/state.json caught "$net_admin" oci-hook poststop
caught "$net_admin $sys_admin $kill" run -- true
caught "$net_admin $sys_admin $sys_ptrace" nspawn pre box
caught "$net_admin $sys_admin $sys_ptrace" nspawn post box
caught "$net_admin $sys_admin" nspawn stop box

# These touch no state. Their line on standard error finds the pipe full.
mkfifo /tmp/full
exec 8<>/tmp/full
dd if=/dev/zero of=/tmp/full oflag=nonblock bs=4096 2>/dev/null || true
for action in enable disable; do
        "${everything[@]}" shunt nspawn $action /nosuch 2>/tmp/full &
        pid=$!
        eventually has $pid "$(expected)"
        ok "rights of nspawn $action: none"
        kill $pid
        wait $pid 2>/dev/null || true
done
exec 8<&-

# Before it reads a byte of what a runtime, or who calls itself one, has to say.
mkfifo /tmp/pipe
shunt oci-hook createRuntime </tmp/pipe &
pid=$!
exec 8>/tmp/pipe
eventually has $pid "$(expected $net_admin $sys_admin $sys_ptrace)"
ok "a hook that waits for its input has given up the rest already"
kill $pid
exec 8>&-
wait $pid 2>/dev/null || true

echo "# and nothing of it is too much"
# without CAPABILITY PATTERN VERB...: which fails, and says so
without() {
        local capability=$1 pattern=$2
        shift 2
        refuse "$pattern" setpriv --bounding-set="-$capability" shunt "$@"
}
mkdir -p /tmp/private
touch /tmp/private/netns
mount --bind /run/netns/box /tmp/private/netns
chown 65534 /tmp/private
without net_admin 'CAP_NET_ADMIN' detach first
without net_admin 'CAP_NET_ADMIN' attach box --netns /run/netns/box
without sys_admin 'CAP_SYS_ADMIN' attach box --netns /run/netns/box
without sys_ptrace 'ns/net: Permission denied' attach box --pid $target
without dac_read_search,-dac_override 'private/netns: Permission denied' attach box --netns /tmp/private/netns
check "root alone can look with no capability at all" setpriv --bounding-set=-all shunt list
check_equal "but not at what a container has counted" "null true" \
        "$(setpriv --bounding-set=-all shunt show first --json | jq -r '"\(.counters.rx_packets) \(.counters | has("dropped"))"')"
check "which takes CAP_NET_ADMIN" sh -c 'setpriv --bounding-set=-all,+net_admin shunt show first --json | jq -e .counters.rx_packets'
check "detach does with CAP_NET_ADMIN" setpriv --bounding-set=-all,+net_admin shunt detach first
check "attach with a path of root's does with CAP_SYS_ADMIN beside it" \
        setpriv --bounding-set=-all,+net_admin,+sys_admin shunt attach box --netns /run/netns/box --driver "$driver"
check "where root can look, so can shunt" shunt attach box --netns /tmp/private/netns --driver "$driver"
check "gc does with CAP_NET_ADMIN" setpriv --bounding-set=-all,+net_admin shunt gc
check "even the last one" sh -c 'setpriv --bounding-set=-all,+net_admin shunt detach box && setpriv --bounding-set=-all,+net_admin shunt gc'
umount /tmp/private/netns

echo "# run"
own=$("${everything[@]}" grep -E '^(Cap|NoNewPrivs)' /proc/self/status)
check_equal "the command has what its caller has" "$own" \
        "$("${everything[@]}" shunt run --driver "$driver" -- grep -E '^(Cap|NoNewPrivs)' /proc/self/status)"
shunt run --id other --driver "$driver" -- setpriv --reuid=65534 --clear-groups \
        bash -c 'trap "exit 42" TERM; echo ready >&8; while :; do sleep 0.05; done' 8>/tmp/pipe &
pid=$!
read -r _ </tmp/pipe
eventually has $pid "$(expected $net_admin $kill)"
ok "rights of run, while its command runs"
kill $pid
status=0
wait $pid || status=$?
check_equal "a signal reaches a command that became another user's" 42 $status

echo "# the environment"
odd=(env -i "PATH=$PATH" "ODD=a
b" "=nameless" "nothing=" TMPDIR=/nosuch LD_X=1 MAINPID=x DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/bus POSIXLY_CORRECT=1
        LIBBPF_LOG_LEVEL=debug SYSTEMD_LOG_LEVEL=debug NLCB=debug NLDBG=9)
check_equal "the command has its caller's, to the byte" "$("${odd[@]}" env -0 | base64)" \
        "$("${odd[@]}" shunt run --driver "$driver" -- env -0 | base64)"
check_equal "no library says a word for its developers" "" "$("${odd[@]}" shunt run --driver "$driver" -- true 2>&1)"
check "an option may stand behind the ID, whatever POSIXLY_CORRECT says" \
        "${odd[@]}" shunt attach box --netns /run/netns/box --driver "$driver"
background /tmp/bus.log sh -c 'echo ready; exec socat UNIX-LISTEN:/tmp/bus EXEC:"touch /tmp/connected"'
eventually test -S /tmp/bus
refuse 'box' "${odd[@]}" shunt nspawn post box
check_not "nobody is told where the bus is" test -e /tmp/connected
finish_background
mkdir /tmp/networks
echo '{ "subnets": ["10.60.0.0/16"] }' >/tmp/networks/default.json
check_equal "SHUNT_NETWORKS is read" 10.60.0.0/16 \
        "$(SHUNT_NETWORKS=/tmp/networks shunt network show default --json | jq -r '.subnets[0].subnet')"

shunt detach box
kill $target
nothing_left
unloaded
finish

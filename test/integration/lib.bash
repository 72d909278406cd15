# What every scenario shares: a host with a wire to a machine beyond it, containers, and the words to judge by.
#
# A scenario runs as root on "the host", which is a network namespace of its own or the lab's machine. The host's
# uplink is the veth "wire"; behind it is the network namespace "beyond" with 10.99.0.2 and fd99::2, which is the
# host's way to everywhere and knows the way back to all containers.
#
# shellcheck shell=bash
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
driver=${LAB_DRIVER:-auto}
[ -n "${SHUNT_TEST_VERBOSE:-}" ] && set -x

checks=0
trap 'status=$?; [ $status -eq 0 ] || echo "FAILED (status $status) in ${BASH_SOURCE[0]##*/} line ${LINENO}: $BASH_COMMAND" >&2' ERR

# What took longer than a second says so.
ok() {
        local now=${EPOCHREALTIME/[.,]/} tenths
        checks=$((checks + 1))
        tenths=$(((now - last_ok) / 100000))
        if ((tenths > 10)); then echo "ok - $* # $((tenths / 10)).$((tenths % 10)) s"; else echo "ok - $*"; fi
        last_ok=$now
}
last_ok=${EPOCHREALTIME/[.,]/}
die() { echo "not ok - $*" >&2; exit 1; }
# check WHAT COMMAND...: COMMAND succeeds
check() { local what=$1; shift; local out; out=$("$@" 2>&1) || die "$what: $* said: $out"; ok "$what"; }
# check_not WHAT COMMAND...: COMMAND fails
check_not() { local what=$1; shift; if "$@" >/dev/null 2>&1; then die "$what: $* succeeded"; fi; ok "$what"; }
# check_equal WHAT EXPECTED ACTUAL
check_equal() { [ "$2" = "$3" ] || die "$1: expected '$2', got '$3'"; ok "$1"; }
# refuse PATTERN COMMAND...: COMMAND exits with 1, nothing on stdout, one line on stderr that matches, and the host's
# devices, endpoints and uplinks are as before
refuse() {
        local pattern=$1 status=0 before out err
        shift
        traces
        before=("${traces[@]}")
        "$@" >/tmp/refuse.out 2>/tmp/refuse.err || status=$?
        out=$(</tmp/refuse.out) err=$(</tmp/refuse.err)
        [ $status -eq 1 ] || die "$*: status $status, not 1: $err"
        [ -z "$out" ] || die "$*: printed on stdout: $out"
        [[ -n $err && $err != *$'\n'* ]] || die "$*: not one line: $err"
        [[ $err =~ $pattern ]] || die "$*: no '$pattern' in: $err"
        traces
        [ "${before[*]}" = "${traces[*]}" ] || die "$*: left something: ${traces[*]} (was: ${before[*]})"
        ok "refused: $err"
}
traces() {
        shopt -s nullglob
        traces=(/sys/class/net/* /sys/fs/bpf/shunt/endpoints/* /sys/fs/bpf/shunt/uplinks/*)
        shopt -u nullglob
}
# eventually COMMAND...: for what others do behind our back; half a minute is enough on the busiest machine
eventually() {
        local end=$((SECONDS + 30))
        while ((SECONDS <= end)); do if "$@" >/dev/null 2>&1; then return 0; fi; sleep 0.05; done
        die "not within 30 s: $*"
}

# nap MICROSECONDS, without starting anything
nap() { read -r -t "$(($1 / 1000000)).$(printf %06d $(($1 % 1000000)))" <>/tmp/never || true; }
[ -p /tmp/never ] || mkfifo /tmp/never

world() {
        ip netns add beyond
        ip link add wire type veth peer name wire netns beyond
        ip addr add 10.99.0.1/24 dev wire
        ip addr add fd99::1/64 dev wire nodad
        ip link set wire up
        ip -n beyond link set lo up
        ip -n beyond addr add 10.99.0.2/24 dev wire
        ip -n beyond addr add fd99::2/64 dev wire nodad
        ip -n beyond link set wire up
        ip route add default via 10.99.0.2
        ip -6 route add default via fd99::2
        # All that a network may have as subnet here: 10/8 and the unique local addresses.
        ip -n beyond route add 10.0.0.0/8 via 10.99.0.1
        ip -n beyond route add fd00::/8 via fd99::1
}
# no_masquerade: containers of the default network leave with their own addresses, for who looks at them beyond
no_masquerade() {
        mkdir -p /etc/shunt/networks
        echo '{"masquerade": false}' >/etc/shunt/networks/default.json
}
beyond() { ip netns exec beyond "$@"; }

# plain NAME [ATTACH OPTION...]: a container that is no more than a namespace, attached
plain() {
        local name=$1
        shift
        ip netns add "$name"
        shunt attach "$name" --netns "/run/netns/$name" --driver "$driver" "$@"
}
in_ct() { local name=$1; shift; ip netns exec "$name" "$@"; }
# address4 ID, address6 ID: its address without the length, or null
address4() { shunt show "$1" --json | jq -r '[.addresses[] | select(contains(":") | not) | sub("/.*"; "")][0]'; }
address6() { shunt show "$1" --json | jq -r '[.addresses[] | select(contains(":")) | sub("/.*"; "")][0]'; }
# The default network's first IPv6 address.
gateway6() { shunt network show default --json | jq -r '.subnets[].gateway | select(contains(":"))'; }
host_end() { shunt show "$1" --json | jq -r .interface.name; }
# counters ID: what it has received and sent; own_counters NAME: what its own eth0 says
counters() { shunt show "$1" --json | jq -r '.counters | "\(.rx_packets) \(.rx_bytes) \(.tx_packets) \(.tx_bytes)"'; }
own_counters() { in_ct "$1" sh -c 'cd /sys/class/net/eth0/statistics && echo $(cat rx_packets rx_bytes tx_packets tx_bytes)'; }
# By what comes in between, MLD say, they may differ once.
counts_right() { [ "$(counters "$1")" = "$(own_counters "$1")" ]; }
# dropped ID REASON
dropped() { shunt show "$1" --json | jq ".counters.dropped.$2 // 0"; }
test_dropped() { [ "$(dropped "$1" "$2")" = "$3" ]; }

# bundle NAME [ANNOTATION=VALUE...]: an OCI bundle in /tmp/bundle/NAME with our hooks, whose process sleeps. Extra
# hooks: HOOKS_BEFORE and HOOKS_AFTER, JSON arrays for createRuntime.
bundle() {
        local name=$1 dir=/tmp/bundle/$1 shunt annotations='{}' pair applet
        shift
        shunt=$(command -v shunt)
        # Also what crun would make: of many at once in one bundle, each would, and one of two that do fails.
        mkdir -p "$dir"/rootfs/{bin,tmp,dev,proc,sys}
        cp "$(command -v busybox)" "$dir/rootfs/bin/busybox"
        for applet in sh sleep ping cat true ip; do ln -sf busybox "$dir/rootfs/bin/$applet"; done
        for pair in "$@"; do annotations=$(jq --arg k "${pair%%=*}" --arg v "${pair#*=}" '.[$k] = $v' <<<"$annotations"); done
        rm -f "$dir/config.json"
        (cd "$dir" && crun spec)
        jq --arg shunt "$shunt" --argjson annotations "$annotations" \
                --argjson before "${HOOKS_BEFORE:-[]}" --argjson after "${HOOKS_AFTER:-[]}" '
                .process.terminal = false | .process.args = ["sleep", "1000"] | .root.readonly = false |
                .process.capabilities |= map_values(. + ["CAP_NET_RAW", "CAP_NET_ADMIN"]) |
                .annotations = $annotations |
                .hooks.createRuntime = $before + [{path: $shunt, args: ["shunt", "oci-hook", "createRuntime"], timeout: 30}] + $after |
                .hooks.poststop = [{path: $shunt, args: ["shunt", "oci-hook", "poststop"], timeout: 30}]' \
                "$dir/config.json" >"$dir/config.new"
        mv "$dir/config.new" "$dir/config.json"
}
# start RUNTIME NAME, stop RUNTIME NAME: a container of that bundle
start() { "$1" run --detach --bundle "/tmp/bundle/$2" "$2" </dev/null >"/tmp/bundle/$2/log" 2>&1 || { cat "/tmp/bundle/$2/log" >&2; return 1; }; }
stop() { "$1" delete --force "$2"; }

# The helper for packets: net COMMAND ...; what it does is told at its head.
net() { "$here/net.py" "$@"; }
# background FILE COMMAND...: runs COMMAND behind our back with its output in FILE, and returns when it says "ready".
# finish_background ends all that is still there.
background() {
        local file=$1
        shift
        : >"$file"
        "$@" >"$file" 2>&1 &
        backgrounds+=($!)
        eventually grep -q ready "$file"
}
backgrounds=()
finish_background() {
        kill "${backgrounds[@]}" 2>/dev/null || true
        wait "${backgrounds[@]}" 2>/dev/null || true
        backgrounds=()
}

ping4() { ping -4 -n -c 1 -W 5 "$1"; }
ping6() { ping -6 -n -c 1 -W 5 "$1"; }

# What the instance has loaded, as "prog N" and "map N" in lines.
loaded() {
        local pin
        for pin in /sys/fs/bpf/shunt/datapath/*; do
                [ -e "$pin" ] || continue
                bpftool -j prog show pinned "$pin" 2>/dev/null | jq -r '"prog \(.id? // empty)"' ||
                        bpftool -j map show pinned "$pin" | jq -r '"map \(.id)"'
        done | sort -u
}
gone() { ! bpftool "$1" show id "$2" >/dev/null 2>&1; }
no_links() { ! compgen -G '/sys/class/net/nk?????????????' >/dev/null; }
no_process() { ! grep -lsx shunt /proc/[0-9]*/comm; }

# nothing_left: no trace of any endpoint; the loaded datapath may stay until gc
nothing_left() {
        local pins=/sys/fs/bpf/shunt map left
        eventually no_links
        eventually no_process
        left=$(ip route show table all proto 207; ip -6 route show table all proto 207)
        [ -z "$left" ] || die "routes are left: $left"
        left=$(shunt list --json)
        [ "$left" = "[]" ] || die "endpoints are left: $left"
        left=$(bpftool net show | grep shunt_ || true)
        [ -z "$left" ] || die "programs are left attached: $left"
        if [ -d $pins ]; then
                left=$(find $pins -mindepth 2 -not -path "$pins/datapath/*")
                [ -z "$left" ] || die "pins are left: $left"
        fi
        if [ -d $pins/datapath ]; then
                for map in interfaces addresses4 addresses6 registry unfinished networks rules published publications answers; do
                        left=$(bpftool map dump pinned $pins/datapath/$map -j)
                        [ "$left" = "[]" ] || die "map $map has entries left: $left"
                done
        fi
        ok "nothing is left: no link, route, pin, attached program, map entry or process"
}

# unloaded: nor are programs and maps, once gc has looked
unloaded() {
        local ids what id
        ids=$(loaded)
        shunt gc >/dev/null
        check_equal "gc takes the datapath away with the last endpoint" "" "$(find /sys/fs/bpf/shunt -mindepth 1 |
                grep -vE '/(endpoints|uplinks|ports)$' || true)"
        while read -r what id; do [ -z "$id" ] || eventually gone "$what" "$id"; done <<<"$ids"
        ok "no program or map of ours is loaded"
}

# finish: every scenario's last line
finish() { echo "$checks checks passed"; }

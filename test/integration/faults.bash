# What the two scenarios share that kill shunt at its N-th kernel call, or let that call fail: a bystander, the verbs with
# what each needs before it, and what there may be behind it.
#
# They take some of the calls that change something; with SHUNT_FAULTS=changes all of these; with SHUNT_FAULTS=calls every
# call, looks too; with SHUNT_FAULTS=all each errno at every call. SHUNT_FAULTS_VERBS="attach gc" takes these verbs alone;
# SHUNT_FAULTS_SHARE=2/8 of the calls the second, the tenth and so on, so that eight can share in them.
#
# shellcheck shell=bash disable=SC2034 # after and with are read by those who source this
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

inject=$here/../../build/test/faults/inject
entries=$here/../../build/test/faults/entries
# Without sanitizers, whose own calls are nobody's business.
PATH=$(realpath "$here/../../build"):$PATH
counted=(-c) stride=4
[ "${LAB_KERNEL:-native}" = native ] || stride=9
case ${SHUNT_FAULTS:-} in
changes) stride=1 ;;
calls | all) counted=() stride=1 ;;
esac
share=${SHUNT_FAULTS_SHARE:-}
[ -z "$share" ] || stride=${share#*/}
wanted() { [[ " ${SHUNT_FAULTS_VERBS:-$1} " == *" $1 "* ]]; }
mount -o remount,ro /sys		# no udev to wait for
# Of the kernel's there is one for all who work on this machine.
knob=/tmp/expedited
echo 0 >$knob
mount --bind $knob /sys/kernel/rcu_expedited
# A file is not cut where its first line ends, as the kernel's is.
grace_periods_are_long() { [ "$(head -n 1 $knob)" = 0 ] || die "$where: grace periods are still short"; }

# look: what there is of endpoints, into seen; and of machines' files, into files
look() {
        local file line routes=0 pins
        shopt -s nullglob
        pins=(/run/shunt/nspawn/*)
        files=${pins[*]}
        pins=(/sys/class/net/n[kp]* /sys/fs/bpf/shunt/* /sys/fs/bpf/shunt/endpoints/* /sys/fs/bpf/shunt/endpoints/*/*
                /sys/fs/bpf/shunt/uplinks/* /sys/fs/bpf/shunt/ports/*)
        shopt -u nullglob
        for file in /proc/net/route /proc/net/ipv6_route; do
                while read -r line; do [[ $line != *nk* ]] || routes=$((routes + 1)); done <$file
        done
        "$entries" /sys/fs/bpf/shunt/datapath >/tmp/entries
        printf -v seen '%s\n' "${pins[@]}" "routes: $routes" "$(</tmp/entries)"
}
# expect WHAT SEEN: what there is, is that
expect() {
        look
        [ "$seen" = "$2" ] || { diff <(echo "$2") <(echo "$seen") >&2 || true; die "$where: $1"; }
}

# The machine whose interface comes and goes.
machine() {
        sh -c 'unshare --net sleep infinity & wait' &
        machine=$!
        backgrounds+=("$machine")
        eventually elsewhere
}
elsewhere() {
        leader=$(cat "/proc/$machine/task/$machine/children") && leader=${leader% } && [ -n "$leader" ] &&
                [ "$(readlink "/proc/$leader/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
move() { ip link set "$parked" netns "$leader" name host0; }

attach_bare="shunt attach one --netns /run/netns/one --driver $driver"
attach_one="$attach_bare --publish 8080:80 --publish 127.0.0.1:5300:53/udp"
ports="8080:80 127.0.0.1:5300:53/udp"
attach_other="shunt attach other --netns /run/netns/other --driver $driver"
pre="shunt nspawn pre web --driver $driver"
space="$pre --mode namespace"
# What gc finds: one that was killed when its pair was made, or before its record was written.
half() { local status=0; "$inject" -c "${1:-30}" kill $attach_one 9>/dev/null || status=$?; [ $status = 137 ]; }
# What gc mends: one whose filter somebody took.
robbed() { rm "/sys/fs/bpf/shunt/endpoints/$(host_end one)/from_ct"; }

# A socket of the host's, connected to the container; and that it has ended with that one, but where it could not be.
speak() { exec 7<>/dev/udp/127.0.0.1/5300; }
spoken() { [[ $where == *EPERM* || $(echo 2>&1 >&7) == *"Destination address required"* ]] || die "$where: a socket of the host goes on"; }

# Verbs: what is run, what comes before it, what makes it whole, what ends that, and what there is while it is whole.
declare -A command before again end id with after
verb() { command[$1]=$3 before[$1]=$4 again[$1]=$5 id[$1]=$2 end[$1]="shunt detach one"; [ "$2" = one ] || end[$1]="shunt nspawn stop web"; }
verbs() {
        verb attach one "$attach_one" : "$attach_one"
        verb detach one "shunt detach one" "$attach_one && speak" "$attach_one"
        verb gc one "shunt gc" half "$attach_one"
        verb pre web "$pre" : "$pre"
        verb space web "$space" : "$space"
        verb post web "env MAINPID=$machine shunt nspawn post web" "$pre && move" "MAINPID=$machine shunt nspawn post web"
        verb stop web "shunt nspawn stop web" "$pre" "$pre"
        verb leave web "shunt nspawn stop web" "$space" "$space"
        verb early one "shunt gc" "half 9" "$attach_one"
        verb mend one "shunt gc" "$attach_one && robbed" "$attach_one"
        verb publish one "shunt publish one $ports" "$attach_bare" "shunt publish one $ports"
        verb unpublish one "shunt unpublish one $ports" "$attach_one" "$attach_one"
        verb load one "$attach_one" : "$attach_one"
        verb unload one "shunt gc" "$attach_one && shunt detach one" "$attach_one"
}
run() { eval "$1" >/tmp/said 2>&1 || die "$where: $1 said: $(</tmp/said)"; }
state() { shunt show "$1" --json 2>/dev/null | jq -r '.state' || true; }

# survey SETTLE: what there is of each of them beside what is there now; SETTLE comes behind each end
survey() {
        local verb
        settle=$1 where=survey
        verbs
        run "$settle"; look; bare=$seen
        run "$attach_other"; look; with_other=$seen; run "shunt detach other"; run "$settle"
        run "$attach_bare"; look; unpublished=$seen; run "shunt detach one"; run "$settle"
        run "$attach_one"; look; for verb in attach detach gc early mend publish unpublish load unload; do with[$verb]=$seen; done
        run "shunt detach one"; run "$settle"
        run "$pre"; parked=$(</tmp/said); parked=${parked%:host0}
        look; for verb in pre stop; do with[$verb]=$seen; done
        run move; run "${again[post]}"; look; with[post]=$seen; run "${end[post]}"
        run "$space"; look; with[space]=$seen with[leave]=$seen; run "${end[space]}"; run "$settle"
        expect "something is left" "$bare"
        for verb in detach gc early stop leave unload; do after[$verb]=$bare; done
        for verb in attach pre space post mend publish load; do after[$verb]=${with[$verb]}; done
        after[unpublish]=$unpublished
}

# works VERB: its endpoint, where that is whole behind it
works() {
        local inside
        case $1 in
        attach | mend | publish | unpublish | load) inside="ip netns exec one" ;;
        post) inside="nsenter -t $leader -n" ;;
        space) inside="nsenter --net=/run/shunt/nspawn/web.netns" ;;
        *) return 0 ;;
        esac
        run "$inside ping -n -q -c 1 -W 5 10.99.0.2 && $inside ping -n -q -c 1 -W 5 fd99::2 || { shunt show ${id[$1]}; false; }"
}
# over VERB: ends what there is of it, and looks that nothing is left
over() {
        run "${end[$1]}"
        [ "$1" != detach ] || spoken
        run "$settle"
        expect "its end leaves something" "$bare"
        [ -z "$files" ] || die "$where: its end leaves $files"
}

# The bystander's traffic, of which not one packet may be lost.
traffic() {
        plain keeper >/dev/null
        # The wire's ends prove their link-local addresses before they ask for each other.
        eventually in_ct keeper ping -n -q -c 1 -W 1 fd99::2
        uplinks=$(stat -c '%n %i' /sys/fs/bpf/shunt/uplinks/*)
        ip netns exec keeper ping -n -i 0.2 10.99.0.2 >/tmp/traffic4 & pings+=($!)
        ip netns exec keeper ping -n -i 0.2 fd99::2 >/tmp/traffic6 & pings+=($!)
}
# more FILE ANSWERS: there are more by now
more() { [ "$(grep -c icmp_seq= "$1")" -gt "$2" ]; }
traffic_went_on() {
        local file
        check_equal "nobody took its uplink away, not for a moment" "$uplinks" "$(stat -c '%n %i' /sys/fs/bpf/shunt/uplinks/*)"
        # Each is answered in turn, up to those that were sent just now: some of these are awaited, and then more may be on their way.
        for file in /tmp/traffic4 /tmp/traffic6; do eventually more $file $(($(grep -c icmp_seq= $file) + 2)); done
        kill -INT "${pings[@]}"
        wait "${pings[@]}" || true
        for file in /tmp/traffic4 /tmp/traffic6; do
                check "the bystander lost nothing: $(grep transmitted $file)" awk -F '[= ]' '
                        /icmp_seq=/ { for (i = 1; $i != "icmp_seq"; i++); if ($(i + 1) != ++n) { print "not:", n; exit wrong = 1 } }
                        END { exit wrong || n < 3 }' $file
        done
}
pings=()

# sweeps VERB...: each with the number of its first call, which is another for each where not all are taken
sweeps() {
        local verb first
        for verb; do
                first=$((++swept % stride))
                [ -z "$share" ] || first=${share%/*}
                ! wanted "$verb" || sweep "$verb" $((first == 0 ? stride : first))
        done
}
swept=0

# faults: all verbs, with a bystander; and those that load and unload the datapath, with nobody there
faults() {
        world
        ip netns add one
        ip netns add other
        machine
        traffic
        survey :
        sweeps attach detach gc early mend publish unpublish pre space post stop leave
        traffic_went_on
        shunt detach keeper
        survey "shunt gc"
        # Each loads all programs, and the first of them also fills maps.
        [ -n "${SHUNT_FAULTS:-}" ] || stride=$((stride * 15))
        sweeps load
        [ -n "${SHUNT_FAULTS:-}" ] || stride=$((stride / 5))
        sweeps unload
        nothing_left
        finish_background
        finish
}

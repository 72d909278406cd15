#!/bin/bash
# lab: systemd check=backports
# The timer, as `make install` puts it where systemd looks: nobody calls a verb, and all is healed.
. "$(dirname "$0")/lib.bash"

prefix=/opt/shunt-gc units=/etc/systemd/system
# All scenarios of a booted lab share its one network. What is not there any more is no failure.
tidy() {
        local status=$?
        set +e
        [ $status -eq 0 ] || journalctl --no-pager -b -n 40 -u shunt-gc.service -u shunt-gc.timer >&3
        systemctl disable --quiet --now shunt-gc.timer
        make -s -C "$here/../.." uninstall PREFIX=$prefix UNITDIR=$units
        rm -rf $units/shunt-gc.timer.d $prefix
        systemctl daemon-reload
        ip -all netns del
        ip link del wire2
        shunt gc
        exit $status
} >/dev/null 2>&1
exec 3>&1
trap tidy EXIT
# soon COMMAND...: within a minute; in an emulated guest a start in a sandbox takes seconds
soon() {
        local end=$((SECONDS + 60))
        until "$@" >/dev/null 2>&1; do ((SECONDS <= end)) || die "not within a minute: $*"; sleep 0.2; done
}
started() { systemctl show --property=ExecMainStartTimestampMonotonic --value shunt-gc.service; }
wires() { bpftool -j net show | jq -r '[.[].tc[] | select(.name // "" | startswith("shunt_from_wire")).devname] | sort | join(" ")'; }
are_wires() { [ "$(wires)" = "$1" ]; }
are_attached() { [ "$(shunt list --json | jq -r '[.[].id] | join(" ")')" = "$1" ]; }

world
ip link add wire2 type veth peer name wire2 netns beyond
ip addr add 10.96.0.1/24 dev wire2
ip link set wire2 up
ip -n beyond addr add 10.96.0.2/24 dev wire2
ip -n beyond link set wire2 up
make -s -C "$here/../.." -o all install PREFIX=$prefix UNITDIR=$units
check_equal "the service starts what was installed" "$prefix/bin/shunt gc" "$(sed -n 's/^ExecStart=//p' $units/shunt-gc.service)"
check "systemd finds no fault" systemd-analyze --man=no verify $units/shunt-gc.service $units/shunt-gc.timer
exposure=$(systemd-analyze security --no-pager shunt-gc.service | sed -n 's/.*level for shunt-gc.service: \([0-9.]*\).*/\1/p')
check "and is content with the sandbox: $exposure" awk "BEGIN { exit !($exposure < 2) }"

check "the timer is switched on" systemctl enable --quiet --now shunt-gc.timer
soon sh -c '[ "$(systemctl show --property=Result --property=ExecMainExitTimestampMonotonic shunt-gc.service | xargs)" != "Result=success ExecMainExitTimestampMonotonic=0" ]'
check_equal "its time after boot is past, so it runs at once, with nothing there" success "$(systemctl show -P Result shunt-gc.service)"
check_equal "and in a minute again" 1min "$(systemctl show -P TimersMonotonic shunt-gc.timer | sed -n 's/.*OnUnitInactiveUSec=\([^ ]*\).*/\1/p')"

# As installed but for the minute.
mkdir -p $units/shunt-gc.timer.d
printf '[Timer]\nOnUnitInactiveSec=\nOnUnitInactiveSec=2s\nAccuracySec=100ms\n' >$units/shunt-gc.timer.d/soon.conf
systemctl daemon-reload
systemctl restart shunt-gc.timer
plain one
plain two
before=$(started)
soon sh -c "[ \"\$(systemctl show --property=ExecMainStartTimestampMonotonic --value shunt-gc.service)\" != $before ]"
check_equal "what lives is left alone" "one two" "$(shunt list --json | jq -r '[.[].id] | join(" ")')"
check "and works" in_ct one ping -n -c 1 -W 5 10.99.0.2

ip route replace default via 10.96.0.2 dev wire2
ip -6 route del default
ip -n beyond route replace 10.0.0.0/8 via 10.96.0.1
soon are_wires wire2
ok "a default route that moved is followed"
check "out and back" in_ct one ping -n -c 1 -W 5 10.96.0.2
check "in" beyond ping -n -c 1 -W 5 "$(address4 one)"

taken=/sys/fs/bpf/shunt/endpoints/$(host_end one)/from_ct
rm "$taken"
soon test -e "$taken"
check_equal "a filter that somebody took is back" shunt_from_ct "$(bpftool -j link show pinned "$taken" | jq .prog_id | xargs bpftool -j prog show id | jq -r .name)"
check "and lets pass what is true" in_ct one ping -n -c 1 -W 5 10.96.0.2

ip netns del two
soon are_attached one
ok "a dead one is taken back"
ip netns del one
soon test ! -e /sys/fs/bpf/shunt/datapath
ok "with the last one goes the datapath"
check_equal "no run has failed" "" "$(journalctl -b -o cat -u shunt-gc.service | grep -i fail || true)"
nothing_left
finish

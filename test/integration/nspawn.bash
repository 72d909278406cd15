# What scenarios with machines of systemd-nspawn share. Sourced behind lib.bash; what it makes, it removes at the end.
# shellcheck shell=bash
machines=/var/lib/machines
work=$(mktemp -d)
made=()

# All scenarios of a booted lab share its one network.
tidy() {
        finish_background
        local machine
        for machine in "${made[@]}"; do
                machinectl terminate "$machine" 2>/dev/null || true
                timeout 20 systemctl stop "systemd-nspawn@$machine" 2>/dev/null || true
                shunt nspawn stop "$machine" || true
                rm -rf "/etc/systemd/system/systemd-nspawn@$machine.service.d" "/etc/systemd/nspawn/$machine.nspawn"
        done
        systemctl daemon-reload || true
        ip netns del beyond 2>/dev/null || true
        rm -rf "$work" "${made[@]/#/$machines/}"
}
trap tidy EXIT

# within SECONDS COMMAND...
within() {
        local end=$((SECONDS + $1))
        shift
        until "$@" >/dev/null 2>&1; do
                ((SECONDS <= end)) || die "not in time: $*"
                sleep 0.2
        done
}

# machine NAME: a copy of the lab's machine that tells in /report how it found the network as soon as it is online.
# What is shared are files that nobody writes to.
machine() {
        local tree=$machines/$1 unit
        mkdir -p "$tree"
        made+=("$1")
        tar -C /lab/machine --exclude=./usr -cf - . | tar -C "$tree" -xf -
        cp -al /lab/machine/usr "$tree/"
        echo "$1" >"$tree/etc/hostname"
        systemd-id128 new >"$tree/etc/machine-id"
        touch "$tree/etc/.updated" "$tree/var/.updated"
        for unit in console-getty getty@tty1 systemd-tmpfiles-setup systemd-journal-flush \
                systemd-update-utmp systemd-user-sessions ldconfig systemd-hwdb-update; do
                ln -s /dev/null "$tree/etc/systemd/system/$unit.service"
        done
        rm -rf "$tree/etc/systemd/system/timers.target.wants"
        cat >"$tree/etc/systemd/system/report.service" <<'UNIT'
[Unit]
Wants=network-online.target
After=network-online.target
[Service]
Type=oneshot
ExecStart=sh /report.sh
UNIT
        mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
        ln -s ../report.service "$tree/etc/systemd/system/multi-user.target.wants/"
        cat >"$tree/report.sh" <<'REPORT'
exec >/report.new 2>&1
ip -o addr show host0
ip route
ip -6 route
ping -n -c 1 -W 5 10.99.0.2 && echo reached IPv4
ping -n -c 1 -W 5 fd99::2 && echo reached IPv6
getent ahostsv4 somewhere.test | head -n 1
cat /etc/resolv.conf
networkctl --no-pager status host0
mv /report.new /report
REPORT
}
leader() { machinectl show --property Leader --value "$1"; }
inside() { local name=$1; shift; nsenter -t "$(leader "$name")" -a "$@"; }
online() { within 180 test -e "$machines/$1/report"; }
inactive() { [[ $(systemctl is-active "systemd-nspawn@$1") =~ ^(inactive|failed)$ ]]; }
# A killed nspawn leaves a mount that the next one of that name refuses to start over.
unexport() {
        umount --recursive "/run/systemd/nspawn/unix-export/$1" 2>/dev/null || true
        rmdir "/run/systemd/nspawn/unix-export/$1" 2>/dev/null || true
}
# ended NAME: the unit is done with it, and nothing is left
ended() {
        within 120 inactive "$1"
        unexport "$1"
        systemctl reset-failed "systemd-nspawn@$1" 2>/dev/null || true
        [ -z "$(ls /run/shunt/nspawn 2>/dev/null)" ] || journalctl --no-pager -n 30 -u "systemd-nspawn@$1"
        check_equal "no file of machine $1 is left" "" "$(ls /run/shunt/nspawn 2>/dev/null)"
        nothing_left
}
begin() {
        rm -f "$machines/$1/report"
        machinectl start "$1" || { journalctl --no-pager -n 40 -u "systemd-nspawn@$1"; die "machine $1 does not start"; }
}

# small NAME: a machine whose first process says what network it sees, and waits
small() {
        local tree=$machines/$1
        made+=("$1")
        mkdir -p "$tree"/{bin,sbin,etc,usr/lib,proc,sys,dev,run,tmp,var,root}
        cp "$(command -v busybox)" "$tree/bin/busybox"
        chroot "$tree" /bin/busybox --install -s /bin
        echo ID=small >"$tree/etc/os-release"
        cat >"$tree/sbin/init" <<'INIT'
#!/bin/sh
trap 'exit 0' 37 TERM # 37: what nspawn asks it to power off with
ip -o addr show host0 >/first 2>&1
while :; do sleep 1; done
INIT
        chmod +x "$tree/sbin/init"
}
service() { echo "systemd-nspawn@$1.service"; }
reaches() { inside "$1" /bin/ping -c 1 -W 5 10.99.0.2 && inside "$1" /bin/ping -6 -c 1 -W 5 fd99::2; }

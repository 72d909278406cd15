#!/bin/bash
# lab: systemd check=backports
# Machines that are no more than a busybox, without networkd: in a namespace that is complete before them, by hand, and where nspawn cannot start.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nspawn.bash"

world
small a
small b

# Mode namespace: the first process finds everything.
check "enable in mode namespace" shunt nspawn enable a --mode namespace --driver "$driver"
rm -f $machines/a/first
check "it starts" machinectl start a
eventually test -s $machines/a/first
check "its first process had the address" grep -F "inet $(address4 a)/32" $machines/a/first
check "its ways out are there" reaches a
check "it is reached" ping4 "$(address4 a)"
check "by its name too" ping -c 1 -W 5 a
kill -KILL "$(systemctl show -P MainPID "$(service a)")"
ended a
check "it starts again" machinectl start a
check "it is let go" test ! -e /run/shunt/nspawn/a.netns
systemctl kill --signal KILL "$(service a)"
within 120 inactive a
eventually no_links
check "killed with its service, it leaves what gc finds" shunt gc
nothing_left
check "stop takes the rest" shunt nspawn stop a
ended a
check "disable" shunt nspawn disable a

# Where nothing can be written.
mount -t tmpfs -o ro tmpfs /etc/systemd/nspawn
refuse 'a.nspawn cannot be written: Read-only' shunt nspawn enable a
umount /etc/systemd/nspawn

# By hand, and with no machined to ask; with names, as systemd-resolved has them.
ip netns exec beyond "$here/net.py" names >"$work/asked" 2>&1 &
backgrounds+=($!)
resolvectl dns wire 10.99.0.2
argument=$(shunt nspawn pre a --driver "$driver")
systemd-run --quiet --unit by-hand systemd-nspawn --quiet --keep-unit --register=no -b -U -D $machines/a -M a \
        --resolv-conf=replace-uplink --network-interface="$argument"
supervisor() { systemctl show -P MainPID by-hand; }
eventually sh -c "ls /proc/\$(systemctl show -P MainPID by-hand)/task/*/children && ! ip link show ${argument%:host0}"
check "post finds it as the child of its supervisor" env MAINPID="$(supervisor)" shunt nspawn post a
check "it is reached" ping4 "$(address4 a)"
within 60 grep -q ready "$work/asked"
check "it has names" nsenter -t "$(xargs <"/proc/$(supervisor)/task/$(supervisor)/children")" -a /bin/nslookup web.test
check "so has a command of run" shunt run --driver "$driver" -- busybox nslookup web.test
# As on some clouds, with the remedy of the manual page.
resolvectl dns wire 169.254.169.254
check "a server that is link-local is none" sh -c "shunt run --driver $driver -- true 2>&1 | grep -F 'name one with DNS= in resolved.conf(5)'"
mkdir -p /etc/systemd/resolved.conf.d
printf '[Resolve]\nDNS=10.99.0.2\n' >/etc/systemd/resolved.conf.d/another.conf
systemctl restart systemd-resolved
check "but with another one in resolved.conf" shunt run --driver "$driver" -- busybox nslookup web.test
rm /etc/systemd/resolved.conf.d/another.conf
systemctl stop by-hand
check "stop" shunt nspawn stop a
nothing_left

# The same in a prepared namespace, with nothing to do while it runs.
rm -f $machines/b/first
argument=$(shunt nspawn pre b --mode namespace --driver "$driver")
systemd-run --quiet --unit by-hand systemd-nspawn --quiet --keep-unit --register=no -b -D $machines/b -M b \
        --private-network --network-namespace-path="$argument"
eventually test -s $machines/b/first
check "its first process had the address" grep -F "inet $(address4 b)/32" $machines/b/first
check "it is reached" ping6 "$(address6 b)"
systemctl stop by-hand
check "stop" shunt nspawn stop b
nothing_left

rm -f $machines/b/first
check "as one service" systemd-run --quiet --unit one-off -p Type=notify -p Delegate=yes -p KillMode=mixed \
        -p ExecStartPre="$(command -v shunt) nspawn pre b --driver $driver" \
        -p ExecStartPost="$(command -v shunt) nspawn post b" -p ExecStopPost="$(command -v shunt) nspawn stop b" \
        systemd-nspawn --quiet --keep-unit -b -U -D $machines/b -M b \
        --network-interface="$(shunt nspawn pre b --driver "$driver")"
check "it is reached" ping4 "$(address4 b)"
# Before that, its first process is deaf to what stop asks for, and systemd waits a minute and a half.
eventually test -s $machines/b/first
systemctl stop one-off
nothing_left

# Names where the host has no resolved: the host's own file.
systemctl stop systemd-resolved
rm -rf /run/systemd/resolve
cp --remove-destination /dev/null /etc/resolv.conf
echo 'nameserver 10.99.0.2' >/etc/resolv.conf
check "enable without resolved" shunt nspawn enable a --driver "$driver"
rm -f $machines/a/first
check "it starts" machinectl start a
check_equal "it has the host's name server" 'nameserver 10.99.0.2' "$(inside a /bin/cat /etc/resolv.conf)"
eventually test -s $machines/a/first
systemctl stop "$(service a)"
ended a

# udev that does not answer, and none at all: the machine does not start, and nothing is left.
check "enable" shunt nspawn enable a --driver "$driver"
udevadm control --stop-exec-queue
check_not "udev that is busy for ever" machinectl start a
udevadm control --start-exec-queue
check "the journal says so" sh -c 'journalctl SHUNT_ID=a -o cat | grep "udev has not initialised"'
ended a
rm -f $machines/a/first
check "then it starts" machinectl start a
# Before that, its first process is deaf to what stop asks for.
eventually test -s $machines/a/first
systemctl stop "$(service a)"
ended a

# udev whose database has the interface, while its rules are still at work: nspawn would not take it.
mkdir -p /run/udev/rules.d
echo 'ACTION=="add", SUBSYSTEM=="net", KERNEL=="np*", RUN+="/bin/sleep 4"' >/run/udev/rules.d/99-slow.rules
udevadm control --reload
shunt nspawn pre a --driver "$driver" &
until compgen -G '/sys/class/net/np*' >/dev/null; do :; done
kill -STOP $!
entry=/run/udev/data/n$(cat /sys/class/net/np*/ifindex)
eventually grep -q ID_PROCESSING "$entry"
kill -CONT $!
wait $!
check_not "pre waits until they are done" grep ID_PROCESSING "$entry"
check "stop" shunt nspawn stop a
rm /run/udev/rules.d/99-slow.rules
udevadm control --reload
ended a
finish

#!/bin/bash
# lab: systemd check=backports
# Machines that are no more than a busybox, without networkd: what happens around them, and six at once.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nspawn.bash"

world
for name in a b c d e f; do small $name; done

# Without networkd: post is all that there is.
check "enable" shunt nspawn enable a --driver "$driver"
check "it starts" machinectl start a
v4=$(address4 a)
check "its ways out are there with its start" reaches a
check "it is reached" ping4 "$v4"
check "it has users of its own" sh -c "! grep -qE '^ +0 +0 ' /proc/$(leader a)/uid_map"
refuse 'machine a is running.*machinectl poweroff a' shunt nspawn pre a
check "it is reached still" ping4 "$v4"
check "machined is restarted" systemctl restart systemd-machined
check "and knows its address still" sh -c "machinectl list --no-pager | grep -F $v4"
check "systemd executes itself anew" systemctl daemon-reexec
check "it is reached still" ping4 "$v4"
check "a restart of the unit" systemctl restart "$(service a)"
check_equal "keeps the address" "$v4" "$(address4 a)"
check "it is reached" ping4 "$v4"
systemctl stop "$(service a)"
ended a

# What post does not find: the machine does not stay up without its network.
cat >"/etc/systemd/system/$(service a).d/40-broken.conf" <<'BROKEN'
[Service]
ExecStartPost=/bin/sh -c 'nsenter -t $$(machinectl show --property Leader --value a) -n ip link del host0'
BROKEN
systemctl daemon-reload
check_not "a machine that post fails for does not start" machinectl start a
check "the journal says why" sh -c 'journalctl SHUNT_ID=a -o cat | grep "no interface host0"'
ended a
rm "/etc/systemd/system/$(service a).d/40-broken.conf"
systemctl daemon-reload

# Without machined nspawn itself cannot start a machine that is registered.
systemctl mask --quiet --runtime --now systemd-machined
check_not "a machine without machined does not start" systemctl start "$(service a)"
ended a
systemctl unmask --quiet --runtime systemd-machined

# Six at once.
# systemd is told of five of them once, which takes it seconds here.
for name in b c d e f; do
        argument=$(shunt nspawn pre $name --driver "$driver")
        mkdir -p "/etc/systemd/system/$(service $name).d"
        cp "/etc/systemd/system/$(service a).d/50-shunt.conf" "/etc/systemd/system/$(service $name).d/"
        sed "s,np.*:host0,$argument,; s,/a.network,/$name.network," /etc/systemd/nspawn/a.nspawn >/etc/systemd/nspawn/$name.nspawn
done
systemctl daemon-reload
check "six start at once" systemctl start "$(service a)" "$(service b)" "$(service c)" "$(service d)" "$(service e)" "$(service f)"
check_equal "they have six addresses" 6 "$(shunt list --json | jq '[.[] | select(.state == "ready") | .addresses[0]] | unique | length')"
for name in a b c d e f; do check "$name is reached" ping4 "$(address4 $name)"; done
check "one reaches another" inside a /bin/ping -c 1 -W 5 "$(address4 f)"
for name in a b c; do machinectl terminate $name; done
systemctl stop "$(service d)" "$(service e)" "$(service f)"
for name in a b c; do within 120 inactive $name; done
ended a
finish

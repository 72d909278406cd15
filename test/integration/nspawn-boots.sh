#!/bin/bash
# lab: systemd timeout=1500 check=stable
# One boot after another of a machine with a service that needs the network: no boot may find it later than
# network-online.target. LAB_BOOTS says how many.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nspawn.bash"

world
machine web
check "enable" shunt nspawn enable web --driver "$driver"
for ((boot = 1; boot <= ${LAB_BOOTS:-2}; boot++)); do
        begin web
        online web
        grep -qx 'reached IPv4' $machines/web/report && grep -qx 'reached IPv6' $machines/web/report ||
                { cat $machines/web/report; die "boot $boot came up without its network"; }
        [ "$(shunt show web --json | jq -r .state)" = ready ] || die "boot $boot is not ready"
        machinectl poweroff web
        within 120 inactive web
        ok "boot $boot: its service had the network"
done
ended web
finish

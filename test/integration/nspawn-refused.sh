#!/bin/bash
# lab: systemd timeout=600
# What fails before, in or behind nspawn fails whole; disable takes back what enable wrote; and what is refused says why.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nspawn.bash"

world
small web

# What fails, fails whole.
check "enable" shunt nspawn enable web --driver "$driver"
mv $machines/web/sbin/init "$work/"
machinectl start web 2>/dev/null || true
ended web
mkdir -p /etc/shunt/networks
echo '{"subnets": ["10.77.0.0/24"]}' >/etc/shunt/networks/other.json
check "enable for another network" shunt nspawn enable web --network other
rm /etc/shunt/networks/other.json
check_not "a machine whose network is gone does not start" machinectl start web
check "the journal says why" sh -c 'journalctl SHUNT_ID=web -o cat | grep "\"other\" is unknown"'
ended web

# disable takes back exactly what enable wrote.
mkdir -p /etc/systemd/system/systemd-nspawn@web.service.d
echo '# mine' >/etc/systemd/system/systemd-nspawn@web.service.d/60-mine.conf
check "disable" shunt nspawn disable web
check_equal "and nothing else" /etc/systemd/system/systemd-nspawn@web.service.d/60-mine.conf \
        "$(find /etc/systemd/system/systemd-nspawn@web.service.d /etc/systemd/nspawn -name '*web*' -type f -o -name '*.conf')"
rm -r /etc/systemd/system/systemd-nspawn@web.service.d
check "disable is no harm twice" shunt nspawn disable web
check "nor stop" shunt nspawn stop web

# Refused, with the remedy.
refuse 'no machine nobody.*machinectl list-images' shunt nspawn enable nobody
refuse 'no name of a machine.*machinectl rename' shunt nspawn enable a_b
refuse 'no name of a machine' shunt nspawn pre ../web
refuse '10.1.1.1' shunt nspawn enable web --address 10.1.1.1
refuse 'machine web is not running.*machinectl start' shunt nspawn post web
echo '[Network]
Private=yes' >/etc/systemd/nspawn/web.nspawn
refuse 'web.nspawn is yours.*Interface=np[0-9a-f]*:host0' shunt nspawn enable web
refuse 'section \[Network\]' shunt nspawn enable web --mode namespace
echo '[Exec]
PrivateUsers=pick' >/etc/systemd/nspawn/web.nspawn
refuse 'PrivateUsers=no.*--mode interface' shunt nspawn enable web --mode namespace
check_equal "the user's file is as it was" '[Exec] PrivateUsers=pick' "$(xargs </etc/systemd/nspawn/web.nspawn)"
rm /etc/systemd/nspawn/web.nspawn
finish

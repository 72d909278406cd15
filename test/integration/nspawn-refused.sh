#!/bin/bash
# lab: systemd check=stable
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

# A clone takes the file along, which names the interface of the other.
check "a clone" machinectl clone web copy
made+=(copy)
check_not "does not start with the network of the other" machinectl start copy
check "enable gives it one of its own" shunt nspawn enable copy
check_equal "with an interface of its own" 2 "$(sed -n 's/^Interface=//p' /etc/systemd/nspawn/{web,copy}.nspawn | sort -u | wc -l)"
cp /etc/systemd/nspawn/{web,copy}.nspawn
check "disable knows it for what it is" shunt nspawn disable copy
check_not "and nothing is left of it" test -e /etc/systemd/nspawn/copy.nspawn

# What the user has written into our file stays.
echo 'Bind=/mnt' >>/etc/systemd/nspawn/web.nspawn
check "enable once more" shunt nspawn enable web --address 10.207.7.7
check "keeps the user's lines" grep -qx Bind=/mnt /etc/systemd/nspawn/web.nspawn
refuse 'web.nspawn was changed' shunt nspawn disable web
sed -i '$d' /etc/systemd/nspawn/web.nspawn

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
refuse 'absolute path' shunt --state shunt nspawn enable web
refuse '10.1.1.1' shunt nspawn enable web --address 10.1.1.1
refuse 'machine web is not running.*machinectl start' shunt nspawn post web
for elsewhere in /run/systemd/nspawn /var/lib/machines; do
        mkdir -p $elsewhere
        echo '[Exec]' >$elsewhere/web.nspawn
        refuse "$elsewhere/web.nspawn is yours.*move it" shunt nspawn enable web
        rm $elsewhere/web.nspawn
done
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

#!/bin/bash
# lab: check=backports
# The host's systemd-networkd, told to configure whatever it finds, keeps off what is ours. It runs by hand, without udev.
. "$(dirname "$0")/lib.bash"

world
mount -o remount,ro /sys
networks=/run/systemd/network
mkdir -p $networks /run/systemd/netif/{links,leases,lldp}
chown -R systemd-network: /run/systemd/netif
cp "$here/../../units/10-shunt-host.network" $networks/
# In place of *, which would take the wire of this scenario too.
printf '%s\n' '[Match]' 'Name=nk* np* nk0' '[Network]' 'Address=192.0.2.1/32' >$networks/50-all.network
ip link add nk0 type veth peer name other
ip link set other up

# says DEVICE LINE: networkd's state of it has that line
says() { grep -qx "$2" "/run/systemd/netif/links/$(<"/sys/class/net/$1/ifindex")"; }
routes() { ip route show proto 207; ip -6 route show proto 207; }

plain one
parked=$(shunt nspawn pre web --driver "$driver")
before=$(routes)
/usr/lib/systemd/systemd-networkd 2>/tmp/networkd &
backgrounds+=($!)
eventually says nk0 "NETWORK_FILE=$networks/50-all.network"
ok "networkd takes what is another's"
plain two
for device in "$(host_end one)" "$(host_end two)" "$(host_end web)" "${parked%:host0}"; do
        eventually says "$device" ADMIN_STATE=unmanaged
        ok "$device is not networkd's"
done
check_equal "no route is lost" "$before" "$(routes | grep -v "dev $(host_end two)")"
check "the host reaches who was there before" ping4 "$(address4 one)"
check "and who came later, IPv6" ping6 "$(address6 two)"
check_not "a machine's end waits down" sh -c "ip link show ${parked%:host0} | grep -q UP"
finish_background
shunt nspawn stop web
shunt detach one
shunt detach two
ip link del nk0
nothing_left
finish

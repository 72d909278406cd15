#!/bin/bash
# lab: systemd check=backports
# Debian machines under the real systemd-nspawn@.service, with private users, over a netkit pair: what a user gets
# from `shunt nspawn enable` and `machinectl start`, and that nothing is left however a machine ends.
. "$(dirname "$0")/lib.bash"

. "$(dirname "$0")/nspawn.bash"

# serves MACHINE: it has a web server of its own, on port 80, as soon as it has a network
serves() {
        mkdir -p "$machines/$1/srv"
        cp "$(command -v busybox)" "$machines/$1/busybox"
        echo "this is $1" >"$machines/$1/srv/index.html"
        printf '[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/busybox httpd -f -p 80 -h /srv\n' >"$machines/$1/etc/systemd/system/httpd.service"
        mkdir -p "$machines/$1/etc/systemd/system/sysinit.target.wants"
        ln -s ../httpd.service "$machines/$1/etc/systemd/system/sysinit.target.wants/"
}
# published: the machine's port 80 is reached by the host's 8080, by the host itself and from out there
published() {
        local at
        for at in 127.0.0.1 '[::1]' 10.99.0.1 '[fd99::1]'; do
                check_equal "the host reaches web by $at" "this is web" "$(curl -sg -m 30 "http://$at:8080/")"
        done
        for at in 10.99.0.1 '[fd99::1]'; do
                check_equal "beyond reaches web by $at" "this is web" "$(beyond curl -sg -m 30 "http://$at:8080/")"
        done
}

world
# A name server beyond, which the host asks. It starts beside other work: here Python takes its time.
ip netns exec beyond "$here/net.py" names >"$work/names" 2>&1 &
backgrounds+=($!)
machine web
machine db
serves web
within 60 grep -q ready "$work/names"
resolvectl dns wire 10.99.0.2

# The five minutes.
check "enable" shunt nspawn enable web --driver "$driver" --publish 8080:80
check "systemd finds nothing to say about it" sh -c '! systemd-analyze verify --man=no systemd-nspawn@web.service 2>&1 | grep -i shunt'
begin web
ok "the machine starts"
check "another is enabled" shunt nspawn enable db
check "and once more, with an address" shunt nspawn enable db --address 10.207.9.9
begin db
v4=$(address4 web) v6=$(address6 web)
check_equal "it is ready, over $driver" "ready $driver" "$(shunt show web --json | jq -r '"\(.state) \(.driver)"')"
check "host to machine, IPv4, while it boots" ping4 "$v4"
check "host to machine, IPv6, while it boots" ping6 "$v6"
online web
check "it had its IPv4 address when it was online" grep -F "inet $v4/32" $machines/web/report
check "and its IPv6 address" grep -F "inet6 $v6/128" $machines/web/report
check "and the ways out" grep -qx 'reached IPv4' $machines/web/report
check "both of them" grep -qx 'reached IPv6' $machines/web/report
check "and names" grep -q '^10.99.0.2 .*somewhere.test' $machines/web/report
check "which its own resolv.conf has from the host" grep -qx 'nameserver 10.99.0.2' $machines/web/report
check "it has users of its own" sh -c "! grep -qE '^ +0 +0 ' /proc/$(leader web)/uid_map"
check "beyond to machine, IPv4" beyond ping -n -c 1 -W 5 "$v4"
check "beyond to machine, IPv6" beyond ping -n -c 1 -W 5 "$v6"
check "machinectl list has its address" sh -c "machinectl list --no-pager | grep -F '$v4'"
check "machinectl status has both" sh -c "machinectl status web --no-pager | tee /dev/stderr | grep -F '$v4' && machinectl status web --no-pager | grep -F '$v6'"
check "its name is known on the host" sh -c "getent ahosts web | grep -F '$v4'"
check "and to ping" ping -c 1 -W 5 web
refuse 'web is running.*machinectl poweroff' shunt nspawn disable web

published
check_equal "no process of the host gets that port" EADDRINUSE "$("$here/ports.py" take tcp 0.0.0.0 8080)"

# Three of different kinds, one to another.
online db
check_equal "an address asked for is given" 10.207.9.9 "$(address4 db)"
check "machine to machine, IPv4" inside web ping -n -c 1 -W 5 10.207.9.9
check "machine to machine, IPv6" inside web ping -n -c 1 -W 5 "$(address6 db)"
bundle box
check "a crun container beside them" start crun box
check "machine to container, IPv4" inside web ping -n -c 1 -W 5 "$(address4 box)"
check "machine to container, IPv6" inside web ping -n -c 1 -W 5 "$(address6 box)"
check "container to machine" crun exec box ping -c 1 -W 5 "$v4"
check "and it ends" stop crun box

# Root in a machine is root over its own network: no further.
inside db ip addr add 10.207.9.10/32 dev host0
before=$(dropped db spoofed)
check_not "a foreign address reaches nobody" inside db ping -n -c 1 -W 1 -I 10.207.9.10 "$v4"
check "which is counted" test "$(dropped db spoofed)" -gt "$before"
inside db ip link del host0
eventually sh -c "! ip link show $(host_end db)"
check_equal "a machine that has deleted its interface is stale" stale "$(shunt show db --json | jq -r .state)"
check "its neighbour is unharmed" ping4 "$v4"

# Its own reboot: the whole unit starts anew.
rm $machines/web/report
invocation=$(systemctl show -P InvocationID systemd-nspawn@web)
inside web systemctl --no-block reboot
within 120 sh -c "[ \$(systemctl show -P InvocationID systemd-nspawn@web) != $invocation ]"
online web
check_equal "a reboot keeps the addresses" "$v4 $v6" "$(address4 web) $(address6 web)"
check "and they are there when it is online" grep -qx 'reached IPv6' $machines/web/report

# All its ends.
machinectl poweroff web
machinectl terminate db
within 120 inactive web
ended db
check_equal "the port is free again" taken "$("$here/ports.py" take tcp 0.0.0.0 8080)"
begin web
check_equal "a start keeps the addresses" "$v4 $v6" "$(address4 web) $(address6 web)"
check "it is reached" ping4 "$v4"
within 60 curl -s -m 5 -o /dev/null http://127.0.0.1:8080/
published
kill -KILL "$(systemctl show -P MainPID systemd-nspawn@web)"
ended web
finish

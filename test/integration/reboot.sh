#!/bin/bash
# lab: systemd alone reboots check=stable
# The power fails while all kinds of containers are attached, and the host boots again. What is to start with the host starts, with
# its network; what is there still, a bundle, is started; what is new has the same ID. Each has the addresses and ports that it
# had, and nothing of before is in the way.
#
# shellcheck disable=SC2034 # place and made are read by what is sourced
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/nspawn.bash"

kept=/var/lib/kept
units=/etc/systemd/system
mkdir -p $kept/bundle
ln -sfn $kept/bundle /tmp/bundle

# attached ID...: their addresses, and what they publish, a line each
attached() { shunt list --json | jq -r --args '.[] | select(.id | IN($ARGS.positional[])) | "\(.id) \(.state) \(.addresses) \(.published)"' "$@" | sort; }
answers() { # WHO PID PORT
        background "/tmp/$1" nsenter -t "$2" -n "$here/ports.py" answer "$1" 80
        check_equal "$1 is reached by its port" "$1 10.99.0.1 127.0.0.1:$3" "$("$here/ports.py" ask tcp 127.0.0.1 "$3")"
}
is_there() { [ "$(shunt show "$1" --json | jq -r .state)" = ready ]; }
# Nobody is there to look why, where this fails.
comes_back() { # ID UNIT
        (within 180 is_there "$1") && return
        systemctl list-jobs
        journalctl -b --no-pager -u "$2" -u wire.service -u shunt-gc.service
        shunt list --json
        die "$1 does not come back"
}
# By hand, in both boots: a namespace with a process, and a bundle.
by_hand() {
        unshare --net sleep infinity &
        backgrounds+=($!)
        one=$!
        eventually sh -c "[ \$(readlink /proc/$one/ns/net) != \$(readlink /proc/self/ns/net) ]"
        check "attach" shunt attach one --pid $one --driver "$driver" --network apart --publish 8080:80
        check "a bundle starts" start crun boxed
        answers one $one 8080
        answers boxed "$(crun state boxed | jq .pid)" 8090
}

if [ "$LAB_BOOT" = 1 ]; then
        # The uplink is there before the network is online.
        cat >$units/wire.service <<UNIT
[Unit]
Before=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
WorkingDirectory=$PWD
ExecStart=bash -c '. test/integration/lib.bash; world'
[Install]
WantedBy=multi-user.target
UNIT
        check "the uplink" systemctl enable --quiet --now wire.service
        mkdir -p /etc/shunt/networks
        echo '{ "subnets": ["10.50.0.0/24", "fd50::/64"], "isolate": true }' >/etc/shunt/networks/apart.json
        place=$kept
        . "$here/podman.bash"
        make -s -C "$here/../.." -o all install PREFIX=$kept/prefix UNITDIR=$units
        check "the timer is switched on" systemctl enable --quiet --now shunt-gc.timer

        bundle boxed shunt.publish=8090:80
        by_hand
        small web
        check "a machine is enabled" shunt nspawn enable web --driver "$driver" --publish 8095:80
        check "and starts with the host from now on" machinectl enable web
        begin web
        pod=$(podman run -q -d --name pod --network none --restart always --annotation shunt.network=default box sleep 1000 </dev/null)
        check "so do podman's containers" systemctl enable --quiet podman-restart.service
        echo "$pod" >$kept/pod
        attached one boxed web "$pod" >$kept/attached
        sed 's/^/# /' $kept/attached
        check_equal "four are attached" 4 "$(grep -c ' ready ' $kept/attached)"
        cp /proc/sys/kernel/random/boot_id $kept/boot
        within 60 rm $machines/web/first
        touch .lab/again
        sync
        echo b >/proc/sysrq-trigger
        sleep infinity
fi

made=(web)
pod=$(<$kept/pod)
check_not "this is another boot" cmp $kept/boot /proc/sys/kernel/random/boot_id
comes_back web systemd-nspawn@web.service
comes_back "$pod" podman-restart.service
check_equal "what starts with the host is attached, and nothing else" "$(printf '%s\n' "$pod" web | sort)" "$(shunt list --json | jq -r '.[].id' | sort)"
check "the machine runs" within 60 test -e $machines/web/first
check "and reaches the world" reaches web
check "podman's container runs" sh -c "podman ps --no-trunc -q | grep -qx $pod"
check_equal "as things are, gc has nothing to do" "0 endpoints removed, 0 uplinks changed" "$(shunt gc)"
by_hand
check_equal "each has what it had" "$(<$kept/attached)" "$(attached one boxed web "$pod")"
check_equal "there are pins of these four" "$(for id in one boxed web "$pod"; do host_end "$id"; done | sort)" "$(ls /sys/fs/bpf/shunt/endpoints)"
check_equal "and files of the machine alone" "" "$(find /run/shunt/nspawn -type f ! -name 'web.*')"
check "the timer runs" systemctl is-active --quiet shunt-gc.timer

check "they end" podman rm -f -t 0 pod
check "all" stop crun boxed
finish_background
shunt detach one
machinectl terminate web
ended web
finish

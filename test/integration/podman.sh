#!/bin/bash
# lab: check=backports
# Real podman with the files that `make install` puts where podman looks for hooks.
. "$(dirname "$0")/lib.bash"

world
. "$here/podman.bash"
check_equal "the hooks name the program that was installed" /tmp/prefix/bin/shunt "$(jq -r .hook.path $hooks/*.json | sort -u)"

# run NAME OPTION...: a container that sleeps, with our annotation; its ID is in ${id[NAME]}
declare -A id
run() {
        local name=$1
        shift
        id[$name]=$(podman run -q -d --name "$name" --network none --cap-add NET_RAW --annotation shunt.network=default "$@" \
                box sleep 1000 </dev/null 2>/tmp/podman.err)
}
# For speed, past podman where it need not be asked: its runtime knows the process, and nsenter the way in.
pid_of() { crun state "${id[$1]}" | jq .pid; }
inside() { local pid; pid=$(pid_of "$1"); shift; nsenter -t "$pid" -n "$@"; }
addresses() { shunt show "${id[$1]}" --json | jq -c .addresses; }

run web --annotation shunt.publish=8080:80
ok "podman runs a container"
run db --annotation shunt.address=10.207.9.9 --annotation shunt.interface=net0
ok "and another"
web=$(addresses web) v4=$(address4 "${id[web]}") v6=$(address6 "${id[web]}")
check "container to container, by its own ping" podman exec web ping -c 1 -W 5 10.207.9.9
check "container to container, the other way, IPv6" inside db ping -n -c 1 -W 5 "$v6"
check "container to host" inside web ping -n -c 1 -W 5 10.99.0.1
check "container to beyond" inside db ping -n -c 1 -W 5 fd99::2
check "beyond to container" beyond ping -n -c 1 -W 5 "$v4"
check_equal "the interface has the name that was asked for" net0 "$(inside db ip -j addr show to 10.207.9.9 | jq -r '.[].ifname')"

published() {
        background /tmp/web nsenter -t "$(pid_of web)" -n "$here/ports.py" answer web 80
        check_equal "its published port is reached by the host" "web 10.99.0.1 127.0.0.1:8080" "$("$here/ports.py" ask tcp 127.0.0.1 8080)"
        check_equal "and from beyond" "web fd99::2 [fd99::1]:8080" "$(beyond "$here/ports.py" ask tcp fd99::1 8080)"
}
published
check "stop" podman stop -t 0 web
check_equal "leaves only the other" "${id[db]}" "$(shunt list --json | jq -r '.[].id')"
check_equal "and frees the port" taken "$("$here/ports.py" take tcp 0.0.0.0 8080)"
check "start" podman start web
published
check_equal "gives the same addresses" "$web" "$(addresses web)"
check "and they work" inside web ping -n -c 1 -W 5 10.99.0.2
check "restart" podman restart -t 0 web
check_equal "gives the same addresses" "$web" "$(addresses web)"
check "and they work" inside web ping -n -c 1 -W 5 10.99.0.2

kill -9 "$(pid_of db)"
eventually sh -c "[ \$(shunt list --json | jq length) -eq 1 ]"
ok "a container whose process is killed is taken back"
check "rm -f" podman rm -f -t 0 web db
nothing_left

# conmon, who would tell podman of the end, is killed with it.
run lost
lost=$(addresses lost)
end_untold() { kill -KILL "$(podman inspect --format '{{.State.ConmonPid}}' lost)" "$(pid_of lost)"; eventually no_links; }
end_untold
check_equal "a container of which nobody was told the end is stale" stale "$(shunt list --json | jq -r '.[].state')"
# Which podman takes for running until it is asked to end it.
podman stop -t 0 lost >/dev/null 2>&1 || true
check "podman starts it again" podman start lost
check_equal "with the same addresses" "$lost" "$(addresses lost)"
check "and they work" inside lost ping -n -c 1 -W 5 10.99.0.2
end_untold
check "it is removed, perhaps when asked twice" eventually podman rm -f -t 0 lost
ip netns add next
check "the next verb, for another, leaves nothing of it" shunt attach next --netns /run/netns/next --driver "$driver"
check_equal "whole" next "$(shunt list --json | jq -r '.[].id')"
shunt detach next
nothing_left

check "without the annotation" podman run -q --rm --name bare --network none box sh -c '! ip link show eth0'
check_equal "podman's container is not ours" "[]" "$(shunt list --json)"
check_not "an unknown network keeps the container from starting" run bad --annotation shunt.network=nowhere
nothing_left
status=0
podman run -q --name wrong --network none --annotation shunt.network=default box /nosuch >/dev/null 2>&1 || status=$?
check_equal "so does a command that is not there" 127 $status
# Here the runtime has called createRuntime, and nobody ever calls poststop.
eventually no_links
shunt gc >/dev/null
podman rm -f -t 0 -a >/dev/null
nothing_left
finish

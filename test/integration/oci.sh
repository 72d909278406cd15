#!/bin/bash
# lab: check=stable
# Containers of real crun and runc with our hook in config.json.
. "$(dirname "$0")/lib.bash"

world
bundle web
bundle db shunt.network=default shunt.address=10.207.9.9 shunt.mtu=1400
bundle bad shunt.network=nowhere
for runtime in crun runc; do
        check "$runtime starts a container" start $runtime web
        check "$runtime starts another" start $runtime db
        check_equal "an address asked for is given" 10.207.9.9 "$(address4 db)"
        check_equal "an MTU asked for is given" 1400 "$($runtime exec db cat /sys/class/net/eth0/mtu)"
        v4=$(address4 web) v6=$(address6 web) pid=$($runtime state web | jq .pid)
        # nsenter rather than exec, which takes its time.
        inside=(nsenter -t "$pid" -n ping -n -c 1 -W 5)
        check "container to container, IPv4, by its own ping" $runtime exec web ping -c 1 -W 5 10.207.9.9
        check "container to container, IPv6" "${inside[@]}" "$(address6 db)"
        check "container to host, IPv4" "${inside[@]}" 10.99.0.1
        check "container to host, IPv6" "${inside[@]}" fd99::1
        check "container to beyond, IPv4" "${inside[@]}" 10.99.0.2
        check "container to beyond, IPv6" "${inside[@]}" fd99::2
        check "beyond to container, IPv4" beyond ping -n -c 1 -W 5 "$v4"
        check "beyond to container, IPv6" beyond ping -n -c 1 -W 5 "$v6"

        # Twice for one ID: the first is replaced, the address kept.
        before=$(cat /sys/class/net/"$(host_end web)"/ifindex)
        check "createRuntime a second time" shunt oci-hook createRuntime \
                <<<"{\"ociVersion\":\"1.0\",\"id\":\"web\",\"status\":\"created\",\"pid\":$pid,\"bundle\":\"/\"}"
        check_equal "the address is kept" "$v4 $v6" "$(address4 web) $(address6 web)"
        check_not "the device is a new one" test "$before" = "$(cat /sys/class/net/"$(host_end web)"/ifindex)"
        check "and it works" "${inside[@]}" 10.99.0.2

        check "$runtime stops it" stop $runtime web
        check_equal "one is left" db "$(shunt list --json | jq -r '.[].id')"
        check "poststop for an unknown ID is success" shunt oci-hook poststop <<<'{"ociVersion":"1.0","id":"nobody","status":"stopped","bundle":"/"}'
        check "$runtime stops the other" stop $runtime db
        nothing_left

        # Refused: the container does not start, and nothing is left.
        check_not "$runtime does not start a container with an unknown network" start $runtime bad
        $runtime delete --force bad 2>/dev/null || true
        nothing_left

        # Gone without poststop: killed, and its runtime's record thrown away.
        check "$runtime starts one that will be lost" start $runtime web
        end=$(host_end web)
        kill -KILL "$($runtime state web | jq .pid)"
        rm -rf /run/$runtime/web
        eventually sh -c "! ip link show $end"
        check_equal "which is stale then" stale "$(shunt list --json | jq -r '.[].state')"
        check "gc takes it" shunt gc
        nothing_left
done

# Another hook fails behind ours. runc calls poststop then, and crun does not: what is left is found.
HOOKS_AFTER='[{"path": "/bin/false"}]' bundle after
for runtime in crun runc; do
        check_not "$runtime starts no container whose next hook fails" start $runtime after
        $runtime delete --force after 2>/dev/null || true
        eventually no_links
        shunt gc >/dev/null
        nothing_left
done

# A hook before ours sees no interface, one behind it does: the order in config.json is kept.
HOOKS_BEFORE='[{"path": "/bin/sh", "args": ["sh", "-c", "nsenter -t $(jq .pid) -n ip -o link >/tmp/before-ours"]}]' \
        HOOKS_AFTER='[{"path": "/bin/sh", "args": ["sh", "-c", "nsenter -t $(jq .pid) -n ip -o addr show eth0 >/tmp/behind-ours"]}]' bundle order
check "crun runs hooks around ours" start crun order
check_not "one before it finds no interface" grep -q eth0 /tmp/before-ours
check "one behind it finds the address" grep -qF "$(address4 order)" /tmp/behind-ours
stop crun order
nothing_left
finish

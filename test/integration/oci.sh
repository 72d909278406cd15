#!/bin/bash
# Containers of real crun and runc with our hook in config.json.
. "$(dirname "$0")/lib.bash"

world
for runtime in crun runc; do
        bundle web
        bundle db shunt.network=default shunt.address=10.207.9.9 shunt.mtu=1400
        check "$runtime starts a container" start $runtime web
        check "$runtime starts another" start $runtime db
        check_equal "an address asked for is given" 10.207.9.9 "$(address4 db)"
        check_equal "an MTU asked for is given" 1400 "$($runtime exec db cat /sys/class/net/eth0/mtu)"
        v4=$(address4 web) v6=$(address6 web)
        check "container to container, IPv4" $runtime exec web ping -c 1 -W 5 10.207.9.9
        check "container to container, IPv6" $runtime exec web ping -c 1 -W 5 "$(address6 db)"
        check "container to host, IPv4" $runtime exec web ping -c 1 -W 5 10.99.0.1
        check "container to host, IPv6" $runtime exec web ping -c 1 -W 5 fd99::1
        check "container to beyond, IPv4" $runtime exec web ping -c 1 -W 5 10.99.0.2
        check "container to beyond, IPv6" $runtime exec web ping -c 1 -W 5 fd99::2
        check "beyond to container, IPv4" beyond ping -n -c 1 -W 5 "$v4"
        check "beyond to container, IPv6" beyond ping -n -c 1 -W 5 "$v6"

        # Twice for one ID: the first is replaced, the address kept.
        pid=$($runtime state web | jq .pid)
        before=$(cat /sys/class/net/"$(host_end web)"/ifindex)
        check "createRuntime a second time" shunt oci-hook createRuntime \
                <<<"{\"ociVersion\":\"1.0\",\"id\":\"web\",\"status\":\"created\",\"pid\":$pid,\"bundle\":\"/\"}"
        check_equal "the address is kept" "$v4 $v6" "$(address4 web) $(address6 web)"
        check_not "the device is a new one" test "$before" = "$(cat /sys/class/net/"$(host_end web)"/ifindex)"
        check "and it works" $runtime exec web ping -c 1 -W 5 10.99.0.2

        check "$runtime stops it" stop $runtime web
        check_equal "one is left" db "$(shunt list --json | jq -r '.[].id')"
        check "poststop for an unknown ID is success" shunt oci-hook poststop <<<'{"ociVersion":"1.0","id":"nobody","status":"stopped","bundle":"/"}'
        check "$runtime stops the other" stop $runtime db
        nothing_left

        # Refused: the container does not start, and nothing is left.
        bundle bad shunt.network=nowhere
        check_not "$runtime does not start a container with an unknown network" start $runtime bad
        $runtime delete --force bad 2>/dev/null || true
        nothing_left
done
unloaded
finish

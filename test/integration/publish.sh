#!/bin/bash
# lab: check=backports
# Published ports as the host itself reaches them, who may have which, and how they end.
. "$(dirname "$0")/lib.bash"

ports() { "$here/ports.py" "$@"; }
published() { shunt show "$1" --json | jq -r '.published | join(" ")'; }
# The links at the root cgroup by their numbers: others have theirs there, too.
hooks() {
        local pin
        for pin in /sys/fs/bpf/shunt/ports/*; do
                # bpftool tells of one link, and then that it has failed.
                [ ! -e "$pin" ] || { bpftool -j link show pinned "$pin" || true; } | jq 'select(.type == "cgroup").id'
        done
}
# none_of ID...: no such link is left
none_of() { local id; for id; do gone link "$id" || return 1; done; }

world
plain web --publish 8080:80 --publish 8053:53/udp
background /tmp/web in_ct web "$here/ports.py" answer web 80 53 7000
v4=$(address4 web) v6=$(address6 web)

echo "# from the host itself"
check_equal "list shows what is published" "0.0.0.0:8080:80/tcp [::]:8080:80/tcp 0.0.0.0:8053:53/udp [::]:8053:53/udp" "$(published web)"
for to in 127.0.0.1 127.9.9.9 10.99.0.1 0.0.0.0; do
        told=$to; [ $to = 0.0.0.0 ] && told=0.0.0.0
        check_equal "TCP to $to" "web 10.99.0.1 $told:8080" "$(ports ask tcp $to 8080)"
done
for to in ::1 fd99::1; do check_equal "TCP to $to" "web fd99::1 [$to]:8080" "$(ports ask tcp $to 8080)"; done
check_equal "TCP to a mapped address" "web 10.99.0.1 [::ffff:127.0.0.1]:8080" "$(ports ask tcp ::ffff:127.0.0.1 8080)"
for way in udp sendto; do
        for to in 127.0.0.1 10.99.0.1; do check_equal "UDP by $way to $to" "web 10.99.0.1 $to:8053" "$(ports ask $way $to 8053)"; done
        for to in ::1 fd99::1; do check_equal "UDP by $way to $to" "web fd99::1 [$to]:8053" "$(ports ask $way $to 8053)"; done
        check_equal "UDP by $way to a mapped address" "web 10.99.0.1 [::ffff:127.0.0.1]:8053" "$(ports ask $way ::ffff:127.0.0.1 8053)"
done
check_equal "another port is nobody's" ECONNREFUSED "$(ports ask tcp 127.0.0.1 8081)"
check_equal "and so is the other protocol" ECONNREFUSED "$(ports ask udp 127.0.0.1 8080)"
check_equal "another host's port of that number is that host's" ECONNREFUSED "$(ports ask tcp 10.99.0.2 8080)"
check_equal "and by IPv6" ECONNREFUSED "$(ports ask tcp fd99::2 8080)"
check_equal "who insists on a loopback address for its own finds nobody" ECONNREFUSED "$(ports ask tcp 127.0.0.1 8080 127.0.0.1)"
check_equal "the container's own address is as before" "web 10.99.0.1 $v4:80" "$(ports ask tcp "$v4" 80)"
check_equal "and by IPv6" "web fd99::1 [$v6]:80" "$(ports ask tcp "$v6" 80)"
check_equal "in another namespace 127.0.0.1 is another's" ECONNREFUSED "$(beyond "$here/ports.py" ask tcp 127.0.0.1 8080)"
check_equal "and its ports are its own" taken "$(beyond "$here/ports.py" take tcp 0.0.0.0 8080)"

echo "# a published port is taken"
for to in 0.0.0.0 127.0.0.1 10.99.0.1 :: ::1 fd99::1; do
        check_equal "bind to $to" EADDRINUSE "$(ports take tcp $to 8080)"
        check_equal "bind to $to, UDP" EADDRINUSE "$(ports take udp $to 8053)"
done
check_equal "but not of the other protocol" taken "$(ports take udp 0.0.0.0 8080)"
check_equal "nor another port" taken "$(ports take tcp 0.0.0.0 8081)"
check_equal "nor one that the kernel picks" taken "$(ports take tcp 0.0.0.0 0)"

echo "# one port, one holder"
ip netns add late
late() { shunt attach late --netns /run/netns/late --driver "$driver" "$@"; }
refuse "8080/tcp is held by container web$" late --publish 8080:80
refuse "127.0.0.1:8080/tcp is held by container web$" late --publish 127.0.0.1:8080:80
refuse "8080/tcp is held by container web, which is of no service" late --publish 8080:80 --service s
refuse "8080/tcp is held by container web" late --publish 8000-8100:80
for at in 0.0.0.0 10.99.0.1 ::; do
        background /tmp/holder "$here/ports.py" take tcp $at 9000 hold
        host=$([ $at = :: ] && echo "0.0.0.0" || echo $at)
        refuse "9000/tcp is held by \"ports.py\" .process ${backgrounds[-1]}." late --publish 9000:80
        refuse "$host:9000/tcp is held by" late --publish "$host:9000:80"
        check "it may have another address" late --publish 127.0.0.2:9001:80
        shunt detach late
        kill "${backgrounds[-1]}"; wait "${backgrounds[-1]}" 2>/dev/null || true; unset 'backgrounds[-1]'
done
background /tmp/holder "$here/ports.py" take udp 127.0.0.1 9000 hold
refuse "127.0.0.1:9000/udp|0.0.0.0:9000/udp is held by \"ports.py\"" late --publish 9000:80/udp
check "the other protocol is free" late --publish 9000:80
shunt detach late
kill "${backgrounds[-1]}"; wait "${backgrounds[-1]}" 2>/dev/null || true; unset 'backgrounds[-1]'
refuse "10.99.0.9 is no address of this host" late --publish 10.99.0.9:8088:80
ports ask tcp 127.0.0.1 8080 >/dev/null
ok "and the holder is as it was"

echo "# one address of the host"
check "an address each, one port" late --publish 127.0.0.2:9000:80 --publish '[::1]:9000:80' --publish 10.99.0.1:9000:81
background /tmp/late in_ct late "$here/ports.py" answer late 80 81
check_equal "one is reached" "late 10.99.0.1 127.0.0.2:9000" "$(ports ask tcp 127.0.0.2 9000)"
check_equal "and another" "late fd99::1 [::1]:9000" "$(ports ask tcp ::1 9000)"
check_equal "and the host's" "late 10.99.0.1 10.99.0.1:9000" "$(ports ask tcp 10.99.0.1 9000)"
check_equal "and no other" ECONNREFUSED "$(ports ask tcp 127.0.0.1 9000)"
check_equal "which anybody may take" taken "$(ports take tcp 127.0.0.1 9000)"
check_equal "but not all of them" EADDRINUSE "$(ports take tcp 0.0.0.0 9000)"
check "detach" shunt detach late
check_equal "and the port is free" taken "$(ports take tcp 127.0.0.2 9000)"

echo "# afterwards"
check "publish" shunt publish web 7001-7003:7000 127.0.0.1:7010:7000/udp
check "and what is so already" shunt publish web 7003:7002 127.0.0.1:7010:7000/udp
background /tmp/more in_ct web "$here/ports.py" answer web 7001 7002
check_equal "is shown" "0.0.0.0:7001-7003:7000-7002/tcp 0.0.0.0:8080:80/tcp" "$(published web | tr ' ' '\n' | grep '^0.*tcp' | paste -sd' ')"
check_equal "leads there" "web 10.99.0.1 127.0.0.1:7002" "$(ports ask tcp 127.0.0.1 7002)"
refuse "7002/tcp is published by this container already" shunt publish web 7002:80
refuse "7004/tcp is not published so" shunt unpublish web 7004:7003
refuse "7003/tcp is not published so" shunt unpublish web 7003:7003
check "unpublish" shunt unpublish web 7001-7003:7000
check_equal "is gone" ECONNREFUSED "$(ports ask tcp 127.0.0.1 7002)"
check_equal "and free" taken "$(ports take tcp 0.0.0.0 7002)"
check_equal "the rest is there" "web 10.99.0.1 127.0.0.1:8080" "$(ports ask tcp 127.0.0.1 8080)"
refuse "nobody is not attached" shunt publish nobody 80:80

echo "# an address of the host that came later"
ip addr add 10.99.0.7/24 dev wire
check_equal "is not known" ECONNREFUSED "$(ports ask tcp 10.99.0.7 8080)"
check "gc finds it" shunt gc
check_equal "and it leads there" "web 10.99.0.1 10.99.0.7:8080" "$(ports ask tcp 10.99.0.7 8080)"

echo "# a runtime's container, and a machine"
bundle boxed shunt.publish=8090:80,127.0.0.1:8091:80 shunt.service=boxes
for _ in first second; do
        check "it starts" start crun boxed
        pid=$(crun state boxed | jq .pid)
        background /tmp/boxed nsenter -t "$pid" -n "$here/ports.py" answer boxed 80
        check_equal "and is reached" "boxed 10.99.0.1 127.0.0.1:8091" "$(ports ask tcp 127.0.0.1 8091)"
        check_equal "by both ports, as its service" '["boxes",8090] ["boxes",8090] ["boxes",8091]' \
                "$(shunt service list --json | jq -c '.[] | [.service, .port]' | paste -sd' ')"
        check "it stops" stop crun boxed
        check_equal "and the port is free" taken "$(ports take tcp 0.0.0.0 8090)"
done
bundle boxed shunt.publish=8080:80
check_not "a port that another has keeps it from starting" start crun boxed
crun delete --force boxed
check "a machine is prepared" shunt nspawn pre machine --mode namespace --driver "$driver" --publish 8095:80
check_equal "its port is its own before it runs" EADDRINUSE "$(ports take tcp 127.0.0.1 8095)"
check "its end" shunt nspawn stop machine
check_equal "frees it" taken "$(ports take tcp 127.0.0.1 8095)"

echo "# the end"
readarray -t links < <(hooks)
check_equal "ten programs are at the root cgroup" 10 ${#links[@]}
check "all UDP ports less" shunt unpublish web 8053:53/udp 127.0.0.1:7010:7000/udp
readarray -t stay < <(hooks)
check_equal "those that see datagrams go with the last UDP port" 6 ${#stay[@]}
for id in "${links[@]}"; do [[ " ${stay[*]} " == *" $id "* ]] || eventually gone link "$id"; done
ok "and are detached"
check_equal "TCP is as before" "web 10.99.0.1 127.0.0.1:8080" "$(ports ask tcp 127.0.0.1 8080)"
check "and a port more" shunt publish web 8053:53/udp
check_equal "has them again" 10 "$(hooks | wc -l)"
check_equal "and they lead there" "web 10.99.0.1 127.0.0.1:8053" "$(ports ask sendto 127.0.0.1 8053)"
readarray -t links < <(hooks)
check "the container is attached anew, with no detach before" shunt attach web --netns /run/netns/web --driver "$driver" --publish 8080:80
check_equal "and answers" "web 10.99.0.1 127.0.0.1:8080" "$(ports ask tcp 127.0.0.1 8080)"
check_equal "by what it publishes now" "0.0.0.0:8080:80/tcp [::]:8080:80/tcp" "$(published web)"
check "unpublish all" shunt unpublish web
check_equal "none is there" "" "$(published web)"
eventually none_of "${links[@]}"
ok "nor any program"
check "and again" shunt publish web 8080:80
readarray -t links < <(hooks)
ip netns del late
ip netns add late
finish_background
# Those in a namespace are children of what was ended.
# shellcheck disable=SC2046 # numbers
kill $(ip netns pids web)
ip netns del web
eventually sh -c 'shunt list --json | jq -e ".[0].state == \"stale\""'
check "what a dead container had, the next one gets" late --publish 8080:80
check_equal "it is the only one" late "$(shunt list --json | jq -r '.[].id')"
check "detach" shunt detach late
eventually none_of "${links[@]}"
ok "no program is left"
nothing_left
unloaded
finish

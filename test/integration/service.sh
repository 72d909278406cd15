#!/bin/bash
# lab: check=backports
# One port, many containers: each gets its share, one that stops takes only its own flows, and what disagrees is refused.
. "$(dirname "$0")/lib.bash"

ports() { "$here/ports.py" "$@"; }
# member NAME PORT [ATTACH OPTION...]: a container that answers on PORT
member() {
        local name=$1 port=$2
        shift 2
        plain "$name" "$@" >/dev/null
        background "/tmp/$name" in_ct "$name" "$here/ports.py" answer "$name" "$port" 53
}
# who_answers HOST [BEYOND]: all that did, of 40 connections: hardly ever a third of them has none
who_answers() { "${@:2}" "$here/ports.py" who "$1" 8080 40; }
flows() { shunt service list --json | jq -r "[.[] | select(.port == 8080) | .backends[] | select(.id == \"$1\") | .flows] | add // \"none\""; }

world
member one 80 --service web --publish 8080:80 --publish 5353:53/udp
member two 80 --service web --publish 8080:80 --publish 5353:53/udp
member three 81 --service web --publish 8080:81 --publish 5353:53/udp

echo "# all of them answer"
check_equal "the host, IPv4" "one three two" "$(who_answers 127.0.0.1)"
check_equal "the host, IPv6" "one three two" "$(who_answers ::1)"
check_equal "the wire, IPv4" "one three two" "$(who_answers 10.99.0.1 beyond)"
check_equal "the wire, IPv6" "one three two" "$(who_answers fd99::1 beyond)"
for _ in 1 2 3; do check "one socket's datagrams find one of them" ports ask sendto 127.0.0.1 5353; done
check_equal "each flow is counted, once" 160 $(($(flows one) + $(flows two) + $(flows three)))
check_equal "the table has a line for each container and port" 13 "$(shunt service list | wc -l)"
check_equal "and says whose, and where to" "web 0.0.0.0:8080/tcp three $(address4 three) 81" \
        "$(shunt service list | awk '$2 == "0.0.0.0:8080/tcp" && $3 == "three" { print $1, $2, $3, $4, $5 }')"
check_equal "JSON has the backends of each port" '["web","0.0.0.0",8080,"tcp",["one","three","two"]]' \
        "$(shunt service list --json | jq -c '.[] | select(.port == 8080 and .address == "0.0.0.0") | [.service, .address, .port, .protocol, ([.backends[].id] | sort)]')"

echo "# what disagrees"
ip netns add odd
odd() { shunt attach odd --netns /run/netns/odd --driver "$driver" "$@"; }
refuse "service web: its containers must publish the same ports .* 5353/udp" odd --service web --publish 8080:80
refuse "service web: .* 8081/tcp" odd --service web --publish 8080:80 --publish 5353:53/udp --publish 8081:80
refuse "service web: .* (5353/udp|5353/tcp)" odd --service web --publish 8080:80 --publish 5353:53/tcp
refuse "8080/tcp is that of service web .container (one|two|three).; name it to share the port" odd --publish 8080:80 --publish 5353:53/udp
refuse "8080/tcp is that of service web " odd --service other --publish 8080:80 --publish 5353:53/udp
refuse "service web: " shunt publish one --service web 8082:80
check "a port of its own is the container's alone" shunt publish one 8082:80
refuse "8082/tcp is held by container one, which is of no service" odd --service web2 --publish 8082:80
shunt unpublish one 8082:80
refuse "service web: .* 5353/udp .* without any PORT it would leave" shunt unpublish one 5353:53/udp
refuse "service web: .* 8080/tcp .* without any PORT it would leave" shunt unpublish one 8080:80
check_equal "the service is as it was" "one three two" "$(who_answers 127.0.0.1)"
check "a member leaves" shunt unpublish one 8080:80 5353:53/udp
check_equal "for the others" "three two" "$(who_answers 127.0.0.1)"
check "and joins again" shunt publish one --service web 8080:80 5353:53/udp
check_equal "with its share" "one three two" "$(who_answers 127.0.0.1)"

echo "# one that stops"
touch /tmp/go
background /tmp/host.talk "$here/ports.py" talk 127.0.0.1 8080 40 /tmp/go two
background /tmp/wire.talk beyond "$here/ports.py" talk 10.99.0.1 8080 40 /tmp/go two
background /tmp/wire6.talk beyond "$here/ports.py" talk fd99::1 8080 40 /tmp/go two
check "detach" shunt detach two
check_equal "it answers no more" "one three" "$(who_answers 127.0.0.1)"
check_equal "nor for the wire" "one three" "$(who_answers 10.99.0.1 beyond)"
check_equal "and is not listed" none "$(flows two)"
rm /tmp/go
for i in host wire wire6; do
        eventually grep -q one /tmp/$i.talk
        check_equal "the others' connections go on, $i" "one all three all two none" "$(tail -n 1 /tmp/$i.talk)"
done

echo "# it comes back, and another goes without a word"
touch /tmp/go
background /tmp/wire.talk beyond "$here/ports.py" talk 10.99.0.1 8080 40 /tmp/go none
check "attach" shunt attach two --netns /run/netns/two --driver "$driver" --service web --publish 8080:80 --publish 5353:53/udp
check_equal "it has its share" "one three two" "$(who_answers 10.99.0.1 beyond)"
rm /tmp/go
eventually grep -q one /tmp/wire.talk
check_equal "and nobody else lost a flow" "one all three all" "$(tail -n 1 /tmp/wire.talk)"
finish_background
for name in one two three; do
        # shellcheck disable=SC2046 # numbers
        kill $(ip netns pids $name)
done
ip netns del three
eventually sh -c 'shunt list --json | jq -e "any(.state == \"stale\")"'
check "gc" shunt gc
background /tmp/one in_ct one "$here/ports.py" answer one 80 53
background /tmp/two in_ct two "$here/ports.py" answer two 80 53
check_equal "the rest answers" "one two" "$(who_answers 10.99.0.1 beyond)"
shunt detach one
shunt detach two
check_equal "with the last one the port is free" taken "$(ports take tcp 0.0.0.0 8080)"
check_equal "and no service is listed" "[]" "$(shunt service list --json)"
finish_background
nothing_left
finish

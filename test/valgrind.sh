#!/bin/bash
# The program as it is installed, under valgrind, from the loading of the datapath to its end: no byte is read that was not
# written, and none is lost. On this machine's own kernel alone: a guest would take minutes.
. "$(dirname "$0")/integration/lib.bash"

project=$(cd "$(dirname "$0")/.." && pwd)
program=$(command -v shunt)
log=$project/build/check/valgrind-of
rm -f "$log".*
shunt() {
        valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect,possible \
                --suppressions="$project/test/valgrind.supp" --log-file="$log.%p" --trace-children=no "$program" "$@"
}
clean() {
        local what=$1
        shift
        "$@" >/tmp/out || die "$what: status $?: $(cat "$log".*)"
        ok "$what"
}

world
ip netns add box
clean "attach, which loads the datapath" shunt attach box --netns /run/netns/box --driver "$driver"
clean "attach again" shunt attach box --netns /run/netns/box --driver "$driver"
clean "list" shunt list --json
clean "show" shunt show box
clean "network show" shunt network show default
clean "detach" shunt detach box
clean "gc, which unloads it" shunt gc
sleep 1000 &
printf '{"ociVersion":"1.2.0","id":"box","status":"created","pid":%s}' $! >/tmp/state.json
status=0
shunt oci-hook createRuntime </tmp/state.json 2>/tmp/err || status=$?
check_equal "a hook that refuses is clean too" 1 $status
clean "poststop" shunt oci-hook poststop </tmp/state.json
finish

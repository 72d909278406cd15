#!/bin/bash
# lab: check=backports
# Runtimes as they are: each way in which runc and crun leave out poststop, or call it for nothing, and two containers with
# one ID. What is left is gone with the next verb, whomever it is for. podman's ways are in podman.sh.
. "$(dirname "$0")/lib.bash"

world
shunt=$(command -v shunt)
ip netns add other
plain keeper >/dev/null
keeper4=$(address4 keeper)
bundle web shunt.address=10.207.9.9
bundle short
edit() { jq "$2" "/tmp/bundle/$1/config.json" >/tmp/config.json; mv /tmp/config.json "/tmp/bundle/$1/config.json"; }
edit short '.process.args = ["true"]'
bundle missing
edit missing '.process.args = ["/nosuch"]'
bundle mount
edit mount '.mounts += [{"destination": "/x", "type": "nosuchfs", "source": "none"}]'
HOOKS_AFTER='[{"path": "/bin/false"}]' bundle after
HOOKS_BEFORE='[{"path": "/bin/false"}]' bundle before
HOOKS_AFTER='[{"path": "/bin/sh", "args": ["sh", "-c", "sleep 2"], "timeout": 1}]' bundle slow
# Says that it is there, and stays until it is told. crun throws away what hooks say, unless it is told a file.
HOOKS_AFTER='[{"path": "/bin/sh", "args": ["sh", "-c", "echo $PPID >/tmp/in-hook; while [ -e /tmp/in-hook ]; do sleep 0.05; done"]}]' bundle held \
        shunt.address=10.207.9.8 run.oci.hooks.stderr=/tmp/hook.err
kill_in_hook() { # RUNTIME: starts the container "held"; kills the runtime in its last hook; what list said before is in seen
        $1 run --detach --bundle /tmp/bundle/held held </dev/null >/tmp/held.log 2>&1 &
        eventually test -s /tmp/in-hook
        seen=$(state_of held)
        # That of crun forks, and who was started only waits.
        kill -KILL "$(cat /tmp/in-hook)" $!
        wait $! 2>/dev/null || true
        rm /tmp/in-hook
}
without_last_hook() {
        cp /tmp/bundle/held/config.json /tmp/held.json
        edit held 'del(.hooks.createRuntime[-1])'
}
bundle early
edit early '.hooks.poststop = [{"path": "/bin/false"}] + .hooks.poststop'
bundle started
edit started '.hooks.poststart = [{"path": "/bin/false"}]'
bundle ours shunt.address=192.0.2.1

state_of() { shunt list --json | jq -r ".[] | select(.id == \"$1\").state"; }
gone_or_stale() { [[ $(state_of "$1") =~ ^(stale)?$ ]]; }
# Of other verbs, whose turn it is.
verbs=("shunt attach other --netns /run/netns/other --driver $driver" "shunt detach nobody" "shunt gc")
turn=0
# next_verb WHAT NAME: the container is gone; list says stale or nothing, the next verb takes it, the keeper is unharmed
next_verb() {
        local verb=${verbs[turn++ % 3]} seen
        eventually gone_or_stale "$2"
        seen=$(state_of "$2")
        $verb >/dev/null
        check_equal "$1: ${seen:-gone at once}; ${verb:0:12}... leaves nothing of it" "" "$(state_of "$2")"
        shunt detach other
        check_equal "only the other is there, by pins and routes" "$(host_end keeper) $keeper4" \
                "$(ls /sys/fs/bpf/shunt/endpoints) $(ip -j route show proto 207 | jq -r '[.[].dst] | join(" ")')"
}
fails() { # RUNTIME NAME
        check_not "$1 does not start '$2'" start "$1" "$2"
        $1 delete --force "$2" >/dev/null 2>&1 || true
        next_verb "$1: $2" "$2"
}
poststop() { "$shunt" oci-hook poststop <<<"{\"ociVersion\":\"1.0\",\"id\":\"$1\",\"status\":\"stopped\",\"pid\":0,\"bundle\":\"/\"}"; }
works() { nsenter -t "$1" -n ping -n -c 1 -W 5 10.99.0.2; }

for runtime in crun runc; do
        # It ends by itself, and is deleted.
        check "$runtime runs one that ends" start $runtime short
        check "$runtime deletes it" eventually $runtime delete short
        check_equal "poststop was called" "" "$(state_of short)"

        # Its first process is killed; delete comes late.
        start $runtime web
        kill -KILL "$($runtime state web | jq .pid)"
        eventually gone_or_stale web
        check_equal "$runtime: one that was killed is stale until somebody looks" stale "$(state_of web)"
        check "the verb of another takes it" shunt attach other --netns /run/netns/other --driver "$driver" --address 10.207.9.9
        check "its late delete succeeds" $runtime delete web
        check_equal "and takes nothing of another, which has its address" 10.207.9.9 "$(address4 other)"
        shunt detach other

        for name in after before slow missing mount ours; do fails $runtime $name; done

        # The runtime is killed while a hook behind ours runs.
        kill_in_hook $runtime
        check_equal "$runtime is killed in a hook behind ours" ready "$seen"
        $runtime delete --force held >/dev/null 2>&1 || true
        next_verb "$runtime is killed" held

        # Once more, and its successor is in a hurry.
        kill_in_hook $runtime
        $runtime delete --force held >/dev/null 2>&1 || true
        rm -rf "/run/$runtime/held"
        without_last_hook
        check "$runtime: its successor starts" start $runtime held
        check_equal "with its address" 10.207.9.8 "$(address4 held)"
        check "and works" works "$($runtime state held | jq .pid)"
        stop $runtime held
        check_equal "and is gone" "" "$(state_of held)"
        mv /tmp/held.json /tmp/bundle/held/config.json

        # Another's poststop hook fails before ours: runc then leaves ours out.
        start $runtime early
        stop $runtime early 2>/dev/null || true
        next_verb "$runtime: another poststop hook fails" early
        # poststart fails: some start it all the same.
        start $runtime started 2>/dev/null || true
        $runtime delete --force started 2>/dev/null || true
        next_verb "$runtime: poststart fails" started
        check "poststop once more is silent success" test -z "$(poststop started 2>&1)"

        # Containers, their runtime's records and our state are gone at once: a boot.
        start $runtime web
        kill -KILL "$($runtime state web | jq .pid)"
        rm -rf "/run/$runtime/web"
        rm -r /sys/fs/bpf/shunt
        ip netns del keeper
        eventually no_links
        check "$runtime: behind a boot the container starts" start $runtime web
        check_equal "with its address" 10.207.9.9 "$(address4 web)"
        stop $runtime web
        nothing_left
        plain keeper >/dev/null
done

# Two containers of one ID: in two roots, or of two runtimes. Unless told, crun has one cgroup for both, and kills both.
bundle second
edit second '.linux.cgroupsPath = "/second"'
start crun web
first=$(crun state web | jq .pid) end=$(host_end web)
for second in "crun --root /run/second" runc; do
        check_not "'$second' does not start another '${second%% *}' container of that ID" \
                sh -c "$second run --detach --bundle /tmp/bundle/second web </dev/null >/tmp/second.log 2>&1"
        $second delete --force web >/dev/null 2>&1 || true
        check_equal "the first is ready, and the same" "ready $end" "$(state_of web) $(host_end web)"
        check "and works" works "$first"
done
check "runc says why" grep -q "web is the ID of another container, which runs (process $first)" /tmp/second.log
check "poststop for one that lives is silent" test -z "$(poststop web 2>&1)"
check "and is not heard" works "$first"
check "a person's detach is" shunt detach web
check_not "at once" works "$first"
check "createRuntime once more for the same container" shunt oci-hook createRuntime \
        <<<"{\"ociVersion\":\"1.0\",\"id\":\"web\",\"status\":\"created\",\"pid\":$first,\"bundle\":\"/\"}"
check "gives it back" works "$first"

# The runtime's record of a container is removed, which runs on: its process is named.
without_last_hook
start crun held
inode=$(shunt show held --json | jq .peer.netns)
lost=$(for process in /proc/[0-9]*; do [ "$(readlink "$process/ns/net")" != "net:[$inode]" ] || echo "${process#/proc/}"; done)
rm -r /run/crun/held
check_not "crun does not start another while the lost one runs" start crun held
check "the hook names it" grep -q "held is the ID of another container, which runs (process $lost).*'shunt detach held'" /tmp/hook.err
check "a person decides" shunt detach held
rm -rf /run/crun/held
check "and it starts" start crun held
check_equal "with the address" 10.207.9.8 "$(address4 held)"
kill -KILL "$lost" 2>/dev/null || true # crun may have: one cgroup for both
stop crun held
check_equal "and is gone" "" "$(state_of held)"

# The first has ended, and its namespace is held: its successor is not refused.
exec 8<"/proc/$first/ns/net"
kill -KILL "$first"
check "runc starts a container with the ID of one that ended" \
        sh -c 'runc run --detach --bundle /tmp/bundle/second web </dev/null >/tmp/second.log 2>&1'
second=$(runc state web | jq .pid)
check "and it works" works "$second"
check "crun deletes the one that ended" crun delete --force web
check_equal "which takes nothing of its successor" ready "$(state_of web)"
check "and it works still" works "$second"
exec 8<&-
stop runc web
check_equal "its own end is heard" "" "$(state_of web)"
shunt detach keeper
nothing_left
unloaded
finish

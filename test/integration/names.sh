#!/bin/bash
# lab: check=stable
# Names: a container's resolv.conf where the host's names a resolver on its own loopback, which is nobody inside. `run` sees to
# it by itself; for runc, crun and podman it is the line that the manual page gives.
. "$(dirname "$0")/lib.bash"

world
resolve=/run/systemd/resolve
mkdir -p $resolve
# As resolved does it: a new file in the old one's place.
stub() { printf '# Do not edit.\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch here.test\n' >$resolve/new; mv $resolve/new $resolve/stub-resolv.conf; }
upstream() { printf 'nameserver %s\n' "$@" >$resolve/new; echo 'search here.test' >>$resolve/new; mv $resolve/new $resolve/resolv.conf; }
stub
ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
# Whoever asks is known by its address.
no_masquerade
echo '{"subnets": ["10.88.0.0/16"], "masquerade": false}' >/etc/shunt/networks/four.json
echo '{"subnets": ["fd88::/64"], "masquerade": false}' >/etc/shunt/networks/six.json
background /tmp/asked beyond "$here/net.py" names
# run OPTION... -- COMMAND...
run() { shunt run --driver "$driver" "$@" </dev/null; }
asker() { tail -n 1 /tmp/asked; }
servers='sed -n "s/^nameserver //p" /etc/resolv.conf'

# Both families, each alone and both together; the answers are real ones.
before=$(cat /etc/resolv.conf)
upstream 10.99.0.2
check_equal "an IPv4 server gives both kinds of addresses" "10.99.0.2 fd99::2" \
        "$(run -- sh -c 'getent ahostsv4 web.test; getent ahostsv6 web.test' | awk '{print $1}' | uniq | xargs)"
check_equal "asked from the command's own address" 10.207.9.9 "$(run --address 10.207.9.9 -- getent hosts web.test >/dev/null; asker)"
upstream fd99::2
check_equal "so does an IPv6 server" "10.99.0.2 fd99::2" \
        "$(run -- sh -c 'getent ahostsv4 web.test; getent ahostsv6 web.test' | awk '{print $1}' | uniq | xargs)"
check_equal "also in a network without IPv4" fd88::9 "$(run --network six --address fd88::9 -- getent hosts web.test >/dev/null; asker)"
check_equal "the search list works" fd99::2 "$(run -- getent hosts web | awk '{print $1}')"
check_not "a name that does not exist" run -- getent hosts web.nowhere.
upstream 169.254.169.254 fd99::2 10.99.0.2 fe80::1%wire
check_equal "of several, those that cannot be reached are left out" "fd99::2 10.99.0.2" "$(run -- sh -c "$servers" | xargs)"
check_equal "without IPv6 there are no IPv6 servers" 10.99.0.2 "$(run --network four -- sh -c "$servers")"
check "which is asked" run --network four -- getent hosts web.test
check_equal "without IPv4 no IPv4 ones" fd99::2 "$(run --network six -- sh -c "$servers")"
check_equal "the host's options and search list stay, but not its faith in its own resolver" "options edns0 search here.test" \
        "$(run -- grep -E '^(options|search)' /etc/resolv.conf | xargs)"
check_equal "others may read it, whatever our umask" 644 "$(umask 077; run -- stat -c %a /etc/resolv.conf)"
check_equal "the command's /sys is its own all the same" "eth0/ lo/" "$(run -- sh -c 'cd /sys/class/net && echo */')"
check_equal "and nothing else is mounted on it" "" "$(run -- grep ' /sys .* - tmpfs ' /proc/self/mountinfo || true)"
check_equal "the host's file is as it was" "$before" "$(cat /etc/resolv.conf)"

# The servers of a laptop change while a command runs.
mkfifo /tmp/pipe /tmp/go
run -- sh -c 'echo ready >/tmp/pipe; read -r _ </tmp/go; getent hosts web.test' >/tmp/out &
read -r _ </tmp/pipe
check_equal "nothing of it is seen outside" "" "$(grep resolv.conf /proc/self/mountinfo || true)"
stub
upstream 127.0.0.1
echo go >/tmp/go
wait $! || die "the command loses its names when resolved writes its files anew"
check_equal "the command keeps its names when resolved writes its files anew" fd99::2 "$(awk '{print $1}' /tmp/out)"

# Where nothing helps, there is a line, and the command.
# said PATTERN COMMAND...: COMMAND succeeds, with the host's own file and one line that matches
said() {
        local pattern=$1
        shift
        check_equal "a command without names has the host's file" 127.0.0.53 "$(run "$@" -- sh -c "$servers" 2>/tmp/err)"
        check_equal "and one line says so" 1 "$(grep -c "$pattern" /tmp/err)"
        check_equal "only one" 1 "$(wc -l </tmp/err)"
}
said 'no server in /etc/resolv.conf or /run/systemd/resolve/resolv.conf can be reached'
upstream 169.254.169.254
said 'name one with DNS= in resolved.conf(5) that is neither loopback nor link-local'
upstream fd99::2
said 'and has an IPv4 address' --network four
mkfifo $resolve/fifo
ln -sf fifo $resolve/resolv.conf
said 'no regular file'
rm $resolve/resolv.conf $resolve/fifo
said 'no server in /etc/resolv.conf can be reached'
head -c 20000 /dev/zero | tr '\0' '#' >$resolve/resolv.conf
said 'larger than 16 KiB'
upstream 10.99.0.2

# A file of its own, rather than a link.
rm /etc/resolv.conf
quiet() { check_equal "$1" "$2" "$(run -- sh -c "cat /etc/resolv.conf 2>/dev/null || echo none" 2>&1)"; }
quiet "without a file the command has none, and nobody minds" none
echo 'nameserver 10.99.0.2' >/etc/resolv.conf
quiet "what is fine stays" "nameserver 10.99.0.2"
check "and works" run -- getent hosts web.test
check_not "it is no mount" run -- grep resolv.conf /proc/self/mountinfo
printf 'nameserver 127.0.0.1\nnameserver fd99::2\noptions trust-ad\n' >/etc/resolv.conf
check_equal "of a mixed one, what can be reached stays" "options trust-ad nameserver fd99::2" \
        "$(run -- grep -v '^#' /etc/resolv.conf | xargs)"
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
mount --bind /etc /etc
mount -o remount,bind,ro /etc
check_equal "nothing needs to be written" 10.99.0.2 "$(run -- sh -c "$servers")"
umount /etc
nothing_left

# What the manual page says for crun, runc and podman.
ln -sfn ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
manual=$here/../../man/shunt.1
entry=$(sed -n '/"destination": "\/etc\/resolv.conf"/,/}/p' "$manual")
for runtime in crun runc; do
        bundle $runtime
        ln -sf busybox /tmp/bundle/$runtime/rootfs/bin/nslookup
        jq --argjson entry "$entry" '.mounts += [$entry]' /tmp/bundle/$runtime/config.json >/tmp/config
        mv /tmp/config /tmp/bundle/$runtime/config.json
        check "$runtime starts a container with the manual page's mount" start $runtime $runtime
        check "it has names" $runtime exec $runtime nslookup web.test
        check_equal "asked from its address" "$(address4 $runtime)" "$(asker)"
        check "it ends" stop $runtime $runtime
done
. "$here/podman.bash"
option=$(grep -o -- '-v [^ ]*:/etc/resolv.conf:ro' "$manual")
# shellcheck disable=SC2086 # two words
check "podman, with the manual page's option" podman run -q --rm --network none --annotation shunt.network=default \
        --annotation shunt.address=10.207.9.10 $option box nslookup web.test
check_equal "asked from its address" 10.207.9.10 "$(asker)"
nothing_left
finish

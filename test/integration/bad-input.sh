#!/bin/bash
# lab: check=backports
# Whatever is wrong with what shunt is told ends in status 1 and one line that names it; nothing is left of the attempt,
# and no container starts.
. "$(dirname "$0")/lib.bash"

networks=/etc/shunt/networks
world
mkdir -p $networks
ip netns add box
ip netns add other
sleep 1000 &
sleeper=$!
attach() { shunt attach box --netns /run/netns/box --driver "$driver" "$@"; }
# hook STAGE STATE: as a runtime calls it
hook() { shunt oci-hook "$1" <<<"$2"; }
# state PID [ANNOTATION VALUE]: a good state but for these
state() {
        printf '{"ociVersion":"1.2.0","id":"box","status":"created","pid":%s,"bundle":"/","annotations":{"%s":"%s"}}' \
                "$1" "${2:-org.example}" "${3:-}"
}
# network NAME JSON
network() { printf '%s\n' "$2" >"$networks/$1.json"; }
unshare --net sleep 1000 &
pid=$!
eventually sh -c "! [ /proc/$pid/ns/net -ef /proc/self/ns/net ]"

echo "# what only the first of a host needs"
library=$(ldconfig -p | sed -n 's/.*libbpf\.so\.1 .*=> //p')
mount --bind /dev/null "$library"
refuse 'install libbpf' attach
check_equal "doctor says so too" fail "$(shunt doctor --json | jq -r '.[] | select(.check == "libbpf") | .status')"
umount "$library"

echo "# the state on standard input"
refuse 'JSON' hook createRuntime 'hello'
refuse 'JSON' hook createRuntime '{"id":"box"'
refuse 'empty' shunt oci-hook createRuntime </dev/null
head -c 2M /dev/zero | tr '\0' ' ' >/tmp/large
refuse 'larger than 1024 KiB' shunt oci-hook createRuntime </tmp/large
refuse 'object' hook createRuntime '[]'
refuse '"id"' hook createRuntime '{"ociVersion":"1.2.0","status":"created","pid":1}'
refuse '"id"' hook createRuntime '{"id":7,"pid":1}'
refuse 'ID' hook createRuntime '{"id":"","pid":1}'
refuse 'ID' hook createRuntime '{"id":"../box","pid":1}'
refuse 'ID' hook createRuntime '{"id":".box","pid":1}'
refuse 'ID' hook createRuntime '{"id":"b\u00f6x","pid":1}'
refuse 'ID' hook createRuntime '{"id":"a\nb","pid":1}'
refuse 'ID' hook createRuntime "{\"id\":\"$(printf 'x%.0s' {1..129})\",\"pid\":1}"
refuse 'ID' hook poststop '{"id":"../box"}'
refuse '"pid"' hook createRuntime '{"ociVersion":"1.2.0","id":"box","status":"created","bundle":"/"}'
refuse '"pid"' hook createRuntime "$(state '"12"')"
refuse '"pid"' hook createRuntime "$(state -1)"
refuse '4194399 is gone' hook createRuntime "$(state 4194399)"
refuse "process $sleeper .*host" hook createRuntime "$(state $sleeper)"
refuse 'is stopped' hook createRuntime "{\"id\":\"box\",\"status\":\"stopped\",\"pid\":$pid}"

echo "# a full disk behind standard output"
refuse 'standard output: No space left on device; nothing is attached' \
        sh -c "exec shunt attach box --netns /run/netns/box --driver $driver >/dev/full"
refuse 'standard output: No space left on device; nothing is attached' \
        sh -c "exec shunt attach box --json --netns /run/netns/box --driver $driver >/dev/full"

echo "# annotations"
refuse 'shunt.netwrok' hook createRuntime "$(state $pid shunt.netwrok default)"
refuse '"nowhere"' hook createRuntime "$(state $pid shunt.network nowhere)"
refuse '"../../etc/passwd"' hook createRuntime "$(state $pid shunt.network ../../etc/passwd)"
refuse 'shunt.mtu.*67' hook createRuntime "$(state $pid shunt.mtu 67)"
refuse 'shunt.mtu.*1500x' hook createRuntime "$(state $pid shunt.mtu 1500x)"
refuse 'shunt.mtu.*65536' hook createRuntime "$(state $pid shunt.mtu 65536)"
refuse 'MTU 1279 is out of range' hook createRuntime "$(state $pid shunt.mtu 1279)"
refuse 'shunt.mode.*l4' hook createRuntime "$(state $pid shunt.mode l4)"
for spec in '' 8080 8080: :80 8080:80:90:1 0:80 8080:0 65536:80 8080:65536 08080:80 8080:80/sctp 8080:80/ 8080:80/TCP 8080-8081:80-82 \
        8081-8080:80 65535-65536:80 1000-1001:65535 8080-:80 -8080:80 1.2.3:80:80 1.2.3.4.5:80:80 010.0.0.1:80:80 ::1:80:80 '[::1:80:80' \
        '[::1]80:80' '[10.99.0.1]:80:80' '[fe80::1]:80:80' '[ff02::1]:80:80' 224.0.0.1:80:80 169.254.0.1:80:80 '[::ffff:10.99.0.1]:80:80' \
        '10.99.0.0/24:80:80' '8080 :80' '8080:80,'; do
        refuse '"[^"]*" publishes nothing: ' hook createRuntime "$(state $pid shunt.publish "$spec")"
done
refuse 'publish the same port' hook createRuntime "$(state $pid shunt.publish 8080:80,8080:81)"
refuse 'publish the same port' hook createRuntime "$(state $pid shunt.publish 8000-8100:80,10.99.0.1:8100:80)"
refuse 'shunt.publish: more than 64' hook createRuntime "$(state $pid shunt.publish "$(seq -s , 65)")"
refuse 'without a published port' hook createRuntime "$(state $pid shunt.service web)"
refuse 'service name "a b"' shunt attach box --netns /run/netns/box --publish 80:80 --service 'a b'
refuse 'service name "0123' shunt attach box --netns /run/netns/box --publish 80:80 --service 01234567890123456789012345678901
refuse '10.207.0.999' hook createRuntime "$(state $pid shunt.address 10.207.0.999)"
refuse 'shunt.address.*more than 2' hook createRuntime "$(state $pid shunt.address 10.207.0.9,fd00::1,10.207.0.10)"
refuse 'eth/0' hook createRuntime "$(state $pid shunt.interface eth/0)"

echo "# options"
refuse '10.208.0.9 is not in 10.207.0.0/16' attach --address 10.208.0.9
refuse 'fd00::9 is not in' attach --address fd00::9
refuse '"10.207.9"' attach --address 10.207.9
refuse '"010.207.0.9"' attach --address 010.207.0.9
refuse '10.207.0.1 is reserved' attach --address 10.207.0.1
refuse '10.207.255.255 is reserved' attach --address 10.207.255.255
refuse 'second of IPv4' attach --address 10.207.0.9 --address 10.207.0.10
refuse 'MTU 1279 is out of range' attach --mtu 1279
refuse '0123456789abcdef' attach --interface 0123456789abcdef
refuse 'lo' attach --interface lo
refuse 'nosuch' shunt attach box --netns /run/netns/nosuch
refuse '/etc/passwd' shunt attach box --netns /etc/passwd
refuse 'utsns|namespace' shunt attach box --netns /proc/self/ns/uts
refuse 'host' shunt attach box --netns /proc/self/ns/net
refuse 'gone' shunt attach box --pid 4194399
refuse 'ID' shunt detach ..
refuse 'ID' shunt attach --netns /run/netns/box -- -box

echo "# what the container has already"
ip -n box link add eth0 type veth peer name eth1
refuse 'eth0 exists in the container already' attach
check_equal "which is unharmed" "eth0 eth1" "$(ip -n box -j link show type veth | jq -r '[.[].ifname] | sort | join(" ")')"
ip -n box link del eth0
check "another takes an address" shunt attach other --netns /run/netns/other --driver "$driver" --address 10.207.0.9
refuse '10.207.0.9 is in use by other' attach --address 10.207.0.9
check "which keeps it" ping4 10.207.0.9
shunt detach other

echo "# network files"
network bad '{ "subnets": ["10.50.0.0/24"], "masqerade": true }'
refuse "$networks/bad.json:1:.*\"masqerade\"" attach --network bad
network bad '{ "subnets": ["10.50.0.0/24"], "mtu": "1500" }'
refuse "$networks/bad.json:1:.*mtu" attach --network bad
network bad '{ "subnets": ["10.50.0.7/24"] }'
refuse "$networks/bad.json:1:.*10.50.0.7/24" attach --network bad
network bad '{ "subnets": ["127.0.0.0/24"] }'
refuse "$networks/bad.json:1:.*127.0.0.0/8" attach --network bad
network bad '{ "subnets": [] }'
refuse "$networks/bad.json:1:.*subnets" attach --network bad
network bad '{}'
refuse "$networks/bad.json.*\"subnets\"" attach --network bad
network bad '{ "subnets": ["10.50.0.0/24"], '
refuse "$networks/bad.json:.*JSON" attach --network bad
: >$networks/bad.json
refuse "$networks/bad.json.*empty" attach --network bad
network bad '{ "subnets": ["10.50.0.0/24"], "uplinks": ["nosuch0"] }'
refuse 'network bad.*nosuch0' attach --network bad
network bad '{ "subnets": ["10.99.0.0/16"] }'
refuse 'network bad: subnet 10.99.0.0/16 overlaps the host.s route 10.99.0.0/24 dev wire' attach --network bad
network bad '{ "subnets": ["10.50.0.0/24", "fd99::/64"] }'
refuse 'network bad: subnet fd99::/64 overlaps the host.s route fd99::/64 dev wire' attach --network bad
network bad '{ "subnets": ["10.50.0.0/24"], "internal": true }'
refuse 'network bad is internal' attach --network bad --publish 8080:80
network bad '{ "subnets": ["10.50.0.0/24"] }'
refuse 'has no IPv6 address' attach --network bad --publish '[fd99::1]:8080:80'
network bad '{ "subnets": ["fd50::/64"] }'
refuse 'has no IPv4 address' attach --network bad --publish 10.99.0.1:8080:80
refuse '10.99.0.77 is no address of this host' attach --publish 10.99.0.77:8080:80
network bad '{ "subnets": ["10.50.0.0/30"] }'
check "the one address of a /30" shunt attach other --netns /run/netns/other --driver "$driver" --network bad
refuse 'subnet 10.50.0.0/30 is full' attach --network bad
shunt detach other
rm $networks/bad.json
mkfifo $networks/bad.json
refuse "$networks/bad.json.*no regular file" timeout 60 shunt attach box --netns /run/netns/box --network bad

echo "# rights"
refuse 'user namespace.*pasta' unshare --user --map-root-user shunt attach box --netns /run/netns/box
refuse 'user namespace.*pasta' unshare --user --map-root-user shunt oci-hook createRuntime <<<"$(state $pid)"
refuse 'CAP_NET_ADMIN' setpriv --bounding-set=-net_admin shunt attach box --netns /run/netns/box
refuse 'CAP_SYS_ADMIN' setpriv --bounding-set=-sys_admin shunt attach box --netns /run/netns/box
refuse 'root' setpriv --reuid=65534 --clear-groups shunt attach box --netns /run/netns/box

echo "# the state directory"
refuse '/tmp/state.*bpffs' shunt --state /tmp/state attach box --netns /run/netns/box
refuse 'absolute' shunt --state shunt attach box --netns /run/netns/box
refuse 'nosuch' shunt --state /sys/fs/bpf/nosuch/state attach box --netns /run/netns/box
mkdir -m 0755 /sys/fs/bpf/open
refuse '/sys/fs/bpf/open.*0755' shunt --state /sys/fs/bpf/open attach box --netns /run/netns/box
ln -s /sys/fs/bpf/open /sys/fs/bpf/link
refuse '/sys/fs/bpf/link' shunt --state /sys/fs/bpf/link attach box --netns /run/netns/box

shunt attach box --netns /run/netns/box --driver "$driver" >/dev/null
for pin in shunt_from_wire shunt_from_ct; do
        mv /sys/fs/bpf/shunt/datapath/$pin /sys/fs/bpf/taken
        refuse "datapath/$pin: somebody removed it" shunt attach other --netns /run/netns/other --driver "$driver"
        mv /sys/fs/bpf/taken /sys/fs/bpf/shunt/datapath/$pin
done
shunt detach box

if ! ip link add name probe0 type netkit 2>/dev/null; then
        refuse 'netkit.*--driver veth' shunt attach box --netns /run/netns/box --driver netkit
else
        ip link del probe0
fi

echo "# through a runtime"
for annotation in shunt.network=nowhere shunt.address=10.208.0.9 shunt.interface=0123456789abcdef shunt.mtu=1; do
        bundle bad $annotation
        check_not "crun starts no container with $annotation" start crun bad
        crun delete --force bad 2>/dev/null || true
done
check_not "runc starts no container with $annotation" start runc bad 2>/dev/null
check "and tells why" grep -q 'annotation shunt.mtu: MTU \\"1\\"' /tmp/bundle/bad/log

check_equal "the container's namespace has nothing but its loopback" lo "$(ip -n box -j link | jq -r '[.[].ifname] | join(" ")')"
kill $sleeper $pid
nothing_left
unloaded
finish

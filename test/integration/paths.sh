#!/bin/bash
# lab: check=stable
# What a path may lead to: namespaces, files of networks, the state directory. Nothing of it makes shunt wait, and nobody
# but root has a say in what shunt does.
. "$(dirname "$0")/lib.bash"

networks=/etc/shunt/networks
good='{ "subnets": ["10.50.0.0/24"] }'
world
mkdir -p $networks /tmp/theirs
chmod 1777 /tmp
chown 65534 /tmp/theirs
ip netns add box
attach() { timeout 60 shunt attach box --netns /run/netns/box --driver "$driver" "$@"; }
try() { timeout 60 shunt attach box --netns "$1" --driver "$driver"; }
network() { printf '%s\n' "$good" >"$networks/n.json"; }

echo "# --netns"
mkfifo /tmp/fifo
mkdir /tmp/directory
ln -s loop /tmp/loop
truncate -s 1T /tmp/huge
for what in fifo directory huge; do refuse "/tmp/$what is no network namespace" try /tmp/$what; done
refuse '/tmp/loop: Too many levels of symbolic links' try /tmp/loop
refuse '/tmp/nosuch: No such file' try /tmp/nosuch
refuse 'File name too long' try "/tmp/$(printf 'x%.0s' {1..5000})"
refuse '/dev/full is no network namespace' try /dev/full
# A terminal that nobody holds, and whose opening would wait or make it ours: not even opened.
refuse '/dev/ptmx is no network namespace' try /dev/ptmx
refuse 'network namespace' try /proc/self/ns/mnt
ln -s /run/netns/box /tmp/theirs/link
chown -h 65534 /tmp/theirs/link
check "a link of somebody else's to a namespace is one" try /tmp/theirs/link
chmod 0700 /tmp/theirs
check "even where only he can look" try /tmp/theirs/link
shunt detach box

echo "# a network's file"
network
check "root's is read" attach --network n
shunt detach box
mv $networks/n.json /tmp/n.json
ln -s /tmp/n.json $networks/n.json
check "by a link of root's too" attach --network n
shunt detach box
chown 65534 /tmp/n.json
refuse '/tmp/n.json is not root.s alone \(owner 65534' attach --network n
chown 0 /tmp/n.json
chmod 0666 /tmp/n.json
refuse '/tmp/n.json is not root.s alone .*mode 0666' attach --network n
chmod 0644 /tmp/n.json
mv /tmp/n.json /tmp/theirs/
ln -sf /tmp/theirs/n.json $networks/n.json
refuse '/tmp/theirs is not root.s alone' attach --network n
ln -sf n.json $networks/n.json
refuse 'n.json: Too many levels of symbolic links' attach --network n
rm $networks/n.json
mkfifo $networks/n.json
refuse 'n.json: this is no regular file' attach --network n
rm $networks/n.json
mkdir $networks/n.json
refuse 'n.json: this is no regular file' attach --network n
rmdir $networks/n.json
truncate -s 1G $networks/n.json
refuse 'n.json: (larger than|a NUL byte)' attach --network n
rm $networks/n.json
network
chmod 0777 $networks
refuse "$networks is not root.s alone .*mode 0777" attach --network n
refuse "$networks is not root.s alone .*mode 0777" attach
refuse "$networks is not root.s alone" shunt network show n
check "list says it of each" sh -c "shunt network list --json | jq -e 'map(select(.error)) | length == 2'"
chmod 0755 $networks
chown 65534 /etc/shunt
refuse '/etc/shunt is not root.s alone \(owner 65534' attach --network n
chown 0 /etc/shunt
chmod 0755 /tmp/theirs
refuse "/tmp/theirs is not root.s alone" env SHUNT_NETWORKS=/tmp/theirs shunt network show n

echo "# --state"
mkdir -m 0777 /sys/fs/bpf/open
mkdir -m 0700 /sys/fs/bpf/theirs /sys/fs/bpf/ours
chown 65534 /sys/fs/bpf/theirs
for where in open theirs; do
        refuse "/sys/fs/bpf/$where is not root.s alone" attach --state /sys/fs/bpf/$where/state
        refuse "/sys/fs/bpf/$where is not root.s alone" shunt list --state /sys/fs/bpf/$where/state
done
ln -s /sys/fs/bpf/open /tmp/state
refuse '/sys/fs/bpf/open is not root.s alone' attach --state /tmp/state/state
refuse '/tmp/huge' attach --state /tmp/huge/state
refuse 'Too many levels' attach --state /tmp/loop/state
mkdir -m 0700 /sys/fs/bpf/ours/state
chown 65534 /sys/fs/bpf/ours/state
refuse '/sys/fs/bpf/ours/state: not mine alone \(owner 65534' attach --state /sys/fs/bpf/ours/state
refuse '/sys/fs/bpf/ours/state: not mine alone \(owner 65534' shunt gc --state /sys/fs/bpf/ours/state
check_equal "which stays as it is" "" "$(ls -A /sys/fs/bpf/ours/state)"
rmdir /sys/fs/bpf/ours/state
ln -sf /sys/fs/bpf/ours /tmp/root-s
check "a link on the way is followed" attach --state /tmp/root-s/state
check_equal "and is the same directory" box "$(shunt list --state /sys/fs/bpf/ours/state --json | jq -r '.[].id')"
check_equal "pins are root's alone" "" "$(find /sys/fs/bpf/ours/state \( -not -user 0 -o -perm /077 \) -not -type l)"
shunt detach --state /tmp/root-s/state box
shunt gc --state /tmp/root-s/state >/dev/null
rm -r /sys/fs/bpf/{open,theirs,ours}

# What we make is open to us and to nobody else.
check "a caller's umask does not shut us out" sh -c "umask 0777; exec shunt attach box --netns /run/netns/box --driver $driver"
check_equal "nor let others in" "" "$(find /sys/fs/bpf/shunt \( -not -user 0 -o -perm /077 \))"
check "detach" sh -c "umask 0777; exec shunt detach box"
check_equal "run gives its command that of its caller" 0031 "$(umask 0031; shunt run --driver "$driver" -- sh -c umask)"
nothing_left
unloaded
finish

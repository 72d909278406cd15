#!/bin/bash
# shunt's veth driver: the same programs on a veth pair, as others do it for lack of netkit.
. "$(dirname "$0")/../bench.bash"

world
shunt_peer '{"masquerade": false}' veth
measure one two

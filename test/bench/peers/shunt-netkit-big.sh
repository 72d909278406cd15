#!/bin/bash
# shunt with netkit in L3 mode and BIG TCP. The other machine's wire is its own administrator's, who has raised it as well.
. "$(dirname "$0")/../bench.bash"

world
ip -n beyond link set wire gso_max_size 196608 gso_ipv4_max_size 196608 gro_max_size 196608 gro_ipv4_max_size 196608
shunt_peer '{"masquerade": false, "big_tcp": true}' netkit
measure one two

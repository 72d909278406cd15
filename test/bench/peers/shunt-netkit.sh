#!/bin/bash
# shunt with netkit in L3 mode.
. "$(dirname "$0")/../bench.bash"

world
shunt_peer '{"masquerade": false}' netkit
measure one two

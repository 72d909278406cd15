#!/bin/bash
# lab: alone kernels=stable
# In the machine's own namespaces, and still nobody waits for a process left behind.
set -eu
[ "$(readlink /proc/self/ns/net)" = "$(readlink /proc/1/ns/net)" ]
[ "$LAB_KERNEL $LAB_NAME $PWD" = 'stable alone /shunt' ]
setsid sleep 1000 &

#!/bin/bash
# Nothing of dirty.sh, which came before in the same boot.
set -eux
[ ! -e /run/dirty ] && [ ! -e /tmp/dirty ] && [ ! -e /etc/dirty ] && [ ! -e /var/dirty ] && [ ! -e /sys/fs/bpf/dirty ]
[ "$(ls /sys/class/net)" = lo ]
! grep -l '^sleep' /proc/[0-9]*/cmdline

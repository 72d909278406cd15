#!/bin/bash
# lab: systemd
# A booted systemd that is content, and its machined.
set -eux
timeout 60 systemctl is-system-running --wait || { systemctl --failed --no-pager; exit 1; }
systemd-run --wait --pipe --quiet true
machinectl --no-pager list

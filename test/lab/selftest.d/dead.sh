#!/bin/bash
# lab: alone timeout=3
# Stops those in the guest who would notice.
# shellcheck disable=SC2046 # several words
kill -STOP $PPID $(tr ' ' '\n' <"/proc/$PPID/task/$PPID/children" | grep -vx $$)
sleep 1000

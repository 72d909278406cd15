#!/bin/bash
# What must not disturb the lab: a last line with no end, a line that looks like a mark, a process left behind.
sleep 1000 &
echo "0123456789abcdef end test/lab/selftest.d/pass.sh 1"
printf 'no end of line'

#!/bin/bash
# A kernel without CONFIG_LKDTM does not warn on demand; this is what it would look like.
echo '<4>WARNING: CPU: 0 PID: 1 at net/core/dev.c:1 selftest+0x0/0x10' >/dev/kmsg

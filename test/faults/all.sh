#!/bin/bash
# lab: alone timeout=3600
# Every kernel call of each verb, killed there, and failed with each errno: in some shares at once, as a share waits more
# than it works. `make faults` runs it on this kernel; "test/lab/lab run test/faults/all.sh" on the lab's, with netkit.
#
#   SHUNT_FAULTS             "calls": one errno at each (all)
#   SHUNT_FAULTS_SHARES      how many at once (8)
#   SHUNT_FAULTS_SCENARIOS   "kill", "errors", or both
#   SHUNT_FAULTS_VERBS       these verbs alone; test/integration/faults.bash has their names
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export SHUNT_FAULTS=${SHUNT_FAULTS:-all}
shares=${SHUNT_FAULTS_SHARES:-8}
status=0
for scenario in ${SHUNT_FAULTS_SCENARIOS:-kill errors}; do
        pids=()
        for ((share = 1; share <= shares; share++)); do
                SHUNT_FAULTS_SHARE=$share/$shares test/lab/guest/isolate "test/integration/faults-$scenario.sh" 2>&1 |
                        sed -u "s/^/$scenario $share: /" &
                pids+=($!)
        done
        for pid in "${pids[@]}"; do wait "$pid" || status=1; done
done
exit $status

#!/bin/bash
# lab: timeout=900 check=stable
# Whatever kernel call fails, shunt either does without it, and what it made is whole; or it fails with one line that says
# why, nothing is left, and the next try works.
. "$(dirname "$0")/faults.bash"

errors=(ENOMEM EBUSY EINTR ENOSPC EPERM)
declare -A words=([ENOMEM]='Cannot allocate memory|out of memory' [EBUSY]='Device or resource busy' [EINTR]='Interrupted system call'
        [ENOSPC]='No space left on device' [EPERM]='Operation not permitted')

# failed VERB ERRNO: what it says, what it may have left, and its next try
failed() {
        local verb=$1 error=$2 said
        said=$(</tmp/err)
        [[ $said == 'shunt: '* && $said != *$'\n'* ]] || die "$where: not one line: $said"
        # libbpf reads what the kernel says of its types, and does not say which errno it met.
        [[ $said =~ ${words[$error]} || $said == *"libbpf: "*"kernel BTF"* ]] || die "$where: this is not why: $said"
        [ ! -s /tmp/out ] || die "$where: it printed $(</tmp/out)"
        [ -z "${SHUNT_FAULTS:-}" ] || echo "# $where: $said"
        case $verb in
        attach | pre | space)
                expect "this is left behind '$said'" "$bare"
                [ -z "$files" ] || die "$where: $files is left"
                ;;
        publish) expect "this is left behind '$said'" "$unpublished" ;;
        unpublish) expect "this is left behind '$said'" "${with[$verb]}" ;;
        load)
                run "$settle"
                expect "this is left behind '$said'" "$bare"
                ;;
        esac
        # shellcheck disable=SC2086 # words
        run "${command[$verb]}"
}

sweep() { # VERB FIRST
        local verb=$1 n=$2 turn=$2 status error failures=0 without=0
        local last=$(((turn + 4) % 5))
        for ((; ; turn++)); do
                error=${errors[turn % 5]}
                where="before $verb, call $n"
                run "${before[$verb]}"
                status=0
                # shellcheck disable=SC2086 # words
                "$inject" "${counted[@]}" $n $error ${command[$verb]} >/tmp/out 2>/tmp/err 9>/tmp/call || status=$?
                where="$verb with $error at call $(</tmp/call)"
                case $status in
                0) without=$((without + 1)) ;;
                1) failed "$verb" "$error"; failures=$((failures + 1)) ;;
                120) break ;;
                *) die "$where: status $status: $(</tmp/err)" ;;
                esac
                expect "what is there with status $status, '$(</tmp/err)'" "${after[$verb]}"
                [ $status != 0 ] || works "$verb"
                over "$verb"
                # Each errno at each call, or one of them in turn.
                [ "${SHUNT_FAULTS:-}" = all ] && [ $((turn % 5)) != $last ] || n=$((n + stride))
        done
        over "$verb"
        ok "$verb: $failures failures, and $without that it did without, at one of $(</tmp/call) calls"
}

faults

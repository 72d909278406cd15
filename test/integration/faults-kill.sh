#!/bin/bash
# lab: timeout=900 check=backports
# Invariant 3: killed at any kernel call, shunt leaves nothing behind that the next verb does not take back, whatever verb
# that is and whomever it is about; its address is free, its ID attaches again, and nobody else notices.
. "$(dirname "$0")/faults.bash"

# Some of what was to be published may be, but then wholly: who is reached by it, who holds it, and the programs at sockets.
ports_agree() {
        local reached held pins needed=0
        reached=$(sed -n 's/^published: \([0-9]*\).*/\1/p' <<<"$seen") held=$(sed -n 's/^publications: //p' <<<"$seen")
        pins=$(grep -c '^/sys/fs/bpf/shunt/ports/' <<<"$seen" || true)
        # A key is of 16 bytes of address, two of port, and the protocol; those for datagrams are there for UDP.
        [ "${held:-0}" = 0 ] || needed=6
        ! grep -qE '^published:.* [0-9a-f]{36}1100' <<<"$seen" || needed=10
        [[ $reached = "$held" && $pins = "$needed" && $seen == *"unfinished: 0"* ]] ||
                die "$where: $held are published, $reached reached, with $pins programs: $seen"
}
# next_verb VERB: one of five, in turn
next_verb() {
        local verb=$1 left=$bare
        case $((turn++ % 5)) in
        0) run "shunt gc" ;;
        1) run "shunt list && shunt gc" ;;
        2) run "$attach_other"; left=$with_other ;;
        3) run "${again[$verb]}"; left=${with[$verb]} ;;
        4) over "$verb"; return ;;
        esac
        look
        grace_periods_are_long
        # Killed behind its last step, or before its first, it is whole, and nobody's to take away.
        if [ "$seen" != "$left" ]; then
                case $verb:$((turn % 5)):$(state "${id[$verb]}") in
                *publish:4:*) expect "the same once more does not make it whole" "$left" ;;
                *publish:*:ready) ports_agree ;;
                *:ready | *:pending) whole=$((whole + 1)) ;;
                # It lives, and who attaches another leaves it as it is.
                mend:3:stale) ;;
                *) expect "this is left behind '$(</tmp/said)'" "$left" ;;
                esac
        fi
        [ "$left" != "$with_other" ] || run "shunt detach other"
        over "$verb"
}

sweep() { # VERB FIRST
        local verb=$1 n status whole=0 killed=0
        for ((n = $2; ; n += stride)); do
                where="before $verb, call $n"
                run "${before[$verb]}"
                status=0
                # shellcheck disable=SC2086 # words
                "$inject" "${counted[@]}" $n kill ${command[$verb]} >/tmp/out 2>/tmp/err 9>/tmp/call || status=$?
                where="$verb killed at call $(</tmp/call)"
                case $status in
                137) killed=$((killed + 1)); next_verb "$verb" ;;
                # It was a child of its own that died, and it has said so.
                1) next_verb "$verb" ;;
                120) break ;;
                *) die "$where: status $status: $(</tmp/err)" ;;
                esac
        done
        over "$verb"
        ok "$verb: killed $killed times at one of $(</tmp/call) calls, with all there $whole times"
}

turn=0
faults

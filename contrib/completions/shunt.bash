# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for shunt(1)

_shunt_ids() {
        shunt list 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u
}

_shunt_networks() {
        shunt network list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_shunt_machines() {
        machinectl list-images --no-legend --no-pager 2>/dev/null | awk '{ print $1 }'
}

_shunt_verb() {
        local i
        for ((i = 1; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --state) ((i++)) ;;
                -*) ;;
                *) echo "${COMP_WORDS[i]} $i"; return ;;
                esac
        done
}

# _shunt_command RUN: which word is the command that run, being word RUN, has; nothing before there is one
_shunt_command() {
        local i
        for ((i = $1 + 1; i <= COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --) [[ $i -eq $COMP_CWORD ]] || echo $((i + 1)); return ;;
                --state | --id | --network | --address | --interface | --mtu | --mode | --driver | --publish | --service) ((i++)) ;;
                -*) ;;
                *) echo "$i"; return ;;
                esac
        done
}

_shunt() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
        local verb at command words request='--network --address --interface --mtu --mode --driver --publish --service'
        read -r verb at <<<"$(_shunt_verb)"

        case $prev in
        --state) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
        --netns) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
        --network) mapfile -t COMPREPLY < <(compgen -W "$(_shunt_networks)" -- "$cur"); return ;;
        --mode)
                words='l3 l2'
                [[ $verb == nspawn ]] && words='interface namespace'
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
                return
                ;;
        --driver) mapfile -t COMPREPLY < <(compgen -W 'auto netkit veth' -- "$cur"); return ;;
        --address | --interface | --mtu | --pid | --id | --publish | --service) return ;;
        esac

        case $verb in
        '') words='attach detach list show run publish unpublish service gc upgrade doctor network oci-hook nspawn --state --json --help --version' ;;
        attach) words="--netns --pid $request --state --json --help" ;;
        publish) words="$(_shunt_ids) --service --interface --state --json --help" ;;
        unpublish) words="$(_shunt_ids) --interface --state --json --help" ;;
        service) words='list --state --json --help' ;;
        detach | show) words="$(_shunt_ids) --state --json --help" ;;
        run)
                words="--id $request --state --help --"
                # Behind its options, run takes a command; behind that one, everything is the command's.
                command=$(_shunt_command "$at")
                if [[ -n $command && $COMP_CWORD -gt $command ]]; then
                        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                        return
                elif [[ -n $command || $cur != -* ]]; then
                        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
                        return
                fi
                ;;
        network)
                words='list show --state --json --help'
                [[ ${COMP_WORDS[at + 1]} == show && $COMP_CWORD -gt $((at + 1)) ]] && words="$(_shunt_networks) --json"
                ;;
        oci-hook) words='createRuntime prestart poststop' ;;
        nspawn)
                words='enable disable pre post stop'
                [[ $COMP_CWORD -gt $((at + 1)) ]] &&
                        words="$(_shunt_machines) --network --address --mode --mtu --driver --publish --service --json --help"
                ;;
        *) words='--state --json --help' ;;
        esac
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _shunt shunt

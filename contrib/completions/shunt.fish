# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for shunt(1)

function __shunt_ids
    shunt list 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u
end

function __shunt_machines
    machinectl list-images --no-legend --no-pager 2>/dev/null | awk '{ print $1 }'
end

function __shunt_networks
    shunt network list 2>/dev/null | awk 'NR > 1 { print $1 }'
end

complete -c shunt -f
complete -c shunt -l state -r -a '(__fish_complete_directories)' -d 'State directory'
complete -c shunt -l json -d 'Print JSON'
complete -c shunt -l help -s h -d 'Show usage'
complete -c shunt -n __fish_use_subcommand -a attach -d 'Give a namespace one interface'
complete -c shunt -n __fish_use_subcommand -a detach -d 'Take all interfaces back'
complete -c shunt -n __fish_use_subcommand -a list -d 'Show what is attached'
complete -c shunt -n __fish_use_subcommand -a show -d 'Show one container'
complete -c shunt -n __fish_use_subcommand -a run -d 'Run a command in a namespace of its own'
complete -c shunt -n __fish_use_subcommand -a publish -d 'Let ports of the host lead there'
complete -c shunt -n __fish_use_subcommand -a unpublish -d 'Take published ports back'
complete -c shunt -n __fish_use_subcommand -a service -d 'Show shared ports'
complete -c shunt -n __fish_use_subcommand -a gc -d 'Remove what nobody owns'
complete -c shunt -n __fish_use_subcommand -a upgrade -d 'Replace the programs of another version'
complete -c shunt -n __fish_use_subcommand -a doctor -d 'Say what is wrong'
complete -c shunt -n __fish_use_subcommand -a network -d 'Show networks'
complete -c shunt -n __fish_use_subcommand -a oci-hook -d 'Act for an OCI runtime'
complete -c shunt -n __fish_use_subcommand -a nspawn -d 'Give a machine its network'

set -l request '__fish_seen_subcommand_from attach run'
complete -c shunt -n $request -l network -x -a '(__shunt_networks)'
complete -c shunt -n $request -l address -x
complete -c shunt -n $request -l interface -x
complete -c shunt -n $request -l mtu -x
complete -c shunt -n $request -l mode -x -a 'l3 l2'
complete -c shunt -n $request -l driver -x -a 'auto netkit veth'
complete -c shunt -n $request -l publish -x
complete -c shunt -n $request -l service -x
complete -c shunt -n '__fish_seen_subcommand_from publish unpublish' -a '(__shunt_ids)'
complete -c shunt -n '__fish_seen_subcommand_from publish unpublish' -l interface -x
complete -c shunt -n '__fish_seen_subcommand_from publish' -l service -x
complete -c shunt -n '__fish_seen_subcommand_from service' -a list
complete -c shunt -n '__fish_seen_subcommand_from attach' -l netns -r -F
complete -c shunt -n '__fish_seen_subcommand_from attach' -l pid -x -a '(__fish_complete_pids)'
complete -c shunt -n '__fish_seen_subcommand_from run' -l id -x
complete -c shunt -n '__fish_seen_subcommand_from detach show' -a '(__shunt_ids)'
complete -c shunt -n '__fish_seen_subcommand_from network; and not __fish_seen_subcommand_from list show' -a 'list show'
complete -c shunt -n '__fish_seen_subcommand_from network; and __fish_seen_subcommand_from show' -a '(__shunt_networks)'
complete -c shunt -n '__fish_seen_subcommand_from oci-hook' -a 'createRuntime prestart poststop'

set -l nspawn '__fish_seen_subcommand_from nspawn'
set -l actions enable disable pre post stop
complete -c shunt -n "$nspawn; and not __fish_seen_subcommand_from $actions" -a "$actions"
complete -c shunt -n "$nspawn; and __fish_seen_subcommand_from $actions" -a '(__shunt_machines)'
complete -c shunt -n $nspawn -l network -x -a '(__shunt_networks)'
complete -c shunt -n $nspawn -l address -x
complete -c shunt -n $nspawn -l mtu -x
complete -c shunt -n $nspawn -l mode -x -a 'interface namespace'
complete -c shunt -n $nspawn -l driver -x -a 'auto netkit veth'
complete -c shunt -n $nspawn -l publish -x
complete -c shunt -n $nspawn -l service -x

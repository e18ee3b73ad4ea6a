#!/bin/bash
# What a login on the stand-in for a unit gets: the command lines imitated, the shell a real one.
# The kernel's terminal echoes what is typed, as on a device.
cat <<'BANNER'
Copyright 2004-2022, Cisco and/or its affiliates. All rights reserved.

Cisco Firepower Extensible Operating System (FX-OS) v2.12.0 (build 1104)
Cisco Firepower Threat Defense for VMware v7.2.2 (build 54)

BANNER

expert() {
    local prompt='admin@firepower:~$ ' line answer
    while printf '%s' "$prompt" && IFS= read -r line; do
        case $line in
        exit) [ "$prompt" = 'admin@firepower:~$ ' ] && return; prompt='admin@firepower:~$ ' ;;
        'sudo su')
            printf 'Password: '
            IFS= read -rs answer
            echo
            if [ "$answer" = "$(cat "$HERE/sudo")" ]; then prompt='root@firepower:/home/admin# '
            else echo 'Sorry, try again.'; fi ;;
        *) eval "$line" ;;
        esac
    done
}

while printf '> ' && IFS= read -r line; do
    case $line in
    exit) exit ;;
    expert) expert ;;
    hang) sleep 600 ;;
    late) sleep 1; echo 'the late answer' ;;
    'show version' | 'show failover' | 'show failover state' | 'show failover history')
        cat "$HERE/${line// /-}" ;;
    '') ;;
    *) echo 'Syntax error: Illegal command line' ;;
    esac
done

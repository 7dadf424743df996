#!/bin/sh
# Where nobody answers, networkd asks more and more rarely, in the end once a minute, and has no setting
# for that. Started anew it asks often, so that a machine has its address soon after its router serves.
# A machine that got some address before its own was reserved asks whether it may keep it: then it gets
# the other one, as a board would after it was switched off and on.
while sleep 8; do
    for file in /etc/systemd/network/10-*.network; do
        grep -q '^DHCP=' "$file" || continue
        link=$(sed -n 's/^Name=//p' "$file")
        reserved=$(sed -n 's/^# Reserved: //p' "$file")
        case $(ip -4 -o address show dev "$link" scope global) in
            '') networkctl reconfigure "$link" ;;
            *" ${reserved:+$reserved/}"*) ;;
            *) networkctl renew "$link" ;;
        esac
    done
done

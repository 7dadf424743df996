#!/bin/sh
# systemd-nspawn gives a machine its control groups and kernel settings read-only. A real machine can
# write its own, and so must this one. A failure of one part must not keep the others away.
mount -o remount,bind,rw /proc/sys
while read -r _ place kind _; do
    case "$kind $place" in
        "cgroup "* | "cgroup2 "*) mount -o remount,bind,rw "$place" ;;
    esac
done < /proc/self/mounts
# Containers' mounts must reach those who watch them (the kubelet's volumes).
mount --make-rshared /
exit 0

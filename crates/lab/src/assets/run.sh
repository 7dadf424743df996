# Runs one machine from switching on to switching off; a restart from inside is another round.
# Its mounts and network namespaces are in this program's own mount namespace: they go with it.
# Filled in before this line: dir, image, layout, groups, name, machine, cables (a function), devices.
set -eu
# Whoever switched the machine on may have had a lock or a pipe, which must not last as long as the machine.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
enter() {
    case $layout in
        v1)
            for group in $groups; do echo "$1" > "$group/cgroup.procs"; done
            # So that the machine sees its own groups as the top ones.
            export SYSTEMD_NSPAWN_USE_CGNS=1
            ;;
        v2)
            # Groups with processes can't have controllers for those below: we step aside.
            mkdir -p "$groups/keeper" "$groups/boot"
            echo "$1" > "$groups/keeper/cgroup.procs"
            read -r controllers < "$groups/cgroup.controllers"
            for controller in $controllers; do
                echo "+$controller" > "$groups/cgroup.subtree_control" || :
            done
            ;;
    esac
}
enter $$
# The lab may have been removed between our start and here.
[ -e "$dir/run.sh" ]
mkdir -p "$dir/root" "$dir/work"
mount -t overlay overlay -o "lowerdir=$image,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
mount --bind "$dir/var-lib" "$dir/root/var/lib"
# nspawn leaves directories here.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=755 tmpfs /run/systemd/nspawn
: > "$dir/netns"
while :; do
    # A new network each time: addresses and rules of the last boot are gone, as they would be.
    umount "$dir/netns" 2> /dev/null || :
    unshare --net="$dir/netns" true
    nsenter --net="$dir/netns" ip link set lo up
    cables
    case $layout in
        v1) for group in $groups; do find "$group" -mindepth 1 -depth -type d -exec rmdir {} \; || :; done ;;
    esac
    status=0
    (
        # A subshell's own number: $$ would be the parent's.
        [ "$layout" = v1 ] || sh -c 'echo "$PPID" > "$1/boot/cgroup.procs"' sh "$groups"
        # Started in the machine's network: then its /sys is of that network too. Without register
        # and unit of its own it needs no systemd here.
        # shellcheck disable=SC2086
        exec nsenter --net="$dir/netns" systemd-nspawn --quiet --register=no --keep-unit --boot \
            --directory="$dir/root" --machine="$machine" --hostname="$name" --capability=all \
            --system-call-filter=@known --resolv-conf=off --timezone=off --link-journal=no \
            --console=read-only $devices
    ) || status=$?
    # 133: restart from inside.
    [ "$status" = 133 ] || break
    echo "-- restart --"
done
echo "$status" > "$dir/ended"

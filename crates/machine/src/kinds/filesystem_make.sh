# Formats the disk $D with $T, the UUID $U and, once that is done, the label $L; it must hold $WAS, no more.
r=$(readlink -f -- "$D")
[ -b "$r" ] || { echo "$D is gone"; exit 1; }
now=$(blkid -p -o export -- "$r" 2>/dev/null | sed -n '/^\(TYPE\|UUID\|LABEL\|PTTYPE\|PTUUID\)=/p')
if [ "$now" != "$WAS" ]; then
	echo "what $D holds has changed since the plan was made: nothing was formatted. Plan again."
	exit 1
fi
command -v "mkfs.$T" >/dev/null || { echo "mkfs.$T is not installed"; exit 1; }
if [ -n "$WAS" ]; then
	for p in "/sys/class/block/${r##*/}/${r##*/}"*; do
		[ ! -r "$p/dev" ] || wipefs -q -a -- "/dev/${p##*/}"
	done
	wipefs -q -a -- "$r"
	blockdev --rereadpt "$r" 2>/dev/null || :
fi
# The label comes last: it says that all is done.
case $T in
ext4)
	mkfs.ext4 -q -F -U "$U" "$r"
	sync "$r"
	e2label "$r" "$L"
	;;
xfs)
	mkfs.xfs -q -f -m "uuid=$U" "$r"
	sync "$r"
	xfs_admin -L "$L" "$r" >/dev/null
	;;
*)
	echo "nobody here knows how to make $T"
	exit 1
	;;
esac
sync "$r"
# The names below /dev/disk follow.
[ ! -S /run/udev/control ] || udevadm settle --timeout=10 || :

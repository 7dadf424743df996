# What the disk $D is and holds, a line for each thing.
if [ ! -b "$D" ]; then
	for l in /dev/disk/by-id/*; do
		[ ! -b "$l" ] || echo "name ${l##*/}"
	done
	exit 0
fi
r=$(readlink -f -- "$D")
n=${r##*/}
s=/sys/class/block/$n
echo "node $r"
[ ! -r "$s/size" ] || { read -r v <"$s/size" && echo "sectors $v"; }
for p in "$s" "$s/$n"*; do
	[ ! -r "$p/dev" ] || { read -r v <"$p/dev" && echo "part $v ${p##*/}"; }
	for h in "$p"/holders/*; do [ ! -e "$h" ] || echo "holder ${h##*/}"; done
done
all=$(blkid -p -o export -- "$r")
[ $? != 8 ] || echo ambivalent
if [ -n "$all" ]; then
	echo "$all" | sed -n 's/^\(TYPE\|UUID\|LABEL\|PTTYPE\|PTUUID\)=/sign &/p'
elif cmp -s -n 1048576 -- "$r" /dev/zero; then
	echo zero
fi
for p in "$s/$n"*; do
	[ ! -r "$p/dev" ] || echo "inside ${p##*/} $(blkid -p -o value -s TYPE -- "/dev/${p##*/}")"
done

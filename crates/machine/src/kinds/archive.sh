# Unpacks the archive $S into the folder $D, with the files $N.* as its record; the arguments are
# for tar: what to strip and which members.
original() { printf %s "$1" | sha256sum | cut -c1-32; }
p=$D
while [ ! -d "$p" ]; do
	printf '%s\n' "$p"
	p=${p%/*}
	[ -n "$p" ] || p=/
done >>"$N.folders"
mkdir -p -- "$D"
tar -tzf "$S" --show-transformed-names "$@" | sed 's|^\./||; /^$/d' >"$N.new"
: >>"$N.files"
# What stands in a file's place is kept, unless an earlier version of this archive brought it.
grep -v '/$' "$N.new" | grep -vxF -f "$N.files" | while IFS= read -r f; do
	! there "$D/$f" || keep "$D/$f" "$(original "$D/$f")"
done
sed -n 's|/$||p' "$N.new" | while IFS= read -r f; do
	[ -d "$D/$f" ] || printf '%s\n' "$D/$f"
done | sort -r >"$N.inner"
# The list holds what this archive brings, and is there before the first file is.
cat "$N.folders" >>"$N.inner"
mv "$N.inner" "$N.folders"
grep -v '/$' "$N.new" >>"$N.files"
sort -u -o "$N.files" "$N.files"
sync "$N.files" "$N.folders"
tar -xzf "$S" -C "$D" --no-same-owner "$@"
grep -v '/$' "$N.new" | tr '\n' '\0' >"$N.last"
archive_stamp >"$N.stamps"
rm -f "$N.new"

# Unpacks the archive $S into the folder $D, with the files $N.* as its record. STRIP: how many parts
# of paths to drop; ONLY and EXCEPT: members, one a line.
original() { printf %s "$1" | sha256sum | cut -c1-32; }
p=$D
while [ ! -d "$p" ]; do
	printf '%s\n' "$p"
	p=${p%/*}
	[ -n "$p" ] || p=/
done >>"$N.folders"
mkdir -p -- "$D"
tar -tzf "$S" >"$N.all"
# Some archives write ./name, some name: tar wants it as it stands there.
ONLY=$ONLY EXCEPT=$EXCEPT awk '
	function among(path, set) {
		while (path != "") {
			if (path in set) { hit[path]; return 1 }
			if (!sub("/[^/]*$", "", path)) return 0
		}
		return 0
	}
	BEGIN {
		n = split(ENVIRON["ONLY"], list, "\n")
		for (i = 1; i <= n; i++) if (list[i] != "") { only[list[i]]; some = 1 }
		n = split(ENVIRON["EXCEPT"], list, "\n")
		for (i = 1; i <= n; i++) if (list[i] != "") except[list[i]]
	}
	{
		path = $0
		sub("^([.]/)+", "", path)
		sub("/$", "", path)
		if (path == "" || path == "." || among(path, except)) next
		if (!some || among(path, only)) print
	}
	END {
		for (name in only) if (!(name in hit)) { print "the archive holds no " name >"/dev/stderr"; bad = 1 }
		exit bad
	}' "$N.all" >"$N.take"
set -- "--strip-components=$STRIP" --no-recursion --verbatim-files-from -T "$N.take"
tar -tzf "$S" --show-transformed-names "$@" | sed 's|^\./||; /^$/d' >"$N.new"
: >>"$N.files"
# What stands in a file's place is kept, unless an earlier version of this archive brought it.
grep -v '/$' "$N.new" | grep -vxF -f "$N.files" | while IFS= read -r f; do
	! there "$D/$f" || keep "$D/$f" "$(original "$D/$f")"
done
# Folders that are new go with the archive; a link to a folder is as good as one.
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
rm -f "$N.new" "$N.all" "$N.take"

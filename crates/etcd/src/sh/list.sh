# The snapshots of this machine: file, then what is known of it.
for f in "$etcd_home"/*.db "$etcd_home"/scheduled/*.db; do
	[ -e "$f" ] || continue
	if [ -e "$f.json" ]; then
		about=$(cat "$f.json")
	else
		about="{\"size\":$(stat -c %s "$f"),\"taken\":$(stat -c %Y "$f")}"
	fi
	printf '%s %s\n' "$f" "$about"
done

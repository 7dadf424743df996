# Prints a list of sources with the addresses of Debian's archive replaced: $OLD are extended
# regular expressions of addresses, $URL is the new one.
mirror_edit() {
	OLD=$OLD URL=$URL awk '
		function archive(word) {
			sub(/\/$/, "", word)
			return word ~ ENVIRON["OLD"]
		}
		/^[ \t]*deb(-src)?[ \t]/ || /^[ \t]*URIs[ \t]*:/ { field = 1 }
		/^[^ \t]/ && !/^(deb|deb-src)[ \t]/ && !/^URIs[ \t]*:/ { field = 0 }
		field && !/^[ \t]*#/ {
			out = ""; rest = $0
			while (match(rest, /[^ \t]+/)) {
				word = substr(rest, RSTART, RLENGTH)
				out = out substr(rest, 1, RSTART - 1) (archive(word) ? ENVIRON["URL"] : word)
				rest = substr(rest, RSTART + RLENGTH)
			}
			print out rest
			next
		}
		{ print }' "$1"
}
mirror_files() {
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
		# Archives that the cluster adds have their own addresses.
		case $f in */bramble-*) continue ;; esac
		[ ! -f "$f" ] || printf '%s\n' "$f"
	done
}
mirror_differs() {
	mirror_edit "$1" | cmp -s - "$1" && return 1
	return 0
}

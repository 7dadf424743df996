# What both directions know of a list of sources. $OLD are extended regular expressions of addresses.
export OLD URL URLS MIRRORS ORIGINAL
MIRROR_AWK='
	function bare(word) {
		sub(/\/$/, "", word)
		return word
	}
	# Whether a line holds addresses; lines are asked for in order.
	function holds(line) {
		if (line ~ /^[ \t]*deb(-src)?[ \t]/ || line ~ /^[ \t]*URIs[ \t]*:/) field = 1
		else if (line ~ /^[^ \t]/) field = 0
		return field && line !~ /^[ \t]*#/
	}
	# The line with other addresses; the first that was replaced stays in "was".
	function swap(line, old, new,   out, word) {
		out = ""; was = ""
		while (match(line, /[^ \t]+/)) {
			word = substr(line, RSTART, RLENGTH)
			out = out substr(line, 1, RSTART - 1)
			line = substr(line, RSTART + RLENGTH)
			if (bare(word) ~ old) {
				if (was == "") was = word
				word = new
			}
			out = out word
		}
		return out line
	}'
# Prints a list with the addresses of the archive replaced by $URL.
mirror_edit() {
	awk "$MIRROR_AWK"'
		{ print holds($0) ? swap($0, ENVIRON["OLD"], ENVIRON["URL"]) : $0 }' "$1"
}
# Prints a list with the addresses that it had at first, as its original $ORIGINAL shows; $MIRRORS are
# extended regular expressions of the mirrors $URLS. Everything else stays as it is.
mirror_back() {
	awk "$MIRROR_AWK"'
		BEGIN {
			first = "http://deb.debian.org/debian"
			mirrors = ENVIRON["MIRRORS"]; replaced = 0; own = 0
			n = split(ENVIRON["URLS"], url, "\n")
			while ((getline line < ENVIRON["ORIGINAL"]) > 0) {
				if (!holds(line)) continue
				swap(line, mirrors, "")
				if (was != "") own = 1
				for (k = 1; k <= n; k++) {
					edited = swap(line, ENVIRON["OLD"], url[k])
					if (was != "" && was !~ mirrors && !replaced++) first = was
					line_of[edited, ++count[edited]] = line
				}
			}
			field = 0
		}
		!holds($0) { print; next }
		used[$0] < count[$0] { print line_of[$0, ++used[$0]]; next }
		# A line that is new or was changed. Where a mirror was in use before, it may well be meant.
		{ print own ? $0 : swap($0, mirrors, first) }' "$1"
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

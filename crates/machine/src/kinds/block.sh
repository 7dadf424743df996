# Edits the file $p, whose original is kept as $n: the block between the lines $BEGIN and $END is
# taken out and, with "put", put in. Everything else stays as it is, byte by byte.
export BEGIN END TEXT BEFORE PUT EOL
block_edit() {
	EOL=
	[ -n "$(tail -c 1 -- "$p" 2>/dev/null)" ] || EOL=1
	awk '
		# Lines of a block whose end was deleted: what is not ours belongs to somebody else.
		function release() {
			for (k = 0; k < held; k++) if (!(hold[k] in own)) line[n++] = hold[k]
			held = 0
		}
		BEGIN {
			first = ENVIRON["BEGIN"]; last = ENVIRON["END"]; text = ENVIRON["TEXT"]
			put = ENVIRON["PUT"]; before = ENVIRON["BEFORE"]
			count = split(text, part, "\n")
			for (k = 1; k <= count; k++) own[part[k]] = 1
			if (text != "") text = text "\n"
		}
		$0 == first { release(); open = 1; next }
		# Without its beginning, only the lines that are ours to the letter are known as ours.
		$0 == last && !open {
			for (k = count; k > 0 && n > 0 && line[n - 1] == part[k]; k--) n--
			next
		}
		$0 == last { held = 0; open = 0; next }
		open { hold[held++] = $0; next }
		{ line[n++] = $0 }
		END {
			release()
			at = n + 0
			if (before != "") for (k = n - 1; k >= 0; k--) if (index(line[k], before) == 1) at = k
			for (k = 0; k <= n; k++) {
				if (put && k == at) printf "%s\n%s%s\n", first, text, last
				if (k < n) printf "%s%s", line[k], (k < n - 1 || ENVIRON["EOL"] || (put && at == n)) ? "\n" : ""
			}
		}' "$@"
}
# Puts the block in: block_put MODE [create].
block_put() {
	PUT=1
	if [ -e "$p" ]; then
		# A file with a block of ours is no original: there was none, or it is kept already.
		grep -q ' bramble:.* begin$' -- "$p" || keep "$p" "$n"
		cp -a -- "$p" "$p.bramble-new"
		block_edit "$p" >"$p.bramble-new"
	elif [ "${2-}" = create ]; then
		rm -f -- "$p.bramble-new"
		(umask 077 && block_edit /dev/null >"$p.bramble-new")
		chmod "$1" "$p.bramble-new"
	else
		echo "$p does not exist"
		return 1
	fi
	if cmp -s -- "$p.bramble-new" "$p"; then
		rm -f -- "$p.bramble-new"
	else
		sync "$p.bramble-new"
		mv -fT -- "$p.bramble-new" "$p"
	fi
}
# Takes the block out, and the file as well if it held nothing else and was not there before.
block_drop() {
	PUT='' BEFORE=''
	rm -f -- "$p.bramble-new"
	[ -f "$p" ] || return 0
	if ! grep -qxF -e "$BEGIN" -e "$END" -- "$p"; then
		[ -f "$B/originals/$n" ] || return 0
	fi
	cp -a -- "$p" "$p.bramble-new"
	block_edit "$p" >"$p.bramble-new"
	if [ ! -s "$p.bramble-new" ] && [ ! -f "$B/originals/$n" ]; then
		rm -f -- "$p.bramble-new" "$p"
	else
		settle "$p.bramble-new" "$p" "$n"
	fi
}

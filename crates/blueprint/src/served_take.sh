# Puts images into the store of a registry: $S the store, $R the repository, $T the tag. Layout:
# distribution's file system driver, version 2. A registry that runs on it sees them at once.
v=$S/docker/registry/v2
r=$v/repositories/$R
data() { f=$v/blobs/sha256/${1%"${1#??}"}/$1/data; }
link() {
	mkdir -p "$1"
	printf 'sha256:%s' "$2" >"$1/link.new"
	mv -f "$1/link.new" "$1/link"
}
# A part of an image, checked: part FILE.
part() {
	h=${1##*/}
	[ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$h" ] || { echo "the image is damaged: a part of it is not what its name says"; exit 1; }
	data "$h"
	if [ ! -s "$f" ]; then
		mkdir -p "${f%/*}"
		sync "$1"
		mv -f "$1" "$f"
	fi
}
# Everything of an image: take ARCHIVE DIGEST.
take() {
	rm -rf "$S/new"
	mkdir -p "$S/new"
	tar -xf "$1" -C "$S/new" --no-same-owner blobs
	for b in "$S"/new/blobs/sha256/*; do
		part "$b"
		[ "$h" = "$2" ] || link "$r/_layers/sha256/$h" "$h"
	done
	rm -rf "$S/new"
	data "$2"
	[ -s "$f" ] || { echo "the archive does not hold the image sha256:$2"; exit 1; }
	link "$r/_manifests/revisions/sha256/$2" "$2"
	rm -f "$1"
}
# Makes a list of images for several processors: list ARCH DIGEST ...; its digest is $top.
list() {
	mkdir -p "$S/new"
	entries=
	while [ $# -gt 0 ]; do
		data "$2"
		type=$(grep -o '"mediaType" *: *"[^"]*manifest[^"]*"' "$f" | head -n 1 | cut -d'"' -f4)
		entries="$entries${entries:+,}{\"mediaType\":\"${type:-application/vnd.oci.image.manifest.v1+json}\",\"digest\":\"sha256:$2\",\"size\":$(stat -c %s "$f"),\"platform\":{\"architecture\":\"$1\",\"os\":\"linux\"}}"
		shift 2
	done
	printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$entries" >"$S/new/list"
	top=$(sha256sum <"$S/new/list" | cut -d' ' -f1)
	mv "$S/new/list" "$S/new/$top"
	part "$S/new/$top"
	link "$r/_manifests/revisions/sha256/$top" "$top"
	rm -rf "$S/new"
}
# What the tag leads to by now: lines ARCH DIGEST. A list is one that `list` has made.
present() {
	l=$r/_manifests/tags/$T/current/link
	[ -s "$l" ] || return 0
	read -r at <"$l" || :
	at=${at#sha256:}
	data "$at"
	[ -s "$f" ] || return 0
	if grep -q '"manifests"' "$f"; then
		grep -o '"digest":"sha256:[0-9a-f]*","size":[0-9]*,"platform":{"architecture":"[^"]*"' "$f" |
			sed 's/.*sha256:\([0-9a-f]*\)".*"\([^"]*\)"$/\2 \1/'
		return 0
	fi
	# An image by itself: its configuration says for which processor it is.
	c=$(tr -d ' \t\n' <"$f" | sed -n 's/.*"config":{[^}]*"digest":"sha256:\([0-9a-f]*\)".*/\1/p')
	data "${c:-none}"
	[ -s "$f" ] || return 0
	echo "$(tr -d ' \t\n' <"$f" | grep -o '"architecture":"[^"]*"' | head -n 1 | cut -d'"' -f4) $at"
}
# Sets $top to what the tag shall lead to: settle ARCH DIGEST ... What it has for other processors stays.
settle() {
	for p in $(present | tr ' ' :); do
		h=${p#*:}
		case " $* " in *" ${p%%:*} "*) continue ;; esac
		data "$h"
		[ -s "$f" ] && [ -e "$r/_manifests/revisions/sha256/$h/link" ] || continue
		set -- "$@" "${p%%:*}" "$h"
	done
	if [ $# -gt 2 ]; then list "$@"; else top=$2; fi
}
# The last: from now on the tag leads to it.
tag() {
	link "$r/_manifests/tags/$T/index/sha256/$1" "$1"
	link "$r/_manifests/tags/$T/current" "$1"
	chown -R docker-registry: "$S"
}

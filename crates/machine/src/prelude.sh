umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
B=/var/lib/bramble
# One program at a time: a run whose controller died may still be at work.
prepare() {
	[ -d $B/originals ] || mkdir -p $B/originals
	chmod 0700 $B
	mkdir -p /run/bramble
	exec 9>>/run/bramble/step.lock
	flock -w 600 9
}
# A line for the journal.
j() { printf '%s\n' "$1" >>$B/journal; }
# Keeps the original of a path once: keep PATH NAME.
keep() {
	[ -e "$B/originals/$2" ] || [ -L "$B/originals/$2" ] && return 0
	[ -e "$1" ] || [ -L "$1" ] || return 0
	rm -rf "$B/originals/$2.new"
	cp -a -- "$1" "$B/originals/$2.new"
	sync "$B/originals"
	mv -T -- "$B/originals/$2.new" "$B/originals/$2"
}
# Puts a kept original back: restore PATH NAME.
restore() {
	[ -e "$B/originals/$2" ] || [ -L "$B/originals/$2" ] || return 0
	rm -f -- "$1"
	cp -a -- "$B/originals/$2" "$1"
	rm -rf "$B/originals/$2"
}
# Moves a new file into place with mode and owner: place NEW PATH MODE OWNER:GROUP.
place() {
	chown "$4" "$1"
	chmod "$3" "$1"
	sync "$1"
	mv -fT -- "$1" "$2"
}

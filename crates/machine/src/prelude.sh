umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
B=/var/lib/bramble
# One program at a time: a run whose controller died may still be at work.
prepare() {
	if [ ! -d $B/originals ]; then
		mkdir -p $B/originals
		# The account files' backups change with every user that a package makes.
		for a in passwd group shadow gshadow subuid subgid; do
			[ ! -e /etc/$a- ] || cp -a /etc/$a- $B/originals/$a.backup
		done
	fi
	chmod 0700 $B
	mkdir -p /run/bramble
	exec 9>>/run/bramble/step.lock
	flock -w 600 9 || return
	# A line that was cut off while it was written must not spoil the next one.
	[ ! -s $B/journal ] || [ -z "$(tail -c 1 $B/journal)" ] || echo >>$B/journal
}
# A line for the journal.
j() { printf '%s\n' "$1" >>$B/journal; }
# Whether something has this name, be it a link to nowhere.
there() { [ -e "$1" ] || [ -L "$1" ]; }
# Keeps the original of a path once: keep PATH NAME.
keep() {
	! there "$B/originals/$2" || return 0
	there "$1" || return 0
	rm -rf "$B/originals/$2.new"
	cp -a -- "$1" "$B/originals/$2.new"
	sync "$B/originals"
	mv -T -- "$B/originals/$2.new" "$B/originals/$2"
}
# Puts a kept original back: restore PATH NAME.
restore() {
	there "$B/originals/$2" || return 0
	rm -rf -- "$1.bramble-new"
	cp -a -- "$B/originals/$2" "$1.bramble-new"
	mv -fT -- "$1.bramble-new" "$1"
	rm -rf "$B/originals/$2"
}
# Moves a new file into place with mode and owner: place NEW PATH MODE OWNER:GROUP.
place() {
	chown "$4" "$1"
	chmod "$3" "$1"
	sync "$1"
	mv -fT -- "$1" "$2"
}
# Whether a file is the original again; an edit at the end of a file may have had to add the line
# break that the original's last line lacks: same FILE ORIGINAL.
same() {
	cmp -s -- "$1" "$2" && return 0
	[ -n "$(tail -c 1 -- "$2")" ] || return 1
	{
		cat -- "$2"
		echo
	} | cmp -s -- "$1" -
}
# Lets an edited file take the place of PATH. Once it is what it was at first, the original itself
# comes back, with its times: settle NEW PATH NAME.
settle() {
	if [ -f "$B/originals/$3" ] && same "$1" "$B/originals/$3"; then
		rm -f -- "$1"
		restore "$2" "$3"
	elif cmp -s -- "$1" "$2"; then
		rm -f -- "$1"
	else
		sync "$1"
		mv -fT -- "$1" "$2"
	fi
}
# Lets systemd see a unit's changed file. It looks at all units anew each time, which takes long on a small
# machine, so it is asked only where it must: refresh UNIT.
refresh() { [ "$(systemctl show -p NeedDaemonReload --value "$1")" = no ] || systemctl daemon-reload; }
# Enables a unit, masked or not, for the same reason only where it isn't: at_boot UNIT.
at_boot() {
	systemctl -q is-enabled "$1" 2>/dev/null || {
		case $(systemctl is-enabled "$1" 2>/dev/null) in
		masked*) systemctl -q unmask "$1" ;;
		esac
		systemctl -q enable "$1"
	}
}
# What a unit that did not start, and systemd about it, say of this start and not of earlier ones: why UNIT.
why() {
	i=$(systemctl show -p InvocationID --value "$1")
	if [ -n "$i" ]; then
		set -- "_SYSTEMD_INVOCATION_ID=$i" + "INVOCATION_ID=$i"
	else
		set -- -u "$1"
	fi
	journalctl -n 20 --no-pager -o cat "$@" || :
}

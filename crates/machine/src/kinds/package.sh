# The installation's own files: $P.before is there only while apt is at work (or was, when the power
# went); $P.added lists what came from it.
get() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 $(early) \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		--no-install-recommends --allow-downgrades --allow-change-held-packages "$@"
}
# To a clock that was never set, lists are from the future. The time service that sets it is a package
# too, so the date of lists is let pass then; their signatures are not.
early() { [ "$(date +%s)" -ge $SANE ] || echo '-o Acquire::Check-Date=false'; }
# Packages that are on the machine, be it only half.
present() {
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
		sed '/^not-installed /d; /^config-files /d; s/^[a-z-]* //' | sort -u
}
# Accounts with a number below a limit.
accounts() {
	awk -F: -v limit="$1" '$3 < limit { print "user " $1 }' /etc/passwd
	awk -F: -v limit="$1" '$3 < limit { print "group " $1 }' /etc/group
}
# Files by which these packages make accounts: their own programs, and what systemd-sysusers reads. Found
# once for all accounts: a look into each file for each takes its time on a small machine.
makers() (
	lists=
	for p in "$@"; do
		for f in "/var/lib/dpkg/info/$p".* "/var/lib/dpkg/info/$p":*; do
			case $f in
			*.preinst | *.postinst | *.config | *.templates) printf '%s\n' "$f" ;;
			*.list) [ ! -e "$f" ] || lists="$lists $f" ;;
			esac
		done
	done
	[ -z "$lists" ] || sed -n '/^\/usr\/lib\/sysusers[.]d\/./p' $lists
)
# Whether one of these files knows this account: known NAME FILES.
known() (
	name=$1
	shift
	grep -qwsF -e "$name" -- /dev/null "$@"
)
# Writes down what is there before an installation. What it is about to bring is added by apt.
note() {
	{
		accounts 4294967296
		# What apt is asked for by name counts as wanted from then on.
		awk '/^Package: / { p = $2 } /^Auto-Installed: 1/ { print p }' /var/lib/apt/extended_states 2>/dev/null |
			grep -xF -e "$(printf '%s\n' "$@" | sed 's/=.*//')" | sed 's/^/auto /'
		printf '%s\n' "$L" | while IFS= read -r path; do
			if [ -n "$path" ] && ! there "$path"; then printf 'absent %s\n' "$path"; fi
		done
	} >"$P.before.new" && sync "$P.before.new" && mv -f "$P.before.new" "$P.before"
}
# What apt runs when it has fetched everything and touched nothing, with a list of what comes (apt.conf(5)).
export P
tell='awk '\''!NF { on = 1 } on && $NF ~ "^/" { print "touch " $1; if ($2 == "-") print "new " $1 }'\'' >"$P.will" &&
	cat "$P.before" "$P.will" >"$P.before.new" && sync "$P.before.new" && mv -f "$P.before.new" "$P.before" && rm -f "$P.will"'
bring() { get -o "DPkg::Pre-Install-Pkgs::=$tell" -o DPkg::Tools::Options::awk::Version=2 install "$@"; }
# Adds to the list what came. Between a power cut and now the operator may have been at work, so only
# those packages count that apt was about to bring, and only those accounts that one of them knows.
# Numbers from 1000 on belong to people.
settle() {
	[ -e "$P.before" ] || return 0
	present >"$P.after" || return
	{
		[ ! -e "$P.added" ] || cat "$P.added"
		sed -n 's/^new //p' "$P.before" | sort -u | comm -12 - "$P.after" | sed 's/^/package /'
		sed -n 's/^auto //p' "$P.before" | while read -r p; do
			[ -z "$(apt-mark showmanual "$p")" ] || printf 'auto %s\n' "$p"
		done
		makers=$(makers $(sed -n 's/^touch //p' "$P.before"))
		accounts 1000 | grep -vxFf "$P.before" | while read -r kind name; do
			if ! grep -qsF "\"id\":\"user:$name\"" $B/journal && known "$name" $makers; then
				printf '%s %s\n' "$kind" "$name"
			fi
		done
	} | sort -u >"$P.added.new" || return
	# As long as no package is ours, a folder that appears is not ours either.
	if grep -q '^package ' "$P.added.new"; then
		sed -n '/^absent /p' "$P.before" >>"$P.added.new" || return
	fi
	sync "$P.added.new" && mv -f "$P.added.new" "$P.added" && rm -f "$P.before" "$P.after"
}
# Purges packages of ours, but for those that somebody else's need: part_with PACKAGES.
part_with() {
	[ $# -gt 0 ] || return 0
	keep=$(apt-get -s purge "$@" 2>/dev/null | sed -n 's/^Purg \([^ ]*\).*/\1/p' | grep -vxF -- "$(printf '%s\n' "$@")" || :)
	if [ -n "$keep" ]; then
		echo "left in place, because others need them: $keep"
		stay=$(needed_by $keep)
		set -- $(printf '%s\n' "$@" | grep -vxF -- "$stay" || :)
	fi
	# sudo refuses to go where root has no password: Bramble made no other way in than there was.
	export SUDO_FORCE_REMOVE=yes
	[ $# -eq 0 ] || apt-get -q -y -o DPkg::Lock::Timeout=300 --allow-remove-essential --allow-change-held-packages purge "$@"
}
# These packages, and all that they need.
needed_by() {
	apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$@" 2>/dev/null | grep -v '^ ' | sort -u
}
# Takes accounts away that our packages made and that none of those of ours knows which stay:
# bury PACKAGES THAT STAY.
bury() {
	makers=$(makers "$@")
	sed -n 's/^user //p' "$P.added" | while read -r u; do
		if getent passwd "$u" >/dev/null && ! known "$u" $makers; then userdel "$u" || :; fi
	done
	sed -n 's/^group //p' "$P.added" | while read -r g; do
		if getent group "$g" >/dev/null && ! known "$g" $makers; then groupdel "$g" || :; fi
	done
}
# Lets go what is not needed any more for the packages $W, of which there is one at least. What their programs
# made at run time stays until everything goes: somebody may have put something of value beside it.
drop() {
	[ -e "$P.added" ] && [ -n "$W" ] || return 0
	wanted=$(needed_by $W)
	# Without an answer nobody knows what is needed.
	[ -n "$wanted" ] || return 0
	present >"$P.after" || return
	part_with $(sed -n 's/^package //p' "$P.added" | sort -u | comm -12 - "$P.after" | grep -vxF -- "$wanted" || :) || return
	present >"$P.after" || return
	bury $(sed -n 's/^package //p' "$P.added" | sort -u | comm -12 - "$P.after")
	while read -r kind name; do
		case $kind in
		package) grep -qxF -e "$name" "$P.after" || continue ;;
		user) getent passwd "$name" >/dev/null || continue ;;
		group) getent group "$name" >/dev/null || continue ;;
		auto) printf '%s\n' $W | grep -qxF -e "$name" || { apt-mark auto "$name" >/dev/null && continue; } ;;
		esac
		printf '%s %s\n' "$kind" "$name"
	done <"$P.added" >"$P.added.new"
	sync "$P.added.new" && mv -f "$P.added.new" "$P.added" && rm -f "$P.after"
}
# Debian's invoke-rc.d asks this program whether a service may be started (policy-rc.d(8)). One of the
# operator's own stays as it is; one that a power cut left here is ours by its mark.
policy=/usr/sbin/policy-rc.d
! grep -qsxF '# Made by Bramble.' $policy || rm -f $policy

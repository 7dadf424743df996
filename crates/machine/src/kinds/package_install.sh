# Lists what is there, to know afterwards what came: packages, users, groups, leftovers.
census() {
	{
		dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed /package /p'
		cut -d: -f1 /etc/passwd | sed 's/^/user /'
		cut -d: -f1 /etc/group | sed 's/^/group /'
	} | sort -u
	printf '%s\n' "$L" | while IFS= read -r path; do
		[ -z "$path" ] || [ -e "$path" ] || [ -L "$path" ] || printf 'absent %s\n' "$path"
	done
}
# An interrupted installation left its list: that one is the true "before".
[ -e "$P.before" ] || { census >"$P.before.new" && sync "$P.before.new" && mv "$P.before.new" "$P.before"; }
get() {
	apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
		--no-install-recommends --allow-downgrades --allow-change-held-packages "$@"
}
# What an interruption left half done; parts that it needs may not even be unpacked.
if [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] || dpkg --audit 2>/dev/null | grep -q .; then
	dpkg --configure -a --force-confdef --force-confold || get -f install
fi
if [ $# -gt 0 ]; then
	# Package lists may be missing or so old that their files are gone from the archive.
	get install "$@" || { apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update && get install "$@"; }
fi
census | grep -v '^absent ' >"$P.after"
{
	[ ! -e "$P.added" ] || cat "$P.added"
	grep -v '^absent ' "$P.before" | sort -u | comm -13 - "$P.after"
	grep '^absent ' "$P.before" || :
} | sort -u >"$P.added.new"
sync "$P.added.new"
mv "$P.added.new" "$P.added"
rm -f "$P.before" "$P.after"

# An installation that was cut off has no list of what it added yet: make it.
if [ -e "$P.before" ]; then
	dpkg --configure -a --force-confdef --force-confold || :
	settle
	# apt does nothing at all while a package lacks what it needs: those of ours go first.
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n '/^installed /d; /^not-installed /d; /^config-files /d; s/^[a-z-]* //p' |
		while read -r p; do
			! grep -qxF -- "package $p" "$P.added" || dpkg --purge --force-remove-reinstreq "$p" || :
		done
fi
# Versions that were changed come back, unless somebody else changed them again; lines of $V are a
# package, its version before, and those that it was given.
changed() {
	printf '%s\n' "$V" | while read -r name before given; do
		now=$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$name" 2>/dev/null) || continue
		case " $given " in *" ${now#installed } "*) ;; *) continue ;; esac
		if [ "$now" != "installed $before" ] && ! grep -qsxF -e "package $name" "$P.added"; then
			printf '%s=%s\n' "$name" "$before"
		fi
	done
}
# Not at the price of other packages.
return_to() {
	get -s install "$@" >"$P.will" && ! grep -q '^Remv ' "$P.will" && get install "$@"
}
set -- $(changed)
if [ $# -gt 0 ] && ! return_to "$@"; then
	for p in "$@"; do
		return_to "$p" ||
			echo "${p%%=*} stays at version $(dpkg-query -W -f '${Version}' "${p%%=*}"): version ${p#*=}, which was there before, can not be installed"
	done
fi
if [ -e "$P.added" ]; then
	ours=$(sed -n 's/^package //p' "$P.added")
	# Whatever the operator installed since and needs one of them must stay, and so must that one.
	part_with $ours
	# Those of ours that had to stay keep what they work with.
	present >"$P.after"
	set -- $(printf '%s\n' $ours | sort -u | comm -12 - "$P.after")
	bury "$@"
	[ $# -gt 0 ] || sed -n 's/^absent //p' "$P.added" | while IFS= read -r path; do
		rm -rf -- "$path"
	done
	set -- $(sed -n 's/^auto //p' "$P.added" | sort -u | comm -12 - "$P.after")
	[ $# -eq 0 ] || apt-mark auto "$@"
	rm -f "$P.added"
fi
rm -f "$P.before.new" "$P.will" "$P.after" "$P.added.new"

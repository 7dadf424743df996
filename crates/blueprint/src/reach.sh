# Asks the archives that hold the packages of $MISSING; $MIRROR takes the place of Debian's. The
# arguments are options for apt.
ask() {
	timeout 40 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
		"$@" 2>&1
}
T=/run/bramble/reach
rm -rf "$T"
mkdir -p "$T"
# What is still to be fetched; nothing if all lies in apt's cache or comes from files.
# shellcheck disable=SC2086 # names of packages are words
if apt-get -qq --print-uris --no-install-recommends install $MISSING >"$T/files" 2>/dev/null; then
	sed -n "s|^'\(https*://[^/]*\)/.*|\1/|p" "$T/files" | sort -u >"$T/hosts"
	known=1
else
	known=
fi
# What apt would ask first at each archive: its list of lists.
apt-get --print-uris update 2>/dev/null | sed -n "s|^'\(https*://[^']*/InRelease\)'.*|\1|p" | sort -u >"$T/lists"
if [ -n "$known" ] && [ -s "$T/hosts" ]; then
	grep -F -f "$T/hosts" "$T/lists" >"$T/needed" || :
elif [ -n "$known" ]; then
	: >"$T/needed"
else
	cp "$T/lists" "$T/needed"
fi
case $MIRROR in
http://* | https://*)
	if [ -z "$known" ] || [ -s "$T/hosts" ]; then
		VERSION_CODENAME=stable
		# shellcheck disable=SC1091 # the machine's own
		[ ! -r /etc/os-release ] || . /etc/os-release
		# Debian's own addresses are about to be replaced; archives of others stay.
		sed -i -E '\#^https?://([a-z0-9.-]+[.])?debian[.](org|net)/debian/#d' "$T/needed"
		printf '%s\n' "${MIRROR%/}/dists/$VERSION_CODENAME/InRelease" >>"$T/needed"
	fi
	;;
esac
# One list is enough for each host; a list that is not there may be one that others replace.
answered=0 silent=''
for host in $(sed -E 's|^(https?://[^/]*)/.*|\1|' "$T/needed" | sort -u); do
	why='nothing'
	for url in $(grep -F "$host/" "$T/needed"); do
		if said=$(ask "$@" download-file "$url" "$T/answer"); then
			why=
			break
		fi
		why="${url%/InRelease}: $(printf '%s\n' "$said" | sed -n 's/^E: Failed to fetch [^ ]* *//p' | head -n 1)"
		case $said in *404*) ;; *) break ;; esac
	done
	rm -f "$T/answer"
	if [ -z "$why" ]; then
		answered=$((answered + 1))
	else
		echo "no answer from $why"
		silent="$silent ${host#*://}"
	fi
done
rm -rf "$T"
# While it is unknown which archive holds what, one that answers may be enough.
if [ -n "$silent" ] && { [ -n "$known" ] || [ "$answered" = 0 ]; }; then
	echo "The machine can't install $MISSING without$silent."
	echo 'Remedy: let it reach the archive, or name a mirror that it reaches (mirrors.apt), or a proxy (proxy.http);'
	echo "if the name doesn't resolve, give the machine a name server (/etc/resolv.conf)."
	exit 1
fi

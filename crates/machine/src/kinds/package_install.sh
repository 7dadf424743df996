# What an interruption left half done; parts that it needs may not even be unpacked.
if [ -n "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] || dpkg --audit 2>/dev/null | grep -q .; then
	dpkg --configure -a --force-confdef --force-confold || get -f install
fi
settle
# What came is known when this ends, however it ends.
try() {
	note "$@" || return
	c=0
	bring "$@" || c=$?
	settle && return $c
}
if [ "$Q" = 1 ] && [ ! -e $policy ]; then
	# So that what comes with the packages waits for its configuration.
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\n# Made by Bramble.\nexit 101\n' >$policy
	chmod 0755 $policy
fi
if [ $# -gt 0 ]; then
	# Package lists may be missing or so old that their files are gone from the archive.
	try "$@" || { apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 $(early) update && try "$@"; } || exit
fi
[ "$D" = 0 ] || drop

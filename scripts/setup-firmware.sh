#!/bin/sh
# Installs what building the button's firmware needs, beyond scripts/setup.sh: a compiler with the source of its standard
# library, which is built for the button's processor, a linker for it, and the broker that its tests talk to. Debian 12, as
# root; about 800 MB.
set -eu

fail() {
	printf 'setup-firmware: %s\nremedy: %s\n' "$1" "$2" >&2
	exit 1
}
[ "$(id -u)" = 0 ] || fail 'this must run as root: it installs packages' 'sudo make firmware'
command -v apt-get >/dev/null || fail 'this is no Debian: apt-get is missing' 'use Debian 12, or see firmware/README.md'

missing=
for package in rustc-web cargo-web rust-web-src lld-22 mosquitto mosquitto-clients; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
printf 'setup-firmware: installing%s\n' "$missing"
log=$(mktemp)
# The tests start brokers of their own: the packages' one isn't started here.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT INT TERM
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
if ! { apt-get -q update && apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	fail "the packages could not be installed (whole log: $log)" 'can this computer reach its package archive? (apt-get update)'
fi
rm -f "$log"

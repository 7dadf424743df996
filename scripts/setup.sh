#!/bin/sh
# Installs what building, the lab and (with --test) the tests need. Debian 12, as root.
# What is there already is left alone; says in one line what it installs.
set -eu
cd "$(dirname "$0")/.."

fail() {
	printf 'setup: %s\n' "$1" >&2
	[ -z "${2:-}" ] || printf 'remedy: %s\n' "$2" >&2
	exit 1
}
[ "$(id -u)" = 0 ] || fail 'this must run as root: the lab makes machines, bridges and mounts' 'sudo make ...'
command -v apt-get >/dev/null || fail 'this is no Debian: apt-get is missing' 'use Debian 12 or later, or install the packages of scripts/setup.sh by hand'

# Building and linking.
need="gcc libc6-dev make git ca-certificates"
# The lab.
need="$need systemd-container mmdebstrap nftables iproute2 openssh-client procps curl"
# The bundle from Debian's source package.
need="$need golang-1.19-go dpkg-dev busybox-static"
# The web page; a Node from elsewhere brings its own npm, beside which Debian's can't be.
command -v npm >/dev/null || need="$need npm"
if [ "${1:-}" = --test ]; then
	# Real daemons and checkers that the tests run.
	need="$need openssh-server sudo shellcheck etcd-server openssl bird2 iputils-ping python3-venv python3-pip jq time"
	# Programs that look at a router from both sides.
	need="$need nmap kea-admin bind9-dnsutils iputils-arping"
	# Images: another client than Bramble's own, and the server of the router.
	need="$need skopeo docker-registry nginx"
	# A broker and clients that the button's must get along with.
	need="$need mosquitto mosquitto-clients"
	# The browser that uses the web page.
	need="$need chromium"
fi
. scripts/rust.sh
bramble_rust_fits || need="$need cargo-web rustc-web"

missing=
for package in $need; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)
	[ "$status" = installed ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
	printf 'setup: installing%s\n' "$missing"
	log=$(mktemp)
	export DEBIAN_FRONTEND=noninteractive
	# Daemons that come along are for tests that start their own: none is started here.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod 755 $policy
		trap 'rm -f $policy' EXIT INT TERM
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! { apt-get -q update && apt-get -q -y --no-install-recommends install $missing; } >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		fail "the packages could not be installed (whole log: $log)" 'can this computer reach its package archive? (apt-get update)'
	fi
	rm -f "$log"
fi
. scripts/rust.sh
bramble_rust_fits || fail "no Rust 1.$BRAMBLE_RUST_MINOR or later: $(rustc --version 2>&1 || :)" 'install it with rustup (https://rustup.rs)'

# The API's tester, from PyPI, in a place of its own: made again when the list of its parts changes.
if [ "${1:-}" = --test ]; then
	parts=tests/requirements.txt
	place=/var/cache/bramble/schemathesis
	if ! cmp -s $parts $place/requirements.txt; then
		printf 'setup: installing schemathesis\n'
		rm -rf $place
		mkdir -p "${place%/*}"
		if ! { python3 -m venv $place && $place/bin/pip install -q --disable-pip-version-check -r $parts; } >&2; then
			fail 'schemathesis could not be installed' 'can this computer reach PyPI?'
		fi
		cp $parts $place/requirements.txt
	fi
fi

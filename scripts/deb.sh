#!/bin/sh
# Makes Debian's package of the program: scripts/deb.sh [--debug] [--test].
# --debug packs the program that tests use, as it is there; --test installs the package on a machine of the lab, runs the
# daemon from it and takes it away again (root). What it is made of: crates/bramble/Cargo.toml, packaging/.
set -eu
cd "$(dirname "$0")/.."
. scripts/rust.sh

# The one that Rust 1.95 builds and that was tested; other versions may lay a package out in other ways.
CARGO_DEB=3.8.0

fail() {
	printf 'deb: %s\nremedy: %s\n' "$1" "$2" >&2
	exit 1
}
profile=release built=release test=
for word; do
	case $word in
	--debug) profile=dev built=debug ;;
	--test) test=yes ;;
	*) fail "unknown option $word" 'scripts/deb.sh [--debug] [--test]' ;;
	esac
done
for tool in dpkg-shlibdeps xz; do
	command -v $tool >/dev/null || fail "$tool is missing" 'apt-get install dpkg-dev xz-utils'
done

folder=${CARGO_TARGET_DIR:-$PWD/target}
tools=$folder/tools
if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null || :)" != "cargo-deb $CARGO_DEB" ]; then
	printf 'deb: building cargo-deb %s\n' $CARGO_DEB
	cargo install --quiet --root "$tools" --locked --version $CARGO_DEB cargo-deb
fi

bramble=$folder/$built/bramble made=$folder/$built/deb
if [ $profile = release ]; then
	scripts/web.sh build
	cargo build --release --locked -p bramble
fi
[ -x "$bramble" ] || fail "there is no $bramble" 'cargo build -p bramble'
# Pages and words that the program tells itself; cargo-deb takes them from beside it.
rm -rf "$made"
mkdir -p "$made/man"
"$bramble" man --dir "$made/man" >/dev/null
gzip -9n "$made"/man/*.1
for shell in bash zsh fish; do
	"$bramble" completions $shell >"$made/bramble.$shell"
done

# A package of tests must not take the place of one that somebody wants to keep.
out=$folder/debian fast=
if [ $profile = dev ]; then
	out=$folder/$built/debian fast=--fast
fi
mkdir -p "$out"
rm -f "$out"/bramble_*.deb
# shellcheck disable=SC2086 # no word where it isn't wanted
"$tools/bin/cargo-deb" --quiet --no-build --locked --profile $profile -p bramble --compress-system $fast --output "$out" >/dev/null
deb=$(echo "$out"/bramble_*.deb)
[ -f "$deb" ] || fail "cargo-deb made no package in $out" 'run it again without --quiet'
printf 'deb: %s\n' "$deb"

if [ -n "$test" ]; then
	BRAMBLE_BIN=$bramble BRAMBLE_DEB=$deb cargo test --locked -p bramble-tests package::
fi

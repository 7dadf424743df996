#!/bin/sh
# Format, lints, types of the page, shell scripts.
set -eu
cd "$(dirname "$0")/.."
. scripts/rust.sh
cargo fmt --all --check
cargo clippy --workspace --all-targets --locked -- -D warnings
# The button's firmware has a workspace of its own. What only its processor can run is looked at by its compiler.
(cd firmware && cargo fmt --all --check && cargo clippy --locked --all-targets -- -D warnings)
# One TLS provider: the others must not come in by some dependency's default.
for crate in aws-lc-sys openssl-sys native-tls; do
	if cargo tree --workspace --locked -i $crate >/dev/null 2>&1; then
		echo "the dependency tree holds $crate; the one TLS provider is ring" >&2
		exit 1
	fi
done
scripts/web.sh check
git ls-files '*.sh' scripts .ci bench | sort -u | while read -r f; do
	case $(head -c 40 "$f" | head -n 1) in '#!/bin/sh'* | '#!/bin/bash'* | '#!/usr/bin/env bash'*) printf '%s\n' "$f" ;; esac
done | xargs -r shellcheck -x
echo 'checks passed'

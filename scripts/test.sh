#!/bin/sh
# All tests: checks, the bundle, every crate's own tests, whole-system tests.
set -eu
cd "$(dirname "$0")/.."
. scripts/rust.sh
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"

# Lines of a panic are known without it, and target/ has half the size: kubelets of labs see this computer's disk.
export CARGO_PROFILE_DEV_DEBUG=0
df -h . | sed 's/^/disk: /'

[ -d ../shared/fixtures ] || echo 'NOTE: ../shared is absent: tests that read its fixtures are skipped, each says so'
# First, so that the program holds it.
scripts/web.sh build
scripts/check.sh
scripts/web.sh test
cargo build --locked --workspace --all-targets
# Debian's package, which a system test installs.
scripts/deb.sh --debug
# Real API servers and clusters come from the bundle; made once, kept in /var/cache/bramble.
target/debug/bramble bundle build --from debian
# The same programs that call themselves the next release: an upgrade takes two.
target/debug/bramble bundle build --from debian --label v1.20.3
# The crates' own tests first: they are quick and name the place. Labs share one computer's cores, so
# the whole-system tests run by themselves.
cargo test --locked --workspace --exclude bramble-tests
df -h . | sed 's/^/disk: /'
cargo test --locked -p bramble-tests -- --test-threads=2
df -h . | sed 's/^/disk: /'
# What `make up` and `make down` do, with the program that was tested.
scripts/try.sh up target/debug/bramble examples/lab.yaml
scripts/try.sh down target/debug/bramble examples/lab.yaml

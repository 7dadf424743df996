# shellcheck shell=sh
# Sourced: puts a cargo that can build the workspace first in PATH, if there is one.
BRAMBLE_RUST_MINOR=95
bramble_rust_fits() {
	command -v rustc >/dev/null 2>&1 && command -v cargo >/dev/null 2>&1 || return 1
	minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
	[ "${minor:-0}" -ge "$BRAMBLE_RUST_MINOR" ]
}
if ! bramble_rust_fits; then
	# rustup's folder isn't in the PATH of a plain root shell; Debian's own toolchain is in /usr/bin.
	for folder in "$HOME/.cargo/bin" /usr/bin; do
		old=$PATH
		PATH="$folder:$PATH"
		if bramble_rust_fits; then break; fi
		PATH=$old
	done
fi
export PATH

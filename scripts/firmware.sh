#!/bin/sh
# Builds the button's firmware (firmware/README.md); with --test its parts are tested on this computer first.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = --test ]; then
	# In a subshell: the firmware has another compiler.
	(
		. scripts/rust.sh
		cd firmware
		cargo test --locked
	)
fi
cd firmware
# Debian's compiler and the source of its standard library belong together; the source asks for unstable features.
export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
target=riscv32imc-unknown-none-elf
export CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_LINKER=ld.lld-22
export CARGO_TARGET_RISCV32IMC_UNKNOWN_NONE_ELF_RUSTFLAGS='-C linker-flavor=ld.lld -C link-arg=-Tlinkall.x -C force-frame-pointers'
/usr/bin/cargo build --release --locked --target "$target" -Zbuild-std=core,alloc -p bramble-button-esp32c3
folder=${CARGO_TARGET_DIR:-$PWD/target}
printf 'firmware: %s\n' "$folder/$target/release/bramble-button-esp32c3"

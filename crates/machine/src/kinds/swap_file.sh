# Whether swap on a file is in use: swap_is_used PATH. The kernel lists the path that links lead to.
swap_is_used() { grep -qF -- "$(readlink -m -- "$1") " /proc/swaps; }
# Takes a file out of use. What was swapped to it must fit into memory.
swap_leave() {
	! swap_is_used "$1" || swapoff -- "$1" || {
		echo "swap on $1 can not be turned off: is there memory enough for what is on it?"
		exit 1
	}
}
# Makes a file of swap, with nothing half made under its name: swap_make PATH MIB.
swap_make() {
	swap_leave "$1"
	rm -f -- "$1" "$1.bramble-new"
	free=$(df -Pm -- "${1%/*}" | awk 'NR == 2 { print $4 }')
	# The kubelet evicts pods from a disk that is nearly full.
	[ "$free" -ge $(($2 + 256)) ] || {
		echo "${1%/*} has $free MiB free: too little for $2 MiB of swap and 256 MiB that must stay free"
		exit 1
	}
	(umask 077 && : >"$1.bramble-new")
	# Btrfs swaps to files alone that it does not copy on write.
	[ "$(stat -f -c %T -- "${1%/*}")" != btrfs ] || chattr +C "$1.bramble-new"
	fallocate -l "$2MiB" -- "$1.bramble-new" 2>/dev/null ||
		dd if=/dev/zero of="$1.bramble-new" bs=1M count="$2" status=none
	mkswap -- "$1.bramble-new" >/dev/null
	mv -fT -- "$1.bramble-new" "$1"
}
# Takes a file into use.
swap_use() {
	swap_is_used "$1" || swapon -- "$1" || {
		echo "this machine can not swap to $1, which is on $(stat -f -c %T -- "$1"); take the size away from swap in the cluster file, or write swap: keep"
		exit 1
	}
}

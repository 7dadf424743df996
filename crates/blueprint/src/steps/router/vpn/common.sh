keys=/etc/bramble/keys/vpn
# Lines USER NUMBER.
numbers=/etc/bramble/public.vpn-addresses

# The address of a number.
address_of() {
	n=$((base + $1))
	echo "$((n >> 24 & 255)).$((n >> 16 & 255)).$((n >> 8 & 255)).$((n & 255))"
}


# The router's settings, and a peer for each user who has keys.
settings() {
	key=$(cat $keys/wireguard/private.key)
	printf '[Interface]\nListenPort = %s\nPrivateKey = %s\n' "$port" "$key"
	while read -r user number; do
		own=$keys/user.$user.wireguard
		[ -d "$own" ] || continue
		public=$(wg pubkey <"$own/private.key")
		preshared=$(cat "$own/preshared.key")
		printf '[Peer]\nPublicKey = %s\nPresharedKey = %s\nAllowedIPs = %s/32\n' \
			"$public" "$preshared" "$(address_of "$number")"
	done <$numbers
}

# Takes what is new and drops what is gone; clients that stay don't notice.
follow() {
	# Whole or not at all: with half of the list the other half would be locked out.
	wanted=$(settings)
	printf '%s\n' "$wanted" | wg syncconf $interface /dev/stdin
	case $(ip -4 -o address show dev $interface) in
	*" inet $address "*) ;;
	*)
		ip -4 address flush dev $interface
		ip address add "$address" dev $interface
		;;
	esac
	ip link set $interface up
}

# Until the program that makes the interface listens.
wait_for_it() {
	n=0
	while ! wg show $interface >/dev/null 2>&1; do
		n=$((n + 1))
		if [ $n -gt 100 ]; then
			echo "$interface does not appear within 10 s" >&2
			exit 1
		fi
		sleep 0.1
	done
}

case ${1-} in
up)
	ip link show dev $interface >/dev/null 2>&1 || ip link add dev $interface type wireguard
	follow
	;;
follow)
	wait_for_it
	follow
	;;
down) ip link delete dev $interface ;;
*)
	echo "usage: ${0##*/} up|follow|down" >&2
	exit 64
	;;
esac

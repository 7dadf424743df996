# If the interface $I gets no address within $W tries, it gets its old ones $O and the next router $G.
tries=0
while [ -z "$(ip -4 address show dev "$I" scope global 2>/dev/null)" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt "$W" ]; then
		ip link set dev "$I" up || break
		for a in $O; do ip address replace "$a" dev "$I" || :; done
		[ -z "$G" ] || [ -n "$(ip -4 route show default)" ] || ip route add default via "$G" dev "$I" || :
		break
	fi
	sleep 0.2
done

# The interface $I should have the addresses $A, or one by DHCP where $DHCP is 1; $G is the next router.
has_addresses() {
	have=$(ip address show dev "$I" 2>/dev/null) || return 1
	for a in $A; do
		case $have in *" $a "*) ;; *) return 1 ;; esac
	done
	[ "$DHCP" = 0 ] || case $have in *' inet '*' scope global '*) ;; *) return 1 ;; esac
	[ -z "$G" ] || [ -n "$(ip -4 route show default)" ]
}
# Managers work by themselves: waits until this one is ready.
await_addresses() {
	tries=0
	until has_addresses; do
		tries=$((tries + 1))
		if [ "$tries" -gt 150 ]; then
			wanted=$A
			[ "$DHCP" = 0 ] || wanted='an address by DHCP'
			echo "$I did not get $wanted within 30 s. It is like this:"
			ip address show dev "$I" || :
			ip -4 route show default || :
			exit 1
		fi
		sleep 0.2
	done
}

# $id and $dev are set. Listens for VRRP from here on; what else is to be made meanwhile takes some of the time.
command -v nft >/dev/null || {
	echo 'nft is missing, which base/packages installs: bramble up without --step'
	exit 1
}
nft delete table inet bramble-listen 2>/dev/null || :
nft -f - <<EOF
table inet bramble-listen {
	set heard { type ipv4_addr; flags dynamic; size 64; }
	chain in {
		type filter hook prerouting priority raw; policy accept;
		ip protocol vrrp @th,8,8 $id add @heard { ip saddr }
	}
}
EOF
# Adapters drop groups that nobody joined.
joined=''
[ ! -e $B/endpoint.listens ] || read -r _ joined <$B/endpoint.listens || :
! ip maddress add 01:00:5e:00:00:12 dev "$dev" 2>/dev/null || joined=$dev
printf '%s %s\n' "$(cut -d. -f1 /proc/uptime)" "$joined" >$B/endpoint.listens

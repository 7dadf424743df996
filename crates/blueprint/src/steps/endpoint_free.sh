# $address, $id and $dev are set, and endpoint_listen.sh has begun to listen for VRRP. Asks by ARP as well: a
# connection that nobody takes is enough to be told whose the address is.
# What was known of it may be of an owner who has left.
ip neighbour flush to "$address" dev "$dev"
timeout 1 bash -c "exec 3<>/dev/tcp/$address/6443" 2>/dev/null || :
read -r since joined <$B/endpoint.listens || :
# Longer than three adverts of a second.
n=0
until [ $(($(cut -d. -f1 /proc/uptime) - since)) -gt 4 ] || [ $n -ge 25 ]; do
	n=$((n + 1))
	sleep 0.2
done
heard=$(nft list set inet bramble-listen heard | sed -n '/elements/,$p' | grep -oE '[0-9]+(\.[0-9]+){3}' | tr '\n' ' ' || :)
owner=$(ip -4 neighbour show "$address" dev "$dev" | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
nft delete table inet bramble-listen
[ -z "$joined" ] || ip maddress del 01:00:5e:00:00:12 dev "$joined" 2>/dev/null || :
rm -f $B/endpoint.listens
if [ -n "$owner" ]; then
	echo "the address $address is in use: $owner answers for it"
	echo 'Remedy: choose a free address in kubernetes.endpoint.vip.'
	exit 1
fi
if [ -n "$heard" ]; then
	echo "the VRRP id $id is in use on this network, by ${heard% }"
	echo 'Remedy: choose another one in kubernetes.endpoint.vrrpId (1 to 255).'
	exit 1
fi

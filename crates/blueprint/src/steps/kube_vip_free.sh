# $address and $dev are set. A connection that nobody takes is enough to be told by ARP whose the address is;
# what was known of it may be of an owner who has left.
ip neighbour flush to "$address" dev "$dev"
timeout 1 bash -c "exec 3<>/dev/tcp/$address/6443" 2>/dev/null || :
owner=$(ip -4 neighbour show "$address" dev "$dev" | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
if [ -n "$owner" ]; then
	echo "the address $address is in use: $owner answers for it"
	echo 'Remedy: choose a free address in kubernetes.endpoint.kubeVip.'
	exit 1
fi

# The container of the running member; fails if there is none.
etcd_container() {
	running=$(timeout 20 ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" { print $1 }')
	for c in $(timeout 20 ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==etcd'); do
		case "
$running
" in *"
$c
"*)
			printf '%s\n' "$c"
			return 0
			;;
		esac
	done
	echo 'etcd does not run on this machine' >&2
	return 1
}
etcd() {
	member=$(etcd_container) || return 1
	timeout 60 ctr -n k8s.io tasks exec --exec-id "bramble-$$-$(date +%N)" "$member" \
		etcdctl --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt \
		--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$@"
}
# The container sees its own data folder of the machine's disk, and nothing else.
etcd_snapshot() {
	[ ! -e "$1" ] || return 0
	mkdir -p -m 0700 "${1%/*}"
	rm -f /var/lib/etcd/bramble-snapshot*
	etcd snapshot save /var/lib/etcd/bramble-snapshot >/dev/null
	chmod 0600 /var/lib/etcd/bramble-snapshot
	mv /var/lib/etcd/bramble-snapshot "$1.new"
	sync "$1.new"
	mv "$1.new" "$1"
}
# Takes the member of a name or a peer address out: etcd_remove NAME ADDRESS. With $dead set it is known to be
# dead. Members that never started have no name yet.
etcd_remove() {
	list=$(etcd member list)
	gone=$(printf '%s\n' "$list" | while IFS=, read -r id _ name peers _; do
		case $name,$peers in
		" $1",* | *,*"://$2:2380"*) printf '%s\n' "$id" ;;
		esac
	done)
	[ -n "$gone" ] || return 0
	if [ -z "$dead" ]; then
		all=$(printf '%s\n' "$list" | grep -c .)
		well=$(etcd endpoint health --cluster 2>&1 | grep 'is healthy' || :)
		own=$(printf '%s\n' "$well" | grep -c "://$2:2379" || :)
		left=$(($(printf '%s\n' "$well" | grep -c . || :) - own))
		need=$(((all - 1) / 2 + 1))
		if [ "$left" -lt "$need" ]; then
			echo "without $1 only $left of $((all - 1)) members of etcd would be healthy, and $need are needed"
			echo 'Remedy: mend the others first, or remove the one that is dead instead (bramble machine remove).'
			return 1
		fi
	fi
	for id in $gone; do
		etcd member remove "$id" >/dev/null
	done
}

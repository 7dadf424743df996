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
		etcdctl "--endpoints=https://${etcd_at:-127.0.0.1}:2379" --cacert=/etc/kubernetes/pki/etcd/ca.crt \
		--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$@"
}
# The container sees its own data folder of the machine's disk, and nothing else.
etcd_snapshot() {
	[ ! -e "$1" ] || return 0
	mkdir -p "${1%/*}"
	chmod 0700 "${1%/*}"
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
# Makes room for a member that learns before it votes: etcd_learner NAME ADDRESS. Prints its id and the whole
# cluster as etcd's --initial-cluster wants it.
etcd_learner() {
	n=0
	# Right after another member began to vote the leader has not heard from it yet.
	until said=$(etcd member add "$1" --learner "--peer-urls=https://$2:2380" 2>&1); do
		n=$((n + 1))
		case $said in
		*'unhealthy cluster'* | *'too many learner'* | *'not enough started'*) [ $n -lt 60 ] && sleep 1 && continue ;;
		esac
		printf '%s\n' "$said" >&2
		return 1
	done
	id=$(printf '%s\n' "$said" | sed -n 's/^Member *\([0-9a-f]*\) added.*/\1/p')
	all=$(printf '%s\n' "$said" | sed -n 's/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p')
	if [ -z "$id" ] || [ -z "$all" ]; then
		printf '%s\n' "$said" >&2
		echo 'etcd did not say what the new member is' >&2
		return 1
	fi
	printf '%s %s\n' "$id" "$all"
}
# Lets this machine's member vote as soon as it has learned what the others know: etcd_promote ID ADDRESS-OF-A-VOTER.
etcd_promote() {
	n=0
	while :; do
		if said=$(etcd_container 2>&1) && said=$(etcd_at=$2 && etcd member promote "$1" 2>&1); then return 0; fi
		case $said in *'is not a learner'*) return 0 ;; esac
		n=$((n + 1))
		if [ $n -ge 600 ]; then
			printf '%s\n' "$said"
			echo "this machine's member of etcd did not catch up with the others"
			return 1
		fi
		sleep 0.3
	done
}

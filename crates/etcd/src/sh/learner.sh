# Makes room for a member that learns before it votes: etcd_learner NAME ADDRESS. Prints its id and the whole
# cluster as etcd's --initial-cluster wants it.
etcd_learner() {
	n=0
	# Right after another member began to vote the leader has not heard from it yet. Who reads this waits a minute.
	until said=$(etcd member add "$1" --learner "--peer-urls=https://$2:2380" 2>&1); do
		n=$((n + 1))
		case $said in
		*'unhealthy cluster'* | *'too many learner'* | *'not enough started'*) [ $n -lt 30 ] && sleep 1 && continue ;;
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
		# Seen on busy machines: a kubelet that never begins the pod of a manifest that was there before it.
		if [ $((n % 120)) -eq 90 ] && [ -e /etc/kubernetes/kubelet.conf ] && ! etcd_container >/dev/null 2>&1; then
			systemctl restart kubelet
		fi
		if [ $n -ge 600 ]; then
			printf '%s\n' "$said"
			echo "this machine's member of etcd did not catch up with the others"
			etcd_explain etcd 2>&1
			return 1
		fi
		sleep 0.3
	done
}

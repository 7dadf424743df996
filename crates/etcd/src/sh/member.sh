# Functions around the member of this machine. Everything of Bramble's beside it is below $etcd_home.
etcd_home=/var/lib/bramble-etcd
etcd_data=/var/lib/etcd
etcd_manifests=/etc/kubernetes/manifests
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
# Runs a program in the member's own container.
etcd_inside() {
	member=$(etcd_container) || return 1
	timeout 120 ctr -n k8s.io tasks exec --exec-id "bramble-$$-$(date +%N)" "$member" "$@"
}
# etcd CTL-ARGUMENTS: etcdctl with the member of this machine, or with the one at $etcd_at.
etcd() {
	etcd_inside etcdctl "--endpoints=https://${etcd_at:-127.0.0.1}:2379" --cacert=/etc/kubernetes/pki/etcd/ca.crt \
		--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$@"
}
# Looks into a snapshot that the container sees. etcdctl lost this to etcdutl, which is there from 3.5 on.
etcd_status_of() {
	etcd_inside etcdutl snapshot status "$1" -w json 2>/dev/null ||
		etcd_inside etcdctl snapshot status "$1" -w json
}
# Writes a snapshot to a file, unless it is there, and what is in it beside it, as JSON. The container sees
# its own data folder of the machine's disk, and nothing else.
etcd_snapshot() {
	[ ! -e "$1" ] || return 0
	mkdir -p "${1%/*}" "$etcd_home"
	chmod 0700 "${1%/*}" "$etcd_home"
	(
		set -e
		# One at a time: the timer's and the operator's.
		exec 7<"$etcd_home"
		flock -w 300 7 || {
			echo 'another snapshot is being taken for 5 minutes already' >&2
			exit 1
		}
		rm -f "$etcd_data"/bramble-snapshot* "$1.new" "$1.json.new"
		said=$(etcd snapshot save "$etcd_data/bramble-snapshot" 2>&1) || {
			printf '%s\n' "$said" | tail -n 3 >&2
			exit 1
		}
		inside=$(etcd_status_of "$etcd_data/bramble-snapshot") || exit 1
		chmod 0600 "$etcd_data/bramble-snapshot"
		mv "$etcd_data/bramble-snapshot" "$1.new"
		sum=$(sha256sum <"$1.new")
		umask 077
		printf '{"size":%s,"sha256":"%s","taken":%s,"inside":%s}\n' \
			"$(stat -c %s "$1.new")" "${sum%% *}" "$(date +%s)" "$inside" >"$1.json.new"
		sync "$1.new" "$1.json.new"
		mv "$1.json.new" "$1.json"
		mv "$1.new" "$1"
		sync "${1%/*}"
	)
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
# The manifest of this machine's member, where it is now; fails if there is none.
etcd_manifest() {
	for m in "$etcd_manifests/etcd.yaml" "$etcd_home/restore/manifests/etcd.yaml"; do
		if [ -e "$m" ]; then
			printf '%s\n' "$m"
			return 0
		fi
	done
	echo 'this machine has no member of etcd: there is no manifest of it' >&2
	return 1
}
# The value of a flag in the member's manifest.
etcd_flag() {
	sed -n "s/^ *- --$1=//p" "$(etcd_manifest)" | head -n 1
}
# What explains that a pod does not come or go.
etcd_explain() {
	[ -e "$etcd_manifests/$1.yaml" ] || echo "there is no $etcd_manifests/$1.yaml" >&2
	echo '--- kubelet:' >&2
	journalctl -u kubelet -n 4000 --no-pager -o cat 2>/dev/null | grep -F -e "$1" -e dmit | tail -n 6 | cut -c 1-400 >&2 || :
	journalctl -u kubelet -n 6 --no-pager -o cat 2>/dev/null | cut -c 1-400 >&2 || :
	for log in /var/log/pods/kube-system_"$1"-*/"$1"/*.log; do
		[ ! -e "$log" ] || last=$log
	done
	[ -z "${last:-}" ] || {
		echo "--- $1:" >&2
		tail -n 6 "$last" >&2
	}
}

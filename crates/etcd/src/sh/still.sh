# Functions that stop this machine's control plane and start it again. The kubelet runs what has a manifest.
etcd_pods='etcd kube-apiserver kube-controller-manager kube-scheduler'
# Whether a container of that name runs: 0 or 1, and 2 where containerd does not say.
etcd_runs() {
	tasks=$(timeout 40 ctr -n k8s.io tasks ls) || return 2
	all=$(timeout 40 ctr -n k8s.io containers ls -q "labels.\"io.kubernetes.container.name\"==$1") || return 2
	running=$(printf '%s\n' "$tasks" | awk '$3 == "RUNNING" { print $1 }')
	for c in $all; do
		case "
$running
" in *"
$c
"*) return 0 ;; esac
	done
	return 1
}
# Whether it is sure that none of that name runs.
etcd_gone() {
	code=0
	etcd_runs "$1" || code=$?
	[ $code -eq 1 ]
}
# Each further time that a pod fails the kubelet waits twice as long, up to five minutes; one that was just started
# has forgotten that: etcd_nudge POD SECONDS-OF-WAITING.
etcd_nudge() {
	[ $(($2 % 45)) -ne 15 ] || ! etcd_gone "$1" || systemctl restart kubelet
}
# Ends the containers of a pod: etcd_end POD SIGNAL. A kubelet that was started while the API is away ends none
# whose manifest was taken away or changed: it does not know yet what the API has to say of them.
etcd_end() {
	for c in $(timeout 20 ctr -n k8s.io containers ls -q "labels.\"io.kubernetes.container.name\"==$1,labels.\"io.kubernetes.pod.namespace\"==kube-system"); do
		timeout 20 ctr -n k8s.io tasks kill -s "$2" "$c" >/dev/null 2>&1 || :
	done
}
# Moves manifests to a folder and waits until nothing of them runs: etcd_stop FOLDER POD...
etcd_stop() {
	to=$1
	shift
	mkdir -p -m 0700 "$to"
	for pod in "$@"; do
		[ ! -e "$etcd_manifests/$pod.yaml" ] || mv -T "$etcd_manifests/$pod.yaml" "$to/$pod.yaml"
	done
	sync "$to" "$etcd_manifests"
	since=$(date +%s)
	for pod in "$@"; do
		n=0
		until etcd_gone "$pod"; do
			n=$((n + 1))
			case $(($(date +%s) - since)) in
			? | 1[0-4]) ;;
			1? | 2? | 3? | 4? | 5?) etcd_end "$pod" TERM ;;
			*) etcd_end "$pod" KILL ;;
			esac
			if [ "$n" -ge 90 ]; then
				echo "$pod still runs 90 s after its manifest was taken away, or containerd does not say" >&2
				echo 'Remedy: see that both work (systemctl status kubelet containerd), then run the same command again.' >&2
				etcd_explain "$pod"
				return 1
			fi
			sleep 1
		done
	done
}
# Brings manifests back: etcd_start FOLDER POD...
etcd_start() {
	from=$1
	shift
	for pod in "$@"; do
		# Beside the folder first: the kubelet must not read half a file where they are different file systems.
		beside=/etc/kubernetes/.bramble-back-$pod.yaml
		[ ! -e "$from/$pod.yaml" ] || mv -T "$from/$pod.yaml" "$beside"
		[ ! -e "$beside" ] || mv -T "$beside" "$etcd_manifests/$pod.yaml"
	done
	sync "$etcd_manifests"
}
# Waits until the member of this machine answers for the whole cluster.
etcd_await() {
	n=0
	until etcd --dial-timeout=2s --command-timeout=3s endpoint health >/dev/null 2>&1; do
		n=$((n + 1))
		if [ "$n" -ge 120 ]; then
			echo 'etcd does not come to health' >&2
			etcd_explain etcd
			return 1
		fi
		etcd_nudge etcd "$n"
		sleep 1
	done
}
# Waits until the API server of this machine answers. Not by the address that control planes share: another
# one may hold it.
etcd_await_api() {
	manifest=$etcd_manifests/kube-apiserver.yaml
	address=$(sed -n 's/^ *- --advertise-address=//p' "$manifest")
	port=$(sed -n 's/^ *- --secure-port=//p' "$manifest")
	case $address in *:*) address="[$address]" ;; esac
	n=0
	until timeout 10 kubectl --kubeconfig /etc/kubernetes/admin.conf --cache-dir /run/bramble-kubectl \
		--server "https://$address:${port:-6443}" get --raw /readyz >/dev/null 2>&1; do
		n=$((n + 1))
		if [ "$n" -ge 180 ]; then
			echo 'the API server does not become ready' >&2
			etcd_explain kube-apiserver
			return 1
		fi
		etcd_nudge kube-apiserver "$n"
		sleep 1
	done
	# It ends while the API is away, and the kubelet waits longer each time.
	[ ! -e "$etcd_manifests/kube-vip.yaml" ] || ! etcd_gone kube-vip || systemctl restart kubelet
}
# Runs a tool of the member's image beside it, with its data folder and Bramble's at their own places.
etcd_beside() {
	image=$(sed -n 's/^ *image: *//p' "$(etcd_manifest)" | head -n 1)
	[ -n "$image" ] || {
		echo 'the manifest of etcd names no image' >&2
		return 1
	}
	timeout 300 ctr -n k8s.io run --rm --env ETCDCTL_API=3 \
		--mount "type=bind,src=$etcd_data,dst=$etcd_data,options=rbind:rw" \
		--mount "type=bind,src=$etcd_home,dst=$etcd_home,options=rbind:rw" \
		"$image" "bramble-etcd-$$-$(date +%N)" "$@"
}
# The tool of this image that knows snapshot files: etcdutl from 3.5 on, before it etcdctl.
etcd_tool() {
	if etcd_beside etcdutl version >/dev/null 2>&1; then
		echo etcdutl
	else
		echo etcdctl
	fi
}

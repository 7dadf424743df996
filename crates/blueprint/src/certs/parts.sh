E=/etc/kubernetes
PLANE='etcd kube-apiserver kube-controller-manager kube-scheduler kube-vip'
# What reads the API: no look at all kinds first, no cache in root's home.
api() {
	HOME=/run/bramble timeout 60 kubectl --kubeconfig=$E/admin.conf --cache-dir=/run/bramble/kubectl "$@"
}
# Whether a port of the loopback answers a request for /healthz well. The certificates of these are made by their
# owners at every start, so that nobody can check them: healthy PORT.
healthy() {
	printf 'GET /healthz HTTP/1.0\r\n\r\n' | timeout 10 openssl s_client -quiet -connect "127.0.0.1:$1" 2>/dev/null | head -n 1 | grep -q ' 200 '
}
# The running container of a part of the control plane, or nothing: running PART.
running() {
	tasks=$(timeout 20 ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" { print $1 }')
	for c in $(timeout 20 ctr -n k8s.io containers ls -q "labels.\"io.kubernetes.container.name\"==$1,labels.\"io.kubernetes.pod.namespace\"==kube-system"); do
		case "
$tasks
" in *"
$c
"*) printf '%s\n' "$c" ;;
		esac
	done
}
# Notes the containers that have read what was just changed; they are the ones to start anew.
note_old() {
	for part in $PLANE; do
		running "$part"
	done >$B/certs.turn.new
	sync $B/certs.turn.new
	mv -fT $B/certs.turn.new $B/certs.turn
}
old() { grep -qxF -e "$1" $B/certs.turn; }
# Whether a part runs, with what is on the disk now: fresh PART.
fresh() {
	all=$(running "$1")
	[ -n "$all" ] || return 1
	for c in $all; do
		! old "$c" || return 1
	done
}
# Whether a part says of itself that it is well: well PART.
well() {
	case $1 in
	etcd) etcd endpoint health >/dev/null 2>&1 ;;
	# With the certificates of both sides.
	kube-apiserver) timeout 15 kubectl --kubeconfig=$E/admin.conf --server=https://127.0.0.1:6443 get --raw /readyz >/dev/null 2>&1 ;;
	kube-controller-manager) healthy 10257 ;;
	kube-scheduler) healthy 10259 ;;
	# It runs, and says nothing more of itself.
	kube-vip) : ;;
	esac
}
ended() {
	n=0
	while timeout 20 ctr -n k8s.io tasks ls | awk '$3 == "RUNNING" { print $1 }' | grep -qxF -e "$1"; do
		[ $n -lt "$2" ] || return 1
		n=$((n + 1))
		sleep 1
	done
}
# Starts a part anew, if it has not been, and waits until it is well: restart PART. The kubelet starts what has
# ended at once the first time, and each further time twice as late; one that was itself started a moment ago has
# forgotten that. Pods don't notice.
restart() {
	for c in $(running "$1"); do
		old "$c" || continue
		timeout 20 ctr -n k8s.io tasks kill -s TERM "$c" >/dev/null 2>&1 || :
		ended "$c" 20 || timeout 20 ctr -n k8s.io tasks kill -s KILL "$c" >/dev/null 2>&1 || :
	done
	began=$(date +%s)
	asked=$began
	until fresh "$1" && well "$1"; do
		now=$(date +%s)
		if [ $((now - asked)) -gt 15 ] && [ -z "$(running "$1")" ]; then
			systemctl restart kubelet.service
			asked=$((now + 45))
		fi
		if [ $((now - began)) -gt 400 ]; then
			echo "$1 did not become healthy within 400 s after its restart; its log:" >&2
			tail -n 8 /var/log/pods/kube-system_"$1"-*/*/*.log 2>/dev/null | cut -c1-300 >&2 || :
			echo 'the kubelet:' >&2
			journalctl -u kubelet -n 6 --no-pager -o cat 2>/dev/null | cut -c1-300 >&2 || :
			return 1
		fi
		sleep 1
	done
}

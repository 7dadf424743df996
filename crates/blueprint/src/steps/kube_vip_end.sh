# Ends kube-vip and waits until it is gone.
kube_vip() {
	tasks=$(timeout 20 ctr -n k8s.io tasks ls 2>/dev/null | awk '$3 == "RUNNING" { print $1 }')
	for c in $(timeout 20 ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==kube-vip' 2>/dev/null); do
		case "
$tasks
" in *"
$c
"*) printf '%s\n' "$c" ;;
		esac
	done
}
n=0
while [ -n "$(kube_vip)" ] && [ $n -lt 10 ]; do
	for c in $(kube_vip); do
		timeout 20 ctr -n k8s.io tasks kill -s TERM "$c" >/dev/null 2>&1 || :
	done
	n=$((n + 1))
	sleep 1
done

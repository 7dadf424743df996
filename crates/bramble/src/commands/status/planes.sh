# What a control plane is at this moment; each line is one fact, and what can't be read is left out. $address is
# the address that control planes share, or empty.
[ -e /etc/kubernetes/admin.conf ] || exit 0
if [ -n "$address" ]; then
	if ip -o -4 address show to "$address/32" | grep -q .; then echo holder yes; else echo holder no; fi
	if systemctl is-active -q keepalived.service; then echo keepalived yes; else echo keepalived no; fi
	if systemctl is-active -q bramble-api.service; then echo balancer yes; else echo balancer no; fi
fi
# systemd's own lines come after what the program said last.
if systemctl is-failed -q bramble-etcd-snapshot.service; then
	echo "snapshot-failed $(journalctl -t bramble-etcd-snapshot -n 20 --no-pager -o cat 2>/dev/null | grep -v '^Remedy: ' | tail -n 1)"
fi
tasks=$(timeout 10 ctr -n k8s.io tasks ls 2>/dev/null | awk '$3 == "RUNNING" { print $1 }')
member=''
parts='etcd kube-apiserver kube-controller-manager kube-scheduler'
[ ! -e /etc/kubernetes/manifests/kube-vip.yaml ] || parts="$parts kube-vip"
for part in $parts; do
	state=no
	for c in $(timeout 10 ctr -n k8s.io containers ls -q "labels.\"io.kubernetes.container.name\"==$part" 2>/dev/null); do
		case "
$tasks
" in *"
$c
"*)
			state=yes
			[ "$part" != etcd ] || member=$c
			;;
		esac
	done
	echo "part $part $state"
done
if [ -n "$member" ]; then
	ask() {
		timeout 8 ctr -n k8s.io tasks exec --exec-id "bramble-$$-$1" "$member" etcdctl \
			--command-timeout=4s --endpoints=https://127.0.0.1:2379 --cacert=/etc/kubernetes/pki/etcd/ca.crt \
			--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$2" "$3" -w json 2>/dev/null
	}
	said=$(ask status endpoint status) && printf 'etcd %s\n' "$said"
	said=$(ask members member list) && printf 'members %s\n' "$said"
fi

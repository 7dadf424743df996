systemctl stop kubelet.service 2>/dev/null || :
if [ -S /run/containerd/containerd.sock ]; then
	ctr -n k8s.io tasks ls -q 2>/dev/null | while read -r t; do
		ctr -n k8s.io tasks kill -s SIGKILL "$t" >/dev/null 2>&1 || :
	done
	n=0
	while [ -n "$(ctr -n k8s.io tasks ls 2>/dev/null | grep ' RUNNING')" ] && [ $n -lt 50 ]; do
		n=$((n + 1))
		sleep 0.2
	done
	ctr -n k8s.io tasks ls -q 2>/dev/null | while read -r t; do
		ctr -n k8s.io tasks delete -f "$t" >/dev/null 2>&1 || :
	done
	ctr -n k8s.io containers ls -q 2>/dev/null | while read -r c; do
		ctr -n k8s.io containers delete "$c" >/dev/null 2>&1 || :
	done
fi
# Mounts of volumes and sandboxes, the deepest first.
while read -r _ at _; do
	case $at in
	/var/lib/kubelet/* | /run/containerd/io.containerd.* | /run/netns/cni-* | /var/run/netns/cni-*) printf '%s\n' "$at" ;;
	esac
done </proc/mounts | sort -r | while read -r at; do
	umount -l "$at" 2>/dev/null || :
done
for n in /run/netns/cni-*; do
	[ -e "$n" ] || continue
	ip netns delete "${n##*/}" 2>/dev/null || rm -f "$n"
done
rmdir /run/netns 2>/dev/null || :
if [ -d /sys/class/net/cni0 ]; then
	for l in /sys/class/net/cni0/brif/*; do
		[ ! -e "$l" ] || ip link delete "${l##*/}" 2>/dev/null || :
	done
	ip link delete cni0
fi
for l in kube-ipvs0 nodelocaldns; do
	[ ! -d "/sys/class/net/$l" ] || ip link delete "$l"
done
for t in iptables ip6tables; do
	command -v $t-save >/dev/null 2>&1 || continue
	$t-save 2>/dev/null | grep -qE 'KUBE-|CNI-' || continue
	$t-save | grep -vE 'KUBE-|CNI-' | $t-restore
done
# Tables that exist only because of them.
if [ -e /var/lib/bramble/nft.before ]; then
	nft list tables 2>/dev/null | sort | comm -13 /var/lib/bramble/nft.before - | while read -r _ family name; do
		case $name in
		filter | nat | mangle | raw | security | kube-proxy)
			nft list table "$family" "$name" | grep -qE '^[[:space:]]+(ip|meta|counter|iif|oif|tcp|udp|ct|fib|jump|goto|accept|drop)' ||
				nft delete table "$family" "$name"
			;;
		esac
	done
fi
if [ -e /var/lib/bramble/sysctl.before ]; then
	sysctl -q -p /var/lib/bramble/sysctl.before 2>/dev/null || :
fi
rm -rf /etc/kubernetes /var/lib/kubelet /var/lib/etcd /var/lib/cni /var/log/pods /var/log/containers /run/bramble/join.yaml /run/bramble/init.yaml /usr/libexec/kubernetes /root/.kube/cache
rmdir /usr/libexec 2>/dev/null || :
for g in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/*/kubepods.slice; do
	[ ! -d "$g" ] || find "$g" -depth -type d -exec rmdir {} \; 2>/dev/null || :
done
# The kubelet makes it for kube-proxy's volume where there is none.
[ ! -e /var/lib/bramble/modules.absent ] || rmdir /usr/lib/modules 2>/dev/null || :
[ ! -e /var/lib/bramble/online.inactive ] || systemctl stop network-online.target 2>/dev/null || :
rm -f /var/lib/bramble/modules.absent /var/lib/bramble/online.inactive /var/lib/bramble/nft.before /var/lib/bramble/sysctl.before

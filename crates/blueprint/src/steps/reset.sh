# Runs under set -e, in parts on machines that lack half of it: what fails is noted and the rest goes
# on; in the end the note decides.
left=''
# Empties a folder that is a mount or a link of the operator's, removes any other: wipe PATH.
wipe() {
	if [ -L "$1" ] || mountpoint -q "$1" 2>/dev/null; then
		[ ! -d "$1/" ] || find "$1/" -xdev -mindepth 1 -delete || left="$left $1"
	else
		rm -rf --one-file-system -- "$1" || left="$left $1"
	fi
}
# Places where volumes, sandboxes and network namespaces are mounted, the deepest first.
mounted() {
	while read -r _ at _; do
		# Blanks are written as \040.
		at=$(printf '%b.' "$at")
		at=${at%.}
		case $at in
		/var/lib/kubelet/* | /run/containerd/io.containerd.* | /run/netns/cni-* | /var/run/netns/cni-*) printf '%s\n' "$at" ;;
		esac
	done </proc/mounts | sort -r
}
timeout 60 systemctl stop kubelet.service 2>/dev/null || :
# Containers outlive containerd; without it nobody ends them.
for d in /run/containerd/io.containerd.runtime.v2.task/k8s.io/*; do
	[ -d "$d" ] || continue
	systemctl is-active -q containerd.service || timeout 60 systemctl start containerd.service 2>/dev/null || :
	break
done
if [ -S /run/containerd/containerd.sock ]; then
	timeout 30 ctr -n k8s.io tasks ls -q 2>/dev/null | while read -r t; do
		timeout 30 ctr -n k8s.io tasks kill -s SIGKILL "$t" >/dev/null 2>&1 || :
	done || :
	n=0
	while timeout 30 ctr -n k8s.io tasks ls 2>/dev/null | grep -q ' RUNNING' && [ $n -lt 50 ]; do
		n=$((n + 1))
		sleep 0.2
	done
	timeout 30 ctr -n k8s.io tasks ls -q 2>/dev/null | while read -r t; do
		timeout 30 ctr -n k8s.io tasks delete -f "$t" >/dev/null 2>&1 || :
	done || :
	timeout 30 ctr -n k8s.io containers ls -q 2>/dev/null | while read -r c; do
		timeout 30 ctr -n k8s.io containers delete "$c" >/dev/null 2>&1 || :
	done || :
fi
mounted | while IFS= read -r at; do
	umount -l "$at" 2>/dev/null || :
done
for n in /run/netns/cni-*; do
	[ -e "$n" ] || continue
	ip netns delete "${n##*/}" 2>/dev/null || rm -f "$n" || :
done
rmdir /run/netns 2>/dev/null || :
# Bridges that plug-ins made, by their configuration and by what they noted of pods.
bridges() {
	{
		echo cni0
		grep -hoE '"bridge"[[:space:]]*:[[:space:]]*"[^"/]+"' /etc/cni/net.d/* 2>/dev/null || :
		grep -hoE '"name"[[:space:]]*:[[:space:]]*"[^"/]+"' /var/lib/cni/results/* /var/lib/cni/cache/results/* 2>/dev/null || :
	} | sed 's/"$//; s/.*"//' | sort -u
}
for b in $(bridges); do
	[ -d "/sys/class/net/$b/bridge" ] || continue
	! grep -qxF "$b" /var/lib/bramble/links.before 2>/dev/null || continue
	for l in "/sys/class/net/$b/brif/"veth*; do
		[ ! -e "$l" ] || ip link delete "${l##*/}" 2>/dev/null || :
	done
	# With a port of the operator's it is the machine's way to somewhere.
	[ -z "$(ls "/sys/class/net/$b/brif")" ] || continue
	ip link delete "$b" || left="$left $b"
done
for l in kube-ipvs0 nodelocaldns; do
	[ ! -d "/sys/class/net/$l" ] || ip link delete "$l" || left="$left $l"
done
for t in iptables ip6tables; do
	command -v $t-save >/dev/null 2>&1 || continue
	$t-save 2>/dev/null | grep -qE 'KUBE-|CNI-' || continue
	$t-save 2>/dev/null | grep -vE 'KUBE-|CNI-' | $t-restore || left="$left $t"
done
# Tables that exist only because of them: kube-proxy's own, and those of iptables without a rule.
if [ -e /var/lib/bramble/nft.before ]; then
	nft list tables 2>/dev/null | sort | comm -13 /var/lib/bramble/nft.before - | while read -r _ family name; do
		case $name in
		kube-proxy) nft delete table "$family" "$name" || : ;;
		filter | nat | mangle | raw | security)
			# Whatever is no frame of a chain is a rule, or a set that rules need.
			nft list table "$family" "$name" | grep -qvE '^[[:space:]]*(table |chain |type |[}#]|$)' ||
				nft delete table "$family" "$name" || :
			;;
		esac
	done || :
fi
if [ -e /var/lib/bramble/sysctl.before ]; then
	sysctl -q -p /var/lib/bramble/sysctl.before 2>/dev/null || :
fi
# A volume that could not be unmounted would be emptied: its data is not ours.
still=$(mounted | grep '^/var/lib/kubelet/' | head -n 3 || :)
if [ -z "$still" ]; then
	wipe /var/lib/kubelet
else
	left="$left /var/lib/kubelet (still mounted: $(printf '%s' "$still" | tr '\n' ' '))"
fi
for d in /etc/kubernetes /var/lib/etcd /var/lib/bramble-etcd /var/lib/cni /var/log/pods /var/log/containers /usr/libexec/kubernetes /root/.kube/cache; do
	wipe $d
done
rm -f /run/bramble/join.yaml /run/bramble/init.yaml
rmdir /usr/libexec 2>/dev/null || :
for g in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods /sys/fs/cgroup/kubepods.slice /sys/fs/cgroup/*/kubepods.slice; do
	[ ! -d "$g" ] || find "$g" -depth -type d -exec rmdir {} \; 2>/dev/null || :
done
# The kubelet makes it for kube-proxy's volume where there is none.
[ ! -e /var/lib/bramble/modules.absent ] || rmdir /usr/lib/modules 2>/dev/null || :
[ ! -e /var/lib/bramble/online.inactive ] || systemctl stop network-online.target 2>/dev/null || :
if [ -n "$left" ]; then
	echo "This of the node's Kubernetes could not be taken away:$left."
	echo 'Remedy: see what uses it (fuser -vm, lsof), end that, and run the same command again.'
	return 1
fi
rm -f /var/lib/bramble/links.before /var/lib/bramble/modules.absent /var/lib/bramble/online.inactive /var/lib/bramble/nft.before /var/lib/bramble/sysctl.before

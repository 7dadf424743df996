# $target, $ignored and $dns are set. The copies of the old static pods would be put back by the next plan.
rm -f /var/lib/bramble/kept.*.yaml
export KUBECONFIG=/etc/kubernetes/admin.conf
config() { timeout 60 kubectl get --raw "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"; }
# Fails only where it is sure that there is none.
has_coredns() {
	answer=$(timeout 60 kubectl get --raw /apis/apps/v1/namespaces/kube-system/deployments/coredns 2>&1) && return 0
	case $answer in *NotFound*) return 1 ;; esac
}
said=$(config)
now=$(printf '%s' "$said" | sed -n 's/.*kubernetesVersion: \(v[0-9.]*[0-9]\).*/\1/p')
begun=/var/lib/bramble/upgrade.begun
# Whether every node has the kube-proxy that is wanted.
proxied() {
	said=$(timeout 10 kubectl get --raw /apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy | tr ',{}' '\n') || return 1
	number() { printf '%s\n' "$said" | sed -n "s/^\"$1\":\([0-9]*\)$/\1/p" | head -n 1; }
	wanted=$(number desiredNumberScheduled)
	[ "$(number generation)" = "$(number observedGeneration)" ] && [ "$wanted" = "$(number updatedNumberScheduled)" ] &&
		[ "$wanted" = "$(number numberAvailable)" ]
}
explain() {
	echo '--- kubelet:'
	why kubelet.service
}
# The first control plane upgrades what the cluster has once; the others follow it. Who was cut off in the
# middle of the first does it again.
if [ "$now" != "$target" ] || [ "$(head -n 1 $begun 2>/dev/null)" = "$target" ]; then
	if [ "$(head -n 1 $begun 2>/dev/null)" != "$target" ]; then
		found=coredns
		has_coredns || found=none
		printf '%s\n%s\n' "$target" $found >$begun.new
		mv $begun.new $begun
	fi
	# As it was before: what there is now may be the work of a run that was cut off.
	had=1
	[ "$(sed -n 2p $begun)" != none ] || had=''
	# shellcheck disable=SC2086 # one argument, or none
	kubeadm upgrade apply "$target" --yes $ignored || { c=$?; explain; exit $c; }
	# kubeadm installs the cluster's DNS where there is none; its image is not in the bundle.
	if [ -z "$dns$had" ]; then
		for path in /apis/apps/v1/namespaces/kube-system/deployments/coredns /api/v1/namespaces/kube-system/services/kube-dns /api/v1/namespaces/kube-system/configmaps/coredns; do
			timeout 60 kubectl delete --raw "$path" >/dev/null 2>&1 || :
		done
	fi
	rm -f $begun
else
	# shellcheck disable=SC2086
	kubeadm upgrade node $ignored || { c=$?; explain; exit $c; }
fi
# kubeadm gives kube-proxy another image, from 1.28 on with the last control plane. While a node has none it doesn't
# hear which pods have gone, so nobody is drained before all have theirs; a node that is away keeps that no longer
# than this.
n=0
until proxied || [ $n -ge 60 ]; do
	n=$((n + 1))
	sleep 2
done

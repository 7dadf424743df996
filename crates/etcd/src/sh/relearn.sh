# What this node knows of the cluster is newer than what the cluster knows itself: it looks anew. Pods go on.
if [ -e /etc/kubernetes/kubelet.conf ]; then
	systemctl restart kubelet
	for c in $(timeout 20 ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==kube-proxy'); do
		timeout 20 ctr -n k8s.io tasks kill -s TERM "$c" 2>/dev/null || :
	done
fi

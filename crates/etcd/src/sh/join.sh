# $learner is the id of this machine's member and the whole cluster, $voter the address of another member.
for part in etcd-server etcd-peer etcd-healthcheck-client apiserver-etcd-client; do
	kubeadm init phase certs $part --config /run/bramble/init.yaml >/dev/null
done
kubeadm init phase etcd local --config /run/bramble/init.yaml >/dev/null
# kubeadm has written it for a cluster that begins here.
manifest=/etc/kubernetes/manifests/etcd.yaml
sed "s|^\( *\)- --initial-cluster=.*|\1- --initial-cluster=${learner#* }\n\1- --initial-cluster-state=existing|" $manifest >/run/bramble/etcd.yaml
mv /run/bramble/etcd.yaml $manifest
etcd_promote "${learner%% *}" "$voter" >/run/bramble/promotion 2>&1 &
promotion=$!

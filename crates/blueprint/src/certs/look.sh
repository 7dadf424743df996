# The certificates of a machine, a line for each file: `cert PATH` and the public part in base64. Private keys
# that stand in the same file stay here.
echo "now $(date +%s)"
size=0
[ ! -e /var/lib/bramble/journal ] || size=$(wc -c </var/lib/bramble/journal)
echo "journal $size"
[ ! -e /etc/kubernetes/manifests/kube-apiserver.yaml ] || echo plane
[ ! -e /var/lib/bramble/certs.renew ] || echo begun
[ ! -e /var/lib/bramble/certs.turn ] || echo begun
[ ! -e /var/lib/bramble/certs.hard ] || echo hard
[ ! -e /var/lib/bramble/ca-rotation/stage ] || echo "stage $(cat /var/lib/bramble/ca-rotation/stage)"
[ ! -e /var/lib/bramble/ca-rotation/new/ca.key ] || echo "new $(sha256sum /var/lib/bramble/ca-rotation/new/ca.crt | cut -d' ' -f1)"
for f in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /var/lib/kubelet/pki/kubelet.crt \
	/var/lib/kubelet/pki/kubelet-client-current.pem /var/lib/kubelet/pki/kubelet-server-current.pem; do
	[ -r "$f" ] || continue
	echo "cert $f $(sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' "$f" | base64 -w0)"
done
for f in admin super-admin controller-manager scheduler kubelet; do
	f=/etc/kubernetes/$f.conf
	[ -r "$f" ] || continue
	data=$(sed -n 's/^ *client-certificate-data: *//p' "$f")
	[ -z "$data" ] || echo "cert $f $data"
done

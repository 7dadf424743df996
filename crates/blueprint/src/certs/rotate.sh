# Where a rotation keeps what it needs until it is over: old/ and new/ CAs, and how far this machine is.
R=$B/ca-rotation
CAS='ca front-proxy-ca etcd/ca'
# A file in its place, whole or not at all: put FROM TO MODE. By way of a file beside all of Kubernetes' folders: the
# kubelet reads every file in that of the manifests.
put() {
	# One that a run left which was cut off would keep its mode, and a key is for nobody to read.
	rm -f $E/.bramble-new
	(umask 077 && cp -- "$1" $E/.bramble-new)
	chmod "$3" $E/.bramble-new
	sync $E/.bramble-new
	mv -fT -- $E/.bramble-new "$2"
}
# What counted before, once.
keep_old() {
	[ ! -d $R/old ] || return 0
	rm -rf $R/old.tmp
	mkdir -p $R/old.tmp/etcd
	for ca in $CAS; do
		[ ! -e "$E/pki/$ca.crt" ] || cp -- "$E/pki/$ca.crt" "$R/old.tmp/$ca.crt"
	done
	sync $R/old.tmp
	mv -T $R/old.tmp $R/old
}
# The CA that a file of certificates is trusted by at this stage: mix CA.
mix() {
	case $stage in
	trusted) cat "$R/old/$1.crt" "$R/new/$1.crt" ;;
	issued) cat "$R/new/$1.crt" "$R/old/$1.crt" ;;
	dropped) cat "$R/new/$1.crt" ;;
	esac
}
# The CA in the kubeconfigs of this machine.
kubeconfigs() {
	data=$(base64 -w0 <$E/pki/ca.crt)
	for f in admin super-admin controller-manager scheduler kubelet; do
		f=$E/$f.conf
		[ -e "$f" ] || continue
		sed "s#certificate-authority-data:.*#certificate-authority-data: $data#" "$f" >$R/conf
		cmp -s $R/conf "$f" || put $R/conf "$f" 0600
	done
	rm -f $R/conf
}
# The controller manager signs with one certificate and trusts several: it must not be one file for both.
# The copy that is kept of its manifest changes with it: signer FILE.
signer() {
	m=$E/manifests/kube-controller-manager.yaml
	sed "s#--cluster-signing-cert-file=.*#--cluster-signing-cert-file=$E/pki/$1#" $m >$R/manifest
	if ! cmp -s $R/manifest $m; then
		put $R/manifest $m 0600
	fi
	[ ! -e $B/kept.kube-controller-manager.yaml ] || cp -a --remove-destination -- $m $B/kept.kube-controller-manager.yaml
	rm -f $R/manifest
}

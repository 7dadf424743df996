# Brings what this machine trusts, and on a control plane what it signs with, to $stage.
umask 022
plane=''
[ ! -e $E/manifests/kube-apiserver.yaml ] || plane=1
if [ -n "$plane" ]; then
	case $stage in
	trusted)
		put $R/old/ca.crt $E/pki/bramble-signer.crt 0644
		signer bramble-signer.crt
		;;
	issued) put $R/new/ca.crt $E/pki/bramble-signer.crt 0644 ;;
	esac
	for ca in $CAS; do
		mix $ca >$R/mixed
		[ $stage = trusted ] || put $R/new/$ca.key $E/pki/$ca.key 0600
		put $R/mixed $E/pki/$ca.crt 0644
	done
else
	mix ca >$R/mixed
	put $R/mixed $E/pki/ca.crt 0644
fi
rm -f $R/mixed
if [ -n "$plane" ]; then
	[ $stage != issued ] || kubeadm certs renew all
	[ $stage != dropped ] || signer ca.crt
fi
kubeconfigs
[ -z "$plane" ] || note_old

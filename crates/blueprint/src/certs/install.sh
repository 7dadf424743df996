# Restarts the kubelet, with the client certificate $signed for the key that was made here, if there is one, and
# with a new certificate for its own port if $serving says so.
D=$B/kubelet-client.new
P=/var/lib/kubelet/pki
umask 077
if [ -n "$signed" ]; then
	printf %s "$signed" | base64 -d >$D/signed
	if [ "$(openssl x509 -in $D/signed -noout -pubkey)" != "$(openssl pkey -in $D/key -pubout)" ]; then
		echo 'the certificate is not for the key that was made here' >&2
		exit 1
	fi
	new=$P/kubelet-client-$(date +%Y-%m-%d-%H-%M-%S).pem
	cat $D/signed $D/key >$D/whole
	sync $D/whole
	mkdir -p $P
	mv -fT $D/whole "$new"
	ln -sfn "$new" $P/kubelet-client-current.pem.new
	mv -fT $P/kubelet-client-current.pem.new $P/kubelet-client-current.pem
	# Old releases of kubeadm wrote the first certificate into the file itself.
	if grep -q 'client-certificate-data:' $E/kubelet.conf; then
		sed "s#client-certificate-data:.*#client-certificate: $P/kubelet-client-current.pem#; s#client-key-data:.*#client-key: $P/kubelet-client-current.pem#" \
			$E/kubelet.conf >$E/.kubelet.conf.new
		mv -fT $E/.kubelet.conf.new $E/kubelet.conf
	fi
fi
# The kubelet makes what isn't there when it starts.
[ -z "$serving" ] || rm -f $P/kubelet.crt $P/kubelet.key
alive() { HOME=/run/bramble timeout 15 kubectl --kubeconfig=/dev/null --server=http://127.0.0.1:10248 get --raw /healthz >/dev/null 2>&1; }
systemctl restart kubelet.service
n=0
until systemctl -q is-active kubelet.service && alive; do
	if [ $n -ge 120 ]; then
		echo 'the kubelet does not become healthy:' >&2
		journalctl -u kubelet -n 8 --no-pager -o cat | cut -c1-300 >&2
		exit 1
	fi
	n=$((n + 1))
	sleep 1
done
rm -rf $D

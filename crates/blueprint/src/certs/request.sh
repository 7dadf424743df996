# Asks for a certificate for this machine's kubelet, $node. The key is made here and stays here.
D=$B/kubelet-client.new
mkdir -p -m 0700 $D
umask 077
[ -e $D/key ] || {
	openssl ecparam -name prime256v1 -genkey -noout -out $D/key.new
	mv -fT $D/key.new $D/key
}
printf '[req]\ndistinguished_name = dn\n[dn]\n' >$D/config
openssl req -new -sha256 -config $D/config -key $D/key -subj "/O=system:nodes/CN=system:node:$node" -out $D/request
printf 'request %s\n' "$(base64 -w0 <$D/request)"

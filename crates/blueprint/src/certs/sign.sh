# Signs the request of the kubelet of $node, as the controller manager would if the API let that kubelet in.
D=$(mktemp -d /run/bramble/sign.XXXXXX)
trap 'rm -rf "$D"' EXIT
printf %s "$request" | base64 -d >"$D/request"
said=$(openssl req -in "$D/request" -noout -verify -subject -nameopt RFC2253 2>/dev/null)
case $said in
*"subject=CN=system:node:$node,O=system:nodes") ;;
*)
	echo "this is not a request of the kubelet of $node: $said" >&2
	exit 1
	;;
esac
printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature, keyEncipherment' \
	'extendedKeyUsage = clientAuth' 'authorityKeyIdentifier = keyid' >"$D/extensions"
openssl x509 -req -sha256 -days 365 -in "$D/request" -CA /etc/kubernetes/pki/ca.crt -CAkey /etc/kubernetes/pki/ca.key \
	-set_serial "0x$(openssl rand -hex 16)" -extfile "$D/extensions" -out "$D/signed" 2>"$D/said" || {
	cat "$D/said" >&2
	exit 1
}
printf 'signed %s\n' "$(base64 -w0 <"$D/signed")"

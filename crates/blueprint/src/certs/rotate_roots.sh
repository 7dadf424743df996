# Everything in the API that says whom to trust says what this control plane's file says, and the system's own
# pods have read it.
expected=$(awk '{ printf "%s\\n", $0 }' $E/pki/ca.crt)
encoded=$(base64 -w0 <$E/pki/ca.crt)
# How machines that join find out.
config=$(api -n kube-public get configmap cluster-info -o 'jsonpath={.data.kubeconfig}' 2>/dev/null || :)
if [ -n "$config" ]; then
	config=$(printf '%s\n' "$config" | sed "s#certificate-authority-data:.*#certificate-authority-data: $encoded#; s/\\\\/\\\\\\\\/g; s/\"/\\\\\"/g" | awk '{ printf "%s\\n", $0 }')
	api -n kube-public patch configmap cluster-info --type merge -p "{\"data\":{\"kubeconfig\":\"$config\"}}" >/dev/null
fi
# What pods trust; the controller manager writes it.
roots() {
	api get configmaps -A --field-selector metadata.name=kube-root-ca.crt \
		-o 'go-template={{range .items}}{{printf "%s/%s %q\n" .metadata.namespace .metadata.name (index .data "ca.crt")}}{{end}}' |
		while read -r name value; do
			[ "$value" = "\"$expected\"" ] || echo "$name"
		done
	api get secrets -A --field-selector type=kubernetes.io/service-account-token \
		-o 'go-template={{range .items}}{{printf "%s/%s %s\n" .metadata.namespace .metadata.name (index .data "ca.crt")}}{{end}}' |
		while read -r name value; do
			[ "$value" = "$encoded" ] || echo "$name"
		done
}
began=$(date +%s)
while :; do
	if late=$(roots 2>&1); then
		[ -n "$late" ] || break
	fi
	if [ $(($(date +%s) - began)) -gt 240 ]; then
		echo "not everything that pods trust was written anew by the controller manager within 240 s: $(printf '%s' "$late" | head -n 5 | tr '\n' ' ')" >&2
		exit 1
	fi
	sleep 2
done
echo 'roots'
if [ ! -e $R/rolled.$stage ]; then
	all=$(api -n kube-system get daemonsets,deployments,statefulsets -o name)
	for one in $all; do
		api -n kube-system rollout restart "$one" >/dev/null
	done
	for one in $all; do
		HOME=/run/bramble timeout 320 kubectl --kubeconfig=$E/admin.conf --cache-dir=/run/bramble/kubectl -n kube-system rollout status "$one" --timeout=300s >/dev/null
		echo "rolled ${one##*/}"
	done
	: >$R/rolled.$stage
fi

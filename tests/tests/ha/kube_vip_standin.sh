#!/bin/sh
# Stands in for kube-vip, whose image can't be had where tests run: what its documentation says of a control plane
# with ARP and leader election, with the variables of its documentation. One has the lease, and with it the address.
# shellcheck disable=SC2154 # the pod has them
[ "$1" = manager ] && [ "$cp_enable$vip_arp$vip_leaderelection" = truetruetrue ] || exit 2
lease=$vip_leasename
api() { timeout 3 kubectl --kubeconfig=/etc/kubernetes/admin.conf --server="$kubernetes_addr" --cache-dir=/tmp -n "$cp_namespace" "$@"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.000000Z; }
held=''
let_go() { [ -z "$held" ] || ip address del "$address/$vip_subnet" dev "$vip_interface"; }
trap 'let_go; exit 0' TERM INT
# Takes the lease, or renews it: take RESOURCEVERSION; without one it is made.
take() {
	if [ -n "$1" ]; then verb=replace version="\"resourceVersion\":\"$1\","; else verb=create version=''; fi
	printf '{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{%s"name":"%s"},"spec":{"holderIdentity":"%s","leaseDurationSeconds":%s,"renewTime":"%s"}}' \
		"$version" "$lease" "$vip_nodename" "$vip_leaseduration" "$(now)" | api "$verb" -f - >/dev/null
}
renewed='' since=0 good=$(date +%s)
while :; do
	said=$(api get lease "$lease" -o 'jsonpath={.spec.holderIdentity} {.metadata.resourceVersion} {.spec.renewTime}' 2>&1) && found=1 || found=''
	time=$(date +%s)
	# shellcheck disable=SC2086 # three words
	set -- $said
	mine=''
	if [ -z "$found" ]; then
		case $said in *NotFound*) take '' && mine=1 ;; esac
	elif [ "$1" = "$vip_nodename" ]; then
		take "$2" && mine=1
	elif [ "$3" != "$renewed" ]; then
		renewed=$3 since=$time
	elif [ $((time - since)) -ge "$vip_leaseduration" ]; then
		take "$2" && mine=1
	fi
	if [ -n "$mine" ]; then
		good=$time
		[ -n "$held" ] || ip address add "$address/$vip_subnet" dev "$vip_interface" || [ $? = 2 ]
		[ -n "$held" ] || echo "$vip_nodename has $address"
		held=1
		arping -U -c 1 -I "$vip_interface" "$address" >/dev/null 2>&1 &
	elif [ -n "$held" ] && { [ -n "$found" ] || [ $((time - good)) -ge "$vip_renewdeadline" ]; }; then
		echo "the lease is lost: $said"
		let_go
		exit 1
	fi
	sleep "$vip_retryperiod"
done

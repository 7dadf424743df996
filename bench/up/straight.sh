#!/bin/bash
# A cluster by hand: what `bramble up` does to fresh machines, as a straight line of the same commands. Machines
# are prepared at the same time, copies run beside installations, workers join at the same time and beside the
# control planes, which join one after the other. It checks nothing, records nothing and can't be run twice: the
# least that the work takes.
#
# straight.sh LAB BUNDLE SHAPE: folder of the lab's state (ssh_config), folder of the bundle (bundle.json, blobs),
# file that says what the cluster.yaml beside it says: name, lan, planes, workers, shared.
set -euo pipefail
lab=$1 bundle=$2
config=$lab/ssh_config
# The address that control planes share; empty where the first one's own is the cluster's.
name='' lan='' planes='' workers='' shared=''
# shellcheck source=/dev/null
. "$3"
read -r first others <<<"$planes"
declare -A address pods
number=11
for machine in $planes $workers; do
	address[$machine]=$lan.$number
	pods[$machine]=10.244.$number.0/24
	number=$((number + 1))
done
endpoint=${shared:-${address[$first]}}:$([ -n "$shared" ] && echo 8443 || echo 6443)
is_plane() { case " $planes " in *" $1 "*) return 0 ;; *) return 1 ;; esac }
sockets=$(mktemp -d)
# One connection per machine, with the cipher that costs least here.
on() {
	local machine=$1
	shift
	ssh -F "$config" -o Ciphers=aes128-gcm@openssh.com -o ControlMaster=auto -o "ControlPath=$sockets/%h" -o ControlPersist=60 "$machine" "$@"
}
leave() {
	for machine in $planes $workers; do
		ssh -F "$config" -o "ControlPath=$sockets/%h" -O exit "$machine" 2>/dev/null || :
	done
	rm -rf "$sockets"
}
trap leave EXIT

blobs() { # of a machine: binaries as "binary NAME SHA256", images as "image REFERENCE SHA256"
	local roles='["all"]'
	! is_plane "$1" || roles='["all", "control-plane"]'
	jq -r --argjson roles "$roles" '.artefacts[]
		| select(.kind == "binary" or (.roles as $r | $roles | index($r)))
		| "\(.kind) \(.name // .reference) \(.sha256)"' "$bundle/bundle.json"
}

copy() {
	blobs "$1" | cut -d' ' -f3 | tar -C "$bundle/blobs/sha256" -cf - -T - | on "$1" 'mkdir -p /root/blobs && tar -C /root/blobs -xf -'
}

install_and_configure() {
	local m=$1
	# The settings below are the machine's own; what is quoted goes as it is.
	{
		printf 'address=%s pods=%s lan=%s shared=%s\n' "${address[$m]}" "${pods[$m]}" "$lan" "$shared"
		is_plane "$m" && hosts="$planes $workers" || hosts="$planes $m"
		printf 'hosts="'
		for h in $hosts; do printf '%s\t%s.internal %s\n' "${address[$h]}" "$h.$name" "$h"; done
		printf '"\n'
		if [ -n "$shared" ] && is_plane "$m"; then
			printf 'more="keepalived haproxy nftables" peers="'
			for h in $planes; do [ "$h" = "$m" ] || printf '%s ' "${address[$h]}"; done
			printf '" servers="'
			for h in $planes; do printf '%s ' "${address[$h]}"; done
			printf '"\n'
		else
			echo "more=''"
		fi
		cat <<'MACHINE'
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -q -y --no-install-recommends install \
	ca-certificates openssl iproute2 procps kmod tzdata conntrack iptables socat ethtool ebtables nftables \
	containerd containernetworking-plugins bird2 $more >/root/apt.log 2>&1
printf 'UseDNS no\n' >/etc/ssh/sshd_config.d/50-bench.conf
sshd -t
systemctl reload ssh
cat >/etc/sysctl.d/90-bench.conf <<END
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
END
sysctl -q -p /etc/sysctl.d/90-bench.conf
printf '%s' "$hosts" >>/etc/hosts
mkdir -p /etc/containerd/certs.d /etc/systemd/system/containerd.service.d /etc/cni/net.d /opt/cni/bin
cat >/etc/containerd/config.toml <<END
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "k8s.gcr.io/pause:3.2"
  restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = false

[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
END
printf '[Service]\nOOMScoreAdjust=0\n' >/etc/systemd/system/containerd.service.d/bench.conf
cat >/etc/crictl.yaml <<END
runtime-endpoint: unix:///run/containerd/containerd.sock
image-endpoint: unix:///run/containerd/containerd.sock
END
cat >/etc/systemd/system/kubelet.service <<'END'
[Unit]
Description=kubelet: the Kubernetes node agent
Wants=network-online.target
After=network-online.target containerd.service

[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/local/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
Restart=always
StartLimitInterval=0
RestartSec=3

[Install]
WantedBy=multi-user.target
END
cat >/etc/default/kubelet <<END
KUBELET_EXTRA_ARGS="--node-ip=$address --max-pods=110 --cgroup-driver=cgroupfs --oom-score-adj=0 --fail-swap-on=false"
END
for plugin in bridge host-local loopback portmap; do
	ln -s /usr/lib/cni/$plugin /opt/cni/bin/$plugin
done
cat >/etc/cni/net.d/10-bench.conflist <<END
{
  "cniVersion": "0.4.0",
  "name": "bench",
  "plugins": [
    { "type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
      "ipam": { "type": "host-local", "ranges": [[{ "subnet": "$pods" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
cat >/etc/bird/bird.conf <<END
log syslog all;
router id $address;
protocol device {
}
protocol static pods {
	ipv4;
	route $pods unreachable;
}
protocol kernel {
	ipv4 {
		import none;
		export where source ~ [ RTS_OSPF, RTS_OSPF_EXT1, RTS_OSPF_EXT2 ];
	};
}
protocol ospf v2 machines {
	ipv4 {
		import where net ~ [ 10.244.0.0/16+ ];
		export where proto = "pods";
	};
	area 0 {
		interface $lan.0/24 { type broadcast; hello 2; dead 8; wait 4; };
	};
}
END
bird -p -c /etc/bird/bird.conf
cat >/etc/bench-masquerade.nft <<END
table ip bench-masquerade {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, $lan.0/24 } masquerade
	}
}
END
cat >/etc/systemd/system/bench-masquerade.service <<END
[Unit]
Description=Pods that leave the cluster wear the machine's address
After=network-pre.target nftables.service
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/bench-masquerade.nft

[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl -q enable containerd kubelet bird bench-masquerade
systemctl restart containerd bird bench-masquerade
[ -n "$more" ] || exit 0
systemctl -q disable --now haproxy
cat >/etc/haproxy/bench-api.cfg <<END
global
	log stdout format raw local0 notice
	user haproxy
	group haproxy
	maxconn 8192
defaults
	log global
	mode tcp
	option redispatch 1
	balance roundrobin
	retries 3
	timeout connect 2s
	timeout client 4h
	timeout server 4h
	timeout check 1s
	default-server check check-ssl verify none inter 1s fastinter 500ms downinter 1s fall 2 rise 1 on-marked-down shutdown-sessions
listen health
	mode http
	bind 127.0.0.1:8449
	acl nobody nbsrv(api) lt 1
	monitor-uri /
	monitor fail if nobody
	timeout http-request 5s
listen api
	bind :8443
	option httpchk GET /readyz
	http-check expect status 200
$(for s in $servers; do printf '\tserver s%s %s:6443\n' "${s##*.}" "$s"; done)
END
cat >/etc/systemd/system/bench-api.service <<'END'
[Unit]
Description=Leads to the API servers of the cluster
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
RuntimeDirectory=bench-api
ExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/bench-api.cfg -p /run/bench-api/pid
Restart=always

[Install]
WantedBy=multi-user.target
END
cat >/usr/local/bin/api-address <<'END'
#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/8449 || exit 1
printf 'GET / HTTP/1.0\r\n\r\n' >&3
read -r -t 1 line <&3
[[ $line == *' 200 '* ]]
END
chmod 0755 /usr/local/bin/api-address
cat >/etc/keepalived/keepalived.conf <<END
global_defs {
	script_user root
	enable_script_security
}
vrrp_script api {
	script /usr/local/bin/api-address
	interval 1
	timeout 2
	fall 2
	rise 2
	weight -50
}
vrrp_instance api {
	state BACKUP
	interface host0
	virtual_router_id 51
	priority 100
	advert_int 1
	unicast_src_ip $address
	unicast_peer {
$(for p in $peers; do printf '\t\t%s\n' "$p"; done)
	}
	virtual_ipaddress {
		$shared/32
	}
	track_script {
		api
	}
}
END
systemctl daemon-reload
systemctl -q enable bench-api keepalived
systemctl restart bench-api keepalived
MACHINE
	} | on "$m" sh -s
}

prepare() {
	local m=$1 copying
	on "$m" true
	copy "$m" &
	copying=$!
	install_and_configure "$m"
	wait $copying
	{
		echo 'set -eu; cd /root/blobs'
		blobs "$m" | while read -r kind as sha256; do
			case $kind in
			binary) echo "chmod 0755 $sha256; mv $sha256 /usr/local/bin/$as" ;;
			image) echo "ctr -n k8s.io images import $sha256 >/dev/null; rm $sha256" ;;
			esac
		done
	} | on "$m" sh -s
}

# What kubeadm is told, on every control plane.
configuration() { # of a machine
	local names='' m
	for m in $planes; do names+="$m, $m.$name.internal, ${address[$m]}, "; done
	cat <<END
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
bootstrapTokens: [{ ttl: 1s, usages: [signing, authentication] }]
nodeRegistration: { name: $1, criSocket: /run/containerd/containerd.sock }
localAPIEndpoint: { advertiseAddress: ${address[$1]}, bindPort: 6443 }
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
clusterName: $name
controlPlaneEndpoint: $endpoint
networking: { podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16, dnsDomain: cluster.local }
apiServer: { certSANs: [${names}127.0.0.1] }
controllerManager: { extraArgs: { allocate-node-cidrs: "false" } }
imageRepository: k8s.gcr.io
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
failSwapOn: false
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCIDR: 10.244.0.0/16
conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }
oomScoreAdj: 0
END
}

initialize() {
	configuration "$first" | on "$first" 'umask 077; cat >/root/init.yaml'
	on "$first" sh -s <<'MACHINE'
set -eu
umask 077
kubeadm init --config /root/init.yaml --ignore-preflight-errors=SystemVerification,Swap,ImagePull \
	--skip-phases=addon/coredns >/root/init.log 2>&1
rm /root/init.yaml
MACHINE
}

join_configuration() { # of a machine
	cat <<END
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
nodeRegistration: { name: $1, criSocket: /run/containerd/containerd.sock }
discovery:
  bootstrapToken:
    token: $token
    apiServerEndpoint: $endpoint
    caCertHashes: ["$hash"]
END
}

join_worker() {
	join_configuration "$1" | on "$1" 'set -eu; umask 077; cat >/root/join.yaml
kubeadm join --config /root/join.yaml --ignore-preflight-errors=SystemVerification,Swap >/root/join.log 2>&1
rm /root/join.yaml'
}

# etcdctl in the member's container, and what lets a member learn before it votes: kubeadm before 1.29 adds it as
# one that votes at once, and API servers of some releases don't survive that (kubernetes issue 97294).
member=$(
	cat <<'MACHINE'
etcd() {
	ctr -n k8s.io tasks exec --exec-id "bench-$$-$(date +%N)" "$(ctr -n k8s.io containers ls -q 'labels."io.kubernetes.container.name"==etcd' | head -n 1)" \
		etcdctl "--endpoints=https://$at:2379" --cacert=/etc/kubernetes/pki/etcd/ca.crt --cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key "$@"
}
MACHINE
)

join_plane() {
	local m=$1 learner
	learner=$({
		printf 'set -eu; at=127.0.0.1; name=%s peer=%s\n%s\n' "$m" "${address[$m]}" "$member"
		cat <<'MACHINE'
until said=$(etcd member add "$name" --learner "--peer-urls=https://$peer:2380" 2>&1); do sleep 0.3; done
printf '%s\n' "$said" | sed -n 's/^Member *\([0-9a-f]*\) added.*/\1/p; s/^ETCD_INITIAL_CLUSTER="\(.*\)"$/\1/p' | paste -sd ' '
MACHINE
	} | on "$first" sh -s)
	configuration "$m" | on "$m" 'umask 077; cat >/root/init.yaml'
	{
		join_configuration "$m"
		printf 'controlPlane: { localAPIEndpoint: { advertiseAddress: %s, bindPort: 6443 } }\n' "${address[$m]}"
	} | on "$m" 'umask 077; cat >/root/join.yaml'
	on "$first" 'tar -czf - -C /etc/kubernetes/pki ca.crt ca.key sa.key sa.pub front-proxy-ca.crt front-proxy-ca.key etcd/ca.crt etcd/ca.key' |
		on "$m" 'umask 077; mkdir -p /etc/kubernetes/pki; tar -xzf - -C /etc/kubernetes/pki'
	{
		printf 'set -eu; at=%s; id=%s all=%s\n%s\n' "${address[$first]}" "${learner%% *}" "${learner#* }" "$member"
		cat <<'MACHINE'
umask 077
kubeadm init phase certs apiserver --config /root/init.yaml >/dev/null
for part in etcd-server etcd-peer etcd-healthcheck-client apiserver-etcd-client; do
	kubeadm init phase certs $part --config /root/init.yaml >/dev/null
done
kubeadm init phase etcd local --config /root/init.yaml >/dev/null
sed "s|^\( *\)- --initial-cluster=.*|\1- --initial-cluster=$all\n\1- --initial-cluster-state=existing|" /etc/kubernetes/manifests/etcd.yaml >/root/etcd.yaml
mv /root/etcd.yaml /etc/kubernetes/manifests/etcd.yaml
(until etcd member promote "$id" >/dev/null 2>&1; do sleep 0.3; done) &
promotion=$!
kubeadm join --config /root/join.yaml --skip-phases=control-plane-join/etcd \
	--ignore-preflight-errors=SystemVerification,Swap,ImagePull,DirAvailable--etc-kubernetes-manifests,FileAvailable--etc-kubernetes-manifests-etcd.yaml >/root/join.log 2>&1
wait $promotion
rm /root/join.yaml /root/init.yaml
MACHINE
	} | on "$m" sh -s
}

pids=()
for m in $others $workers; do
	prepare "$m" &
	pids+=($!)
done
prepare "$first"
initialize
for pid in "${pids[@]}"; do wait "$pid"; done
# shellcheck disable=SC2016 # for the machine's shell
read -r token hash < <(on "$first" 'export KUBECONFIG=/etc/kubernetes/admin.conf
printf "%s sha256:%s\n" "$(kubeadm token create --ttl 15m 2>/dev/null)" "$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d" " -f1)"')
pids=()
for m in $workers; do
	join_worker "$m" &
	pids+=($!)
done
for m in $others; do join_plane "$m"; done
for pid in "${pids[@]}"; do wait "$pid"; done
{
	printf 'set -eu\nexport KUBECONFIG=/etc/kubernetes/admin.conf\n'
	for m in $planes $workers; do
		printf "kubectl patch node %s -p '{\"spec\":{\"podCIDR\":\"%s\",\"podCIDRs\":[\"%s\"]}}' >/dev/null\n" "$m" "${pods[$m]}" "${pods[$m]}"
	done
	for m in $workers; do printf 'kubectl label node %s node-role.kubernetes.io/worker= >/dev/null\n' "$m"; done
	# Fewer than three workers: pods run on control planes too.
	[ -z "$shared" ] || printf 'kubectl taint nodes --all node-role.kubernetes.io/master- >/dev/null 2>&1 || :\n'
	printf 'kubectl wait --for=condition=Ready --timeout=300s node --all >/dev/null\ncat >/root/demo.yaml <<\047END\047\n'
	cat "$(dirname "$0")/demo.yaml"
	printf 'END\nkubectl apply -f /root/demo.yaml >/dev/null\nkubectl rollout status --timeout=300s deployment/demo >/dev/null\n'
	printf 'kubeadm token delete %s >/dev/null 2>&1\n' "${token%%.*}"
} | on "$first" sh -s

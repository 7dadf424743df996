#!/bin/bash
# The cluster of cluster.yaml by hand: what `bramble up` does to fresh machines, as a straight line of the
# same commands. Machines are prepared at the same time, copies run beside installations, workers join at
# the same time. It checks nothing, records nothing and can't be run twice: the least that the work takes.
#
# straight.sh LAB BUNDLE: folder of the lab's state (ssh_config), folder of the bundle (bundle.json, blobs).
set -euo pipefail
lab=$1 bundle=$2
config=$lab/ssh_config
first=one workers="two three"
declare -A address=([one]=10.216.0.11 [two]=10.216.0.12 [three]=10.216.0.13)
declare -A pods=([one]=10.244.11.0/24 [two]=10.244.12.0/24 [three]=10.244.13.0/24)
sockets=$(mktemp -d)
# One connection per machine, with the cipher that costs least here.
on() {
	local machine=$1
	shift
	ssh -F "$config" -o Ciphers=aes128-gcm@openssh.com -o ControlMaster=auto -o "ControlPath=$sockets/%h" -o ControlPersist=60 "$machine" "$@"
}
leave() {
	for machine in $first $workers; do
		ssh -F "$config" -o "ControlPath=$sockets/%h" -O exit "$machine" 2>/dev/null || :
	done
	rm -rf "$sockets"
}
trap leave EXIT

blobs() { # of a machine: binaries as "binary NAME SHA256", images as "image REFERENCE SHA256"
	local roles='["all"]'
	[ "$1" != $first ] || roles='["all", "control-plane"]'
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
		printf 'name=%s address=%s pods=%s\n' "$m" "${address[$m]}" "${pods[$m]}"
		[ "$m" = $first ] && hosts="one two three" || hosts="one $m"
		printf 'hosts="'
		for h in $hosts; do printf '%s\t%s.bench-up.internal %s\n' "${address[$h]}" "$h" "$h"; done
		printf '"\n'
		cat <<'MACHINE'
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -q -y --no-install-recommends install \
	ca-certificates openssl iproute2 procps kmod tzdata conntrack iptables socat ethtool ebtables nftables \
	containerd containernetworking-plugins bird2 >/root/apt.log 2>&1
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
		interface 10.216.0.0/24 { type broadcast; hello 2; dead 8; wait 4; };
	};
}
END
bird -p -c /etc/bird/bird.conf
cat >/etc/bench-masquerade.nft <<END
table ip bench-masquerade {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.244.0.0/16 ip daddr != { 10.244.0.0/16, 10.216.0.0/24 } masquerade
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
		blobs "$m" | while read -r kind name sha256; do
			case $kind in
			binary) echo "chmod 0755 $sha256; mv $sha256 /usr/local/bin/$name" ;;
			image) echo "ctr -n k8s.io images import $sha256 >/dev/null; rm $sha256" ;;
			esac
		done
	} | on "$m" sh -s
}

initialize() {
	on $first sh -s <<'MACHINE'
set -eu
umask 077
cat >/root/init.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
bootstrapTokens: [{ ttl: 1s, usages: [signing, authentication] }]
nodeRegistration: { name: one, criSocket: /run/containerd/containerd.sock }
localAPIEndpoint: { advertiseAddress: 10.216.0.11, bindPort: 6443 }
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
clusterName: bench-up
controlPlaneEndpoint: 10.216.0.11:6443
networking: { podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16, dnsDomain: cluster.local }
apiServer: { certSANs: [one, one.bench-up.internal, 10.216.0.11, 127.0.0.1] }
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
kubeadm init --config /root/init.yaml --ignore-preflight-errors=SystemVerification,Swap,ImagePull \
	--skip-phases=addon/coredns >/root/init.log 2>&1
rm /root/init.yaml
MACHINE
}

join() {
	local m=$1 token=$2 hash=$3
	on "$m" sh -s <<MACHINE
set -eu
umask 077
cat >/root/join.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
nodeRegistration: { name: $m, criSocket: /run/containerd/containerd.sock }
discovery:
  bootstrapToken:
    token: $token
    apiServerEndpoint: 10.216.0.11:6443
    caCertHashes: ["$hash"]
END
kubeadm join --config /root/join.yaml --ignore-preflight-errors=SystemVerification,Swap >/root/join.log 2>&1
rm /root/join.yaml
MACHINE
}

pids=()
for m in $workers; do
	prepare "$m" &
	pids+=($!)
done
prepare $first
initialize
for pid in "${pids[@]}"; do wait "$pid"; done
# shellcheck disable=SC2016 # for the machine's shell
read -r token hash < <(on $first 'export KUBECONFIG=/etc/kubernetes/admin.conf
printf "%s sha256:%s\n" "$(kubeadm token create --ttl 15m 2>/dev/null)" "$(openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d" " -f1)"')
pids=()
for m in $workers; do
	join "$m" "$token" "$hash" &
	pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
{
	printf 'set -eu\nexport KUBECONFIG=/etc/kubernetes/admin.conf\n'
	for m in $first $workers; do
		printf "kubectl patch node %s -p '{\"spec\":{\"podCIDR\":\"%s\",\"podCIDRs\":[\"%s\"]}}' >/dev/null\n" "$m" "${pods[$m]}" "${pods[$m]}"
	done
	for m in $workers; do printf 'kubectl label node %s node-role.kubernetes.io/worker= >/dev/null\n' "$m"; done
	printf 'kubectl wait --for=condition=Ready --timeout=300s node --all >/dev/null\ncat >/root/demo.yaml <<\047END\047\n'
	cat "$(dirname "$0")/demo.yaml"
	printf 'END\nkubectl apply -f /root/demo.yaml >/dev/null\nkubectl rollout status --timeout=300s deployment/demo >/dev/null\n'
	printf 'kubeadm token delete %s >/dev/null 2>&1\n' "${token%%.*}"
} | on $first sh -s

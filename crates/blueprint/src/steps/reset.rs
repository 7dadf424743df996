//! Takes a node's Kubernetes off a machine, whatever state it is in.

/// The program. Unlike `kubeadm reset` it needs neither a running kubelet nor a reachable API, and it
/// also takes away what the kubelet, kube-proxy and the plug-ins left in the kernel.
pub(super) fn program() -> &'static str {
    include_str!("reset.sh")
}

/// Notes what the kernel's links and tables were before the first node component ran.
pub(super) fn baseline() -> &'static str {
    "[ -e $B/nft.before ] || ls /sys/class/net >$B/links.before\n\
     [ -e $B/nft.before ] || [ -e /lib/modules ] || : >$B/modules.absent\n\
     [ -e $B/nft.before ] || systemctl is-active -q network-online.target || : >$B/online.inactive\n\
     [ -e $B/nft.before ] || { nft list tables 2>/dev/null | sort >$B/nft.new; mv $B/nft.new $B/nft.before; }\n\
     [ -e $B/sysctl.before ] || { for v in vm.overcommit_memory kernel.panic kernel.panic_on_oops net.ipv4.conf.all.route_localnet; do \
     printf '%s=%s\\n' \"$v\" \"$(sysctl -n $v)\"; done >$B/sysctl.new; mv $B/sysctl.new $B/sysctl.before; }"
}

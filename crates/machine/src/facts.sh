ID='' VERSION_CODENAME=''
[ -r /etc/os-release ] && . /etc/os-release
printf 'os=%s\ncodename=%s\n' "$ID" "$VERSION_CODENAME"
read -r release < /proc/sys/kernel/osrelease
# Since Linux 6.1; saves a process.
if [ -r /proc/sys/kernel/arch ]; then read -r machine < /proc/sys/kernel/arch; else machine=$(uname -m); fi
printf 'kernel=%s\nmachine=%s\n' "$release" "$machine"
[ -d "/lib/modules/$release" ] && echo modules=1
[ -e /proc/config.gz ] || [ -e "/boot/config-$release" ] && echo kernel_config=1
read -r host < /proc/sys/kernel/hostname; printf 'hostname=%s\n' "$host"
[ -e /sys/fs/cgroup/cgroup.controllers ] && echo cgroup2=1
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	read -r all < /sys/fs/cgroup/cgroup.controllers
	case " $all " in *' memory '*) echo cgroup_memory=1 ;; esac
else
	while read -r name _ _ on; do [ "$name" = memory ] && echo "cgroup_memory=$on"; done < /proc/cgroups
fi
container=''
[ -e /run/systemd/container ] || [ -e /run/.containerenv ] || [ -e /.dockerenv ] && container=1
[ -z "$container" ] || echo container=1
while read -r key value _; do case $key in CapEff:) printf 'caps=%s\n' "$value"; break;; esac; done < /proc/self/status
while read -r key value _; do case $key in MemTotal:) printf 'memory=%s\n' "$value"; break;; esac; done < /proc/meminfo
cpus=0; for c in /sys/devices/system/cpu/cpu[0-9]*; do cpus=$((cpus + 1)); done; echo "cpus=$cpus"
{ read -r _; read -r _ && echo swap=1; } < /proc/swaps
[ -e /dev/rtc0 ] || [ -e /sys/class/rtc/rtc0 ] && echo rtc=1
[ ! -e /proc/sys/net/netfilter/nf_conntrack_max ] || [ -w /proc/sys/net/netfilter/nf_conntrack_max ] && echo conntrack=1
[ -w /proc/sys/vm/nr_hugepages ] && echo huge_pages=1
[ -d "/lib/modules/$release" ] || [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && echo bridge_filter=1
[ -d /sys/module/wireguard ] || [ -d "/lib/modules/$release/kernel/drivers/net/wireguard" ] && echo wireguard=1
[ -d /var/lib/bramble ] && echo home=1
# A control plane whose making was finished, and not only begun, and that the cluster was not recovered without.
if [ -e /etc/kubernetes/admin.conf ] && [ ! -e /var/lib/bramble-etcd/aside/etcd.yaml ] && [ -r /var/lib/bramble/journal ]; then
	while IFS= read -r line; do
		case $line in *'"e":"done","id":"action:kubeadm-init"'*) echo control_plane=1; break ;; esac
	done < /var/lib/bramble/journal
fi
[ -e /run/bramble/revert.sh ] && echo armed=1
# A card is hardware, or, in a container, the inner end of a pair: not what pods, VPNs and bridges have.
cards='' radios='' configured=''
for d in /sys/class/net/*; do
	name=${d##*/}
	case $name in lo | veth* | cni* | cali* | lxc* | docker* | virbr* | vnet* | ifb* | bond* | br-* | dummy* | flannel* | kube-* | nodelocaldns* | tun* | tap* | wg*) continue ;; esac
	[ -r "$d/type" ] && read -r type < "$d/type" && [ "$type" = 1 ] || continue
	[ ! -e "$d/bridge" ] && [ ! -e "$d/tun_flags" ] && [ ! -e "$d/bonding" ] && [ ! -e "$d/master" ] || continue
	[ ! -e "/proc/net/vlan/$name" ] || continue
	[ -e "$d/device" ] || [ -n "$container" ] || continue
	if [ -e "$d/wireless" ] || [ -e "$d/phy80211" ]; then radios="$radios $name"; else cards="$cards $name"; fi
	read -r index < "$d/ifindex"
	[ -z "$configured" ] && [ -r "/run/systemd/netif/links/$index" ] || continue
	while IFS='=' read -r key _; do
		[ "$key" = NETWORK_FILE ] && configured=1 && break
	done < "/run/systemd/netif/links/$index"
done
printf 'ethernet=%s\nwireless=%s\n' "${cards# }" "${radios# }"
# Routes are sorted by where they lead: those to everywhere come first.
way='' least=''
while read -r name to _ _ _ _ metric mask _; do
	case $to in Destination) continue ;; 00000000) ;; *) break ;; esac
	[ "$mask" = 00000000 ] && [ "$name" != '*' ] || continue
	if [ -z "$way" ] || [ "$metric" -lt "$least" ]; then way=$name least=$metric; fi
done < /proc/net/route
[ -z "$way" ] || echo "default_interface=$way"
# systemd keeps such a link while a unit is active. Several may be: networkd counts first where it has a card.
active() { [ -L "/run/systemd/units/invocation:$1.service" ]; }
active systemd-networkd || configured=''
if [ -n "$configured" ]; then echo networking=networkd
elif active NetworkManager; then echo networking=network-manager
elif active dhcpcd; then echo networking=dhcpcd
elif active networking; then echo networking=ifupdown
elif active systemd-networkd; then echo networking=networkd
fi
# Certificates that other machines need to know, and what was chosen once; no `|` is in any.
for f in /etc/bramble/public.* /etc/bramble/keys/*/*/public.*; do
	[ -f "$f" ] || continue
	printf '%s=' "${f##*/}"
	while IFS= read -r line; do printf '%s|' "$line"; done <"$f"
	echo
done
printf 'clock='; date +%s

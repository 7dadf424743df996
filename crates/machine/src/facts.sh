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
[ -e /run/systemd/container ] || [ -e /run/.containerenv ] || [ -e /.dockerenv ] && echo container=1
while read -r key value _; do case $key in CapEff:) printf 'caps=%s\n' "$value"; break;; esac; done < /proc/self/status
while read -r key value _; do case $key in MemTotal:) printf 'memory=%s\n' "$value"; break;; esac; done < /proc/meminfo
cpus=0; for c in /sys/devices/system/cpu/cpu[0-9]*; do cpus=$((cpus + 1)); done; echo "cpus=$cpus"
{ read -r _; read -r _ && echo swap=1; } < /proc/swaps
[ -e /dev/rtc0 ] || [ -e /sys/class/rtc/rtc0 ] && echo rtc=1
[ ! -e /proc/sys/net/netfilter/nf_conntrack_max ] || [ -w /proc/sys/net/netfilter/nf_conntrack_max ] && echo conntrack=1
[ -d "/lib/modules/$release" ] || [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && echo bridge_filter=1
[ -d /var/lib/bramble ] && echo home=1
# Certificates that other machines need to know; no `|` is in any.
for f in /etc/bramble/keys/*/*/public.*; do
	[ -f "$f" ] || continue
	printf '%s=' "${f##*/}"
	while IFS= read -r line; do printf '%s|' "$line"; done <"$f"
	echo
done
printf 'clock='; date +%s

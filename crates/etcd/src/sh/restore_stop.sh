# Stops this machine's control plane. The mark says from now on that a restore is under way here.
if [ ! -e "$etcd_home/restore/begun" ]; then
	# What an earlier restore that went well had kept.
	rm -rf "$etcd_data/bramble-before-restore"
	: >"$etcd_home/restore/begun"
	sync "$etcd_home/restore"
fi
# shellcheck disable=SC2086 # names of pods
etcd_stop "$etcd_home/restore/manifests" $etcd_pods

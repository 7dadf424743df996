# The data from before the restore, as if it had never begun.
old=$etcd_data/bramble-before-restore
if [ -e "$etcd_home/restore/begun" ]; then
	# shellcheck disable=SC2086 # names of pods
	etcd_stop "$etcd_home/restore/manifests" $etcd_pods
	if [ -e "$old/member" ]; then
		etcd_gone etcd || {
			echo 'etcd still runs, or containerd does not say' >&2
			exit 1
		}
		rm -rf "$etcd_data/member"
		mv -T "$old/member" "$etcd_data/member"
	fi
	rm -rf "$old" "$etcd_data/bramble-new"
	sync "$etcd_data"
fi

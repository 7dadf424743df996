# Makes the member's data of the snapshot: $name, $peer, $cluster (all members), $token. Once more from the
# snapshot where an earlier run was cut off: all members must begin as the same new cluster.
old=$etcd_data/bramble-before-restore new=$etcd_data/bramble-new
if ! etcd_gone etcd; then
	echo 'etcd still runs, or containerd does not say' >&2
	exit 1
fi
rm -rf "$new"
tool=$(etcd_tool)
more=
# Clients that have seen newer versions than the snapshot's must not take old for new.
if [ "$tool" = etcdutl ] && etcd_beside etcdutl snapshot restore --help 2>&1 | grep -q -e --bump-revision; then
	more='--bump-revision 1000000000 --mark-compacted'
fi
# shellcheck disable=SC2086 # none or several words
said=$(etcd_beside "$tool" snapshot restore "$etcd_home/restore/snapshot.db" --data-dir "$new" --name "$name" \
	--initial-advertise-peer-urls "$peer" --initial-cluster "$cluster" --initial-cluster-token "$token" $more 2>&1) || {
	printf '%s\n' "$said" | tail -n 3 >&2
	exit 1
}
mkdir -p -m 0700 "$old"
if [ -d "$etcd_data/member" ]; then
	if [ -e "$old/member" ]; then
		rm -rf "$etcd_data/member"
	else
		mv -T "$etcd_data/member" "$old/member"
	fi
fi
mv -T "$new/member" "$etcd_data/member"
rm -rf "$new"
sync "$etcd_data"

# Whether the snapshot that was brought can be restored here; nothing is stopped yet.
file=$etcd_home/restore/snapshot.db
mkdir -p -m 0700 "$etcd_data"
need=$(($(stat -c %s "$file") * 2 / 1024 + 65536))
free=$(df -Pk "$etcd_data" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt "$need" ]; then
	echo "$etcd_data has $free KiB free, and the restore needs $need" >&2
	exit 1
fi
tool=$(etcd_tool)
# What a tool said that broke down over a damaged file, without its stack.
last_words() { printf '%s\n' "$1" | grep -vE '\+0x|^goroutine |^[[:space:]]|^$' | tail -n 3 >&2 || :; }
inside=$(etcd_beside "$tool" snapshot status "$file" -w json 2>&1) || {
	last_words "$inside"
	echo 'it is no snapshot, or damaged, or cut off' >&2
	echo 'Remedy: name a file that `bramble etcd snapshot` (or etcdctl snapshot save) wrote.' >&2
	exit 1
}
# It restores only what carries the right sum at its end: tried in a folder beside, away from the data.
rm -rf "$etcd_home/restore/trial"
said=$(etcd_beside "$tool" snapshot restore "$file" --data-dir "$etcd_home/restore/trial" 2>&1) || {
	rm -rf "$etcd_home/restore/trial"
	last_words "$said"
	exit 1
}
rm -rf "$etcd_home/restore/trial"
printf '%s\n' "$inside" | grep '^{.*totalKey' | tail -n 1

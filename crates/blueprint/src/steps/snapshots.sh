# Takes a snapshot of etcd, keeps the newest few, and copies to S3 where that is set up. Settings come from
# bramble-etcd-snapshot.service: SNAPSHOTS_EVERY (seconds), SNAPSHOTS_KEEP, and what snapshots_s3.sh names.
snapshots=/var/lib/bramble-etcd/scheduled
# The snapshots that are there, newest first.
snapshots_there() {
	find "$snapshots" -maxdepth 1 -name '*.db' -printf '%T@ %p\n' | sort -rn | cut -d ' ' -f 2-
}
# A machine that restarts again and again must not push good snapshots out by new ones.
snapshots_due() {
	newest=$(snapshots_there | head -n 1)
	[ -n "$newest" ] || return 0
	age=$(($(date +%s) - $(stat -c %Y "$newest")))
	# From the future: the clock was wrong then.
	[ "$age" -ge $((SNAPSHOTS_EVERY / 2)) ] || [ "$age" -lt 0 ]
}
# etcd writes the snapshot beside its data: a full disk would stop the member.
snapshots_fit() {
	[ -e /var/lib/etcd/member/snap/db ] || return 0
	need=$(($(stat -c %s /var/lib/etcd/member/snap/db) / 1024 + 65536))
	for folder in /var/lib/etcd "$snapshots"; do
		free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
		if [ "$free" -lt "$need" ]; then
			echo "no snapshot: $folder has $free KiB free, and a snapshot needs $need"
			echo 'Remedy: make room there, or keep fewer snapshots (spec.etcd.snapshots.keep).'
			return 1
		fi
	done
}
# After a restart members find each other first: half an hour is no reason to miss one.
snapshots_healthy() {
	n=0
	until said=$(etcd --dial-timeout=5s --command-timeout=10s endpoint health 2>&1); do
		n=$((n + 1))
		if [ $n -lt 60 ]; then
			sleep 20
			continue
		fi
		echo "no snapshot: the member of etcd on this machine is not healthy: $(printf '%s\n' "$said" | tail -n 1)"
		return 1
	done
}
snapshots_take() {
	rm -f "$snapshots"/*.new
	name=$(date -u +%Y%m%dT%H%M%SZ).db
	etcd_snapshot "$snapshots/$name"
	echo "$name: $(stat -c %s "$snapshots/$name") bytes"
}
# All but the newest go; only after a new one is there.
snapshots_thin() {
	snapshots_there | tail -n "+$((SNAPSHOTS_KEEP + 1))" | while IFS= read -r old; do
		rm -f "$old" "$old.json" "$old.sent"
	done
}
# What was not copied yet is, also when no snapshot could be taken this time.
snapshots_end() {
	code=$?
	trap - EXIT
	if [ -n "${S3_BUCKET:-}" ]; then
		snapshots_there | s3_send_all || code=1
	fi
	exit "$code"
}
trap snapshots_end EXIT
if snapshots_due; then
	snapshots_healthy
	snapshots_fit
	snapshots_take
	snapshots_thin
fi

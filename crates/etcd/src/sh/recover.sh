# Makes the member of this machine a cluster of one, with all its data and its identity: once with the flag
# that forgets the other members, then without. Cut off anywhere, it goes on from where it was.
kept=$etcd_home/recover/etcd.yaml
manifest=$etcd_manifests/etcd.yaml
forced() {
	grep -lsz -e '^--force-new-cluster' /proc/[0-9]*/cmdline >/dev/null
}
mkdir -p -m 0700 "$etcd_home/recover"
if [ ! -e "$kept" ]; then
	if grep -q -e --force-new-cluster "$manifest"; then
		echo "$manifest has --force-new-cluster already, and not from Bramble" >&2
		echo 'Remedy: take that line out of it once etcd is healthy.' >&2
		exit 1
	fi
	cp -p "$manifest" "$kept.new"
	sync "$kept.new"
	mv -T "$kept.new" "$kept"
fi
single() {
	etcd --dial-timeout=2s --command-timeout=4s endpoint health >/dev/null 2>&1 &&
		[ "$(etcd --command-timeout=4s member list 2>/dev/null | grep -c .)" = 1 ]
}
# All but the API server was done by a run that was cut off: what has joined since is not to be forgotten.
done_before() {
	cmp -s "$kept" "$manifest" && ! forced && etcd --dial-timeout=2s --command-timeout=4s endpoint health >/dev/null 2>&1
}
if done_before; then
	etcd_await_api
	rm -rf "$etcd_home/recover"
	exit 0
fi
if ! single; then
	# Not beside it: the kubelet reads every file of that folder.
	sed 's/^\( *\)- etcd$/&\n\1- --force-new-cluster/' "$kept" >"$etcd_home/recover/forced.yaml"
	grep -q -e --force-new-cluster "$etcd_home/recover/forced.yaml" || {
		echo "the command of etcd was not found in $manifest" >&2
		exit 1
	}
	chmod 0600 "$etcd_home/recover/forced.yaml"
	cp "$etcd_home/recover/forced.yaml" /etc/kubernetes/.bramble-etcd.yaml
	mv -T /etc/kubernetes/.bramble-etcd.yaml "$manifest"
	n=0
	until forced && single; do
		n=$((n + 1))
		if [ "$n" -ge 150 ]; then
			echo 'etcd does not become a cluster of one' >&2
			etcd_explain etcd
			exit 1
		fi
		[ $((n % 45)) -ne 10 ] || forced || etcd_end etcd TERM
		etcd_nudge etcd "$n"
		sleep 1
	done
	echo 'one member holds the cluster'
fi
if ! cmp -s "$kept" "$manifest"; then
	cp -p "$kept" /etc/kubernetes/.bramble-etcd.yaml
	mv -T /etc/kubernetes/.bramble-etcd.yaml "$manifest"
fi
n=0
while forced || ! single; do
	n=$((n + 1))
	if [ "$n" -ge 150 ]; then
		echo 'etcd does not come back with its own manifest' >&2
		etcd_explain etcd
		exit 1
	fi
	[ $((n % 45)) -ne 10 ] || ! forced || etcd_end etcd TERM
	etcd_nudge etcd "$n"
	sleep 1
done
echo 'etcd runs by its own manifest again'
etcd_await_api
rm -rf "$etcd_home/recover"

# Gives back what deleted and old versions took. The member answers nobody meanwhile.
said=$(etcd --command-timeout=110s defrag 2>&1) || {
	printf '%s\n' "$said" | tail -n 3 >&2
	exit 1
}
n=0
until etcd --dial-timeout=3s --command-timeout=5s endpoint health >/dev/null 2>&1; do
	n=$((n + 1))
	if [ "$n" -ge 30 ]; then
		echo 'the member does not come back to health after the defragmentation' >&2
		exit 1
	fi
	sleep 1
done
etcd endpoint status -w json

# What this machine knows of etcd: lines of a key and a value. JSON stays on one line.
say() {
	printf '%s %s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')"
}
# ask KEY CTL-ARGUMENTS: the answer, or why there is none.
ask() {
	key=$1
	shift
	if answer=$(etcd --dial-timeout=3s --command-timeout=6s "$@" -w json 2>"$errors"); then
		say "$key" "$answer"
	else
		[ -z "$answer" ] || say "$key" "$answer"
		say "$key-failed" "$(tail -n 1 "$errors")"
	fi
}
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
[ ! -e "$etcd_manifests/etcd.yaml" ] || say manifest there
[ ! -e "$etcd_home/restore/manifests/etcd.yaml" ] || say manifest aside
[ ! -e "$etcd_home/restore/begun" ] || say restore begun
[ ! -e "$etcd_home/recover/etcd.yaml" ] || say recover begun
[ ! -e "$etcd_home/aside/etcd.yaml" ] || say out yes
[ ! -d "$etcd_data/member" ] || say data yes
[ ! -e "$etcd_data/bramble-before-restore/member" ] || say before yes
if etcd_manifest >/dev/null 2>&1; then
	say name "$(etcd_flag name)"
	say peer "$(etcd_flag initial-advertise-peer-urls)"
fi
if etcd_container >/dev/null 2>&1; then
	say running yes
	ask members member list
	ask status endpoint status
	ask health endpoint health
fi

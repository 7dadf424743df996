# Starts the parts of this control plane anew, one after the other, each once the one before is well. With
# $gentle the cluster goes on meanwhile: it must have a quorum without this member, and nobody is led to this
# API server.
#
# A member of etcd may rest only while the others have a quorum without it.
may_rest() {
	list=$(etcd member list 2>/dev/null) || {
		echo 'etcd does not answer on this machine, so its other members can not be counted' >&2
		echo 'Remedy: look at it (bramble status) and mend it first.' >&2
		return 1
	}
	all=$(printf '%s\n' "$list" | grep -c .)
	[ "$all" -gt 1 ] || return 0
	others=$(($(etcd endpoint health --cluster 2>&1 | grep -c 'is healthy' || :) - 1))
	need=$((all / 2 + 1))
	if [ "$others" -lt "$need" ]; then
		echo "only $others other members of etcd are healthy: while this one restarts the quorum of $need would be lost" >&2
		echo 'Remedy: mend the other control planes first (bramble status), then run this again.' >&2
		return 1
	fi
}
# Hands the lead over: a leader that is gone costs the others a second or two.
step_down() {
	lead='{ for (i = 3; i <= NF; i++) if ($i == "true" || $i == "false") { print $i, $2; break } }'
	case $(etcd endpoint status 2>/dev/null | awk -F', ' "$lead") in
	true*) ;;
	*) return 0 ;;
	esac
	next=$(etcd endpoint status --cluster 2>/dev/null | awk -F', ' "$lead" | sed -n 's/^false //p' | head -n 1)
	[ -z "$next" ] || etcd move-leader "$next" >/dev/null 2>&1 || :
}
# New connections to this API server are refused, so that load balancers turn to the others. The kernel forgets
# it after five minutes, whatever happens to this program. What runs on this machine still comes through: the
# API server calls itself, and the kubelet kills what it can't ask; but not this machine's own HAProxy.
shut() {
	command -v nft >/dev/null || return 0
	own=''
	! getent passwd haproxy >/dev/null || own='oif lo meta skuid haproxy tcp dport @shut reject with tcp reset'
	nft -f - <<-RULES || return 0
		table inet bramble_turn
		delete table inet bramble_turn
		table inet bramble_turn {
			set shut { type inet_service; flags timeout; timeout 5m; }
			chain input {
				type filter hook input priority -150; policy accept;
				iif != lo tcp dport @shut tcp flags & (syn | ack) == syn reject with tcp reset
			}
			chain output {
				type filter hook output priority -150; policy accept;
				$own
			}
		}
		add element inet bramble_turn shut { 6443 }
	RULES
	# Until every HAProxy has asked in vain, twice.
	sleep 4
}
open() { nft delete table inet bramble_turn 2>/dev/null || :; }

if [ -e $B/certs.turn ]; then
	if [ -n "$gentle" ]; then
		trap open EXIT
		trap 'exit 143' TERM
		if ! fresh etcd; then
			may_rest
		fi
		if ! fresh etcd || ! fresh kube-apiserver; then
			[ "$gentle" = alone ] || shut
		fi
	fi
	for part in $PLANE; do
		[ -e $E/manifests/$part.yaml ] || continue
		[ "$part$gentle" != etcdshared ] || step_down
		restart "$part"
		echo "restarted $part"
		[ "$part" != kube-apiserver ] || open
	done
	open
	rm -f $B/certs.turn $B/certs.hard
fi

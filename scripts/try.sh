#!/bin/sh
# A real cluster in the lab, and away again: try.sh up|down PROGRAM FILE.
set -eu
cd "$(dirname "$0")/.."
action=$1 bramble=$2 file=$3
state=.bramble

up() {
	"$bramble" bundle build --from debian -f "$file"
	"$bramble" lab up -f "$file"
	"$bramble" up -f "$file"
	mkdir -p $state
	"$bramble" kubeconfig -f "$file" --into $state/kubeconfig --current --quiet
	first=$(sed -n 's/^ *address: *\([0-9.]*\).*/\1/p' "$file" | head -n 1)
	echo
	# A cluster this young may still have pods that are about to become ready: not a failure.
	"$bramble" status -f "$file" || :
	echo
	echo "The demo page, asked from outside at http://$first:30080/ :"
	n=0
	while [ $n -lt 6 ]; do
		n=$((n + 1))
		curl -fsS -m 5 "http://$first:30080/" | sed -n 's|.*<code id="pod">\([^<]*\)</code>.*|  served by \1|p'
	done | sort | uniq -c | sed 's/^ *\([0-9]*\) */  \1x/'
	cat <<END

Next:
  KUBECONFIG=$state/kubeconfig kubectl get nodes    (or: $bramble ssh -f $file one -- kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes)
  $bramble plan -f $file                nothing to do: it is as the file says
  edit $file, then $bramble plan -f $file and $bramble up -f $file
  make down                                            leaves nothing behind
END
}

down() {
	if [ ! -x "$bramble" ]; then
		echo "there is no $bramble: nothing was set up from this folder"
		exit 0
	fi
	if "$bramble" lab list --output json | grep -q "\"name\": \"$("$bramble" check -f "$file" --output json | sed -n 's/^ *"name": "\([^"]*\)".*/\1/p' | head -n 1)\""; then
		"$bramble" down -f "$file" --yes || echo 'the cluster did not go down cleanly; its machines go now'
	fi
	"$bramble" lab down -f "$file"
	rm -rf $state
}

case $action in
up) up ;;
down) down ;;
*)
	echo 'usage: try.sh up|down PROGRAM FILE' >&2
	exit 2
	;;
esac

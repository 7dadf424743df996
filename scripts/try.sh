#!/bin/sh
# A real cluster in the lab, and away again: try.sh up|down PROGRAM FILE.
set -eu
cd "$(dirname "$0")/.."
action=$1 bramble=$2 file=$3
state=.bramble

# Asks for the demo page from outside, at the router or at every node; each must answer within 60 s.
ask_demo() {
	pages=$("$bramble" check -f "$file" --output json |
		sed -n '/"demoPages"/,/]/s|^ *"\(http://[^"]*\)".*|\1|p')
	echo
	if [ -z "$pages" ]; then
		echo "$file has no demo add-on on a node: there is no page to ask for."
		return
	fi
	for page in $pages; do
		end=$(($(date +%s) + 60))
		until answer=$(curl -fsS -m 5 "$page" 2>&1) &&
			pod=$(echo "$answer" | sed -n 's|.*<code id="pod">\([^<]*\)</code>.*|\1|p') && [ -n "$pod" ]; do
			if [ "$(date +%s)" -ge "$end" ]; then
				echo "the demo page at $page did not answer within 60 s: $(echo "$answer" | tail -n 1)" >&2
				exit 1
			fi
			sleep 1
		done
		echo "The demo page, asked from outside at $page : served by $pod"
	done
}

up() {
	"$bramble" bundle build --from debian -f "$file"
	"$bramble" lab up -f "$file"
	"$bramble" up -f "$file"
	mkdir -p $state
	"$bramble" kubeconfig -f "$file" --into $state/kubeconfig --current --quiet
	echo
	# A cluster this young may still have pods that are about to become ready: not a failure.
	"$bramble" status -f "$file" || :
	ask_demo
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
	cluster=$("$bramble" check -f "$file" --output json | sed -n 's/^ *"cluster": "\([^"]*\)".*/\1/p')
	if [ -n "$cluster" ] && [ -d "/var/lib/bramble-lab/$cluster" ]; then
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

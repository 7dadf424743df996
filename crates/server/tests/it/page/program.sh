#!/bin/sh
# Says what `bramble` says. Runs go on where files come beside it, and fail beside `fail`.
case $1 in
plan)
	echo 'machine one: 3 changes'
	exit
	;;
kubeconfig)
	echo 'kind: Config'
	exit
	;;
esac
here=${0%/*}
start=$(date +%s)

end() {
	printf '{"event":"end","changes":4,"failed":[%s],"skipped":[],"stopped":%s,"unreachable":{},"obstacles":[],"took":1.2}\n' "$1" "$2"
}
say() { printf '{"at":0.1,"machine":"%s","step":"%s",%s}\n' "$1" "$2" "$3"; }
until_there() {
	while ! [ -e "$here/$1" ]; do
		# A test that has died asks for nothing any more.
		[ $(($(date +%s) - start)) -lt 120 ] || exit 1
		sleep 0.02
	done
}
stopped() {
	end '' true
	exit 130
}
trap stopped INT

echo '{"event":"begin","changes":4,"steps":4,"later":0}'
say one '' '"event":"waiting","what":"SSH","since":0.1,"limit":60'
say one '' '"event":"answers","took":0.3'
say one base '"event":"started","title":"base packages"'
say one base '"resource":"package curl","event":"changed","title":"install the package curl","took":0.4'
say one base '"event":"output","line":"Setting up curl (7.88.1-10) ..."'
say one base '"event":"finished","changes":1,"took":0.5'
say two base '"event":"started","title":"base packages"'
until_there half
say two base '"event":"finished","changes":0,"took":0.7'
say two worker/join '"event":"started","title":"join the cluster"'
say two worker/join '"event":"waiting","what":"the API","since":0.2,"limit":120'
until_there go
if [ -e "$here/fail" ]; then
	say two worker/join '"event":"failed","message":"no route to host","log":["dial tcp 192.168.1.11:6443","connect: no route to host"]'
	say '' nodes '"event":"skipped","because":"join the cluster on two"'
	end '{"machine":"two","step":"worker/join","message":"no route to host"}' false
	exit 1
fi
say two worker/join '"event":"finished","changes":2,"took":1.1'
say '' nodes '"event":"started","title":"nodes are ready"'
say '' nodes '"event":"finished","changes":1,"took":0.2'
end '' false

# $address is set. Until then nobody who goes by the cluster's address is answered.
n=0
until timeout 2 bash -c "exec 3<>/dev/tcp/$address/6443" 2>/dev/null; do
	n=$((n + 1))
	if [ $n -ge 90 ]; then
		echo "kube-vip does not take the address $address; it said:"
		c=$(ls -t /var/log/pods/kube-system_kube-vip-*/kube-vip/*.log 2>/dev/null | head -n 1)
		[ -z "$c" ] || tail -n 8 "$c"
		echo 'Remedy: see that the image is a release of kube-vip, v0.9 or later, then run it again.'
		exit 1
	fi
	sleep 1
done
date >$B/kube-vip.answers

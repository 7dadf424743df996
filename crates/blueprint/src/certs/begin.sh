# What this machine's control plane has is to be renewed, and stays so until it is. $hard: the cluster is down,
# and so will be restarted as a whole, by whoever goes on.
[ -z "$hard" ] || : >$B/certs.hard
[ -e $B/certs.turn ] || : >$B/certs.renew

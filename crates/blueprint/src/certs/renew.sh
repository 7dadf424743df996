# New certificates for all that kubeadm has made here, with the names that are in the old ones. kubeadm replaces
# one file after the other: cut off, all are made once more.
if [ -e $B/certs.renew ]; then
	kubeadm certs renew all
	note_old
	rm -f $B/certs.renew
fi


# Trusted is who is on this list, and nobody above: no certificate here may sign another one. The
# router's own, which is good for no client, stands for a list without users.
cd /run/bramble-openvpn
rm -rf clients
mkdir clients
cat $keys/openvpn/certificate.pem >trusted.pem
while read -r user number; do
	own=$keys/user.$user.openvpn
	[ -d "$own" ] || continue
	cat "$own/certificate.pem" >>trusted.pem
	printf 'ifconfig-push %s %s\n' "$(address_of "$number")" "$mask" >"clients/$user"
done <$numbers
# One socket for both families, where the kernel has both.
if [ -e /proc/net/if_inet6 ]; then protocol=$protocol6; fi
printf 'proto %s\n' "$protocol" >listen.conf

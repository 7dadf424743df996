# The new CAs, made once, on one control plane: as kubeadm makes them, with keys of the kind that there are.
# authority OLD NEW, without their endings
authority() {
	name=$(openssl x509 -in "$1.crt" -noout -subject -nameopt RFC2253,sep_comma_plus,-esc_msb | sed -n 's/.*CN=\([^,]*\).*/\1/p')
	cat >$R/config <<-END
		[req]
		distinguished_name = dn
		[dn]
		[ca]
		basicConstraints = critical, CA:TRUE
		keyUsage = critical, digitalSignature, keyEncipherment, keyCertSign
		subjectKeyIdentifier = hash
		subjectAltName = DNS:$name
	END
	said=$(openssl x509 -in "$1.crt" -noout -text)
	bits=$(printf '%s\n' "$said" | sed -n 's/.*Public-Key: (\([0-9]*\) bit.*/\1/p' | head -n 1)
	case $said in
	*id-ecPublicKey*) openssl ecparam -name prime256v1 -genkey -noout -out "$2.key" ;;
	*) openssl genrsa -out "$2.key" "${bits:-2048}" 2>/dev/null ;;
	esac
	openssl req -x509 -new -sha256 -days 3650 -config $R/config -extensions ca -key "$2.key" -subj "/CN=$name" \
		-set_serial "0x$(openssl rand -hex 8)" -out "$2.crt"
	rm -f $R/config
}
umask 077
mkdir -p -m 0700 $R
keep_old
if [ ! -d $R/new ]; then
	rm -rf $R/new.tmp
	mkdir -p $R/new.tmp/etcd
	for ca in $CAS; do
		authority "$E/pki/$ca" "$R/new.tmp/$ca"
	done
	sync $R/new.tmp
	mv -T $R/new.tmp $R/new
fi
[ -e $R/stage ] || echo made >$R/stage
printf 'keys %s\n' "$(tar -czf - -C $R/new . | base64 -w0)"
tar -czf - -C $R/new ca.crt | base64 -w0 | sed 's/^/public /'
echo

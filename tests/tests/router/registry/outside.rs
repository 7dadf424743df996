//! A registry outside, which the router's mirrors copy.

use super::{READY, TOKEN};
use bramble_tests::Site;
use bramble_tests::wait::answer;

/// Puts an image that no machine has a part of into the open registry: image REPOSITORY TAG.
const IMAGE: &str = r#"set -e
url=http://127.0.0.1:6001/v2
# put REPOSITORY FILE: leaves digest and size.
put() {
	digest=sha256:$(sha256sum <"$2" | cut -d' ' -f1)
	size=$(stat -c %s "$2")
	to=$(curl -sSf -D - -o /dev/null -X POST "$url/$1/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //p')
	curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$2" "$to&digest=$digest"
}
image() {
	d=$(mktemp -d)
	head -c 2000000 /dev/urandom >"$d/data"
	tar -C "$d" -cf "$d/layer" data
	put "$1" "$d/layer"
	layer=$digest layer_size=$size
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}' "$layer" >"$d/config"
	put "$1" "$d/config"
	type=application/vnd.oci.image
	printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar","digest":"%s","size":%s}]}' \
		$type $type "$digest" "$size" $type "$layer" "$layer_size" >"$d/manifest"
	curl -sSf -X PUT -H "Content-Type: $type.manifest.v1+json" --data-binary "@$d/manifest" "$url/$1/manifests/$2"
}
"#;

/// A machine outside with three registries on one store: open, behind a login, and with a certificate of
/// its own; each writes down who asks.
pub fn upstream(site: &Site) -> String {
    let address = site.outsider("upstream", 60);
    site.script(
        "upstream",
        &format!(
            r#"set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get -qq update
apt-get -qq -y --no-install-recommends install docker-registry nginx openssl apache2-utils curl >/dev/null 2>&1
cd /srv
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out crt -days 9 -subj /CN=x \
	-addext 'subjectAltName=IP:{address}' 2>/dev/null
for port in 6001 6003; do
	printf 'version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: /srv/store }} }}\nhttp:\n  addr: :%s\n' $port >$port.yml
done
printf '  tls: {{ certificate: /srv/crt, key: /srv/key }}\n' >>6003.yml
for port in 6001 6003; do
	printf '[Service]\nExecStart=/usr/bin/docker-registry serve /srv/%s.yml\nStandardOutput=append:/srv/%s.log\n' $port $port >/etc/systemd/system/up$port.service
done
htpasswd -Bbn anna {TOKEN} >logins 2>/dev/null
chmod 644 logins
echo '{{"token":"let-me-in"}}' >token
cat >/etc/nginx/nginx.conf <<'END'
events {{ }}
http {{
	log_format who '$remote_user $request $status';
	access_log /srv/6000.log who;
	server {{
		listen 6000;
		location = /token {{ auth_basic x; auth_basic_user_file /srv/logins; default_type application/json; alias /srv/token; }}
		location / {{
			error_page 401 @ask;
			if ($http_authorization != "Bearer let-me-in") {{ return 401; }}
			proxy_set_header Authorization "";
			proxy_set_header Host $http_host;
			proxy_pass http://127.0.0.1:6001;
		}}
		location @ask {{
			add_header WWW-Authenticate 'Bearer realm="http://{address}:6000/token",service="x"' always;
			return 401;
		}}
	}}
}}
END
systemctl daemon-reload
systemctl start up6001 up6003
systemctl restart nginx
"#
        ),
    );
    let url = format!("http://{address}:6001/v2/");
    answer(&url, READY, || site.page(&url));
    for tag in [
        "app/web 1",
        "app/web 2",
        "app/closed 1",
        "app/own 1",
        "app/old 1",
    ] {
        site.script("upstream", &format!("{IMAGE}image {tag}\n"));
    }
    address
}

/// Requests for images that came to the registry outside so far.
pub fn requests(site: &Site, port: u16) -> usize {
    let count = format!("grep -ac ' /v2/.*\\(manifests\\|blobs\\)/' /srv/{port}.log || :");
    site.on("upstream", &count)
        .trim()
        .parse()
        .expect("a number")
}

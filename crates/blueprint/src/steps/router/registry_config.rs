//! Configuration of the router's registries: distribution's server, and nginx in front of the mirrors.
//!
//! Sources: distribution 2.8, docs/configuration.md; nginx, ngx_http_proxy_module.

use crate::registry::{FOLDER, FRONT, Registries, USER, mirror_name};
use bramble_secret::Secret;
use bramble_spec::cluster::with_port;
use bramble_spec::cluster::{Registry, RegistryMirror};
use serde_json::json;
use std::fmt::Write as _;

/// Names and hashed passwords of the private registry's users.
pub(super) const LOGINS: &str = "/etc/bramble/registry/logins";
/// Program that runs a registry.
pub(super) const SERVE: &str = "/etc/bramble/registry/serve";
/// Program that waits until a registry is heard.
pub(super) const AWAIT: &str = "/etc/bramble/registry/await";
/// Program that takes away what nobody pulled for long.
pub(super) const PRUNE: &str = "/etc/bramble/registry/prune";
/// nginx's configuration.
pub(super) const NGINX: &str = "/etc/bramble/registry/nginx.conf";

/// Where the mirror of this name listens: nginx alone talks to it.
fn socket(name: &str) -> String {
    format!("/run/bramble-registry-{name}/socket")
}

/// A value as YAML takes it, whatever is in it.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

fn head(store: &str, storage: &str) -> String {
    format!(
        "# Made by Bramble.\nversion: 0.1\n\
         # Not `info`: less is said of each request, and nothing of logins.\n\
         log: {{ level: error, accesslog: {{ disabled: true }} }}\n\
         storage:\n  filesystem: {{ rootdirectory: {store} }}\n{storage}"
    )
}

/// The part of a registry that the LAN reaches by itself.
fn http(registries: &Registries, port: u16) -> String {
    let (certificate, key) = registries.key_files();
    format!(
        "http:\n  addr: {}\n  headers: {{ X-Content-Type-Options: [nosniff] }}\n  tls:\n    \
         certificate: {certificate}\n    key: {key}\n    minimumtls: tls1.2\n",
        quoted(&with_port(&registries.address(), port))
    )
}

const READ_ONLY: &str = "  maintenance: { readonly: { enabled: true } }\n";

/// The registry of the operator's own images.
pub(super) fn private(registries: &Registries, store: &str) -> String {
    let head = head(store, "  delete: { enabled: true }\n");
    let http = http(registries, Registry::PRIVATE_PORT);
    format!("{head}{http}auth:\n  htpasswd: {{ realm: bramble, path: {LOGINS} }}\n")
}

/// The registry of the bundle's images.
pub(super) fn bundle(registries: &Registries, store: &str) -> String {
    head(store, READ_ONLY) + &http(registries, Registry::BUNDLE_PORT)
}

/// A mirror. Deletion stays off: distribution would throw everything away a week after it came, even
/// while the other registry is out of reach; see [`prune`].
pub(super) fn mirror(mirror: &RegistryMirror, store: &str, password: &Secret) -> Secret {
    let mut out = head(store, "");
    let name = mirror_name(mirror);
    let _ = writeln!(
        out,
        "http: {{ net: unix, addr: {} }}\nproxy:\n  remoteurl: {}",
        socket(&name),
        quoted(&mirror.url)
    );
    if let Some((user, _)) = &mirror.login {
        let _ = writeln!(
            out,
            "  username: {}\n  password: {}",
            quoted(user),
            quoted(password.expose())
        );
    }
    Secret::new(out)
}

/// The same while the other registry is out of reach: what was copied before.
pub(super) fn offline(mirror: &RegistryMirror, store: &str) -> String {
    let socket = socket(&mirror_name(mirror));
    head(store, READ_ONLY) + &format!("http: {{ net: unix, addr: {socket} }}\n")
}

/// What the unit of a registry must know: where it listens, what the proxy is.
pub(super) fn environment(listens: &str, variables: &[(&str, String)]) -> String {
    let mut out = format!("# Made by Bramble.\nLISTEN={listens}\n");
    for (name, value) in variables {
        let _ = writeln!(out, "{name}=\"{value}\"");
    }
    out
}

/// Where a mirror listens, for [`environment`].
pub(super) fn listens(mirror: &RegistryMirror) -> String {
    socket(&mirror_name(mirror))
}

/// nginx in front of all mirrors: TLS, and a memory for tags. distribution asks the other registry at
/// every pull by tag what the tag means; here that is asked once in ten minutes, and what is known
/// counts for longer while nobody answers.
pub(super) fn nginx(registries: &Registries) -> String {
    let (certificate, key) = registries.key_files();
    let temp = "/run/bramble-registry-front";
    let store = registries.store("front");
    let mut out = format!(
        "# Made by Bramble.\ndaemon off;\npid {temp}/pid;\nerror_log stderr error;\nworker_processes auto;\n\
         events {{ worker_connections 512; }}\nhttp {{\n\
         \taccess_log off;\n\tserver_tokens off;\n\
         \tclient_body_temp_path {temp}/body;\n\tproxy_temp_path {temp}/proxy;\n\
         \tfastcgi_temp_path {temp}/fastcgi;\n\tuwsgi_temp_path {temp}/uwsgi;\n\tscgi_temp_path {temp}/scgi;\n\
         \tproxy_cache_path {store} levels=1 keys_zone=tags:1m max_size=64m inactive=90d use_temp_path=off;\n\
         \tssl_certificate {certificate};\n\tssl_certificate_key {key};\n\tssl_protocols TLSv1.2 TLSv1.3;\n\
         \tproxy_http_version 1.1;\n\tproxy_set_header Host $http_host;\n\tproxy_max_temp_file_size 0;\n\
         \tproxy_read_timeout 900s;\n"
    );
    for mirror in &registries.registry.mirrors {
        let upstream = format!("http://unix:{}:", socket(&mirror_name(mirror)));
        let _ = write!(
            out,
            "\t# {host}\n\tserver {{\n\t\tlisten {listen} ssl;\n\
             \t\tlocation ~ ^/v2/.+/manifests/[^:/]+$ {{\n\
             \t\t\tlimit_except GET {{ deny all; }}\n\
             \t\t\tproxy_cache tags;\n\
             \t\t\tproxy_cache_key \"$server_port$uri $http_accept\";\n\
             \t\t\tproxy_cache_valid 200 10m;\n\
             \t\t\tproxy_cache_lock on;\n\
             \t\t\tproxy_cache_use_stale error timeout http_500 http_502 http_503 http_504;\n\
             \t\t\tproxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;\n\
             \t\t\tproxy_read_timeout 25s;\n\
             \t\t\tproxy_pass {upstream};\n\t\t}}\n\
             \t\tlocation / {{\n\t\t\tlimit_except GET {{ deny all; }}\n\t\t\tproxy_buffering off;\n\
             \t\t\tproxy_pass {upstream};\n\t\t}}\n\t}}\n",
            host = mirror.host,
            listen = with_port(&registries.address(), mirror.port),
        );
    }
    out.push_str("}\n");
    out
}

/// distribution's server by its name. A mirror doesn't start while the other registry is out of reach:
/// then what was copied before is served, and after a while it is tried again.
pub(super) fn serve() -> String {
    format!(
        "#!/bin/sh\n# Made by Bramble.\nc={FOLDER}/$1\n\
         [ -e \"$c.offline.yml\" ] || exec docker-registry serve \"$c.yml\"\n\
         docker-registry serve \"$c.yml\" && exit\n\
         echo 'serving what was copied before; it is tried again in 10 minutes' >&2\n\
         exec timeout 600 docker-registry serve \"$c.offline.yml\"\n"
    )
}

/// So that what comes after the start of a unit finds it at work. A registry that is out of reach may
/// keep a mirror waiting for half a minute.
pub(super) const AWAIT_PROGRAM: &str = "\
#!/bin/sh
# Made by Bramble.
n=0
until case $LISTEN in
	/*) [ -S \"$LISTEN\" ] ;;
	*) [ -n \"$(ss -Hltn \"src $LISTEN\")\" ] ;;
	esac do
	n=$((n + 1))
	[ $n -lt 600 ] || exit 1
	sleep 0.1
done
";

/// Removes from the mirrors what nobody has pulled for two months; it is copied again when it is asked
/// for. The times of access that a file system keeps with `relatime` are good to a day.
pub(super) fn prune(registries: &Registries) -> String {
    let mirrors = registries.registry.mirrors.iter();
    let stores: Vec<String> = mirrors.map(|m| registries.store(&mirror_name(m))).collect();
    format!(
        "#!/bin/sh\n# Made by Bramble.\n\
         find {} -path '*/blobs/sha256/*' -name data -atime +60 -mtime +60 -delete\n",
        stores.join(" ")
    )
}

/// What keeps a registry from more than its task.
fn confined(registries: &Registries, folders: &str) -> String {
    format!(
        "User={USER}\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=read-only\n\
         ReadWritePaths={folders}\nPrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\n\
         ProtectKernelModules=yes\nProtectControlGroups=yes\nRestrictSUIDSGID=yes\nCapabilityBoundingSet=\n\
         RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK\nUMask=0027\n{}",
        if registries.registry.mirrors.is_empty() {
            ""
        } else {
            "LimitNOFILE=8192\n"
        }
    )
}

/// The unit of a registry. Its folder may be on a disk: without the disk nothing is served, and nothing
/// is written below the place where the disk belongs.
pub(super) fn unit(registries: &Registries) -> String {
    let dir = &registries.registry.dir;
    format!(
        "# Made by Bramble.\n[Unit]\nDescription=Bramble's registry %i\nWants=network-online.target\n\
         After=network-online.target\nRequiresMountsFor={dir}\nStartLimitIntervalSec=0\n\n\
         [Service]\nSlice=system.slice\nEnvironmentFile={FOLDER}/%i.env\nExecStart=/bin/sh {SERVE} %i\n\
         ExecStartPost=/bin/sh {AWAIT}\nSuccessExitStatus=124\nRestart=always\nRestartSec=2\nRuntimeDirectory=bramble-registry-%i\n\
         {}\n[Install]\nWantedBy=multi-user.target\n",
        confined(registries, dir)
    )
}

/// The unit of nginx in front of the mirrors.
pub(super) fn front(registries: &Registries) -> String {
    let dir = &registries.registry.dir;
    let first = with_port(&registries.address(), Registry::FIRST_MIRROR_PORT);
    format!(
        "# Made by Bramble.\n[Unit]\nDescription=In front of Bramble's registry mirrors\n\
         Wants=network-online.target\nAfter=network-online.target\nRequiresMountsFor={dir}\n\
         StartLimitIntervalSec=0\n\n[Service]\nEnvironment=LISTEN={first}\n\
         ExecStart=/usr/sbin/nginx -c {NGINX}\nExecStartPost=/bin/sh {AWAIT}\nRestart=always\nRestartSec=2\n\
         RuntimeDirectory={}\n{}\n[Install]\nWantedBy=multi-user.target\n",
        FRONT.trim_end_matches(".service"),
        confined(registries, dir)
    )
}

/// The unit that prunes.
pub(super) fn prune_unit(registries: &Registries) -> String {
    let dir = &registries.registry.dir;
    format!(
        "# Made by Bramble.\n[Unit]\nDescription=Prune Bramble's registry mirrors\nRequiresMountsFor={dir}\n\n\
         [Service]\nType=oneshot\nExecStart=/bin/sh {PRUNE}\n{}",
        confined(registries, dir)
    )
}

/// When it does.
pub(super) const PRUNE_TIMER: &str = "\
# Made by Bramble.
[Unit]
Description=Prune Bramble's registry mirrors

[Timer]
OnCalendar=weekly
RandomizedDelaySec=6h
Persistent=yes

[Install]
WantedBy=timers.target
";

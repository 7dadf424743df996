//! A DNS name that follows the router's public address: a script by curl and jq, run by a timer.
//!
//! The token is in a file that only root reads; systemd hands it to the script's own short-lived user. It
//! is in no argument vector and no environment: curl reads it from the file.

use crate::context::{On, r};
use crate::proxy;
use bramble_machine::Script;
use bramble_machine::Step;
use bramble_machine::kinds::{Action, Check, Content, File, Service};
use bramble_secret::Secret;
use bramble_spec::cluster::{Ddns, DdnsSource, Family};
use std::fmt::Write as _;

const SCRIPT: &str = "/usr/local/lib/bramble-ddns";
const TOKEN: &str = "/etc/bramble-ddns.curl";
const SERVICE: &str = "/etc/systemd/system/bramble-ddns.service";
const TIMER: &str = "/etc/systemd/system/bramble-ddns.timer";
/// Answers with the address that a request came from.
const PAGE: &str = "https://cloudflare.com/cdn-cgi/trace";

pub(crate) fn step(on: &On) -> Option<Step> {
    let ddns = on.router()?.ddns.as_ref()?;
    let script = Content::Bytes(include_bytes!("ddns.sh").to_vec());
    let token = Content::Secret(curl_config(&on.secret(&ddns.token_file)));
    let files = [
        File::new(SCRIPT, script, 0o755),
        File::new(TOKEN, token, 0o600),
        File::text(SERVICE, service(on, ddns)),
        File::text(TIMER, timer(ddns)),
    ];
    let watch: Vec<String> = files.iter().map(|f| format!("file:{}", f.path)).collect();
    let mut out: Vec<_> = files.into_iter().map(r).collect();
    out.push(r(first()));
    // Started anew, the timer runs the script at once: with another token, name or source.
    out.push(r(Service::on("bramble-ddns.timer").watching(watch)));
    Some(on.step("router/ddns", out))
}

/// The first run. It makes the folder in which the script notes what it has told, which goes with it.
/// A provider that doesn't answer is no reason to stop: the timer tries again.
fn first() -> Action {
    let run = Script::of(
        "refresh bramble-ddns.service\n\
         systemctl start bramble-ddns.service || :\n\
         journalctl -u bramble-ddns.service -n 10 -o cat --no-pager || :",
    );
    let folder = "/var/lib/private/bramble-ddns";
    Action::new(
        "ddns-first",
        "tell the provider the address",
        Check::Exists(folder.into()),
        run,
    )
    .undone_by(format!(
        "systemctl stop bramble-ddns.timer bramble-ddns.service 2>/dev/null || :\n\
         systemctl reset-failed bramble-ddns.service 2>/dev/null || :\n\
         rm -rf {folder} /var/lib/bramble-ddns"
    ))
}

/// curl(1), `--config`: what is quoted knows backslashes.
fn curl_config(token: &Secret) -> Secret {
    let escaped = token.expose().replace('\\', r"\\").replace('"', r#"\""#);
    Secret::new(format!("header = \"Authorization: Bearer {escaped}\"\n"))
}

fn service(on: &On, ddns: &Ddns) -> String {
    let families: Vec<&str> = ddns.families.iter().map(|f| family(*f)).collect();
    let source = match &ddns.source {
        DdnsSource::Auto => "auto",
        DdnsSource::Uplink => "uplink",
        DdnsSource::Url(url) => url,
    };
    let uplink = on.router().and_then(|r| r.uplink.interface.as_deref());
    let mut variables = vec![
        ("DDNS_NAME", ddns.name.clone()),
        ("DDNS_ZONE", ddns.zone.clone()),
        ("DDNS_API", ddns.api.clone()),
        ("DDNS_FAMILIES", families.join(" ")),
        ("DDNS_SOURCE", source.to_owned()),
        ("DDNS_PAGE", PAGE.to_owned()),
        ("DDNS_UPLINK", uplink.unwrap_or_default().to_owned()),
    ];
    variables.extend(proxy::curl(on));
    let mut lines = String::new();
    for (name, value) in variables {
        let _ = writeln!(lines, "Environment=\"{name}={}\"", value.replace('%', "%%"));
    }
    format!(
        "# Made by Bramble.\n\
         [Unit]\n\
         Description=Bramble: tell the DNS provider the public address\n\
         Wants=network-online.target\n\
         After=network-online.target nss-lookup.target\n\n\
         [Service]\n\
         Type=oneshot\n\
         ExecStart={SCRIPT}\n\
         {lines}{HARDENING}"
    )
}

/// A user of its own that exists while it runs, and nothing but what curl, jq and `ip` need.
const HARDENING: &str = "\
LoadCredential=curl:/etc/bramble-ddns.curl
StateDirectory=bramble-ddns
StateDirectoryMode=0700
TimeoutStartSec=240
DynamicUser=yes
UMask=0077
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
SystemCallArchitectures=native
SystemCallFilter=@system-service
";

fn timer(ddns: &Ddns) -> String {
    format!(
        "# Made by Bramble.\n\
         [Unit]\n\
         Description=Bramble: look at the public address now and then\n\n\
         [Timer]\n\
         OnActiveSec=5\n\
         OnUnitActiveSec={}\n\
         AccuracySec=5\n\n\
         [Install]\n\
         WantedBy=timers.target\n",
        ddns.every
    )
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

//! Web traffic from outside to the cluster: HAProxy.

use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{File, Service};
use bramble_spec::cluster::{Family, Ingress, Router};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

const CONFIG: &str = "/etc/haproxy/haproxy.cfg";

pub(crate) fn step(on: &On) -> Option<Step> {
    let router = on.router()?;
    let ingress = router.ingress.as_ref()?;
    let config = File::text(CONFIG, config(router, ingress)).checked("haproxy -c -q -f \"$new\"");
    let service = Service::on("haproxy.service")
        .watching([format!("file:{CONFIG}")])
        .reloading();
    Some(on.step("router/ingress", vec![r(config), r(service)]))
}

/// HAProxy's configuration manual, chapters 3 (global) and 4 (proxies).
fn config(router: &Router, ingress: &Ingress) -> String {
    let mut out = String::from(GLOBAL);
    let six = has_ipv6(router);
    let ports = [
        ("http", 80, ingress.http, HTTP),
        ("https", 443, ingress.https, TCP),
    ];
    for (name, port, to, mode) in ports {
        let Some(to) = to else { continue };
        let _ = write!(out, "\nlisten {name}\n\tbind :{port}\n");
        if six {
            let _ = writeln!(out, "\tbind :::{port} v6only");
        }
        out.push_str(mode);
        for backend in &ingress.backends {
            let _ = writeln!(out, "\tserver {} {backend}:{to} check", server(backend));
        }
    }
    out
}

/// Where the router is reached by IPv6 too; elsewhere its kernel may have none to listen with.
fn has_ipv6(router: &Router) -> bool {
    let ddns = router.ddns.iter().flat_map(|d| &d.families);
    router.address6.is_some() || ddns.into_iter().any(|f| *f == Family::Ipv6)
}

fn server(address: &Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

/// Logs what goes wrong, not every connection: the disk may be an SD card.
const GLOBAL: &str = "\
# Made by Bramble.
global
	log stdout format raw local0 notice
	chroot /var/lib/haproxy
	user haproxy
	group haproxy
	maxconn 4096

defaults
	log global
	option dontlognull
	option dontlog-normal
	option redispatch
	balance leastconn
	retries 3
	timeout connect 5s
	timeout client 1m
	timeout server 1m
	timeout tunnel 1h
	timeout http-request 10s
	timeout check 3s
	default-server inter 3s fastinter 1s downinter 10s fall 3 rise 2
";

/// Whoever is behind it learns the client's address, and only the true one.
const HTTP: &str = "\tmode http
	http-request del-header X-Forwarded-For
	http-request set-header X-Forwarded-Proto http
	option forwardfor
";

/// TLS passes through; so does its ALPN.
const TCP: &str = "\tmode tcp
";

//! `bramble vpn list`: the users of the VPN, and what is known of each one's connection.

use super::{ask, connect, not_yet, parts};
use crate::args::Global;
use crate::commands::fleet::span;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::{Printer, Style};
use crate::table::{Cell, cell, lines};
use bramble_blueprint::vpn::{
    Numbers, OPENVPN, OPENVPN_STATUS, WIREGUARD, WIREGUARD_INTERFACE, address,
};
use bramble_spec::cluster::{Router, Tunnel, Vpn};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds after a handshake in which a WireGuard client is there: a new one is made every two minutes
/// while there is traffic, and our profiles send some (wireguard.com/protocol, timers).
const THERE: u64 = 180;

/// Reads who has keys, who has which address, and what both servers know; no key is among it but public
/// ones. A line for each thing, its words separated by tabs.
fn program() -> String {
    format!(
        r#"k=/etc/bramble/keys/vpn
for d in $k/user.*; do
  [ -d "$d" ] || continue
  n=${{d##*/user.}}
  case $n in
    *.{WIREGUARD}) printf 'keys\t%s\t{WIREGUARD}\t%s\n' "${{n%.*}}" "$(wg pubkey <"$d/private.key")" ;;
    *.{OPENVPN}) printf 'keys\t%s\t{OPENVPN}\n' "${{n%.*}}" ;;
  esac
done
[ ! -f {numbers} ] || sed 's/^/number\t/; s/ /\t/' {numbers}
for s in {WIREGUARD} {OPENVPN}; do printf 'service\t%s\t%s\n' $s "$(systemctl is-active bramble-$s.service)"; done
wg show {WIREGUARD_INTERFACE} dump 2>/dev/null | awk -F '\t' -v OFS='\t' 'NR > 1 {{ print "peer", $1, $3, $5, $6, $7 }}'
[ ! -f {OPENVPN_STATUS} ] || awk -F '\t' -v OFS='\t' '$1 == "CLIENT_LIST" {{ print "client", $2, $3, $6, $7, $9 }}' {OPENVPN_STATUS}
printf 'now\t%s\n' "$(date +%s)"
"#,
        numbers = Numbers::PATH,
    )
}

/// What the router answered.
#[derive(Debug, Default)]
struct Seen {
    /// Users with keys, and protocol; WireGuard's public key.
    keys: BTreeMap<(String, String), String>,
    numbers: Numbers,
    /// State of each service.
    services: BTreeMap<String, String>,
    /// By WireGuard's public key.
    peers: BTreeMap<String, Traffic>,
    /// By OpenVPN's user.
    clients: BTreeMap<String, Traffic>,
    now: u64,
}

/// What a server knows of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Traffic {
    /// Where it comes from.
    from: Option<String>,
    /// Last handshake (WireGuard) or beginning (OpenVPN), in seconds since 1970.
    at: Option<u64>,
    received: u64,
    sent: u64,
}

impl Seen {
    fn parse(text: &str) -> Self {
        let mut out = Self::default();
        let mut numbers = String::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["keys", user, protocol, ..] => {
                    let public = fields.get(3).copied().unwrap_or_default();
                    out.keys
                        .insert((user.into(), protocol.into()), public.into());
                }
                ["number", user, number] => numbers.push_str(&format!("{user} {number}\n")),
                ["service", name, state] => {
                    out.services.insert(name.into(), state.into());
                }
                ["peer", key, from, at, received, sent] => {
                    out.peers
                        .insert(key.into(), Traffic::new(from, at, received, sent));
                }
                ["client", user, from, received, sent, at] => {
                    out.clients
                        .insert(user.into(), Traffic::new(from, at, received, sent));
                }
                ["now", now] => out.now = now.parse().unwrap_or(0),
                _ => {}
            }
        }
        out.numbers = Numbers::parse(&numbers);
        out
    }
}

impl Traffic {
    fn new(from: &str, at: &str, received: &str, sent: &str) -> Self {
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        Self {
            from: (from != "(none)").then(|| from.to_owned()),
            at: Some(number(at)).filter(|n| *n > 0),
            received: number(received),
            sent: number(sent),
        }
    }
}

/// A user's way in by one protocol.
#[derive(Debug)]
struct Client {
    user: String,
    protocol: &'static str,
    address: Option<String>,
    /// The file names the user.
    named: bool,
    /// The router has keys for it.
    keys: bool,
    connected: bool,
    traffic: Traffic,
}

/// Shows them; fails where a server does not run.
pub async fn run(global: &Global, context: &Context, printer: &Printer) -> Result<(), CliError> {
    let (router, vpn) = parts(context)?;
    let session = connect(global, context, router).await?;
    let seen = Seen::parse(&ask(&session, &program(), "look at the VPN").await?);
    let set_up = seen.services.values().any(|state| state != "inactive");
    if seen.keys.is_empty() && !set_up {
        return Err(not_yet(router, "no VPN"));
    }
    let clients = clients(vpn, &seen);
    let down = down(vpn, &seen);
    if printer.json() {
        printer.value(&as_json(router, vpn, &seen, &clients));
    } else {
        show(&clients, seen.now, printer);
        for (service, state) in &down {
            printer.warn(format!(
                "bramble-{service}.service is {state}: bramble logs {} bramble-{service}",
                router.machine
            ));
        }
    }
    if down.is_empty() {
        return Ok(());
    }
    Err(CliError::silent(Kind::Failed))
}

fn tunnels(vpn: &Vpn) -> impl Iterator<Item = (&'static str, &Tunnel)> {
    let all = [(WIREGUARD, &vpn.wireguard), (OPENVPN, &vpn.openvpn)];
    all.into_iter()
        .filter_map(|(name, tunnel)| Some((name, tunnel.as_ref()?)))
}

/// Servers that should run and don't, with their states.
fn down<'a>(vpn: &'a Vpn, seen: &'a Seen) -> Vec<(&'static str, &'a str)> {
    let state = |name| seen.services.get(name).map_or("unknown", String::as_str);
    let all = tunnels(vpn).map(|(name, _)| (name, state(name)));
    all.filter(|(_, state)| !matches!(*state, "active" | "reloading"))
        .collect()
}

/// Users of the file in its order, then those that only the router knows.
fn clients(vpn: &Vpn, seen: &Seen) -> Vec<Client> {
    let strangers: BTreeSet<&String> = seen.keys.keys().map(|(user, _)| user).collect();
    let strangers = strangers.into_iter().filter(|u| !vpn.users.contains(u));
    let mut out = Vec::new();
    for user in vpn.users.iter().chain(strangers) {
        for (protocol, tunnel) in tunnels(vpn) {
            let named = vpn.users.contains(user);
            let key = seen.keys.get(&(user.clone(), protocol.to_owned()));
            if !named && key.is_none() {
                continue;
            }
            let traffic = match protocol {
                WIREGUARD => key.and_then(|key| seen.peers.get(key)),
                _ => seen.clients.get(user),
            };
            let traffic = traffic.cloned().unwrap_or_default();
            let connected = match protocol {
                WIREGUARD => traffic.at.is_some_and(|at| at + THERE > seen.now),
                _ => traffic.at.is_some(),
            };
            let number = seen.numbers.get(user);
            out.push(Client {
                user: user.clone(),
                protocol,
                address: number.map(|n| address(tunnel.range, n).to_string()),
                named,
                keys: key.is_some(),
                connected,
                traffic,
            });
        }
    }
    out
}

fn as_json(router: &Router, vpn: &Vpn, seen: &Seen, clients: &[Client]) -> Value {
    let client = |c: &Client| {
        let (handshake, since) = match c.protocol {
            WIREGUARD => (c.traffic.at, None),
            _ => (None, c.traffic.at),
        };
        json!({
            "user": c.user, "protocol": c.protocol, "address": c.address, "inFile": c.named, "keys": c.keys,
            "connected": c.connected, "from": c.traffic.from, "lastHandshake": handshake,
            "connectedSince": since, "received": c.traffic.received, "sent": c.traffic.sent,
        })
    };
    let servers: BTreeMap<&str, Option<&String>> = tunnels(vpn)
        .map(|(name, _)| (name, seen.services.get(name)))
        .collect();
    json!({
        "router": router.machine, "servers": servers, "now": seen.now,
        "clients": clients.iter().map(client).collect::<Vec<_>>(),
    })
}

fn show(clients: &[Client], now: u64, printer: &Printer) {
    if clients.is_empty() {
        printer.out("the VPN has no users");
        return;
    }
    let heads = [
        "USER", "PROTOCOL", "ADDRESS", "STATE", "RECEIVED", "SENT", "FROM",
    ];
    let mut rows: Vec<Vec<Cell>> = vec![heads.map(|head| cell(Style::Dim, head)).into()];
    for client in clients {
        let traffic = &client.traffic;
        rows.push(vec![
            cell(Style::Bold, &client.user),
            client.protocol.into(),
            client.address.clone().unwrap_or_else(|| "-".into()).into(),
            state(client, now),
            bytes(traffic.received).into(),
            bytes(traffic.sent).into(),
            traffic.from.clone().unwrap_or_else(|| "-".into()).into(),
        ]);
    }
    for line in lines(printer, &rows) {
        printer.out(line);
    }
}

fn state(client: &Client, now: u64) -> Cell {
    if !client.keys {
        return cell(Style::Yellow, "no keys until the next up");
    }
    if !client.named {
        return cell(Style::Yellow, "not in the file: locked out by the next up");
    }
    let ago = client.traffic.at.map(|at| span(now.saturating_sub(at)));
    match (client.protocol, ago) {
        (WIREGUARD, Some(ago)) if client.connected => {
            cell(Style::Green, format!("heard of {ago} ago"))
        }
        (WIREGUARD, Some(ago)) => format!("last heard of {ago} ago").into(),
        (_, Some(ago)) => cell(Style::Green, format!("connected for {ago}")),
        (WIREGUARD, None) => "not connected since the start".into(),
        (_, None) => "not connected".into(),
    }
}

/// A number of bytes for people.
fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = n;
    let mut rest = 0;
    let mut unit = 0;
    while size >= 1024 && unit + 1 < units.len() {
        (rest, size) = (size % 1024, size / 1024);
        unit += 1;
    }
    match (unit, size) {
        (0, _) | (_, 10..) => format!("{size} {}", units[unit]),
        _ => format!("{size}.{} {}", rest * 10 / 1024, units[unit]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const FILE: &str = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: c }\nspec:\n  network: { lan: 10.77.0.0/24 }\n  router: { vpn: { users: [anna, ben, carl], wireguard: {}, openvpn: {} } }\n  machines:\n    - { name: gate, roles: [router], address: 192.168.1.100 }\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n";

    const ANSWER: &str = "noise of a login\nkeys\tanna\twireguard\tA=\nkeys\tanna\topenvpn\nkeys\tben\twireguard\tB=\nkeys\tben\topenvpn\nkeys\told\topenvpn\nnumber\tanna\t2\nnumber\tben\t5\nservice\twireguard\tactive\nservice\topenvpn\tfailed\npeer\tA=\t192.0.2.7:5000\t900\t2048\t1500000\npeer\tB=\t(none)\t0\t0\t0\nclient\tben\t192.0.2.8:4000\t10\t20\t400\nnow\t1000\n";

    #[test]
    fn everybody_has_a_row() {
        let cluster = bramble_spec::load("c", FILE).unwrap();
        let vpn = cluster.router.unwrap().vpn.unwrap();
        let seen = Seen::parse(ANSWER);
        let rows: Vec<String> = clients(&vpn, &seen)
            .iter()
            .map(|c| {
                let address = c.address.as_deref().unwrap_or("-");
                let flags = (c.named, c.keys, c.connected);
                format!(
                    "{} {} {address} {flags:?} {}",
                    c.user, c.protocol, c.traffic.received
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                "anna wireguard 10.8.0.2 (true, true, true) 2048",
                "anna openvpn 10.9.0.2 (true, true, false) 0",
                "ben wireguard 10.8.0.5 (true, true, false) 0",
                "ben openvpn 10.9.0.5 (true, true, true) 10",
                "carl wireguard - (true, false, false) 0",
                "carl openvpn - (true, false, false) 0",
                "old openvpn - (false, true, false) 0",
            ]
        );
        assert_eq!(down(&vpn, &seen), [(OPENVPN, "failed")]);
    }

    #[test]
    fn sizes_are_short() {
        let all = [
            0,
            1023,
            1024,
            2047,
            10 * 1024,
            5 * 1024 * 1024 + 600_000,
            u64::MAX,
        ];
        assert_eq!(
            all.map(bytes),
            [
                "0 B",
                "1023 B",
                "1.0 KiB",
                "1.9 KiB",
                "10 KiB",
                "5.5 MiB",
                "16777215 TiB"
            ]
        );
    }
}

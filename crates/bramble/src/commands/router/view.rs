//! The guide for people.

use super::guide::{Guide, PortForward};
use crate::printer::{Printer, Style};
use std::fmt::Write as _;

/// All of it, as numbered tasks.
pub fn text(guide: &Guide, printer: &Printer) -> String {
    let mut out = String::new();
    let place = guide
        .home_router
        .map_or(String::new(), |a| format!(" (http://{a}/)"));
    let _ = writeln!(out, "On your home router{place}:");
    let tasks = [address(guide), routes(guide), ports(guide), dns(guide)];
    for (number, (title, lines)) in tasks.into_iter().flatten().enumerate() {
        let title = format!("{}. {title}", number + 1);
        let _ = writeln!(out, "\n{}", printer.paint(Style::Bold, title));
        for line in lines {
            let _ = writeln!(out, "   {line}");
        }
    }
    if !guide.notes.is_empty() {
        out.push('\n');
    }
    for note in &guide.notes {
        let _ = writeln!(out, "{} {note}", printer.paint(Style::Yellow, "note:"));
    }
    out
}

type Task = Option<(String, Vec<String>)>;

fn gateway(guide: &Guide) -> &str {
    guide.address.as_deref().unwrap_or("its address outside")
}

fn address(guide: &Guide) -> Task {
    let (name, reservation) = (&guide.router, &guide.reservation);
    let to = gateway(guide);
    if !reservation.by_dhcp {
        let title = format!("Keep {to} free: {name} has it without asking");
        return Some((
            title,
            vec!["leave it out of the range that DHCP gives away".into()],
        ));
    }
    let card = |interface: &Option<String>| match interface {
        Some(interface) => format!(" ({interface})"),
        None => String::new(),
    };
    let line = match &reservation.mac {
        Some(mac) => format!("hardware address  {mac}{}", card(&reservation.interface)),
        None => format!(
            "hardware address  as `bramble ssh {name} -- ip link` shows it{}, or in the home router's list of devices",
            card(&reservation.interface)
        ),
    };
    Some((
        format!("DHCP reservation: {name} always gets {to}"),
        vec![line],
    ))
}

fn routes(guide: &Guide) -> Task {
    let gateway = gateway(guide);
    let mut lines: Vec<String> = guide
        .routes
        .iter()
        .map(|r| {
            let (to, mask) = (r.destination.to_string(), r.mask.to_string());
            format!("{to:<15}  mask {mask:<15}  gateway {gateway}  {}", r.what)
        })
        .collect();
    lines.push(
        "If it knows no static routes: sudo bramble workstation connect, on each computer".into(),
    );
    Some(("Static routes to what is behind it".into(), lines))
}

fn ports(guide: &Guide) -> Task {
    let line = |f: &PortForward| {
        let ports = if f.port == f.last_port {
            f.port.to_string()
        } else {
            format!("{}-{}", f.port, f.last_port)
        };
        format!(
            "{} {ports:<11}  to {}, the same port  {}",
            f.protocol,
            gateway(guide),
            f.what
        )
    };
    let (needed, others): (Vec<_>, Vec<_>) = guide.port_forwards.iter().partition(|f| f.needed);
    let mut lines: Vec<String> = needed.into_iter().map(line).collect();
    if !others.is_empty() {
        lines.push("Only what should be reached from the internet as well:".into());
        lines.extend(others.into_iter().map(|f| format!("  {}", line(f))));
    }
    (!lines.is_empty()).then(|| ("Port forwards from the internet".into(), lines))
}

fn dns(guide: &Guide) -> Task {
    let (domain, server) = (&guide.dns.domain, guide.dns.server);
    Some((
        "Names".into(),
        vec![
            format!("ask {server} for names that end with {domain} (conditional forwarding),"),
            format!("or give {server} to your devices as their first DNS server"),
        ],
    ))
}

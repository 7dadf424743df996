//! The questions of `bramble fleet`: what a machine runs, and how its answer is read.

use super::{Answer, span};
use bramble_spec::cluster::{Machine, Role};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// One question.
pub struct Action {
    /// For messages and JSON.
    pub name: &'static str,
    /// What the machine runs, as root.
    pub program: &'static str,
    /// Reads the answer; `None` if it makes no sense.
    pub read: fn(&Heard) -> Option<Answer>,
}

/// An answer and what belongs to it.
pub struct Heard<'a> {
    /// Standard output of the program.
    pub text: &'a str,
    /// How long connecting took.
    pub connected: Duration,
    /// How long the program took.
    pub answered: Duration,
    /// Whose answer it is.
    pub machine: &'a Machine,
}

/// Does it answer, and how fast.
pub const PING: Action = Action {
    name: "ping",
    program: "true\n",
    read: ping,
};

/// Time since boot, load. The age of the first process rather than the kernel's: a container
/// sees the uptime of its host.
pub const UPTIME: Action = Action {
    name: "uptime",
    program: concat!(age!(), "echo \"$age\"\ncat /proc/loadavg\nnproc\n"),
    read: uptime,
};

/// Space on the file systems that keep data.
pub const DF: Action = Action {
    name: "df",
    // The root whatever it is, then everything that is neither memory nor a layer of something else.
    program: "df -kP /\ndf -kP -x tmpfs -x devtmpfs -x overlay -x squashfs -x efivarfs 2>/dev/null | tail -n +2\n",
    read: df,
};

/// Addresses and hardware addresses of its interfaces.
pub const CHECK_IP: Action = Action {
    name: "check-ip",
    program: "ip -o addr show scope global\necho ---\nip -o link show\n",
    read: check_ip,
};

fn ping(heard: &Heard) -> Option<Answer> {
    let [connected, answered] =
        [heard.connected, heard.answered].map(|d| (d.as_secs_f64() * 10_000.0).round() / 10.0);
    Some(Answer::new(
        format!("answers: connected in {connected} ms, runs a program in {answered} ms"),
        json!({ "connectMs": connected, "answerMs": answered }),
    ))
}

fn uptime(heard: &Heard) -> Option<Answer> {
    let mut lines = heard.text.lines();
    let seconds = lines.next()?.trim().parse::<u64>().ok()?;
    let load: Vec<f64> = lines
        .next()?
        .split(' ')
        .take(3)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let cpus: u32 = lines.next()?.trim().parse().ok()?;
    let shown: Vec<String> = load.iter().map(f64::to_string).collect();
    let s = if cpus == 1 { "" } else { "s" };
    Some(Answer::new(
        format!(
            "up {:<12} load {} on {cpus} processor{s}",
            span(seconds),
            shown.join(" ")
        ),
        json!({ "uptimeSeconds": seconds, "load": load, "processors": cpus }),
    ))
}

/// One line of `df -kP`.
struct FileSystem<'a> {
    mount: &'a str,
    size: u64,
    used: u64,
    free: u64,
}

fn df(heard: &Heard) -> Option<Answer> {
    let mut list: Vec<FileSystem> = heard.text.lines().skip(1).filter_map(file_system).collect();
    // A device that is mounted in several places counts once: the first is the shortest path.
    list.sort_by_key(|f| f.mount.len());
    let mut seen = Vec::new();
    list.retain(|f| {
        let key = (f.size, f.used, f.free);
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    if list.is_empty() {
        return None;
    }
    let full = |f: &FileSystem| f.used * 100 / (f.used + f.free).max(1);
    let texts: Vec<String> = list
        .iter()
        .map(|f| {
            format!(
                "{} {} % of {}, {} free",
                f.mount,
                full(f),
                size(f.size),
                size(f.free)
            )
        })
        .collect();
    let fields: Vec<Value> = list
        .iter()
        .map(|f| {
            json!({
                "mount": f.mount, "sizeBytes": f.size * 1024, "usedBytes": f.used * 1024,
                "freeBytes": f.free * 1024, "usedPercent": full(f),
            })
        })
        .collect();
    let mut answer = Answer::new(texts.join("; "), json!({ "fileSystems": fields }));
    // The kubelet begins to throw out pods and images at 85 %.
    answer.fine = list.iter().all(|f| full(f) < 95);
    Some(answer)
}

fn file_system(line: &str) -> Option<FileSystem<'_>> {
    let mut words = line.split_whitespace().skip(1);
    let mut number = || words.next()?.parse::<u64>().ok();
    let (size, used, free) = (number()?, number()?, number()?);
    let mount = words.nth(1)?;
    (size > 0).then_some(FileSystem {
        mount,
        size,
        used,
        free,
    })
}

/// KiB for people.
fn size(kib: u64) -> String {
    let mb = kib as f64 * 1024.0 / 1e6;
    if mb < 1000.0 {
        format!("{mb:.0} MB")
    } else {
        format!("{:.1} GB", mb / 1000.0)
    }
}

fn check_ip(heard: &Heard) -> Option<Answer> {
    let (addresses, links) = heard.text.split_once("---\n")?;
    let has: Vec<(&str, IpAddr)> = addresses.lines().filter_map(interface_address).collect();
    let macs: Vec<(&str, &str)> = links.lines().filter_map(interface_mac).collect();
    let machine = heard.machine;
    let all: Vec<String> = has
        .iter()
        .map(|(name, a)| format!("{a} ({name})"))
        .collect();
    let fields = |fine: bool| {
        json!({
            "wanted": machine.address, "fine": fine,
            "addresses": has.iter().map(|(n, a)| json!({ "interface": n, "address": a })).collect::<Vec<_>>(),
        })
    };
    let wrong = |text: String| Answer {
        fine: false,
        ..Answer::new(text, fields(false))
    };
    let Some((name, _)) = has.iter().find(|(_, a)| *a == machine.address) else {
        let has = if all.is_empty() {
            "no address".into()
        } else {
            all.join(", ")
        };
        return Some(wrong(format!(
            "does not have the file's address; it has {has}"
        )));
    };
    let mac = macs.iter().find(|(n, _)| n == name).map(|(_, mac)| *mac);
    if let (Some(wanted), Some(mac)) = (&machine.mac, mac)
        && !wanted.eq_ignore_ascii_case(mac)
    {
        return Some(wrong(format!(
            "{name} has the hardware address {mac}, the file says {wanted}"
        )));
    }
    let mut text = format!("has it, on {name}");
    if let Some(outside) = outer_side(machine, &has) {
        text = format!("{text}; outside {outside}");
    }
    Some(Answer::new(text, fields(true)))
}

/// Where a router has its address outside. It need not have it: somebody may translate it on the way.
fn outer_side(machine: &Machine, has: &[(&str, IpAddr)]) -> Option<String> {
    let management = machine.management.as_ref();
    let outside = management.filter(|_| machine.is(Role::Router))?;
    let own = has.iter().find(|(_, a)| a.to_string() == *outside);
    Some(match own {
        Some((name, _)) => format!("{outside}, on {name}"),
        None => format!("{outside}, on none of its interfaces"),
    })
}

/// `2: eth0    inet 10.0.0.1/24 brd ...`
fn interface_address(line: &str) -> Option<(&str, IpAddr)> {
    let mut words = line.split_whitespace().skip(1);
    let name = words.next()?;
    words.next().filter(|family| family.starts_with("inet"))?;
    let address = words.next()?.split('/').next()?.parse().ok()?;
    Some((name, address))
}

/// `2: eth0@if5: <...> ... link/ether b8:27:eb:00:00:01 brd ...`
fn interface_mac(line: &str) -> Option<(&str, &str)> {
    let name = line
        .split_whitespace()
        .nth(1)?
        .trim_end_matches(':')
        .split('@')
        .next()?;
    let mac = line
        .split("link/ether ")
        .nth(1)?
        .split_whitespace()
        .next()?;
    Some((name, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Failure = Box<dyn std::error::Error>;

    fn heard(action: &Action, text: &str) -> Result<Answer, Failure> {
        heard_of("one", action, text)
    }

    fn heard_of(name: &str, action: &Action, text: &str) -> Result<Answer, Failure> {
        let file = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: a }\nspec:\n  machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11, mac: \"b8:27:eb:00:00:01\" }\n    - { name: gate, roles: [router], address: 192.168.1.2 }\n  network: { lan: 10.77.0.0/24 }\n";
        let cluster = bramble_spec::load("a.yaml", file)?;
        let machine = cluster.machine(name).ok_or("no machine")?;
        let (connected, answered) = (Duration::from_millis(20), Duration::from_millis(3));
        (action.read)(&Heard {
            text,
            connected,
            answered,
            machine,
        })
        .ok_or_else(|| "no answer was read".into())
    }

    #[test]
    fn uptime_reads_the_kernel_files() -> Result<(), Failure> {
        let answer = heard(&UPTIME, "93784\n0.10 0.25 1.50 1/200 7\n4\n")?;
        assert_eq!(
            answer.text,
            "up 1 d 2 h      load 0.1 0.25 1.5 on 4 processors"
        );
        assert!(heard(&UPTIME, "nonsense").is_err());
        Ok(())
    }

    #[test]
    fn a_file_system_that_is_mounted_twice_counts_once() -> Result<(), Failure> {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let text = format!(
            "{head}/dev/sda1 1000000 500000 500000 50% /\n/dev/sda1 1000000 500000 500000 50% /var/lib/x\n/dev/sdb1 100 99 1 99% /boot\n"
        );
        let answer = heard(&DF, &text)?;
        assert_eq!(
            answer.text,
            "/ 50 % of 1.0 GB, 512 MB free; /boot 99 % of 0 MB, 0 MB free"
        );
        assert!(!answer.fine, "a full file system is not fine");
        Ok(())
    }

    #[test]
    fn addresses_are_compared_with_the_file() -> Result<(), Failure> {
        let link = |mac| {
            format!(
                "2: eth0@if5: <UP> mtu 1500 state UP\\    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n"
            )
        };
        let address = |a| format!("2: eth0    inet {a}/24 brd 10.77.0.255 scope global eth0\n");
        let ask = |a, mac| heard(&CHECK_IP, &format!("{}---\n{}", address(a), link(mac)));
        assert_eq!(
            ask("10.77.0.11", "b8:27:eb:00:00:01")?.text,
            "has it, on eth0"
        );
        let other = ask("10.77.0.99", "b8:27:eb:00:00:01")?;
        assert!(
            !other.fine && other.text.contains("10.77.0.99 (eth0)"),
            "{}",
            other.text
        );
        assert!(!ask("10.77.0.11", "b8:27:eb:00:00:02")?.fine);
        Ok(())
    }

    #[test]
    fn a_router_has_two_sides() -> Result<(), Failure> {
        let inner = "2: lan0    inet 10.77.0.1/24 scope global lan0\n";
        let outer = "3: wan0    inet 192.168.1.2/24 scope global wan0\n";
        let ask = |addresses: &str| heard_of("gate", &CHECK_IP, &format!("{addresses}---\n"));
        let both = ask(&format!("{inner}{outer}"))?;
        let text = "has it, on lan0; outside 192.168.1.2, on wan0";
        assert!(both.fine && both.text == text, "{}", both.text);
        let translated = ask(inner)?;
        assert!(translated.fine && translated.text.ends_with("on none of its interfaces"));
        assert!(
            !ask(outer)?.fine,
            "it serves nobody without its side of the LAN"
        );
        Ok(())
    }
}

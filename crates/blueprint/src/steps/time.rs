//! The time service, and the wait for a clock that certificates can be made with (U050).

use crate::context::{On, r};
use bramble_machine::facts::SANE_CLOCK;
use bramble_machine::kinds::{Action, Check, Directory, File, Packages, Service};
use bramble_machine::{Script, Step};
use bramble_spec::cluster::{Quirk, Router};
use ipnet::IpNet;
use std::fmt::Write as _;
use std::time::Duration;

const SOURCES: &str = "/etc/chrony/sources.d/bramble.sources";
const SERVING: &str = "/etc/chrony/conf.d/bramble.conf";
const DROP_IN: &str = "/etc/systemd/system/chrony.service.d";

pub(super) fn step(on: &On) -> Option<Step> {
    let router = on.router();
    let mut out = Vec::new();
    // Where the clock belongs to someone else (a container's host), a time service can only fail, unless
    // all it has to do is to tell others the time.
    let own = on.facts.clock_settable && !on.machine.quirks.contains(&Quirk::ForeignClock);
    if own || router.is_some() {
        // A router has the package from the one run of apt that brings all of its services.
        if router.is_none() {
            out.push(r(Packages::new("time", ["chrony"]).leaving(LEFTOVERS)));
        }
        let mut watch = Vec::new();
        let mut file = |path: &str, text: String| {
            watch.push(format!("file:{path}"));
            r(File::text(path, text))
        };
        if let Some(text) = sources(on) {
            out.push(file(SOURCES, text));
        }
        if let Some(router) = router {
            out.push(file(SERVING, serving(on, router, own)));
            if !own {
                out.push(file(OPTIONS, "DAEMON_OPTS='-F 1 -x'\n".into()));
                out.push(r(Directory::new(DROP_IN)));
                out.push(file(&format!("{DROP_IN}/bramble.conf"), HANDS_OFF.into()));
            }
        }
        out.push(r(Service::on("chrony.service").watching(watch)));
    }
    out.push(r(clock(on, own)));
    let needs = match on.behind() {
        Some(router) if own && on.cluster().time.servers.is_empty() => {
            vec![(router.machine.clone(), "time".to_owned())]
        }
        _ => Vec::new(),
    };
    Some(on.step_after("time", out, needs))
}

/// What chrony makes at run time.
pub(super) const LEFTOVERS: [&str; 3] = ["/var/lib/chrony", "/var/log/chrony", "/etc/chrony"];

/// Where the time comes from: the file's servers, else the router, beside those of Debian.
fn sources(on: &On) -> Option<String> {
    let written = &on.cluster().time.servers;
    let own = on.router().map(|r| r.address.addr().to_string());
    let mut servers: Vec<String> = written
        .iter()
        .filter(|s| Some(*s) != own.as_ref())
        .cloned()
        .collect();
    if written.is_empty() {
        servers.extend(on.behind().map(|router| router.address.addr().to_string()));
    }
    let lines = servers.iter().map(|s| format!("server {s} iburst\n"));
    (!servers.is_empty()).then(|| lines.collect())
}

/// Who may ask the router for the time. While no other clock can be asked, its own counts, unless it is
/// one that a power cut stops.
fn serving(on: &On, router: &Router, own: bool) -> String {
    let mut out = String::from("# Made by Bramble.\n");
    let trusted = router.firewall.trusted.iter().map(|net| IpNet::V4(*net));
    for net in router.inside().into_iter().chain(trusted) {
        let _ = writeln!(out, "allow {net}");
    }
    let battery = on.facts.rtc && !on.machine.quirks.contains(&Quirk::NoClock);
    if !own || battery {
        out.push_str("local stratum 10\n");
    }
    out
}

/// chronyd that leaves the clock alone and serves it all the same.
const HANDS_OFF: &str = "\
# Made by Bramble.
[Unit]
ConditionCapability=

[Service]
EnvironmentFile=/etc/chrony/bramble.options
";
const OPTIONS: &str = "/etc/chrony/bramble.options";

/// Waits until the clock is sane. With a time service of its own, and no battery clock, until it is
/// synchronized: a Pi comes up with the time of its last shutdown, which looks sane and is not.
fn clock(on: &On, own: bool) -> Action {
    let synced = own && (on.machine.quirks.contains(&Quirk::NoClock) || !on.facts.rtc);
    let test = if synced {
        format!(
            "[ \"$(date +%s)\" -ge {SANE_CLOCK} ] && chronyc -n tracking 2>/dev/null | grep -q '^Leap status *: Normal'"
        )
    } else {
        format!("[ \"$(date +%s)\" -ge {SANE_CLOCK} ]")
    };
    let wait = on.cluster().time.wait;
    let run = Script::of(format!(
        "end=$(($(cut -d. -f1 /proc/uptime) + {wait}))\n\
         until {test}; do\n\
         \tif [ \"$(cut -d. -f1 /proc/uptime)\" -ge \"$end\" ]; then\n\
         \t\techo \"the clock says $(date -u '+%Y-%m-%d %H:%M:%S') UTC and was not set within {wait} s; certificates made now would be wrong.\"\n\
         \t\techo 'Remedy: name time servers that the machine can reach (time.servers), or set the clock: date -s ...'\n\
         \t\tchronyc -n sources 2>/dev/null || :\n\
         \t\texit 1\n\
         \tfi\n\
         \tsleep 1\n\
         done"
    ));
    let mut action = Action::new(
        "clock",
        "wait for a clock that is right",
        Check::Succeeds(test),
        run,
    );
    action.limit = Duration::from_secs(u64::from(wait) + 30);
    action
}

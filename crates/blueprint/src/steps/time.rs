//! The time service, and the wait for a clock that certificates can be made with (U050).

use crate::context::{On, r};
use bramble_machine::facts::SANE_CLOCK;
use bramble_machine::kinds::{Action, Check, File, Packages, Service};
use bramble_machine::{Script, Step};
use bramble_spec::cluster::Quirk;
use std::time::Duration;

const SOURCES: &str = "/etc/chrony/sources.d/bramble.sources";

pub(super) fn step(on: &On) -> Option<Step> {
    let time = &on.cluster().time;
    let mut out = Vec::new();
    // Where the clock belongs to someone else (a container's host), a time service can only fail.
    let own = on.facts.clock_settable && !on.machine.quirks.contains(&Quirk::ForeignClock);
    if own {
        out.push(r(Packages::new("time", ["chrony"]).leaving([
            "/var/lib/chrony",
            "/var/log/chrony",
            "/etc/chrony",
        ])));
        let mut watch = Vec::new();
        if !time.servers.is_empty() {
            let text: String = time
                .servers
                .iter()
                .map(|s| format!("server {s} iburst\n"))
                .collect();
            out.push(r(File::text(SOURCES, text)));
            watch.push(format!("file:{SOURCES}"));
        }
        out.push(r(Service::on("chrony.service").watching(watch)));
    }
    out.push(r(clock(on, own)));
    Some(on.step("time", out))
}

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

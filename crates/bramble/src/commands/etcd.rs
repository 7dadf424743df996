//! `bramble etcd`: members, snapshots, restore, recovery. All of it by SSH: it works while the API is down.

mod defrag;
mod members;
mod recover;
mod restore;
mod snapshot;

use crate::args::{EtcdAction, EtcdArgs, Global};
use crate::context::Context;
use crate::error::{CliError, Explain, Kind, chain};
use crate::printer::Printer;
use bramble_engine::lock::{self, LockError};
use bramble_etcd::{Seen, View};
use bramble_fleet::{Fleet, Held, Session};
use bramble_spec::cluster::{Machine, Role};
use futures::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a look at a member may take: it waits for one that does not answer.
const LOOK: Duration = Duration::from_secs(90);

/// Runs one of the actions.
pub async fn run(global: &Global, args: &EtcdArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let planes = Planes::of(&context, global)?;
    match &args.action {
        EtcdAction::Members => members::run(&planes, printer).await,
        EtcdAction::Snapshot(args) => snapshot::take(&planes, args, printer).await,
        EtcdAction::Snapshots => snapshot::list(&planes, printer).await,
        EtcdAction::Defrag { machines } => defrag::run(&planes, machines, printer).await,
        EtcdAction::Restore(args) => restore::run(&planes, args, printer).await,
        EtcdAction::Recover { machine, yes } => {
            recover::run(&planes, machine.as_deref(), *yes, printer).await
        }
    }
}

/// The control planes of the file.
struct Planes<'a> {
    context: &'a Context,
    fleet: Fleet,
    machines: Vec<&'a Machine>,
}

/// What one look at all control planes found.
struct Looks {
    /// Those that answer.
    sessions: BTreeMap<String, Session>,
    /// What each said, or why it said nothing.
    seen: BTreeMap<String, Result<Seen, String>>,
    /// All of it together.
    view: View,
}

impl<'a> Planes<'a> {
    fn of(context: &'a Context, global: &Global) -> Result<Self, CliError> {
        let machines: Vec<_> = context.cluster.with_role(Role::ControlPlane).collect();
        if machines.is_empty() {
            let path = context.path.display();
            return Err(CliError::usage(format!("{path} has no control plane")));
        }
        Ok(Self {
            context,
            fleet: context.fleet(global),
            machines,
        })
    }

    /// The control plane of a name.
    fn named(&self, name: &str) -> Result<&'a Machine, CliError> {
        let machine = self.context.machine(name)?;
        if machine.is(Role::ControlPlane) {
            return Ok(machine);
        }
        Err(CliError::usage(format!("{name} is no control plane")))
    }

    /// Connects to machines, all at once.
    async fn sessions(&self, machines: &[&Machine]) -> BTreeMap<String, Result<Session, String>> {
        let connecting = machines.iter().map(|machine| async {
            let session = self.fleet.connect(&self.context.target(machine)).await;
            (machine.name.clone(), session.map_err(|e| chain(&e)))
        });
        join_all(connecting).await.into_iter().collect()
    }

    /// Asks all members at once.
    async fn look(&self) -> Looks {
        let mut out = Looks {
            sessions: BTreeMap::new(),
            seen: BTreeMap::new(),
            view: View::of(&[], &BTreeMap::new()),
        };
        for (name, session) in self.sessions(&self.machines).await {
            match session {
                Ok(session) => out.sessions.insert(name, session).map_or((), drop),
                Err(why) => out.seen.insert(name, Err(why)).map_or((), drop),
            }
        }
        let asking = out.sessions.iter().map(|(name, session)| async {
            let said = program(
                session,
                &bramble_etcd::program::look(),
                LOOK,
                "look at etcd",
            )
            .await;
            let seen = match said {
                Ok(text) => Seen::read(&text).map_err(|e| chain(&e)),
                Err(error) => Err(error.message),
            };
            (name.clone(), seen)
        });
        let said = join_all(asking).await;
        out.seen.extend(said);
        let places: Vec<(String, String)> = self
            .machines
            .iter()
            .map(|m| (m.name.clone(), m.address.to_string()))
            .collect();
        out.view = View::of(&places, &out.seen);
        out
    }
}

impl Looks {
    /// The session of a healthy member, of those that know the most.
    fn healthiest(&self) -> Result<(&str, &Session), CliError> {
        let members = self.view.members.iter().filter(|m| m.is_healthy());
        let best = members.max_by_key(|m| (m.raft_index, !m.leader));
        best.and_then(|m| m.machine.as_deref())
            .and_then(|name| Some((name, self.sessions.get(name)?)))
            .ok_or_else(|| {
                CliError::failed(format!("no member of etcd is healthy: {}", self.why()))
                    .hint("bramble etcd members shows all of them")
            })
    }

    /// Whether the member of a machine says who belongs to it.
    fn answers(&self, name: &str) -> bool {
        matches!(self.seen.get(name), Some(Ok(seen)) if seen.members.is_some())
    }

    /// Whether the member of a machine is the whole of etcd.
    fn is_alone(&self, name: &str) -> bool {
        let members = self
            .seen
            .get(name)
            .and_then(|s| s.as_ref().ok()?.members.as_ref());
        members.is_some_and(|all| all.len() == 1)
    }

    /// Whether the member of a machine knows that of another one as a member.
    fn lists(&self, name: &str, other: &str) -> bool {
        let seen = |name: &str| self.seen.get(name).and_then(|s| s.as_ref().ok());
        let all = seen(name).and_then(|s| s.members.as_ref());
        let place = seen(other).and_then(|s| s.place.as_ref());
        all.zip(place)
            .is_some_and(|(all, (_, peer))| all.iter().any(|m| m.peers.contains(peer)))
    }

    /// Why it is as it is, machine by machine.
    fn why(&self) -> String {
        let all = self.seen.iter().filter_map(|(name, seen)| match seen {
            Ok(seen) => Some(format!("{name}: {}", seen.why.as_ref()?)),
            Err(why) => Some(format!("{name}: {why}")),
        });
        all.collect::<Vec<_>>().join("; ")
    }
}

/// Runs a program to its end; what it printed, or what it said on failure.
async fn program(
    session: &Session,
    text: &str,
    limit: Duration,
    what: &str,
) -> Result<String, CliError> {
    told(session, text, limit, what, |_| {}).await
}

/// The same, with each line told when it comes.
async fn told(
    session: &Session,
    text: &str,
    limit: Duration,
    what: &str,
    on_line: impl FnMut(&str) + Send,
) -> Result<String, CliError> {
    let done = session.run(text.as_bytes(), limit, what, on_line).await?;
    if !done.success() {
        let (machine, said) = (session.machine(), done.stderr_tail(12));
        return Err(CliError::failed(format!(
            "{machine}: {what} ended with {}: {said}",
            done.exit
        )));
    }
    String::from_utf8(done.stdout).explain(what)
}

/// Asks by the address that everybody uses, with the certificates of both sides.
const AT_THE_ADDRESS: &str = "end=$(($(date +%s) + 90))
until HOME=/run/bramble timeout 10 kubectl --kubeconfig=/etc/kubernetes/admin.conf get --raw /readyz >/dev/null 2>&1; do
	[ $(date +%s) -lt $end ] || exit 1
	sleep 1
done
";

/// Waits until the API answers where everybody looks for it: an address that control planes share was let go of
/// while none of them served.
async fn at_the_address(session: &Session, printer: &Printer) {
    printer.note("  waiting until the API answers at the cluster's address, at most 90 s");
    let what = "ask the API by its address";
    let limit = Duration::from_secs(120);
    if program(session, AT_THE_ADDRESS, limit, what).await.is_err() {
        printer.warn(
            "the API servers are there, but don't answer at the cluster's address yet: bramble status says who has it",
        );
    }
}

/// Runs a program on each, all at once; the failures of all, if any.
async fn on_all(
    sessions: &BTreeMap<String, Session>,
    text: impl Fn(&str) -> String,
    limit: Duration,
    what: &str,
) -> Result<BTreeMap<String, String>, CliError> {
    let running = sessions.iter().map(|(name, session)| {
        let text = text(name);
        async move { (name.clone(), program(session, &text, limit, what).await) }
    });
    let mut out = BTreeMap::new();
    let mut failed: Option<CliError> = None;
    for (name, result) in join_all(running).await {
        match (result, &mut failed) {
            (Ok(text), _) => drop(out.insert(name, text)),
            (Err(error), None) => failed = Some(error),
            (Err(error), Some(all)) => all.message = format!("{}\n{}", all.message, error.message),
        }
    }
    failed.map_or(Ok(out), Err)
}

/// Takes the locks of machines: no other run changes them meanwhile.
async fn locks(sessions: &BTreeMap<String, Session>, what: &str) -> Result<Vec<Held>, CliError> {
    let mut out = Vec::new();
    let holder = super::session::holder(what);
    for (name, session) in sessions {
        let journal = "stat -c %s /var/lib/bramble/journal 2>/dev/null || echo 0\n";
        let size = program(session, journal, LOOK, "look at the journal").await?;
        let size = size.trim().parse().explain("the size of the journal")?;
        match lock::take(session, name, &holder, size).await {
            Ok(held) => out.push(held),
            Err(error @ LockError::Busy { .. }) => {
                return Err(CliError::new(Kind::Locked, chain(&error))
                    .hint("wait until it is done, or end it: bramble unlock"));
            }
            Err(LockError::Fleet(error)) => return Err(error.into()),
            Err(error) => return Err(CliError::failed(chain(&error))),
        }
    }
    Ok(out)
}

/// Names, for people.
fn names<'n>(all: impl IntoIterator<Item = &'n String>) -> String {
    all.into_iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

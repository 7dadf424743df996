//! The machines whose certificates a command is about: looked at, locked, and asked to run programs.

use crate::args::Global;
use crate::commands::session::{holder, locked};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::stop;
use bramble_blueprint::certs::{self, Look};
use bramble_engine::lock;
use bramble_fleet::{Held, Session};
use bramble_secret::Secret;
use bramble_spec::cluster::Machine;
use futures::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long reading a machine's certificates may take.
const LOOK: Duration = Duration::from_secs(60);
/// How long one program may take: all parts of a control plane, each as long as it is waited for.
const LIMIT: Duration = Duration::from_secs(1900);

/// A machine that was looked at.
pub struct Place {
    /// What was seen.
    pub look: Look,
    session: Session,
}

/// What looking at all of them brought.
pub struct Places {
    /// Those that answered, in the order of the file.
    pub seen: Vec<Place>,
    /// Those that did not, and why.
    pub unseen: Vec<(String, CliError)>,
}

/// Looks at the nodes of the file, or the named ones, all at once: one exec each.
pub async fn look(
    context: &Context,
    global: &Global,
    names: &[String],
) -> Result<Places, CliError> {
    context.targets(names)?;
    let fleet = context.fleet(global);
    let wanted = |m: &&Machine| m.is_node() && (names.is_empty() || names.contains(&m.name));
    let all = context.cluster.machines.iter().filter(wanted);
    let looks = join_all(all.map(|machine| {
        let (fleet, target) = (&fleet, context.target(machine));
        async move {
            let place = async {
                let session = fleet.connect(&target).await?;
                let look = look_at(&session).await?;
                Ok::<Place, CliError>(Place { look, session })
            };
            (machine.name.clone(), place.await)
        }
    }));
    let mut out = Places {
        seen: Vec::new(),
        unseen: Vec::new(),
    };
    for (name, result) in looks.await {
        match result {
            Ok(place) => out.seen.push(place),
            Err(error) => out.unseen.push((name, error)),
        }
    }
    Ok(out)
}

async fn look_at(session: &Session) -> Result<Look, CliError> {
    let what = "read its certificates";
    let done = session
        .run(certs::LOOK.as_bytes(), LOOK, what, |_| {})
        .await?;
    if !done.success() {
        return Err(failed(
            session.machine(),
            what,
            &done.exit.to_string(),
            &done.stderr_tail(5),
        ));
    }
    let text = String::from_utf8_lossy(&done.stdout);
    Ok(Look::parse(session.machine(), &text))
}

fn failed(machine: &str, what: &str, exit: &str, said: &str) -> CliError {
    CliError::failed(format!("{machine}: {what}: {exit}: {said}"))
}

impl Places {
    /// Control planes among them.
    pub fn planes(&self) -> Vec<&Place> {
        self.seen.iter().filter(|p| p.look.plane).collect()
    }

    /// Nodes that are none.
    pub fn workers(&self) -> Vec<&Place> {
        self.seen.iter().filter(|p| !p.look.plane).collect()
    }

    /// An error where one did not answer.
    pub fn all_seen(&self) -> Result<(), CliError> {
        let Some((_, first)) = self.unseen.first() else {
            return Ok(());
        };
        let names: Vec<&str> = self.unseen.iter().map(|(n, _)| n.as_str()).collect();
        let mut error = CliError::new(
            first.kind,
            format!("not looked at: {}: {}", names.join(", "), first.message),
        );
        error.hints.clone_from(&first.hints);
        Err(error)
    }
}

impl Place {
    /// The machine's name.
    pub fn name(&self) -> &str {
        &self.look.machine
    }

    /// Looks once more.
    pub async fn look_again(&self) -> Result<Look, CliError> {
        look_at(&self.session).await
    }
}

/// Locks, progress and Ctrl-C of a command that changes machines.
pub struct Work<'a> {
    printer: &'a Printer,
    stop: watch::Receiver<bool>,
    _held: Vec<Held>,
}

impl<'a> Work<'a> {
    /// Takes the locks of these machines.
    pub async fn begin(
        places: &[&Place],
        what: &str,
        printer: &'a Printer,
    ) -> Result<Self, CliError> {
        let holder = holder(what);
        let taking = places.iter().map(|place| {
            let holder = &holder;
            async move {
                let look = &place.look;
                lock::take(&place.session, &look.machine, holder, look.journal).await
            }
        });
        let mut held = Vec::new();
        for taken in join_all(taking).await {
            held.push(taken.map_err(locked)?);
        }
        Ok(Self {
            printer,
            stop: stop::listen(*printer),
            _held: held,
        })
    }

    /// Runs a program on a machine; its whole output. Lines that say how far it is are shown.
    pub async fn run(
        &self,
        place: &Place,
        program: &Secret,
        what: &str,
    ) -> Result<String, CliError> {
        if *self.stop.borrow() {
            return Err(
                CliError::new(Kind::Interrupted, "stopped before everything was done")
                    .hint("run the same command again: it goes on where it stopped"),
            );
        }
        let begin = Instant::now();
        let machine = place.name().to_owned();
        let printer = *self.printer;
        let tell = |line: &str| {
            let Some((did, of)) = line.split_once(' ') else {
                return;
            };
            if matches!(did, "restarted" | "rolled") {
                tell(&printer, &machine, &format!("{did} {of}"), begin);
            }
        };
        let done = place
            .session
            .run(program.expose().as_bytes(), LIMIT, what, tell)
            .await?;
        if !done.success() {
            return Err(failed(
                place.name(),
                what,
                &done.exit.to_string(),
                &done.stderr_tail(16),
            )
            .hint(
                "run the same command again once the cause is mended: it goes on where it stopped",
            ));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Says what was done on a machine.
    pub fn did(&self, place: &Place, what: &str, since: Instant) {
        tell(self.printer, place.name(), what, since);
    }
}

fn tell(printer: &Printer, machine: &str, what: &str, since: Instant) {
    let seconds = since.elapsed().as_secs_f64();
    if printer.json() {
        let seconds = (seconds * 10.0).round() / 10.0;
        printer
            .line(&json!({ "event": "done", "machine": machine, "what": what, "after": seconds }));
    } else {
        printer.note(format!("  {machine}  {what} ({seconds:.0} s)"));
    }
}

/// The rest of the line that begins with this word.
pub fn said(text: &str, word: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|l| l.strip_prefix(word));
    lines
        .find_map(|rest| rest.strip_prefix(' '))
        .map(|rest| rest.trim().to_owned())
}

/// A certificate for the kubelet of a machine: asked for there, signed by a control plane, put in place.
pub async fn kubelet(
    work: &Work<'_>,
    place: &Place,
    signer: Option<&Place>,
    serving: bool,
) -> Result<(), CliError> {
    let mut signed = None;
    if let Some(signer) = signer {
        let text = work
            .run(
                place,
                &certs::request(place.name()),
                "ask for a kubelet's certificate",
            )
            .await?;
        let request = said(&text, "request").ok_or_else(|| odd(place, "request"))?;
        let program = certs::sign(place.name(), &request);
        let text = work
            .run(signer, &program, "sign a kubelet's certificate")
            .await?;
        signed = Some(said(&text, "signed").ok_or_else(|| odd(signer, "certificate"))?);
    }
    let program = certs::install(signed.as_deref(), serving);
    work.run(place, &program, "restart the kubelet").await?;
    Ok(())
}

/// A program that ended well without saying what it should.
pub fn odd(place: &Place, what: &str) -> CliError {
    CliError::failed(format!("{}: a program gave no {what}", place.name()))
}

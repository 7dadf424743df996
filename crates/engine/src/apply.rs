//! Runs a step's programs on its machine, and proves that the machine can still be reached.

use crate::nonce;
use crate::parts::{arm, part};
use crate::plan::StepPlan;
use crate::reader::{Failure, Reader};
use crate::run::Runner;
use bramble_fleet::Session;
use bramble_machine::program::{self, Part};
use std::time::Duration;

/// Between two attempts to connect anew.
const CONFIRM_PAUSE: Duration = Duration::from_millis(300);

/// What the machine does when nobody confirms a step, and what its guards advise then.
fn taken_back(step: &StepPlan) -> String {
    let guards = step.items.iter().filter_map(|i| i.change.guard.as_ref());
    let advice: Vec<&str> = guards
        .map(|g| g.advice.as_str())
        .filter(|a| !a.is_empty())
        .collect();
    let advice: String = advice.iter().map(|a| format!(". {a}")).collect();
    format!(
        "the machine takes it back by itself within {} s{advice}",
        program::REVERT_AFTER
    )
}

impl Runner<'_> {
    /// Runs one program; what it changed stays only if the machine can still be reached.
    pub(crate) async fn program(
        &self,
        machine: &str,
        session: &Session,
        step: &StepPlan,
        facts: &[(String, String)],
    ) -> Result<usize, Failure> {
        let nonce = nonce();
        let mut parts: Vec<Part> = step.items.iter().map(|item| part(step, item)).collect();
        let armed = arm(step, &mut parts, &nonce);
        let text = program::program(&self.plan.cluster, &parts, facts, &step.finally, &nonce);
        let limit: Duration = step.items.iter().map(|i| i.change.limit).sum();
        let mut reader = Reader::new(self, machine, step);
        let done = session
            .run(
                text.as_bytes(),
                limit + Duration::from_secs(60),
                &step.name,
                |line| {
                    if let Some(said) = program::read_line(line, &nonce) {
                        reader.take(said);
                    }
                },
            )
            .await;
        let changes = reader.changes;
        self.outcome.lock().await.changes += changes;
        let said = match done {
            Ok(_) if reader.ended => {
                if armed.is_some() {
                    self.confirm(machine, &taken_back(step)).await?;
                }
                return Ok(changes);
            }
            Ok(done) => String::from_utf8_lossy(&done.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let reverts = armed.is_some_and(|first| reader.came_to(first));
        let mut failure = reader.failure(&said);
        if reverts {
            // A part of it stays on no account: it may be what cut the connection.
            failure.message = format!("{}; {}", failure.message, taken_back(step));
        }
        Err(failure)
    }

    /// Proves by a new connection that the machine can still be reached, and lets the change stay.
    async fn confirm(&self, machine: &str, otherwise: &str) -> Result<(), Failure> {
        let target = self.means.targets.iter().find(|t| t.name == machine);
        let target =
            target.ok_or_else(|| Failure::new(format!("nobody knows how to reach {machine}")))?;
        let mut last = String::new();
        let confirm = async {
            // A server that takes its new configuration doesn't listen for a moment.
            let session = loop {
                match (self.means.fresh)().connect(target).await {
                    Ok(session) => break session,
                    Err(error) => last = error.to_string(),
                }
                tokio::time::sleep(CONFIRM_PAUSE).await;
            };
            session
                .run(
                    program::confirm().as_bytes(),
                    Duration::from_secs(20),
                    "confirm",
                    |_| {},
                )
                .await
        };
        let limit = Duration::from_secs(program::REVERT_AFTER - 5);
        let why = match tokio::time::timeout(limit, confirm).await {
            Ok(Ok(done)) if done.success() => return Ok(()),
            Ok(Ok(done)) => done.stderr_tail(3),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no new connection within {} s: {last}", limit.as_secs()),
        };
        Err(Failure::new(format!(
            "the change was not confirmed by a new connection ({why}); {otherwise}"
        )))
    }

    /// Takes Bramble's record off the machine; the last thing that a teardown does.
    pub(crate) async fn forget(
        &self,
        session: &Session,
        step: &StepPlan,
    ) -> Result<usize, Failure> {
        let text: String = step.items.iter().map(|i| i.change.apply.as_str()).collect();
        let limit = Duration::from_secs(60);
        let done = session
            .run(
                format!("set -e\n{text}").as_bytes(),
                limit,
                &step.name,
                |_| {},
            )
            .await
            .map_err(|e| Failure::new(e.to_string()))?;
        if !done.success() {
            return Err(Failure::new(String::from_utf8_lossy(&done.stderr)));
        }
        self.outcome.lock().await.changes += step.items.len();
        Ok(step.items.len())
    }
}

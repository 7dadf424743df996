//! Values that are known only during a run: reading them and taking back what they gave away.

use crate::board::Status;
use crate::reader::Failure;
use crate::run::{Runner, describe};
use bramble_fleet::Error as FleetError;
use bramble_machine::program;
use bramble_machine::step::FactSource;
use std::time::Duration;

impl Runner<'_> {
    /// The value of a fact; read once in a run, by whoever needs it first.
    pub(crate) async fn fact(&self, name: &str) -> Result<String, Failure> {
        let (Some(cell), Some(source)) = (self.known.get(name), self.means.facts.get(name)) else {
            return Err(Failure::new(format!("nobody knows how to find out {name}")));
        };
        let value = cell
            .get_or_try_init(|| self.read_fact(name, source))
            .await?;
        Ok(value.clone())
    }

    async fn read_fact(&self, name: &str, source: &FactSource) -> Result<String, Failure> {
        let need = (source.machine.clone(), source.after.to_owned());
        if self.board.known(&need) && self.board.wait(&need).await == Status::Failed {
            return Err(Failure::new(format!("{name} needs {}", describe(&need))));
        }
        let session = self.means.sessions.get(&source.machine).ok_or_else(|| {
            Failure::new(format!(
                "{name} comes from {}, which can't be reached",
                source.machine
            ))
        })?;
        let text = format!(
            "set -e\nexport PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin\n{}",
            source.program.as_str()
        );
        let what = format!("fact {name}");
        let done = session
            .run(text.as_bytes(), Duration::from_secs(60), &what, |_| {})
            .await
            .map_err(|error| match error {
                // The error would quote the last line that came, and that is the value.
                FleetError::TimedOut { .. } => {
                    Failure::new(format!("{name} was not read on {} in time", source.machine))
                }
                error => Failure::new(error.to_string()),
            })?;
        let value = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        if !done.success() || value.is_empty() {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(Failure::new(format!(
                "{name} could not be read on {}: {said}",
                source.machine
            )));
        }
        Ok(value)
    }

    /// Takes back what facts gave away (a join token), if they were used.
    pub(crate) async fn release_facts(&self) {
        for (name, cell) in &self.known {
            let (Some(value), Some(source)) = (cell.get(), self.means.facts.get(name)) else {
                continue;
            };
            let session = self.means.sessions.get(&source.machine);
            if let (Some(session), false) = (session, source.release.is_empty()) {
                let text = format!(
                    "export PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin\n{}={}\n{}",
                    program::fact_variable(name),
                    bramble_machine::shell::word(value),
                    source.release.as_str()
                );
                // It ends by itself soon, so a failure here is no failure of the run.
                let _ = session
                    .run(text.as_bytes(), Duration::from_secs(30), name, |_| {})
                    .await;
            }
        }
    }
}

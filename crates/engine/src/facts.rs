//! Values that are known only during a run: reading them and taking back what they gave away.

use crate::board::Status;
use crate::reader::Failure;
use crate::run::{Runner, describe};
use bramble_fleet::Error as FleetError;
use bramble_machine::program;
use bramble_machine::step::FactSource;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Every value that was read in a run, by name; the newest is the last.
pub(crate) struct Facts(BTreeMap<String, Mutex<Vec<Value>>>);

struct Value {
    text: String,
    /// From when on it was made: never later than that.
    since: Instant,
}

impl Facts {
    /// None of these is read yet.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        let none = |name: &String| (name.clone(), Mutex::default());
        Self(names.into_iter().map(none).collect())
    }

    /// The value, if one is known that is younger than `lifetime`; otherwise what `read` gives. Who
    /// asks meanwhile waits for that.
    async fn get(
        &self,
        name: &str,
        lifetime: Option<Duration>,
        read: impl Future<Output = Result<String, Failure>>,
    ) -> Result<String, Failure> {
        let Some(values) = self.0.get(name) else {
            return Err(unknown(name));
        };
        let mut values = values.lock().await;
        if let Some(last) = values.last()
            && lifetime.is_none_or(|limit| last.since.elapsed() < limit)
        {
            return Ok(last.text.clone());
        }
        let since = Instant::now();
        let text = read.await?;
        values.push(Value {
            text: text.clone(),
            since,
        });
        Ok(text)
    }

    /// Every value that was read, by name; nothing is known afterwards.
    async fn drain(&self) -> Vec<(&str, Vec<String>)> {
        let mut all = Vec::new();
        for (name, values) in &self.0 {
            let values = std::mem::take(&mut *values.lock().await);
            if !values.is_empty() {
                let texts = values.into_iter().map(|v| v.text).collect();
                all.push((name.as_str(), texts));
            }
        }
        all
    }
}

fn unknown(name: &str) -> Failure {
    Failure::new(format!("nobody knows how to find out {name}"))
}

impl Runner<'_> {
    /// The value of a fact; read by whoever needs it first, and again once it is too old.
    pub(crate) async fn fact(&self, name: &str) -> Result<String, Failure> {
        let source = self.means.facts.get(name).ok_or_else(|| unknown(name))?;
        // Before its age counts: this may take as long as the whole step.
        let need = (source.machine.clone(), source.after.to_owned());
        if self.board.known(&need) && self.board.wait(&need).await == Status::Failed {
            return Err(Failure::new(format!("{name} needs {}", describe(&need))));
        }
        self.facts
            .get(name, source.lifetime, self.read_fact(name, source))
            .await
    }

    async fn read_fact(&self, name: &str, source: &FactSource) -> Result<String, Failure> {
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
        for (name, values) in self.facts.drain().await {
            let Some(source) = self.means.facts.get(name) else {
                continue;
            };
            let session = self.means.sessions.get(&source.machine);
            if let (Some(session), false) = (session, source.release.is_empty()) {
                let text = release(name, &values, source);
                // They end by themselves soon, so a failure here is no failure of the run.
                let _ = session
                    .run(text.as_bytes(), Duration::from_secs(30), name, |_| {})
                    .await;
            }
        }
    }
}

/// The program that takes back every value of a fact, each in a shell of its own: one that is gone
/// already does not keep the others.
fn release(name: &str, values: &[String], source: &FactSource) -> String {
    let mut text = String::from("export PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin\n");
    for value in values {
        text.push_str(&format!(
            "(\n{}={}\n{}\n)\n",
            program::fact_variable(name),
            bramble_machine::shell::word(value),
            source.release.as_str()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_machine::Script;

    const TOKEN: &str = "join-token";
    const MINUTE: Duration = Duration::from_secs(60);

    /// What whoever needs the token gets, if one that is made now is called so.
    async fn ask(facts: &Facts, lifetime: Option<Duration>, made: &str) -> String {
        let read = async { Ok(made.to_owned()) };
        let got = facts.get(TOKEN, lifetime, read).await;
        got.unwrap_or_else(|failure| failure.message)
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_late_gets_a_fresh_value_and_all_are_taken_back() {
        let facts = Facts::new([&TOKEN.to_owned()]);
        let lifetime = Some(10 * MINUTE);
        assert_eq!(ask(&facts, lifetime, "early").await, "early");
        tokio::time::advance(9 * MINUTE).await;
        assert_eq!(ask(&facts, lifetime, "another").await, "early");
        tokio::time::advance(6 * MINUTE).await;
        assert_eq!(ask(&facts, lifetime, "late").await, "late");
        let all = facts.drain().await;
        assert_eq!(all, [(TOKEN, vec!["early".to_owned(), "late".to_owned()])]);
        assert!(facts.drain().await.is_empty(), "nothing is released twice");
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_changes_is_read_once() {
        let facts = Facts::new([&TOKEN.to_owned()]);
        assert_eq!(ask(&facts, None, "first").await, "first");
        tokio::time::advance(600 * MINUTE).await;
        assert_eq!(ask(&facts, None, "second").await, "first");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_reading_takes_counts() {
        let facts = Facts::new([&TOKEN.to_owned()]);
        let slow = async {
            tokio::time::sleep(MINUTE).await;
            Ok("slow".to_owned())
        };
        let got = facts.get(TOKEN, Some(MINUTE), slow).await;
        assert!(got.is_ok_and(|value| value == "slow"));
        assert_eq!(ask(&facts, Some(MINUTE), "next").await, "next");
    }

    #[tokio::test]
    async fn those_who_come_together_share_one_value() {
        let facts = Facts::new([&TOKEN.to_owned()]);
        let slow = async {
            tokio::task::yield_now().await;
            Ok("one".to_owned())
        };
        let (first, second) = tokio::join!(facts.get(TOKEN, None, slow), ask(&facts, None, "two"));
        assert!(first.is_ok_and(|value| value == "one"));
        assert_eq!(second, "one");
    }

    #[test]
    fn one_value_that_is_gone_does_not_keep_the_others() {
        let source = FactSource {
            machine: "one".into(),
            after: "control-plane/init",
            program: Script::new(),
            release: Script::of(
                "[ \"$FACT_JOIN_TOKEN\" != gone ] || exit 1\necho \"$FACT_JOIN_TOKEN\"",
            ),
            lifetime: None,
        };
        let values = ["a.b c".to_owned(), "gone".to_owned(), "d'e".to_owned()];
        let program = release(TOKEN, &values, &source);
        let sh = std::process::Command::new("sh")
            .args(["-c", &program])
            .output();
        assert_eq!(
            String::from_utf8(sh.unwrap().stdout).unwrap(),
            "a.b c\nd'e\n"
        );
    }
}

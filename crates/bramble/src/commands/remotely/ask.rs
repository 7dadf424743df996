//! Questions: the daemon's program answers, and its answer is shown as it is.

use super::Meant;
use crate::args::ScopeArgs;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use crate::remote::Remote;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

/// What can be asked.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum About {
    Plan,
    PlanDown,
    Check,
    Status,
    EtcdMembers,
    EtcdSnapshots,
    Certificates,
    Kubeconfig,
}

/// What is asked.
pub(super) struct Question<'a> {
    pub about: About,
    /// Only a part of a plan.
    pub scope: Option<&'a ScopeArgs>,
    /// Whether changes decide the exit code.
    pub exit_code: bool,
}

impl Question<'_> {
    pub(super) fn of(about: About) -> Self {
        Self {
            about,
            scope: None,
            exit_code: false,
        }
    }
}

/// What the daemon's program said.
pub(super) struct Said {
    /// Its result.
    pub stdout: String,
    stderr: String,
    code: Option<u8>,
}

impl Said {
    /// Shows what it said besides its result.
    pub(super) fn show_beside(&self, printer: &Printer) {
        if !self.stderr.trim().is_empty() {
            printer.note(self.stderr.trim_end());
        }
    }

    /// How it ended, for the exit code.
    pub(super) fn end(&self) -> Result<(), CliError> {
        match self.code {
            Some(0) => Ok(()),
            Some(code) => Err(CliError::silent(Kind::Code(code))),
            None => Err(CliError::failed("the daemon's program was killed")),
        }
    }
}

/// Asks, and shows the answer.
pub(super) async fn ask(
    remote: &Remote,
    meant: &Meant,
    question: &Question<'_>,
    printer: &Printer,
) -> Result<(), CliError> {
    let said = answer(remote, meant, question, printer.json()).await?;
    said.show_beside(printer);
    printer.raw(&said.stdout);
    said.end()
}

/// Asks; the answer is for people, or JSON.
pub(super) async fn answer(
    remote: &Remote,
    meant: &Meant,
    question: &Question<'_>,
    json: bool,
) -> Result<Said, CliError> {
    let mut body = json!({
        "about": question.about, "json": json, "exitCode": question.exit_code,
    });
    if let Some(scope) = question.scope {
        body["steps"] = json!(scope.steps);
        body["machines"] = json!(scope.machines);
    }
    if let Some(file) = &meant.file {
        body["file"] = json!(file);
    }
    let path = format!("/clusters/{}/questions", meant.name);
    let answer = remote.send(Method::POST, &path, &body).await?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    Ok(Said {
        stdout: text("stdout"),
        stderr: text("stderr"),
        code: answer["code"].as_u64().and_then(|c| u8::try_from(c).ok()),
    })
}

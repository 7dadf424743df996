//! Runs that the button on the traffic light starts: by a daemon, or by this program itself.

use crate::args::Global;
use crate::context::load_file;
use crate::error::{CliError, Explain};
use crate::printer::Printer;
use crate::remote::Remote;
use async_trait::async_trait;
use bramble_lights::Panel;
use bramble_lights::button::Verb;
use bramble_lights::contact::Runs;
use bramble_lights::sources::runs::{self, Standing};
use reqwest::Method;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::process::{Child, Command};

/// Who carries out what the button starts.
pub fn runs(
    global: &Global,
    panel: &Arc<Panel>,
    printer: &Printer,
) -> Result<Box<dyn Runs>, CliError> {
    if let Some(remote) = Remote::of(global)? {
        return Ok(Box::new(ByDaemon(remote)));
    }
    Ok(Box::new(ByProgram {
        file: global.file.clone(),
        panel: panel.clone(),
        printer: *printer,
        busy: Arc::default(),
    }))
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Up => "up",
        Verb::Down => "down",
    }
}

struct ByDaemon(Remote);

#[async_trait]
impl Runs for ByDaemon {
    async fn run(&self, verb: Verb, cluster: &str) -> Result<String, String> {
        let path = format!("/clusters/{cluster}/runs");
        let mut wish = json!({ "verb": word(verb) });
        if verb == Verb::Down {
            wish["confirm"] = cluster.into();
        }
        let made = self.0.send(Method::POST, &path, &wish).await;
        let made = made.map_err(|error| error.message)?;
        let run = made["name"].as_str().unwrap_or(cluster);
        Ok(format!("run {run} is asked for"))
    }
}

/// `bramble up` or `bramble down` of the one cluster file that this command knows.
struct ByProgram {
    file: PathBuf,
    panel: Arc<Panel>,
    printer: Printer,
    busy: Arc<AtomicBool>,
}

#[async_trait]
impl Runs for ByProgram {
    async fn run(&self, verb: Verb, cluster: &str) -> Result<String, String> {
        let known = load_file(&self.file, &self.printer).map_err(|error| error.message)?;
        if known.name != cluster {
            let (file, name) = (self.file.display(), known.name);
            return Err(format!(
                "{file} is of the cluster {name}, not of {cluster}: name another one with -f"
            ));
        }
        if self.busy.swap(true, Ordering::SeqCst) {
            return Err(format!("a run of {cluster} is under way"));
        }
        tell(&self.panel, cluster, Standing::Running, "");
        let child = start(&self.file, verb);
        let (panel, busy, name) = (self.panel.clone(), self.busy.clone(), cluster.to_owned());
        tokio::spawn(async move {
            let (standing, words) = ended(child).await;
            tell(&panel, &name, standing, &words);
            busy.store(false, Ordering::SeqCst);
        });
        Ok(format!("bramble {} of {cluster} has begun", word(verb)))
    }
}

fn tell(panel: &Panel, cluster: &str, standing: Standing, words: &str) {
    let signal = runs::signal(cluster, standing, words, panel.now());
    panel.hear(runs::last(signal));
}

fn start(file: &Path, verb: Verb) -> Result<Child, CliError> {
    let program = std::env::current_exe().explain("this program can't be found")?;
    let mut command = Command::new(program);
    // Who wrote it under the button has agreed to it.
    command.arg(word(verb)).arg("--yes").arg("-f").arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().explain("the run can't be started")
}

async fn ended(child: Result<Child, CliError>) -> (Standing, String) {
    let status = match child {
        Ok(mut child) => child.wait().await.explain("it can't be followed"),
        Err(error) => Err(error),
    };
    match status {
        Ok(status) if status.success() => (Standing::Done, String::new()),
        Ok(status) => (Standing::Failed, format!("it ended with {status}")),
        Err(error) => (Standing::Failed, error.message),
    }
}

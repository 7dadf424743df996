//! Commands that a daemon carries out: with the same words, and what it says here is what it would say there.

mod ask;
mod follow;
mod known_runs;
mod runs;

use super::kubeconfig::{self, Access};
use crate::args::{CertsAction, Command, EtcdAction, Global, KubeconfigArgs, ScopeArgs};
use crate::context::load_file;
use crate::error::{CliError, Explain};
use crate::printer::Printer;
use crate::remote::Remote;
use ask::{About, Question};
use serde_json::Value;

/// The cluster that is meant, and its file if there is one here.
struct Meant {
    name: String,
    file: Option<String>,
}

/// Has the daemon carry out a command.
pub async fn run(
    remote: &Remote,
    global: &Global,
    command: &Command,
    printer: &Printer,
) -> Result<(), CliError> {
    if let Some(option) = global.given.of_work_here {
        return Err(CliError::usage(format!(
            "{option} is about work of this computer, but {} does it",
            remote.url()
        ))
        .hint(format!(
            "leave {option} out, or name no daemon (--server, BRAMBLE_SERVER)"
        )));
    }
    let question = match command {
        Command::Up(args) if whole(&args.scope) && !args.lab => {
            return runs::up(remote, &meant(global, remote, printer).await?, printer).await;
        }
        Command::Down(args) if whole(&args.scope) && !args.lab => {
            return runs::down(
                remote,
                &meant(global, remote, printer).await?,
                args.yes,
                printer,
            )
            .await;
        }
        Command::Up(_) | Command::Down(_) => {
            return Err(
                CliError::usage("a daemon's run is always the whole cluster")
                    .hint("leave --step, --machine and --lab out"),
            );
        }
        Command::Plan(args) if args.short => {
            return Err(
                CliError::usage("a daemon's plan comes with the differences of files")
                    .hint("leave --short out"),
            );
        }
        Command::Plan(args) => Question {
            about: if args.down {
                About::PlanDown
            } else {
                About::Plan
            },
            scope: Some(&args.scope),
            exit_code: args.exit_code,
        },
        Command::Runs(args) => return known_runs::run(remote, global, args, printer).await,
        Command::Status => Question::of(About::Status),
        Command::Check => Question::of(About::Check),
        Command::Kubeconfig(args) if args.print => Question::of(About::Kubeconfig),
        Command::Kubeconfig(args) => {
            return kubeconfig(remote, global, args, printer).await;
        }
        Command::Etcd(args) if matches!(args.action, EtcdAction::Members) => {
            Question::of(About::EtcdMembers)
        }
        Command::Etcd(args) if matches!(args.action, EtcdAction::Snapshots) => {
            Question::of(About::EtcdSnapshots)
        }
        Command::Certs(args) if matches!(args.action, CertsAction::Status) => {
            Question::of(About::Certificates)
        }
        _ => {
            return Err(CliError::usage("a daemon does not carry out this command").hint(
                "it does: up, down, plan, status, check, kubeconfig, etcd members, etcd snapshots, certs status; and tells of its runs",
            ));
        }
    };
    ask::ask(
        remote,
        &meant(global, remote, printer).await?,
        &question,
        printer,
    )
    .await
}

/// The daemon's cluster in and out of the kubeconfig of this computer.
async fn kubeconfig(
    remote: &Remote,
    global: &Global,
    args: &KubeconfigArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let meant = meant(global, remote, printer).await?;
    if args.remove {
        return kubeconfig::take_out(args, &meant.name, printer);
    }
    kubeconfig::ready(args)?;
    let question = Question::of(About::Kubeconfig);
    let said = ask::answer(remote, &meant, &question, true).await?;
    said.show_beside(printer);
    match said.end() {
        Ok(()) => kubeconfig::put_in(args, &Access::told(&said.stdout)?, printer),
        Err(error) => {
            // With JSON, what went wrong is the program's result as well.
            if printer.json() {
                printer.raw(&said.stdout);
            }
            Err(error)
        }
    }
}

fn whole(scope: &ScopeArgs) -> bool {
    scope.steps.is_empty() && scope.machines.is_empty()
}

async fn meant(global: &Global, remote: &Remote, printer: &Printer) -> Result<Meant, CliError> {
    if let Some(name) = &global.cluster {
        return Ok(Meant {
            name: name.clone(),
            file: None,
        });
    }
    let name = match load_file(&global.file, printer) {
        Ok(file) => file.name,
        Err(error) if global.file.exists() => return Err(error),
        Err(error) => return Err(error.hint(known(remote).await)),
    };
    let what = format!("can't read {}", global.file.display());
    let file = std::fs::read_to_string(&global.file).explain(what)?;
    Ok(Meant {
        name,
        file: Some(file),
    })
}

/// What else could be meant than a file that is not there.
async fn known(remote: &Remote) -> String {
    let all = remote.get("/clusters").await.ok().flatten();
    let all = all.as_ref().and_then(Value::as_array);
    let names: Vec<&str> = all
        .into_iter()
        .flatten()
        .filter_map(|cluster| cluster["name"].as_str())
        .collect();
    match (all, names.is_empty()) {
        (None, _) => "--cluster NAME is one that the daemon knows".into(),
        (Some(_), true) => format!(
            "{} knows no cluster yet: its page makes one after a template, `up` one from a file",
            remote.url()
        ),
        (Some(_), false) => format!("--cluster NAME is one of: {}", names.join(", ")),
    }
}

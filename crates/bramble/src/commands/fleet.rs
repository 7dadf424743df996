//! `bramble fleet`: the same question to all machines at once, one row for each.

/// Shell that sets `age` to the seconds since the first process began (proc_pid_stat(5), field 22).
macro_rules! age {
    () => {
        concat!(
            "read -r up rest < /proc/uptime\n",
            "set -- $(sed 's/.*) //' /proc/1/stat)\n",
            "age=$(( ${up%%.*} - ${20} / $(getconf CLK_TCK) ))\n",
        )
    };
}
pub(super) use age;

mod actions;
mod reboot;

use crate::args::{FleetAction, FleetArgs, Global};
use crate::context::Context;
use crate::error::{CliError, Kind, chain};
use crate::printer::{Printer, Style};
use bramble_fleet::{Fleet, Session, Target};
use bramble_spec::cluster::Machine;
use futures::future::join_all;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// How long a question may take once there is a connection.
const LIMIT: Duration = Duration::from_secs(20);

/// What a machine answered.
pub struct Answer {
    /// For people.
    pub text: String,
    /// For programs.
    pub fields: Map<String, Value>,
    /// Whether it is as it should be.
    pub fine: bool,
}

impl Answer {
    /// All is well. `fields` is a JSON object.
    pub fn new(text: impl Into<String>, fields: Value) -> Self {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Self {
            text: text.into(),
            fields,
            fine: true,
        }
    }
}

/// Why there is no answer.
enum Silence {
    /// No connection.
    Unreachable(String),
    /// There was one, but the question failed.
    Failed(String),
}

/// A machine and what came of asking it.
struct Row<'a> {
    machine: &'a Machine,
    result: Result<Answer, Silence>,
}

/// Runs one of the actions.
pub async fn run(global: &Global, args: &FleetArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    context.targets(&args.machines)?;
    let wanted = |m: &&Machine| args.machines.is_empty() || args.machines.contains(&m.name);
    let machines: Vec<&Machine> = context.cluster.machines.iter().filter(wanted).collect();
    let action = match &args.action {
        FleetAction::Reboot { yes, limit } => {
            let limit = Duration::from_secs(*limit);
            return reboot::run(&context, global, &machines, limit, *yes, printer).await;
        }
        FleetAction::Ping => &actions::PING,
        FleetAction::Uptime => &actions::UPTIME,
        FleetAction::Df => &actions::DF,
        FleetAction::CheckIp => &actions::CHECK_IP,
    };
    let fleet = context.fleet(global);
    let asking = machines.iter().map(|machine| {
        let target = context.target(machine);
        let fleet = &fleet;
        async move {
            Row {
                machine,
                result: ask(fleet, &target, action, machine).await,
            }
        }
    });
    let rows = join_all(asking).await;
    show(action.name, &rows, printer);
    verdict(&rows, printer)
}

async fn ask(
    fleet: &Fleet,
    target: &Target,
    action: &actions::Action,
    machine: &Machine,
) -> Result<Answer, Silence> {
    let begin = Instant::now();
    let session = fleet
        .connect(target)
        .await
        .map_err(|e| Silence::Unreachable(chain(&e)))?;
    let connected = begin.elapsed();
    let begin = Instant::now();
    let text = read(&session, action.program, action.name).await?;
    let heard = actions::Heard {
        text: &text,
        connected,
        answered: begin.elapsed(),
        machine,
    };
    (action.read)(&heard)
        .ok_or_else(|| Silence::Failed(format!("the answer makes no sense: {text:?}")))
}

async fn read(session: &Session, program: &str, what: &str) -> Result<String, Silence> {
    let done = session
        .run(program.as_bytes(), LIMIT, what, |_| {})
        .await
        .map_err(|error| {
            let text = chain(&error);
            if error.is_connection() {
                Silence::Unreachable(text)
            } else {
                Silence::Failed(text)
            }
        })?;
    if !done.success() {
        return Err(Silence::Failed(format!(
            "{what} ended with {}: {}",
            done.exit,
            done.stderr_tail(3)
        )));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

fn show(action: &str, rows: &[Row], printer: &Printer) {
    if printer.json() {
        let machines: Vec<Value> = rows.iter().map(Row::json).collect();
        printer.value(&json!({ "action": action, "machines": machines }));
        return;
    }
    let width = rows.iter().map(|r| r.machine.name.len()).max().unwrap_or(0);
    for row in rows {
        let name = printer.paint(Style::Bold, format!("{:width$}", row.machine.name));
        let text = match &row.result {
            Ok(answer) if answer.fine => answer.text.clone(),
            Ok(answer) => printer.paint(Style::Yellow, &answer.text),
            Err(Silence::Unreachable(why)) => {
                format!("{} {why}", printer.paint(Style::Red, "unreachable:"))
            }
            Err(Silence::Failed(why)) => format!("{} {why}", printer.paint(Style::Red, "failed:")),
        };
        printer.out(format!(
            "{name}  {:<15}  {text}",
            row.machine.address.to_string()
        ));
    }
}

impl Row<'_> {
    fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("machine".into(), json!(self.machine.name));
        out.insert("address".into(), json!(self.machine.address));
        out.insert(
            "reachable".into(),
            json!(!matches!(self.result, Err(Silence::Unreachable(_)))),
        );
        match &self.result {
            Ok(answer) => {
                out.insert("fine".into(), json!(answer.fine));
                out.extend(answer.fields.clone());
            }
            Err(Silence::Unreachable(why) | Silence::Failed(why)) => {
                out.insert("fine".into(), json!(false));
                out.insert("error".into(), json!(why));
            }
        }
        Value::Object(out)
    }
}

fn verdict(rows: &[Row], printer: &Printer) -> Result<(), CliError> {
    let names = |which: &dyn Fn(&Row) -> bool| -> Vec<String> {
        rows.iter()
            .filter(|r| which(r))
            .map(|r| r.machine.name.clone())
            .collect()
    };
    let unreachable = names(&|r| matches!(r.result, Err(Silence::Unreachable(_))));
    let bad = names(&|r| match &r.result {
        Ok(answer) => !answer.fine,
        Err(why) => matches!(why, Silence::Failed(_)),
    });
    let (kind, text) = match (unreachable.as_slice(), bad.as_slice()) {
        ([], []) => return Ok(()),
        ([], bad) => (
            Kind::Failed,
            format!("not as it should be: {}", bad.join(", ")),
        ),
        (unreachable, _) => (
            Kind::Unreachable,
            format!("not reached: {}", unreachable.join(", ")),
        ),
    };
    // As JSON it was said already, in the one document.
    Err(if printer.json() {
        CliError::silent(kind)
    } else {
        CliError::new(kind, text)
    })
}

/// A number of seconds for people: the two largest units.
pub fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

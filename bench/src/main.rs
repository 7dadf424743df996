//! The program behind `bench/run`: makes the lab of the preparation bench, and carries the 27
//! preparation tasks out by the path that `bramble up` takes: observe, plan, run.
//!
//!     bramble-bench lab-up 16     make the lab; its packages are in its image
//!     bramble-bench lab-down      remove it
//!     bramble-bench outsider LAB NAME ADDRESS GATEWAY
//!                                 add a machine outside the router of a lab
//!     bramble-bench machine LAB NAME freeze|thaw|kill|start
//!                                 let a machine of a lab fail, and mend it
//!     bramble-bench apply         make the machines as the tasks say; prints what happened as JSON
//!     bramble-bench probe         print the program of the first look, to see what it costs
//!
//! Its output is for `bench/run`; for people there is that.

#![allow(clippy::print_stdout, reason = "a program whose output is its purpose")]

mod lab;
mod tasks;

use anyhow::{Context, Result, bail};

use bramble_engine::identity;
use bramble_engine::plan::{self, Plan, Scope};
use bramble_engine::run::Means;
use bramble_engine::{Event, Happened};
use bramble_fleet::{Fleet, Options, Sudo, Target};
use bramble_lab::{Lab, Topology};
use bramble_machine::journal::Identity;
use bramble_machine::{Facts, Observation};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    match act() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bramble-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["lab-up", count] => lab::up(count.parse().context("the number of machines")?),
        ["lab-down"] => lab::down(),
        ["outsider", lab, name, address, gateway] => lab::outsider(lab, name, address, gateway),
        ["machine", lab, name, what] => lab::machine(lab, name, what),
        ["apply"] => {
            // As the command line makes it.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(apply())
        }
        ["probe"] => {
            println!("{}", probe());
            Ok(())
        }
        _ => bail!(
            "usage: bramble-bench lab-up COUNT | lab-down | outsider LAB NAME ADDRESS GATEWAY | machine LAB NAME freeze|thaw|kill|start | apply | probe"
        ),
    }
}

async fn apply() -> Result<()> {
    let begun = Instant::now();
    let lab = Lab::open(lab::NAME)?;
    let topology = lab.topology()?;
    let targets = targets(&topology, &lab)?;
    let fresh = || Fleet::new(Options::from_environment(lab.known_hosts()));
    let fleet = fresh();
    let names: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
    let whole = |_: &BTreeMap<String, Facts>| tasks::blueprint(&names);
    let look = bramble_engine::observe(&fleet, &targets, &whole, &|_, _| {}).await;
    if let Some((name, why)) = look.unseen.first_key_value() {
        bail!("{name} could not be looked at: {why}");
    }
    let looked = begun.elapsed();
    let blueprint = whole(&look.facts());
    let mut plan = Plan {
        cluster: Identity {
            name: blueprint.cluster.clone(),
            id: identity::fresh(),
        },
        ..Plan::default()
    };
    for (name, seen) in &look.seen {
        match plan::towards(&blueprint, name, seen, &Scope::default()) {
            Ok(machine) => drop(plan.machines.insert(name.clone(), machine)),
            Err(errors) => bail!("{name} can't be as the tasks say: {errors:?}"),
        }
    }
    let planned = plan.changes();
    let mut changes = 0;
    if planned > 0 {
        let (events, mut heard) = tokio::sync::mpsc::unbounded_channel::<Event>();
        let listener = tokio::spawn(async move {
            let mut why = Vec::new();
            while let Some(event) = heard.recv().await {
                if let Happened::Failed { log, .. } = event.what {
                    why = log;
                }
            }
            why
        });
        let (_never, stop) = tokio::sync::watch::channel(false);
        let means = Means {
            sessions: &look.sessions,
            facts: &blueprint.facts,
            blob: &|_| PathBuf::new(),
            api: None,
            holder: format!("bramble-bench, process {}", std::process::id()),
            anchor: None,
            targets: &targets,
            fresh: &fresh,
            events,
            stop,
        };
        let outcome = bramble_engine::run(&plan, means).await?;
        let why = listener.await?;
        if let Some((machine, step, message)) = outcome.failed.first() {
            bail!("{step} on {machine}: {message}\n{}", why.join("\n"));
        }
        changes = outcome.changes;
    }
    let steps = plan.machines.values().flat_map(|m| &m.steps);
    let items: Vec<&str> = steps
        .flat_map(|s| &s.items)
        .map(|i| i.id.as_str())
        .collect();
    println!(
        "{}",
        serde_json::json!({
            "machines": targets.len(),
            "tasks": tasks::COUNT,
            "planned": planned,
            "changes": changes,
            "items": items,
            "lookSeconds": looked.as_secs_f64(),
            "seconds": begun.elapsed().as_secs_f64(),
        })
    );
    Ok(())
}

fn probe() -> String {
    let blueprint = tasks::blueprint(&["m01"]);
    let nothing = Observation::default();
    let steps = blueprint.machines.values().flat_map(|m| &m.steps);
    let resources = steps.flat_map(|s| &s.resources);
    let wants = resources.flat_map(|r| r.wants(&nothing)).collect();
    bramble_machine::probe::program(&wants, "@nonce", true)
}

fn targets(topology: &Topology, lab: &Lab) -> Result<Vec<Target>> {
    let all = topology.machines.iter().map(|machine| {
        let host =
            lab::address(machine).with_context(|| format!("{} has no address", machine.name))?;
        Ok(Target {
            name: machine.name.clone(),
            host: host.to_string(),
            port: 22,
            user: "root".into(),
            keys: vec![lab.key()],
            jump: None,
            host_key: None,
            sudo: Sudo::No,
        })
    });
    all.collect()
}

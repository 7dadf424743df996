//! `bramble certs rotate-ca`: the cluster's CAs replaced in stages. Each stage is complete on all machines
//! before the next begins on any: what one shows must be trusted by all others.

use super::places::{self, Place, Places, Work, kubelet, odd, said};
use crate::args::Global;
use crate::ask;
use crate::context::Context;
use crate::error::CliError;
use crate::printer::Printer;
use bramble_blueprint::certs::{self, Gentle, Stage};
use bramble_secret::Secret;
use bramble_spec::cluster::Role;
use serde_json::json;
use std::time::Instant;

/// How it is to be done.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Without a question.
    pub yes: bool,
    /// Not further than old and new CAs being trusted.
    pub until_trusted: bool,
    /// Only said.
    pub dry_run: bool,
}

/// The machines, and what is the same for all.
struct Rotation<'a> {
    places: &'a Places,
    work: Work<'a>,
    gentle: Gentle,
}

/// Asks, then goes from stage to stage.
pub async fn run(global: &Global, how: How, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let found = places::look(&context, global, &[]).await?;
    fit(&context, &found)?;
    let begun = found.seen.iter().filter_map(|p| p.look.stage).min();
    say(&found, begun, printer);
    if how.dry_run {
        return Ok(());
    }
    let what = "The CAs of the cluster, of etcd and for extensions are replaced; every kubeconfig that was \
                handed out must be fetched anew, and pods that talk to the API and don't read again whom to \
                trust must be restarted";
    ask::confirm(printer, how.yes, what, &context.cluster.name)?;
    let all: Vec<&Place> = found.seen.iter().collect();
    let alone = found.planes().len() == 1;
    let rotation = Rotation {
        places: &found,
        work: Work::begin(&all, "certs rotate-ca", printer).await?,
        gentle: if alone { Gentle::Alone } else { Gentle::Shared },
    };
    let finished = found.seen.iter().any(|p| p.look.stage == Some(Stage::Done));
    if !finished {
        let others = rotation.known(&context).await?;
        rotation.made().await?;
        rotation.stage(Stage::Trusted).await?;
        if how.until_trusted {
            told(&others, true, printer);
            return Ok(());
        }
        rotation.stage(Stage::Issued).await?;
        rotation.stage(Stage::Dropped).await?;
        rotation.reached(Stage::Done).await?;
        told(&others, false, printer);
    }
    for place in &found.seen {
        if !finished || place.look.stage.is_some() {
            let clean = certs::cleanup();
            rotation.work.run(place, &clean, "tidy up").await?;
        }
    }
    if printer.json() {
        printer.line(&json!({ "event": "end" }));
    } else {
        printer.out(
            "the old CAs are gone: bramble kubeconfig fetches a kubeconfig that trusts the new one",
        );
    }
    Ok(())
}

/// What must hold before anything is changed.
fn fit(context: &Context, found: &Places) -> Result<(), CliError> {
    found.all_seen().map_err(|error| {
        error.hint("a machine that misses a stage would be cut off: make it reachable, or take it out of the cluster first")
    })?;
    for machine in context.cluster.with_role(Role::ControlPlane) {
        if !found.planes().iter().any(|p| p.name() == machine.name) {
            return Err(
                CliError::failed(format!("{} is no control plane yet", machine.name))
                    .hint("bramble up makes it one"),
            );
        }
    }
    for place in &found.seen {
        if place.look.begun && place.look.stage.is_none() {
            return Err(CliError::failed(format!(
                "{}: a renewal was begun and not finished",
                place.name()
            ))
            .hint("bramble certs renew goes on with it"));
        }
        let over = place.look.plane_is_over()
            || place
                .look
                .kubelet_needs()
                .iter()
                .any(|c| c.is_kubelet_client() && c.days(place.look.now) < 0);
        if over && place.look.stage.is_none() {
            return Err(
                CliError::failed(format!("{}: certificates are over", place.name()))
                    .hint("bramble certs renew makes new ones first"),
            );
        }
    }
    Ok(())
}

fn say(found: &Places, begun: Option<Stage>, printer: &Printer) {
    let names = |places: Vec<&Place>| {
        let names: Vec<&str> = places.iter().map(|p| p.name()).collect();
        names.join(", ")
    };
    let (planes, workers) = (names(found.planes()), names(found.workers()));
    if printer.json() {
        printer.line(&json!({
            "event": "plan", "controlPlanes": planes, "workers": workers,
            "begun": begun.map(Stage::name),
        }));
        return;
    }
    if let Some(stage) = begun {
        printer.out(format!(
            "a rotation that was begun goes on; all machines have come to \"{}\"",
            stage.name()
        ));
    }
    let on = if workers.is_empty() {
        planes.clone()
    } else {
        format!("{planes}, then on {workers}")
    };
    printer.out(format!(
        "1 new CAs for the cluster, etcd and extensions, on {planes}"
    ));
    printer.out(format!(
        "2 old and new ones are trusted, on {on}; the system's pods restart"
    ));
    printer.out(format!("3 all certificates from the new ones, on {on}"));
    printer.out(format!(
        "4 the old ones are dropped, on {on}; the system's pods restart"
    ));
    printer.out("in each of 2 to 4 one control plane after the other restarts its parts, and each kubelet once");
}

impl Rotation<'_> {
    /// What the API knows: nodes that the file doesn't name would be cut off. Gives the workloads that are
    /// not the system's.
    async fn known(&self, context: &Context) -> Result<Vec<String>, CliError> {
        let plane = self.first()?;
        let text = self
            .work
            .run(plane, &certs::told(), "ask the API what there is")
            .await?;
        let strange: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("node "))
            .filter(|name| context.cluster.machine(name).is_none())
            .collect();
        if !strange.is_empty() {
            return Err(CliError::failed(format!(
                "the cluster has nodes that the file doesn't name, and they would be cut off: {}",
                strange.join(", ")
            ))
            .hint("put them into the file, or delete them from the cluster"));
        }
        let others = text.lines().filter_map(|l| l.strip_prefix("told "));
        Ok(others.map(str::to_owned).collect())
    }

    fn first(&self) -> Result<&Place, CliError> {
        let planes = self.places.planes();
        // Who has the new keys already hands them out.
        let has = planes.iter().find(|p| p.look.new.is_some());
        has.or(planes.first())
            .copied()
            .ok_or_else(|| CliError::failed("there is no control plane"))
    }

    /// The new CAs, made on one control plane and handed to all machines: with their keys to control planes.
    async fn made(&self) -> Result<(), CliError> {
        let begin = Instant::now();
        let maker = self.first()?;
        let text = Secret::new(self.work.run(maker, &certs::make(), "make new CAs").await?);
        let word = |word| said(text.expose(), word).map(Secret::new);
        let keys = word("keys").ok_or_else(|| odd(maker, "keys"))?;
        let public = word("public").ok_or_else(|| odd(maker, "certificate"))?;
        for place in &self.places.seen {
            if place.name() == maker.name() || place.look.stage.is_some() {
                continue;
            }
            let keys = if place.look.plane { &keys } else { &public };
            let program = certs::hand_over(keys);
            self.work.run(place, &program, "take the new CAs").await?;
        }
        self.work.did(maker, "new CAs made and handed over", begin);
        Ok(())
    }

    /// One stage: control planes one by one, then workers, then what the API says.
    async fn stage(&self, stage: Stage) -> Result<(), CliError> {
        let behind = |p: &&Place| p.look.stage.is_none_or(|s| s < stage);
        for place in self.places.planes().into_iter().filter(behind) {
            self.moved(place, stage).await?;
            let turn = certs::turn(self.gentle);
            self.work
                .run(place, &turn, "restart the control plane")
                .await?;
            self.arrived(place, stage).await?;
        }
        for place in self.places.workers().into_iter().filter(behind) {
            self.moved(place, stage).await?;
            self.arrived(place, stage).await?;
        }
        // Where one is further, this was waited for; its file has another order by now.
        let over = self.places.seen.iter().any(|p| p.look.stage > Some(stage));
        if stage != Stage::Issued && !over {
            let program = certs::wait_roots(stage);
            self.work
                .run(self.first()?, &program, "wait for what pods trust")
                .await?;
        }
        Ok(())
    }

    /// Files, then the kubelet.
    async fn moved(&self, place: &Place, stage: Stage) -> Result<(), CliError> {
        let begin = Instant::now();
        let program = certs::trust(stage);
        self.work
            .run(place, &program, "change whom it trusts")
            .await?;
        // A control plane has the new key by now, whether it is this one or the first.
        let signer = match stage {
            Stage::Issued if place.look.plane => Some(place),
            Stage::Issued => Some(self.first()?),
            _ => None,
        };
        kubelet(&self.work, place, signer, false).await?;
        self.work.did(
            place,
            &format!("{}, kubelet restarted", stage.name()),
            begin,
        );
        Ok(())
    }

    async fn arrived(&self, place: &Place, stage: Stage) -> Result<(), CliError> {
        let program = certs::reach_stage(stage);
        self.work.run(place, &program, "note the stage").await?;
        Ok(())
    }

    async fn reached(&self, stage: Stage) -> Result<(), CliError> {
        for place in &self.places.seen {
            self.arrived(place, stage).await?;
        }
        Ok(())
    }
}

/// What the operator's own pods need.
fn told(others: &[String], before: bool, printer: &Printer) {
    if printer.json() {
        printer.line(&json!({ "event": "restart", "now": before, "workloads": others }));
        return;
    }
    if others.is_empty() {
        return;
    }
    let when = if before {
        "restart now what of these talks to the API (kubectl rollout restart), then run the same command without --until-trusted"
    } else {
        "what of these talks to the API and has not read again whom to trust must be restarted (kubectl rollout restart)"
    };
    printer.out(format!("{when}:"));
    for name in others {
        printer.out(format!("  {name}"));
    }
}

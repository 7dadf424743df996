//! `bramble certs renew`: new certificates, control plane by control plane.

use super::places::{self, Place, Work, kubelet};
use super::status::date;
use crate::args::Global;
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::printer::Printer;
use bramble_blueprint::certs::{self, Gentle, Look, worst};
use bramble_spec::cluster::Role;
use futures::future::join_all;
use serde_json::json;
use std::time::Instant;

/// What is renewed where.
struct Wanted<'a> {
    planes: Vec<&'a Place>,
    /// Nodes that are no control planes, whose kubelets need help.
    workers: Vec<&'a Place>,
    /// So many control planes are down because of it that the cluster is: all at once, not one by one.
    down: bool,
    /// An interrupted renewal goes on.
    resumed: bool,
    /// Control planes that an interrupted renewal has done, or had not begun.
    apart: Vec<&'a str>,
    /// Who signs for kubelets.
    signer: Option<&'a Place>,
    gentle: Gentle,
}

/// Says what is to be done, does it, says how long certificates last now.
pub async fn run(
    global: &Global,
    names: &[String],
    dry_run: bool,
    printer: &Printer,
) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    // Who signs and how many there are is not a matter of the machines that were named.
    let found = places::look(&context, global, &[]).await?;
    context.targets(names)?;
    let wanted = wanted(&context, &found.seen, names)?;
    let missed: Vec<&(String, CliError)> = found
        .unseen
        .iter()
        .filter(|(name, _)| names.is_empty() || names.contains(name))
        .collect();
    for (name, why) in &missed {
        printer.warn(format!("{name} is left out: {}", why.message));
    }
    say(&wanted, printer);
    let nothing = wanted.planes.is_empty() && wanted.workers.is_empty();
    if !dry_run && !nothing {
        let all: Vec<&Place> = wanted
            .planes
            .iter()
            .chain(&wanted.workers)
            .copied()
            .collect();
        let work = Work::begin(&all, "certs renew", printer).await?;
        carry_out(&wanted, &work).await?;
        let mut looks = Vec::new();
        for place in &all {
            looks.push(place.look_again().await?);
        }
        end(&looks, printer);
        if !wanted.apart.is_empty() && !printer.json() {
            printer.note(format!(
                "not part of what was interrupted, or done before: {} (bramble certs status shows how long theirs last)",
                wanted.apart.join(", ")
            ));
        }
    }
    match missed.as_slice() {
        [] => Ok(()),
        [(_, first), ..] => {
            let names: Vec<&str> = missed.iter().map(|(n, _)| n.as_str()).collect();
            Err(CliError::new(
                first.kind,
                format!("not renewed, because not reached: {}", names.join(", ")),
            ))
        }
    }
}

fn wanted<'a>(
    context: &Context,
    seen: &'a [Place],
    names: &[String],
) -> Result<Wanted<'a>, CliError> {
    let named = |p: &&Place| names.is_empty() || names.iter().any(|n| n == p.name());
    let mut planes: Vec<&Place> = seen.iter().filter(|p| p.look.plane).collect();
    let signer = planes.first().copied();
    if let Some(place) = seen.iter().find(|p| p.look.stage.is_some()) {
        return Err(CliError::failed(format!(
            "{}: a rotation of the CAs is not finished, which makes new certificates anyway",
            place.name()
        ))
        .hint("bramble certs rotate-ca goes on with it"));
    }
    for place in &planes {
        if let Some(ca) = place.look.authorities_over().first() {
            return Err(CliError::failed(format!(
                "{} on {} is over since {}: nothing that it signs is good any more",
                ca.what,
                place.name(),
                date(ca.not_after)
            ))
            .hint("take a snapshot where etcd still answers (bramble etcd snapshot), or copy one of /var/lib/bramble-etcd from a control plane; then bramble down, bramble up, bramble etcd restore FILE (docs/etcd.md, \"Onto new machines\")"));
        }
    }
    let over: Vec<&str> = planes
        .iter()
        .filter(|p| p.look.plane_is_over())
        .map(|p| p.name())
        .collect();
    let all = planes.len();
    let down = !over.is_empty() && all - over.len() < bramble_etcd::quorum(all);
    let out: Vec<&str> = over
        .iter()
        .copied()
        .filter(|n| !names.is_empty() && !names.iter().any(|name| name == n))
        .collect();
    planes.retain(named);
    if down && !planes.is_empty() && !out.is_empty() {
        return Err(CliError::usage(format!(
            "certificates are over on {} too, and etcd has no quorum without it",
            out.join(", ")
        ))
        .hint("renew all of them at once: bramble certs renew"));
    }
    // One that is down already has nobody who depends on it.
    planes.sort_by_key(|p| !p.look.plane_is_over());
    let resumed = names.is_empty() && planes.iter().any(|p| p.look.begun);
    let mut apart = Vec::new();
    if resumed {
        apart = planes
            .iter()
            .filter(|p| !p.look.begun)
            .map(|p| p.name())
            .collect();
        planes.retain(|p| p.look.begun);
    }
    let needs = |p: &&Place| !p.look.plane && !p.look.kubelet_needs().is_empty();
    let mut workers: Vec<&Place> = seen.iter().filter(named).filter(needs).collect();
    if resumed {
        // Those that are done already, but for their kubelets.
        let rest = seen.iter().filter(|p| p.look.plane && !p.look.begun);
        workers.extend(rest.filter(|p| !p.look.kubelet_needs().is_empty()));
    }
    if planes.is_empty() && names.is_empty() && signer.is_none() {
        return Err(
            CliError::failed("no control plane was found that could renew anything")
                .hint("bramble status shows what the machines are"),
        );
    }
    let alone = context.cluster.with_role(Role::ControlPlane).count() == 1;
    Ok(Wanted {
        planes,
        workers,
        down,
        resumed,
        apart,
        signer,
        gentle: match (down, alone) {
            (true, _) => Gentle::No,
            (false, true) => Gentle::Alone,
            (false, false) => Gentle::Shared,
        },
    })
}

/// What is about to happen.
fn say(wanted: &Wanted, printer: &Printer) {
    let one = |place: &Place| {
        let kubelet: Vec<&str> = place
            .look
            .kubelet_needs()
            .iter()
            .map(|c| c.path.as_str())
            .collect();
        let mut parts: Vec<String> = Vec::new();
        if wanted.planes.iter().any(|p| p.name() == place.name()) {
            let leaves = place
                .look
                .certificates
                .iter()
                .filter(|c| !c.authority && !c.of_kubelet());
            parts.push(format!(
                "{} certificates of the control plane",
                leaves.count()
            ));
        }
        parts.extend(kubelet.iter().map(|path| (*path).to_owned()));
        (place.name().to_owned(), parts)
    };
    let all: Vec<(String, Vec<String>)> = wanted
        .planes
        .iter()
        .chain(&wanted.workers)
        .map(|p| one(p))
        .collect();
    if printer.json() {
        let machines: Vec<_> = all
            .iter()
            .map(|(name, parts)| json!({ "machine": name, "renews": parts }))
            .collect();
        printer.line(&json!({
            "event": "plan", "machines": machines, "resumed": wanted.resumed, "atOnce": wanted.down,
        }));
        return;
    }
    if wanted.resumed {
        printer.out("a renewal that was interrupted goes on");
    }
    for (name, parts) in &all {
        printer.out(format!("{name}  renew {}", parts.join(", ")));
    }
    match (all.is_empty(), wanted.down) {
        (true, _) => printer.out("nothing to renew"),
        (_, true) => printer.out(
            "certificates that the control planes need are over: all restart at once, the API is away until then",
        ),
        (_, false) if wanted.planes.len() > 1 => printer
            .out("one control plane after the other; each restarts etcd, API server, controller manager, scheduler"),
        _ => {}
    }
}

async fn carry_out(wanted: &Wanted<'_>, work: &Work<'_>) -> Result<(), CliError> {
    for place in wanted.planes.iter().filter(|p| !p.look.begun) {
        let begin = certs::begin(place.look.plane_is_over());
        work.run(place, &begin, "begin a renewal").await?;
    }
    if wanted.down {
        // kubeadm asks an API that is away, for most of a minute.
        let renewals = wanted
            .planes
            .iter()
            .map(|place| renewed(place, wanted, work));
        for done in join_all(renewals).await {
            done?;
        }
        let program = certs::turn(Gentle::No);
        let turns = wanted
            .planes
            .iter()
            .map(|place| work.run(place, &program, "restart the control plane"));
        for turned in join_all(turns).await {
            turned?;
        }
    } else {
        for place in &wanted.planes {
            renewed(place, wanted, work).await?;
            let gentle = match place.look.plane_is_over() {
                true => Gentle::No,
                false => wanted.gentle,
            };
            let program = certs::turn(gentle);
            work.run(place, &program, "restart the control plane")
                .await?;
        }
    }
    for place in &wanted.workers {
        helped(place, wanted, work).await?;
    }
    Ok(())
}

/// New files on a control plane, and a kubelet that can read them: without one nothing is started anew.
async fn renewed(place: &Place, wanted: &Wanted<'_>, work: &Work<'_>) -> Result<(), CliError> {
    let begin = Instant::now();
    work.run(place, &certs::renew(), "renew certificates")
        .await?;
    work.did(place, "renewed", begin);
    helped(place, wanted, work).await
}

/// A kubelet gets what it can't get by itself any more.
async fn helped(place: &Place, wanted: &Wanted<'_>, work: &Work<'_>) -> Result<(), CliError> {
    let needs = place.look.kubelet_needs();
    let client = needs.iter().any(|c| c.is_kubelet_client());
    let serving = needs.iter().any(|c| c.is_kubelet_server());
    if !client && !serving {
        return Ok(());
    }
    let begin = Instant::now();
    let signer = if client {
        Some(wanted.signer.ok_or_else(|| {
            CliError::new(
                Kind::Failed,
                "no control plane is reached that could sign for kubelets",
            )
        })?)
    } else {
        None
    };
    kubelet(work, place, signer, serving).await?;
    work.did(place, "kubelet restarted with a new certificate", begin);
    Ok(())
}

fn end(looks: &[Look], printer: &Printer) {
    let first = looks
        .iter()
        .filter_map(|l| worst(&l.certificates, l.now).map(|(c, _)| (c, c.days(l.now))))
        .min_by_key(|(c, _)| c.not_after);
    let first = first.map(|(c, days)| (c.what, c.machine.as_str(), days));
    if printer.json() {
        let first = first
            .map(|(what, machine, days)| json!({ "what": what, "machine": machine, "days": days }));
        printer.line(&json!({ "event": "end", "endsFirst": first }));
        return;
    }
    if let Some((what, machine, days)) = first {
        printer.out(format!(
            "renewed; the one that ends first is now {what} on {machine}, in {days} days"
        ));
    }
    printer.out(
        "your own kubeconfig still has the old certificate: bramble kubeconfig fetches the new one",
    );
}

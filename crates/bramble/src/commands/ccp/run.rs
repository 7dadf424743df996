//! `ccp up` and `ccp down`: what is done, and what is said at the end.

use super::file::Loaded;
use super::kubeconfig;
use super::tell::{Broken, Run, Step};
use crate::error::CliError;
use crate::printer::{Printer, Style};
use crate::stop;
use bramble_ccp::{Client, Made, Order};

const LOGIN: Step = Step("ccp/login", "log in to the platform");
const CLUSTER: Step = Step("ccp/cluster", "the platform makes the cluster");
const KUBECONFIG: Step = Step("ccp/kubeconfig", "write the kubeconfig");
const DELETE: Step = Step("ccp/delete", "the platform deletes the cluster");

/// Makes the cluster.
pub async fn up(client: &Client, loaded: &Loaded, printer: &Printer) -> Result<(), CliError> {
    let file = &loaded.file;
    let order = loaded.order()?;
    let mut run = Run::begin(3 + order.machines, printer);
    let made = make(client, loaded, &order, &mut run, printer).await;
    run.end(made.as_ref().map(|made| made.address.as_str()))
        .await?;
    if let Some(made) = made.filter(|_| !printer.json()) {
        let ready = format!("{}: ready at {}", file.name, made.address);
        printer.out(printer.paint(Style::Green, ready));
        let place = loaded.kubeconfig.display();
        printer.out(format!(
            "kubectl     kubectl --kubeconfig {place} get nodes"
        ));
    }
    Ok(())
}

async fn make(
    client: &Client,
    loaded: &Loaded,
    order: &Order,
    run: &mut Run,
    printer: &Printer,
) -> Option<Made> {
    let file = &loaded.file;
    run.start(LOGIN);
    let done = client.login().await;
    run.settle(LOGIN, done.map_err(Broken::from))?;
    run.finish(LOGIN, 0);
    run.start(CLUSTER);
    let stop = stop::listen(*printer);
    let done = client
        .up(file, order, stop, &mut |told| run.tell(CLUSTER, told))
        .await;
    let made = run.settle(CLUSTER, done.map_err(Broken::from))?;
    run.finish(CLUSTER, usize::from(made.now));
    run.start(KUBECONFIG);
    let done = kubeconfig::write(&loaded.kubeconfig, &file.name, &made.kubeconfig);
    let changed = run.settle(KUBECONFIG, done.map_err(Broken::from))?;
    run.finish(KUBECONFIG, usize::from(changed));
    Some(made)
}

/// Takes the cluster away.
pub async fn down(client: &Client, loaded: &Loaded, printer: &Printer) -> Result<(), CliError> {
    let name = &loaded.file.name;
    let mut run = Run::begin(2, printer);
    let there = delete(client, loaded, &mut run, printer).await;
    run.end(None).await?;
    if printer.json() {
        return Ok(());
    }
    printer.out(match there {
        Some(true) => printer.paint(Style::Green, format!("{name}: it is gone")),
        _ => format!("{name}: there is no such cluster, nothing to do"),
    });
    Ok(())
}

async fn delete(
    client: &Client,
    loaded: &Loaded,
    run: &mut Run,
    printer: &Printer,
) -> Option<bool> {
    run.start(LOGIN);
    let done = client.login().await;
    run.settle(LOGIN, done.map_err(Broken::from))?;
    run.finish(LOGIN, 0);
    run.start(DELETE);
    let stop = stop::listen(*printer);
    let done = client
        .down(&loaded.file, stop, &mut |told| run.tell(DELETE, told))
        .await;
    let there = run.settle(DELETE, done.map_err(Broken::from))?;
    let done = kubeconfig::delete(&loaded.kubeconfig, &loaded.file.name);
    run.settle(DELETE, done.map_err(Broken::from))?;
    run.finish(DELETE, usize::from(there));
    Some(there)
}

//! `bramble serve`: the daemon.

mod buttons;

use crate::args::{Global, OnOff, ServeAction, ServeArgs, StoreWhere};
use crate::bundles;
use crate::context::data_dir;
use crate::error::{CliError, Explain, chain};
use crate::files;
use crate::printer::Printer;
use crate::stop;
use bramble_secret::Secret;
use bramble_server::{Home, Serving, Settings};
use bramble_store::KubernetesSettings;
use serde_json::json;
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The file with the first user's link, in the daemon's folder.
const LINK: &str = "first-user";

/// Serves until it is told to stop.
pub async fn run(_: &Global, args: &ServeArgs, printer: &Printer) -> Result<(), CliError> {
    if let Some(ServeAction::Crds) = args.action {
        printer.raw(&bramble_store::definitions());
        return Ok(());
    }
    log();
    let data = args.data.clone().unwrap_or_else(usual_data);
    // Runs work in folders of their own: what is meant from here must be found from there.
    let data = std::path::absolute(&data).explain(format!("the folder {}", data.display()))?;
    let names = match args.names.is_empty() {
        true => own_names(),
        false => checked(&args.names)?,
    };
    let settings = Settings {
        listen: args.listen,
        data: data.clone(),
        home: home(args)?,
        names: names.clone(),
        program: std::env::current_exe().explain("this program can't be found")?,
        kubernetes: newest_bundle(),
        limits: Default::default(),
        buttons: buttons::settings(&args.buttons, printer)?,
        watches_clusters: args.watch_clusters == OnOff::On,
    };
    let mut failed = None;
    let ready = |serving: Serving| {
        failed = announce(&data, &names, &serving, printer).err();
    };
    let stop = stop::when_told();
    let served = bramble_server::serve(settings, ready, stop).await;
    served.map_err(|error| {
        let hint = error.hint();
        let error = CliError::failed(chain(&error));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// The names that were given, if people and certificates can have them.
///
/// # Errors
/// One that is no host, as wrong use.
fn checked(names: &[String]) -> Result<Vec<String>, CliError> {
    match names.iter().find(|name| !bramble_spec::is_host(name)) {
        None => Ok(names.to_vec()),
        Some(wrong) => Err(CliError::usage(format!(
            "--name {wrong:?} is neither a host's name nor an address"
        ))
        .hint("such as pi.home.arpa, 192.168.1.5 or fd00::5: without https:// and port")),
    }
}

/// Where it keeps what it knows.
///
/// # Errors
/// A place in an API that is not used, as wrong use.
fn home(args: &ServeArgs) -> Result<Home, CliError> {
    let given = [
        ("--kubeconfig", args.kubeconfig.is_some()),
        ("--context", args.context.is_some()),
        ("--namespace", args.namespace.is_some()),
    ];
    match args.store {
        StoreWhere::Kubernetes => Ok(Home::Kubernetes(KubernetesSettings {
            kubeconfig: args.kubeconfig.clone(),
            context: args.context.clone(),
            namespace: args.namespace.clone(),
        })),
        StoreWhere::Folder => match given.iter().find(|(_, given)| *given) {
            None => Ok(Home::Folder),
            Some((word, _)) => Err(CliError::usage(format!(
                "{word} says where an API is, but the store is in a folder"
            ))
            .hint("add --store kubernetes")),
        },
    }
}

/// What the daemon has to say beside its answers goes to standard error: systemd keeps it.
fn log() {
    let level = match std::env::var("BRAMBLE_LOG").as_deref() {
        Ok("debug") => tracing::Level::DEBUG,
        Ok("warn") => tracing::Level::WARN,
        _ => tracing::Level::INFO,
    };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    // Others' parts tell of every client and connection, and what they would tell of those is not known.
    let loud = tracing_subscriber::filter::Targets::new()
        .with_default(level.min(tracing::Level::WARN))
        .with_target("bramble", level);
    // Somebody else's is there already: as good.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(loud))
        .try_init();
}

fn usual_data() -> PathBuf {
    match rustix::process::geteuid().is_root() {
        true => PathBuf::from("/var/lib/bramble-server"),
        false => data_dir().join("server"),
    }
}

/// Host name, its name by multicast DNS, and the addresses that others most likely reach it by.
fn own_names() -> Vec<String> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let mut names = Vec::new();
    if !host.is_empty() && host != "localhost" {
        names.push(host.to_owned());
        if !host.contains('.') {
            names.push(format!("{host}.local"));
        }
    }
    // Addresses for documentation (RFC 5737, RFC 3849): the kernel says what it would send from, nothing is sent.
    for far in ["192.0.2.1:9", "[2001:db8::1]:9"] {
        names.extend(source(far).map(|a| a.to_string()));
    }
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    names
}

fn source(far: &str) -> Option<IpAddr> {
    let far: SocketAddr = far.parse().ok()?;
    let any = match far {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The release that clusters after the first template have: one that is at hand.
fn newest_bundle() -> Option<String> {
    let (all, _) = bundles::local();
    let newest = all.iter().map(|b| b.index().kubernetes).max()?;
    Some(newest.to_string())
}

/// Says where it is. The first user's link is a secret: shown to a person, kept in a file otherwise.
fn announce(
    data: &Path,
    names: &[String],
    serving: &Serving,
    printer: &Printer,
) -> Result<(), CliError> {
    let url = url(names, serving.address);
    let file = data.join(LINK);
    if let Some(secret) = &serving.first {
        let link = Secret::new(format!("{url}/first#{}\n", secret.expose()));
        files::write(&file, link.expose().as_bytes(), 0o600, true)?;
    } else if file.exists() {
        std::fs::remove_file(&file).explain(format!("can't delete {}", file.display()))?;
    }
    let first = serving.first.is_some();
    if printer.json() {
        printer.line(&json!({
            "event": "serving", "url": url, "listen": serving.address, "authority": serving.authority,
            "broker": serving.broker, "replica": serving.replica, "firstUserLink": first.then_some(&file),
        }));
        return Ok(());
    }
    printer.out(format!("serving     {url}"));
    printer.out(format!(
        "authority   {} (for browsers and --ca)",
        serving.authority.display()
    ));
    if let Some(replica) = &serving.replica {
        printer.out(format!("one of several: {replica}"));
    }
    if let Some(broker) = serving.broker {
        let host = names.first().map_or("", String::as_str);
        let at = bramble_spec::cluster::with_port(host, broker.port());
        printer.out(format!("buttons     mqtts://{at}"));
    }
    match &serving.first {
        Some(secret) if std::io::stdout().is_terminal() => {
            printer.out(format!("first user  {url}/first#{}", secret.expose()));
        }
        Some(_) => printer.out(format!("first user  the link is in {}", file.display())),
        None => {}
    }
    Ok(())
}

/// The address for people: the first name that the certificate has.
fn url(names: &[String], listens: SocketAddr) -> String {
    let host = match names.first() {
        Some(name) => name.clone(),
        None => listens.ip().to_string(),
    };
    format!(
        "https://{}",
        bramble_spec::cluster::with_port(&host, listens.port())
    )
}

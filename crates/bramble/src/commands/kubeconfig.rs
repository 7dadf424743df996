//! `bramble kubeconfig`: the cluster in and out of the operator's kubeconfig.

use crate::args::{Global, KubeconfigArgs};
use crate::context::{Context, load_file};
use crate::error::{CliError, Explain, Kind};
use crate::files;
use crate::kube_place;
use crate::outside;
use crate::printer::Printer;
use bramble_kube::kubeconfig::{merge, remove};
use bramble_secret::Secret;
use bramble_spec::cluster::{Machine, Role};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// A way into a cluster's API as its administrator.
pub(super) struct Access {
    /// The cluster's name: that of context, cluster and user too.
    name: String,
    /// Where its API answers.
    server: String,
    /// A kubeconfig with its credentials.
    admin: Secret,
    /// What is to be said of the way.
    remark: Option<String>,
}

/// Prints it, takes it out, or merges it.
pub async fn run(
    global: &Global,
    args: &KubeconfigArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    if args.remove {
        let name = load_file(&global.file, printer)?.name;
        return take_out(args, &name, printer);
    }
    let context = Context::reach(global, printer)?;
    if !args.print {
        ready(args)?;
    }
    let access = access(&context, global).await?;
    if args.print {
        return print(&access, printer);
    }
    put_in(args, &access, printer)
}

/// As the file and the cluster itself say.
async fn access(context: &Context, global: &Global) -> Result<Access, CliError> {
    let (machine, admin) = fetch(context, global).await?;
    let (host, port) = outside::api(&context.cluster, machine);
    let remark = outside::is_inside(&context.cluster, &host).then(|| {
        format!(
            "{host} is behind the router: use the VPN, or give the API a port of the router \
             (router.firewall.forwards: [{{ port: tcp/{port}, to: {} }}])",
            machine.name
        )
    });
    Ok(Access {
        name: context.cluster.name.clone(),
        server: url(&host, port),
        admin,
        remark,
    })
}

fn print(access: &Access, printer: &Printer) -> Result<(), CliError> {
    let Access {
        name,
        server,
        admin,
        remark,
    } = access;
    let text = merge(None, admin, name, Some(server), true)?;
    if printer.json() {
        let mut value = json!({ "context": name, "server": server, "kubeconfig": text.expose() });
        if let Some(remark) = remark {
            value["remark"] = json!(remark);
        }
        printer.value(&value);
    } else {
        printer.raw(text.expose());
    }
    Ok(())
}

impl Access {
    /// What `kubeconfig --print --output json` says, of another computer's.
    ///
    /// # Errors
    /// When that is something else.
    pub(super) fn told(said: &str) -> Result<Self, CliError> {
        let value: Value = serde_json::from_str(said).unwrap_or_default();
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        let told = || {
            Some(Self {
                name: text("context")?,
                server: text("server")?,
                admin: Secret::new(text("kubeconfig")?),
                remark: text("remark"),
            })
        };
        // What it said holds a secret, maybe: it is not shown.
        told().ok_or_else(|| CliError::failed("the daemon's program tells no kubeconfig"))
    }
}

/// Sees to it, before any connection, that there is a place to merge into.
///
/// # Errors
/// When there is none.
pub(super) fn ready(args: &KubeconfigArgs) -> Result<(), CliError> {
    folder(&place(args)?)
}

/// Merges it into the operator's kubeconfig.
///
/// # Errors
/// When that can't be read or written, or has that name for another cluster.
pub(super) fn put_in(
    args: &KubeconfigArgs,
    access: &Access,
    printer: &Printer,
) -> Result<(), CliError> {
    let Access {
        name,
        server,
        admin,
        remark,
    } = access;
    let path = place(args)?;
    let before = files::read_secret(&path)?;
    let text = merge(before.as_ref(), admin, name, Some(server), args.current)?;
    let changed = before.as_ref().is_none_or(|before| *before != text);
    // Written even when nothing differs: the mode is part of it.
    files::write(&path, text.expose().as_bytes(), 0o600, true)?;
    if printer.json() {
        printer
            .value(&json!({ "file": path, "context": name, "server": server, "changed": changed }));
        return Ok(());
    }
    let did = match (&before, changed) {
        (_, false) => "has it already",
        (None, true) => "made",
        (Some(_), true) => "updated; everything else in it is kept",
    };
    printer.out(format!(
        "{}: {did}: context {name}, {server}",
        path.display()
    ));
    let option = match &args.into {
        Some(path) => format!("--kubeconfig {} ", path.display()),
        None => String::new(),
    };
    printer.out(format!("kubectl {option}--context {name} get nodes"));
    if let Some(remark) = remark {
        printer.note(format!("note: {remark}"));
    }
    Ok(())
}

/// The first of `$KUBECONFIG`, or `~/.kube/config`.
fn place(args: &KubeconfigArgs) -> Result<PathBuf, CliError> {
    if let Some(path) = &args.into {
        return Ok(path.clone());
    }
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let first = std::env::split_paths(&named).find(|p| !p.as_os_str().is_empty());
    first
        .or_else(|| std::env::home_dir().map(|h| h.join(".kube/config")))
        .ok_or_else(|| {
            CliError::usage("there is no home folder to put the kubeconfig in")
                .hint("say --into FILE")
        })
}

/// Sees to it that there is a folder to write in. Only kubectl's own is made: a mistyped path must not
/// become a new folder.
fn folder(path: &Path) -> Result<(), CliError> {
    let own = std::env::home_dir().map(|home| home.join(".kube"));
    if let Some(own) = own.filter(|own| path.parent() == Some(own)) {
        std::fs::create_dir_all(&own)
            .explain(format!("can't make the folder {}", own.display()))?;
    }
    files::folder_for(path).map(drop)
}

/// Takes the cluster out of the operator's kubeconfig.
///
/// # Errors
/// When that can't be read or written.
pub(super) fn take_out(
    args: &KubeconfigArgs,
    name: &str,
    printer: &Printer,
) -> Result<(), CliError> {
    let path = &place(args)?;
    let before = files::read_secret(path)?;
    let did = match &before {
        None => "nothing to do",
        Some(text) if !has(text, name)? => "nothing to do",
        Some(text) => {
            match remove(text, name)? {
                Some(rest) => files::write(path, rest.expose().as_bytes(), 0o600, true)?,
                None => std::fs::remove_file(path).map_err(|error| {
                    CliError::failed(format!("can't remove {}: {error}", path.display()))
                })?,
            }
            "taken out"
        }
    };
    if printer.json() {
        printer.value(&json!({ "file": path, "context": name, "changed": did == "taken out" }));
    } else if did == "taken out" {
        printer.out(format!(
            "{}: {name} is taken out; everything else in it is kept",
            path.display()
        ));
    } else {
        printer.out(format!(
            "{}: there is no {name} in it: nothing to do",
            path.display()
        ));
    }
    Ok(())
}

/// Whether anything of that name is in a kubeconfig: without it, the file written anew is the same
/// as with a name taken out that can't be there.
fn has(text: &Secret, name: &str) -> Result<bool, CliError> {
    Ok(remove(text, name)? != remove(text, "\0")?)
}

/// The admin's kubeconfig, from the first control plane that answers and has one.
async fn fetch<'a>(
    context: &'a Context,
    global: &Global,
) -> Result<(&'a Machine, Secret), CliError> {
    let fleet = context.fleet(global);
    let mut problem = None;
    for machine in context.cluster.with_role(Role::ControlPlane) {
        let session = match fleet.connect(&context.target(machine)).await {
            Ok(session) => session,
            Err(error) => {
                problem.get_or_insert(CliError::from(error));
                continue;
            }
        };
        match kube_place::admin(&session).await {
            Ok(Some(admin)) => return Ok((machine, admin)),
            Ok(None) => {
                let name = &machine.name;
                problem.get_or_insert(
                    CliError::failed(format!(
                        "{name} has no /etc/kubernetes/admin.conf: it is no control plane yet"
                    ))
                    .hint("bramble up makes it one"),
                );
            }
            Err(error) => {
                problem.get_or_insert(CliError::failed(error.message));
            }
        }
    }
    Err(problem
        .unwrap_or_else(|| CliError::new(Kind::Usage, "the cluster file has no control plane")))
}

fn url(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        return format!("https://[{host}]:{port}");
    }
    format!("https://{host}:{port}")
}

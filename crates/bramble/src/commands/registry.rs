//! `bramble registry`: the router's registries, looked at and filled.

mod name;

use crate::args::{Global, RegistryAction};
use crate::context::Context;
use crate::error::{CliError, Explain, chain};
use crate::printer::{Printer, Style};
use crate::progress_bundle::Progress;
use crate::table::{self, Cell, cell};
use bramble_blueprint::registry::{self, Registries};
use bramble_bundle::{Access, ImageArchive, Patience, Url};
use bramble_fleet::{Fleet, Session};
use bramble_machine::shell::word;
use bramble_secret::Secret;
use bramble_spec::cluster::Registry;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How long a look may take: a large store is counted.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs one of the actions.
pub async fn run(
    global: &Global,
    action: RegistryAction,
    printer: &Printer,
) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let registries = registries(&context)?;
    let reach = Gate::reach(&context, global, &registries);
    match action {
        RegistryAction::Ca => ca(&registries, &reach.await?, printer).await,
        RegistryAction::Status => status(&registries, &reach.await?, printer).await,
        RegistryAction::Push { image, name } => {
            // What is wrong on this side is said before any connection.
            let parcel = parcel(&context, &registries, &image, name.as_deref(), printer).await?;
            push(&registries, &reach.await?, parcel, printer).await
        }
    }
}

/// Those of the cluster; an error that says what to write if there are none.
pub fn registries(context: &Context) -> Result<Registries<'_>, CliError> {
    Registries::of(&context.cluster).ok_or_else(|| {
        let file = context.path.display();
        CliError::usage(format!("{file}: the cluster has no registry"))
            .hint("give a machine the role `router`, and the file `router: { registry: {} }`")
    })
}

/// The router, reached.
pub struct Gate {
    /// The connection.
    pub session: Session,
    /// Keeps the connection open.
    _fleet: Fleet,
    /// The certificate of its registries, PEM.
    pub certificate: String,
}

impl Gate {
    /// Connects, and reads the certificate.
    pub async fn reach(
        context: &Context,
        global: &Global,
        registries: &Registries<'_>,
    ) -> Result<Self, CliError> {
        let fleet = context.fleet(global);
        let machine = context.machine(&registries.router.machine)?;
        let session = fleet.connect(&context.target(machine)).await?;
        let (file, _) = registries.key_files();
        let program = format!("cat {}", word(&file));
        let done = session
            .run(program.as_bytes(), LIMIT, "read the certificate", |_| {})
            .await?;
        if !done.success() {
            let what = format!("{} has no registry yet", machine.name);
            return Err(CliError::failed(what).hint("make it: bramble up --step router"));
        }
        let certificate = String::from_utf8(done.stdout).explain("the registry's certificate")?;
        Ok(Self {
            session,
            _fleet: fleet,
            certificate,
        })
    }

    /// Runs a program on it; what it printed.
    pub async fn program(&self, text: &str, what: &str) -> Result<String, CliError> {
        let done = self
            .session
            .run(text.as_bytes(), LIMIT, what, |_| {})
            .await?;
        if !done.success() {
            let (machine, said) = (self.session.machine(), done.stderr_tail(5));
            let text = format!("{machine}: {what} ended with {}: {said}", done.exit);
            return Err(CliError::failed(text));
        }
        String::from_utf8(done.stdout).explain(what)
    }

    /// One of its registries, by way of a local port that leads there.
    pub fn access(&self, registries: &Registries, at: SocketAddr) -> Result<Access, CliError> {
        let names = registries.names();
        let name = names.first().map_or("localhost", String::as_str);
        Ok(Access {
            url: Url::parse(&format!("https://{name}:{}", at.port()))
                .explain("the registry's name")?,
            at,
            certificate: self.certificate.clone(),
            login: None,
            patience: Patience::default(),
        })
    }
}

async fn ca(registries: &Registries<'_>, gate: &Gate, printer: &Printer) -> Result<(), CliError> {
    let hosts = registries.private_hosts();
    if printer.json() {
        printer.value(&json!({ "certificate": gate.certificate, "hosts": hosts }));
        return Ok(());
    }
    printer.out(gate.certificate.trim_end());
    let host = hosts.first().map_or("", String::as_str);
    printer.note(format!(
        "note: for docker and skopeo, put it into /etc/docker/certs.d/{host}/ca.crt; for podman, into\n\
         /etc/containers/certs.d/{host}/ca.crt. The registry's names are {}",
        hosts.join(", ")
    ));
    Ok(())
}

/// One of the registries, as it was found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    name: String,
    state: String,
    kilobytes: u64,
    tags: u64,
}

/// Name and port of each, in the order of their ports; what each is for.
fn all(registries: &Registries) -> Vec<(String, u16, String)> {
    let mut out = Vec::new();
    if registries.registry.private.is_some() {
        let what = "your own images".to_owned();
        out.push((registry::PRIVATE.to_owned(), Registry::PRIVATE_PORT, what));
    }
    let what = "the bundle's images".to_owned();
    out.push((registry::BUNDLE.to_owned(), Registry::BUNDLE_PORT, what));
    for mirror in &registries.registry.mirrors {
        let what = format!("images of {}", mirror.host);
        out.push((registry::mirror_name(mirror), mirror.port, what));
    }
    out
}

/// State of its unit, size of its store, number of tags.
fn look(registries: &Registries, name: &str) -> String {
    let (unit, store) = (word(registry::unit(name)), word(registries.store(name)));
    format!(
        "state=$(systemctl is-active {unit}) || :\n\
         [ \"$state\" != active ] || [ ! -e {offline} ] || \
         ! systemctl status --no-pager --lines=0 {unit} | grep -qF {offline} || state=offline\n\
         printf '%s\\t%s\\t%s\\t%s\\n' {} \"$state\" \"$(du -sk {store} 2>/dev/null | cut -f1)\" \
         \"$(find {store} -path '*/_manifests/tags/*/current/link' 2>/dev/null | wc -l)\"\n",
        word(name),
        offline = word(format!("{}/{name}.offline.yml", registry::FOLDER)),
    )
}

fn found(text: &str) -> Vec<Found> {
    let line = |line: &str| {
        let mut fields = line.split('\t').map(str::trim);
        Some(Found {
            name: fields.next()?.to_owned(),
            state: fields.next()?.to_owned(),
            kilobytes: fields.next()?.parse().unwrap_or(0),
            tags: fields.next()?.parse().unwrap_or(0),
        })
    };
    text.lines().filter_map(line).collect()
}

async fn status(
    registries: &Registries<'_>,
    gate: &Gate,
    printer: &Printer,
) -> Result<(), CliError> {
    let all = all(registries);
    let program: String = all
        .iter()
        .map(|(name, ..)| look(registries, name))
        .collect();
    let found = found(&gate.program(&program, "look at the registries").await?);
    let rows = all.iter().map(|(name, port, what)| {
        let seen = found.iter().find(|f| f.name == *name);
        (name, port, what, seen)
    });
    if printer.json() {
        let list: Vec<_> = rows
            .map(|(name, port, what, seen)| {
                json!({
                    "name": name, "port": port, "for": what, "state": seen.map(|s| &s.state),
                    "bytes": seen.map(|s| s.kilobytes * 1024), "tags": seen.map(|s| s.tags),
                })
            })
            .collect();
        printer.value(&json!({ "address": registries.address(), "registries": list }));
        return Ok(());
    }
    let head = ["registry", "port", "state", "size", "tags", "for"];
    let mut lines = vec![head.map(|text| cell(Style::Bold, text)).into()];
    for (name, port, what, seen) in rows {
        let mut line: Vec<Cell> = vec![name.as_str().into(), port.to_string().into()];
        line.extend(match seen {
            Some(s) => [
                state(&s.state),
                size(s.kilobytes).into(),
                s.tags.to_string().into(),
            ],
            None => ["?".into(), "?".into(), "?".into()],
        });
        line.push(what.as_str().into());
        lines.push(line);
    }
    for line in table::lines(printer, &lines) {
        printer.out(line);
    }
    if found.iter().any(|f| f.state == "offline") {
        printer.note(
            "note: offline: the registry that it mirrors can't be reached; what was copied before is served",
        );
    }
    Ok(())
}

fn state(text: &str) -> Cell {
    let style = match text {
        "active" => Style::Green,
        "offline" => Style::Yellow,
        _ => Style::Red,
    };
    cell(style, text)
}

fn size(kilobytes: u64) -> String {
    format!("{:.1} MB", kilobytes as f64 * 1024.0 / 1e6)
}

/// An image, where it goes, and who brings it.
struct Parcel {
    archive: ImageArchive,
    repository: String,
    tag: String,
    user: String,
    password: Secret,
}

async fn parcel(
    context: &Context,
    registries: &Registries<'_>,
    file: &Path,
    name: Option<&str>,
    printer: &Printer,
) -> Result<Parcel, CliError> {
    let private = registries.registry.private.as_ref();
    let Some((user, password)) = private.and_then(|p| p.users.first()) else {
        let what = "the router has no private registry";
        return Err(CliError::usage(what).hint("name its users: router.registry.private.users"));
    };
    let hosts = registries.private_hosts();
    // Before a large file is read.
    let asked = name.map(|name| name::place(Some(name), None, &hosts));
    let asked = asked.transpose()?;
    let archive = open(file.to_owned()).await?;
    let (repository, tag) = match asked {
        Some(asked) => asked,
        None => name::place(None, archive.name(), &hosts)?,
    };
    let what = crate::secrets::of_user(user);
    Ok(Parcel {
        archive,
        repository,
        tag,
        user: user.clone(),
        password: crate::secrets::read_one(&context.path, password, what, printer)?,
    })
}

async fn push(
    registries: &Registries<'_>,
    gate: &Gate,
    parcel: Parcel,
    printer: &Printer,
) -> Result<(), CliError> {
    let Parcel {
        archive,
        repository,
        tag,
        ..
    } = parcel;
    let hosts = registries.private_hosts();
    let forward = gate
        .session
        .forward(&registries.address(), Registry::PRIVATE_PORT)
        .await?;
    let mut access = gate.access(registries, forward.local)?;
    access.login = Some((parcel.user, parcel.password));
    let progress = Progress::new(printer);
    let done =
        bramble_bundle::push(&access, &archive, &repository, &tag, |e| progress.tell(&e)).await;
    progress.end();
    let done = done.map_err(|e| CliError::failed(chain(&e)))?;
    let image = format!(
        "{}/{repository}:{tag}",
        hosts.first().map_or("", String::as_str)
    );
    if printer.json() {
        printer.value(&json!({
            "image": image, "digest": done.digest, "sent": done.sent, "there": done.there,
            "unchanged": done.unchanged,
        }));
    } else if done.unchanged {
        printer.out(format!("{image}: is there already"));
    } else {
        let text = format!("{image}: pushed, {}", size(done.sent / 1024));
        printer.out(printer.paint(Style::Green, text));
    }
    Ok(())
}

async fn open(file: std::path::PathBuf) -> Result<ImageArchive, CliError> {
    let opened = tokio::task::spawn_blocking(move || ImageArchive::open(&file)).await;
    let opened = opened.explain("reading the image")?;
    opened.map_err(|e| CliError::usage(chain(&e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_router_says_is_read() {
        let text = "private\tactive\t120\t3\nbundle\tfailed\t\t0\n";
        let expected = |name: &str, state: &str, kilobytes, tags| Found {
            name: name.into(),
            state: state.into(),
            kilobytes,
            tags,
        };
        assert_eq!(
            found(text),
            [
                expected("private", "active", 120, 3),
                expected("bundle", "failed", 0, 0)
            ]
        );
    }
}

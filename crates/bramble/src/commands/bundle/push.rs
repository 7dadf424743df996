//! `bramble bundle push`: a bundle's images into the router's registry.
//!
//! To the LAN that registry takes nothing in. As long as a push runs, and not longer, a second one on the
//! same store listens on the router's loopback, for whoever knows a password that was made for it.

use crate::args::Global;
use crate::bundles;
use crate::commands::registry::{Gate, registries};
use crate::context::Context;
use crate::error::{CliError, Explain, chain};
use crate::printer::{Printer, Style};
use crate::progress_bundle::Progress;
use bramble_blueprint::registry::{BUNDLE, Registries, USER};
use bramble_bundle::Bundle;
use bramble_keys::{Strength, htpasswd_line, password};
use bramble_machine::shell::word;
use bramble_secret::Secret;
use bramble_spec::cluster::Registry;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// How long the second registry may take to listen.
const READY: Duration = Duration::from_secs(30);

/// Pushes; what is there is not sent again.
pub async fn run(global: &Global, dir: Option<PathBuf>, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    let registries = registries(&context)?;
    let bundle = bundle(global, &context, dir)?;
    let gate = Gate::reach(&context, global, &registries).await?;
    let secret = password().explain("a password for the push")?;
    let program = program(&registries, &secret)?;
    let (_, held) = gate
        .session
        .hold(program.expose().as_bytes(), READY)
        .await?;
    let forward = gate
        .session
        .forward("127.0.0.1", Registry::PUSH_PORT)
        .await?;
    let mut access = gate.access(&registries, forward.local)?;
    access.login = Some((NAME.to_owned(), secret));
    let progress = Progress::new(printer);
    let done = bramble_bundle::push_bundle(&access, &bundle, |e| progress.tell(&e)).await;
    progress.end();
    drop(forward);
    held.release().await;
    let done = done.map_err(|e| CliError::failed(chain(&e)))?;
    if printer.json() {
        let list: Vec<_> = done
            .iter()
            .map(|(image, p)| {
                json!({ "image": image, "digest": p.digest, "sent": p.sent, "unchanged": p.unchanged })
            })
            .collect();
        printer.value(&json!({ "bundle": bundle.dir(), "images": list }));
        return Ok(());
    }
    for (image, pushed) in &done {
        printer.out(match pushed.unchanged {
            true => format!("  {image}: is there already"),
            false => format!("  {image}: pushed, {}", super::size(pushed.sent)),
        });
    }
    let sent: u64 = done.iter().map(|(_, p)| p.sent).sum();
    let router = &registries.router.machine;
    let text = format!(
        "{router} has {} images of {}, {} sent",
        done.len(),
        bundle.dir().display(),
        super::size(sent)
    );
    printer.out(printer.paint(Style::Green, text));
    Ok(())
}

/// The named bundle, of whatever release, or the one that the cluster uses.
fn bundle(global: &Global, context: &Context, dir: Option<PathBuf>) -> Result<Bundle, CliError> {
    if let Some(dir) = dir {
        return Bundle::open(&dir).map_err(super::explain);
    }
    let found = bundles::find(&context.cluster, global.bundle.as_deref())?;
    found.bundle.ok_or_else(|| {
        let version = context.cluster.kubernetes.version;
        CliError::failed(format!(
            "there is no bundle of Kubernetes {version} on this computer"
        ))
        .hint("name one: bramble bundle push DIR; `bramble bundle list` shows which there are")
    })
}

/// Whom the second registry lets in.
const NAME: &str = "push";

/// The second registry, as long as its standard input is open. It is a secret: it travels on standard
/// input, and what it writes down is a hash.
fn program(registries: &Registries, secret: &Secret) -> Result<Secret, CliError> {
    let logins = htpasswd_line(&registries.cluster.name, NAME, secret, Strength::Random)
        .explain("the push's login")?;
    let (certificate, key) = registries.key_files();
    let port = Registry::PUSH_PORT;
    let config = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nstorage:\n  \
         filesystem: {{ rootdirectory: {} }}\nhttp:\n  addr: 127.0.0.1:{port}\n  tls: {{ certificate: \
         {certificate}, key: {key} }}\nauth:\n  htpasswd: {{ realm: push, path: LOGINS }}\n",
        registries.store(BUNDLE)
    );
    Ok(Secret::new(format!(
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         mkdir -p /run/bramble\n\
         exec 8>>/run/bramble/push.lock\n\
         flock -n 8 || {{ echo 'another push is at work' >&2; exit 1; }}\n\
         d=$(mktemp -d /run/bramble-push.XXXXXX) || exit\n\
         trap 'rm -rf \"$d\"' EXIT\n\
         trap 'exit 1' TERM INT HUP\n\
         umask 077\n\
         printf %s {} >\"$d/logins\"\n\
         printf %s {} | sed \"s|LOGINS|$d/logins|\" >\"$d/config\"\n\
         chown -R {USER}: \"$d\"\n\
         runuser -u {USER} -- docker-registry serve \"$d/config\" >\"$d/log\" 2>&1 8>&- & p=$!\n\
         trap 'kill $p; wait $p; rm -rf \"$d\"' EXIT\n\
         n=0\n\
         until [ -n \"$(ss -Hltn 'src 127.0.0.1:{port}')\" ]; do\n\
         \tkill -0 $p && [ $n -lt 200 ] || {{ tail -n 5 \"$d/log\" >&2; exit 1; }}\n\
         \tn=$((n + 1))\n\
         \tsleep 0.1\n\
         done\n\
         kill -0 $p || {{ tail -n 5 \"$d/log\" >&2; exit 1; }}\n\
         echo ready\n\
         cat >/dev/null\n",
        word(logins.expose()),
        word(config)
    )))
}

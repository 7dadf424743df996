//! `bramble vpn`: profiles of the users of the router's VPN, and who is connected.

mod list;
mod profile;
mod qr;

use crate::args::{Global, VpnAction, VpnArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::printer::Printer;
use crate::suggest::closest;
use bramble_fleet::Session;
use bramble_spec::cluster::{Router, Vpn};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a program on the router may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs one of the actions.
pub async fn run(global: &Global, args: &VpnArgs, printer: &Printer) -> Result<(), CliError> {
    let context = Context::reach(global, printer)?;
    match &args.action {
        VpnAction::Profile(args) => profile::run(global, &context, args, printer).await,
        VpnAction::List => list::run(global, &context, printer).await,
    }
}

/// The router and its VPN, as the file has them.
fn parts(context: &Context) -> Result<(&Router, &Vpn), CliError> {
    let router = context.cluster.router.as_ref();
    let found = router.and_then(|router| Some((router, router.vpn.as_ref()?)));
    found.ok_or_else(|| {
        CliError::usage(format!("there is no VPN in {}", context.path.display())).hint(
            "give a machine the role router, and add below spec: `router: { vpn: { users: [anna] } }`",
        )
    })
}

/// Asserts that the file names a user.
fn known(context: &Context, vpn: &Vpn, user: &str) -> Result<(), CliError> {
    if vpn.users.iter().any(|u| u == user) {
        return Ok(());
    }
    let path = context.path.display();
    let error = CliError::usage(format!("there is no VPN user {user:?} in {path}"));
    let all = vpn.users.iter().map(String::as_str);
    Err(match closest(user, all) {
        Some(meant) => error.hint(format!("did you mean {meant}?")),
        None if vpn.users.is_empty() => {
            error.hint("add a name to router.vpn.users, then bramble up")
        }
        None => error.hint(format!(
            "users are: {}; add a name to router.vpn.users, then bramble up, for another one",
            vpn.users.join(", ")
        )),
    })
}

/// Connects to the router.
async fn connect(global: &Global, context: &Context, router: &Router) -> Result<Session, CliError> {
    let target = context.target(context.machine(&router.machine)?);
    Ok(context.fleet(global).connect(&target).await?)
}

/// Runs a program that only reads; what it printed.
async fn ask(session: &Session, program: &str, what: &str) -> Result<String, CliError> {
    let done = session.run(program.as_bytes(), LIMIT, what, |_| {}).await?;
    if !done.success() {
        return Err(CliError::failed(format!(
            "{}: {what}: {}: {}",
            session.machine(),
            done.exit,
            done.stderr_tail(3)
        )));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The error of a router that has none of this yet.
fn not_yet(router: &Router, what: &str) -> CliError {
    CliError::failed(format!("{} has {what} yet", router.machine))
        .hint("bramble up makes the router what the file says; --step router/vpn is enough where the rest is done")
}

/// Parts of an answer: a line `= NAME`, then lines that begin with `|`.
fn sections(text: &str) -> BTreeMap<&str, String> {
    let mut out: BTreeMap<&str, String> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        if let Some(next) = line.strip_prefix("= ") {
            name = next;
            out.entry(name).or_default();
        } else if let (Some(line), Some(part)) = (line.strip_prefix('|'), out.get_mut(name)) {
            part.push_str(line);
            part.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::sections;

    #[test]
    fn noise_is_in_no_section() {
        let found = sections("motd\n|x\n= a\n|1\nnoise\n|= b\n= c\n");
        assert_eq!(found["a"], "1\n= b\n");
        assert_eq!(found["c"], "");
        assert_eq!(found.len(), 2);
    }
}

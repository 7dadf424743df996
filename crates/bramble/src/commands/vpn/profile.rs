//! `bramble vpn profile`: a user's profile, made from the keys on the router.

use super::{ask, connect, known, not_yet, parts, qr, sections};
use crate::args::{Global, VpnProfileArgs};
use crate::context::Context;
use crate::error::{CliError, Kind};
use crate::files;
use crate::outside;
use crate::printer::Printer;
use bramble_blueprint::vpn::{
    self, CERTIFICATE, KEY, Numbers, OPENVPN, OpenVpnKeys, PRESHARED, PRIVATE, Profile, TLS_CRYPT,
    WIREGUARD, WireGuardKeys, holder,
};
use bramble_machine::shell::word;
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Router, Vpn};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;

/// The router's public key, which is not kept as a file.
const PUBLIC: &str = "wireguard/public";
/// The longest name of an interface, which wg-quick takes from the file's name.
const INTERFACE: usize = 15;

/// A protocol that the router speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    WireGuard,
    OpenVpn,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Protocol::WireGuard => "WireGuard",
            Protocol::OpenVpn => "OpenVPN",
        }
    }

    /// The word for programs, which is also the holder's of its keys.
    fn word(self) -> &'static str {
        match self {
            Protocol::WireGuard => WIREGUARD,
            Protocol::OpenVpn => OPENVPN,
        }
    }

    fn is_in(self, vpn: &Vpn) -> bool {
        match self {
            Protocol::WireGuard => vpn.wireguard.is_some(),
            Protocol::OpenVpn => vpn.openvpn.is_some(),
        }
    }

    /// The usual name of a user's file.
    fn file(self, user: &str) -> PathBuf {
        match self {
            Protocol::WireGuard => {
                let name: String = user.chars().take(INTERFACE).collect();
                format!("{name}.conf").into()
            }
            Protocol::OpenVpn => format!("{user}.ovpn").into(),
        }
    }
}

/// Makes the profiles, writes them, prints them or shows them.
pub async fn run(
    global: &Global,
    context: &Context,
    args: &VpnProfileArgs,
    printer: &Printer,
) -> Result<(), CliError> {
    let (router, vpn) = parts(context)?;
    known(context, vpn, &args.user)?;
    if args.qr && printer.json() {
        return Err(
            CliError::usage("a QR code is for people, and --output json for programs")
                .hint("leave one of them out"),
        );
    }
    let wanted = wanted(context, args, vpn)?;
    if let Some(path) = &args.out {
        files::folder_for(path)?;
    }
    if let Some(hidden) = outside::hidden_vpn(vpn) {
        printer.note(format!("note: {hidden}"));
    }
    let session = connect(global, context, router).await?;
    let answer = ask(&session, &program(&args.user), "read the VPN's keys").await?;
    let keys = Keys(sections(&answer));
    let make = |protocol: &Protocol| {
        let profile = keys.profile(&context.cluster, router, &args.user, *protocol)?;
        Ok((*protocol, profile))
    };
    let profiles: Vec<(Protocol, Profile)> =
        wanted.iter().map(make).collect::<Result<_, CliError>>()?;
    if args.print {
        print(args, router, &profiles, printer);
        return Ok(());
    }
    let files = if args.qr && args.out.is_none() {
        Vec::new()
    } else {
        write(args, &profiles)?
    };
    if printer.json() {
        let list = profiles.iter().enumerate().map(|(i, (protocol, profile))| {
            let file = files.get(i);
            json!({ "protocol": protocol.word(), "address": profile.address, "file": file.map(|f| &f.path),
                    "changed": file.is_some_and(|f| f.changed) })
        });
        let list: Vec<_> = list.collect();
        printer.value(&json!({ "user": args.user, "router": router.machine, "profiles": list }));
        return Ok(());
    }
    tell(args, &profiles, &files, printer);
    show(args, &profiles, printer)
}

/// Which profiles are asked for.
fn wanted(context: &Context, args: &VpnProfileArgs, vpn: &Vpn) -> Result<Vec<Protocol>, CliError> {
    let all = [Protocol::WireGuard, Protocol::OpenVpn];
    let asked = match (args.wireguard || args.qr, args.openvpn) {
        (true, _) => Some(Protocol::WireGuard),
        (false, true) => Some(Protocol::OpenVpn),
        (false, false) => None,
    };
    if let Some(protocol) = asked {
        if protocol.is_in(vpn) {
            return Ok(vec![protocol]);
        }
        let path = context.path.display();
        let error = CliError::usage(format!("the VPN in {path} has no {}", protocol.name()));
        // A section that is named alone would take the other one's place, with everybody's keys.
        let both = all.map(|p| format!("`{}: {{}}`", p.word())).join(" and ");
        return Err(error.hint(format!(
            "put {both} into router.vpn, so that both are served, then bramble up"
        )));
    }
    let found: Vec<Protocol> = all.into_iter().filter(|p| p.is_in(vpn)).collect();
    let one = if args.print { "--print" } else { "--out" };
    if found.len() > 1 && (args.print || args.out.is_some()) {
        return Err(
            CliError::usage(format!("{one} is for one profile, and there are two"))
                .hint("say --wireguard or --openvpn as well"),
        );
    }
    Ok(found)
}

/// The program that reads on the router what a user's profiles need.
fn program(user: &str) -> String {
    let mut out = String::from(
        // What ends without a line break gets one.
        "show() { [ ! -f \"$2\" ] || { printf '= %s\\n' \"$1\"; sed 's/^/|/' \"$2\"; echo; }; }\n",
    );
    let server = [(OPENVPN, CERTIFICATE), (OPENVPN, TLS_CRYPT)];
    let (first, second) = (holder(user, WIREGUARD), holder(user, OPENVPN));
    let own = [
        (first.as_str(), PRIVATE),
        (&first, PRESHARED),
        (&second, CERTIFICATE),
        (&second, KEY),
    ];
    for (holder, file) in server.into_iter().chain(own) {
        let path = word(vpn::path(holder, file));
        let _ = writeln!(out, "show {} {path}", word(format!("{holder}/{file}")));
    }
    let _ = writeln!(out, "show {} {}", Numbers::FACT, Numbers::PATH);
    // The router's private key stays there.
    let private = vpn::path(WIREGUARD, PRIVATE);
    let _ = writeln!(
        out,
        "[ ! -f {private} ] || {{ echo '= {PUBLIC}'; wg pubkey <{private} | sed 's/^/|/'; }}"
    );
    out
}

/// What was read on the router.
struct Keys<'a>(BTreeMap<&'a str, String>);

impl Keys<'_> {
    fn get(&self, holder: &str, file: &str) -> Option<String> {
        self.0.get(format!("{holder}/{file}").as_str()).cloned()
    }

    fn secret(&self, holder: &str, file: &str) -> Option<Secret> {
        self.get(holder, file).map(Secret::new)
    }

    fn profile(
        &self,
        cluster: &Cluster,
        router: &Router,
        user: &str,
        protocol: Protocol,
    ) -> Result<Profile, CliError> {
        if self.0.is_empty() {
            return Err(not_yet(router, "no VPN keys"));
        }
        let own = holder(user, protocol.word());
        let numbers = self.0.get(Numbers::FACT).map(String::as_str);
        let numbers = Numbers::parse(numbers.unwrap_or_default());
        let profile = match protocol {
            Protocol::WireGuard => self
                .wireguard(&own)
                .and_then(|keys| vpn::wireguard(cluster, user, &numbers, &keys)),
            Protocol::OpenVpn => self
                .openvpn(&own)
                .and_then(|keys| vpn::openvpn(cluster, user, &numbers, &keys)),
        };
        profile.ok_or_else(|| not_yet(router, &format!("no {} keys of {user}", protocol.name())))
    }

    fn wireguard(&self, own: &str) -> Option<WireGuardKeys> {
        Some(WireGuardKeys {
            server: self.0.get(PUBLIC).filter(|k| !k.is_empty())?.clone(),
            private: self.secret(own, PRIVATE)?,
            preshared: self.secret(own, PRESHARED)?,
        })
    }

    fn openvpn(&self, own: &str) -> Option<OpenVpnKeys> {
        Some(OpenVpnKeys {
            server: self.get(OPENVPN, CERTIFICATE)?,
            certificate: self.get(own, CERTIFICATE)?,
            key: self.secret(own, KEY)?,
            tls_crypt: self.secret(OPENVPN, TLS_CRYPT)?,
        })
    }
}

fn print(
    args: &VpnProfileArgs,
    router: &Router,
    profiles: &[(Protocol, Profile)],
    printer: &Printer,
) {
    for (protocol, profile) in profiles {
        if printer.json() {
            printer.value(&json!({
                "user": args.user, "router": router.machine, "protocol": protocol.word(),
                "address": profile.address, "text": profile.text.expose(),
            }));
        } else {
            printer.raw(profile.text.expose());
        }
    }
}

/// A file that holds a profile.
struct Written {
    path: PathBuf,
    changed: bool,
}

/// Writes each profile; none of them if another's file is in the way of one.
fn write(
    args: &VpnProfileArgs,
    profiles: &[(Protocol, Profile)],
) -> Result<Vec<Written>, CliError> {
    let mut all = Vec::new();
    for (protocol, profile) in profiles {
        let path = args
            .out
            .clone()
            .unwrap_or_else(|| protocol.file(&args.user));
        let before = files::read_secret(&path)?;
        let same = before.as_ref() == Some(&profile.text);
        if before.is_some() && !same && !args.force {
            return Err(in_the_way(&path));
        }
        all.push((path, &profile.text, before.is_some(), same));
    }
    let write = |(path, text, there, same): (PathBuf, &Secret, bool, bool)| {
        // Also where nothing differs: the mode is part of it.
        files::write(&path, text.expose().as_bytes(), 0o600, there).map_err(|error| match error
            .kind
        {
            Kind::Usage if path.exists() => in_the_way(&path),
            _ => error,
        })?;
        let changed = !same;
        Ok(Written { path, changed })
    };
    all.into_iter().map(write).collect()
}

fn in_the_way(path: &std::path::Path) -> CliError {
    CliError::usage(format!("{} is there already, and differs", path.display()))
        .hint("--force replaces it; --out FILE writes another one")
}

fn tell(
    args: &VpnProfileArgs,
    profiles: &[(Protocol, Profile)],
    files: &[Written],
    printer: &Printer,
) {
    for ((protocol, profile), file) in profiles.iter().zip(files) {
        let path = file.path.display();
        let did = if file.changed { "" } else { "has it already: " };
        printer.out(format!(
            "{path}: {did}{}, address {}",
            protocol.name(),
            profile.address
        ));
        let how = match protocol {
            Protocol::WireGuard => format!("wg-quick up {}", absolute(&file.path)),
            Protocol::OpenVpn => format!("openvpn --config {path}"),
        };
        printer.note(format!("  on Linux, as root: {how}"));
    }
    if !files.is_empty() {
        printer.note(format!(
            "whoever has it can connect as {}: hand it over safely, then remove it",
            args.user
        ));
    }
}

/// wg-quick takes a name without a slash for one in its own folder.
fn absolute(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    if text.contains('/') {
        text
    } else {
        format!("./{text}")
    }
}

/// Shows the profile of WireGuard where there is somebody to see it.
fn show(
    args: &VpnProfileArgs,
    profiles: &[(Protocol, Profile)],
    printer: &Printer,
) -> Result<(), CliError> {
    let seen = std::io::stdout().is_terminal() && !printer.quiet;
    if !args.qr && !seen {
        return Ok(());
    }
    let found = profiles.iter().find(|(p, _)| *p == Protocol::WireGuard);
    if let Some((_, profile)) = found {
        // The remark at its beginning would make the code larger.
        let text = profile.text.expose();
        let start = text.find('[').unwrap_or(0);
        for line in qr::lines(&text[start..], printer.color)? {
            printer.out(line);
        }
        printer.note("for the WireGuard app on a phone: add a tunnel, scan from QR code");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[test]
    fn a_file_is_named_so_that_wg_quick_takes_it() {
        let file = |p: Protocol, user| p.file(user).display().to_string();
        assert_eq!(file(Protocol::WireGuard, "anna"), "anna.conf");
        assert_eq!(
            file(Protocol::WireGuard, "anna-maria-telephone"),
            "anna-maria-tele.conf"
        );
        assert_eq!(
            file(Protocol::OpenVpn, "anna-maria-telephone"),
            "anna-maria-telephone.ovpn"
        );
    }
}

//! systemd-resolved: some names are asked of one server, and nothing else is.
//!
//! Who is asked depends on where a server is written down. One of an interface is asked for the domains of
//! that interface, and with `default-route no` for nothing else. One of resolved.conf(5) is asked for all
//! names besides, whatever domains are beside it, as long as no interface claims those (`~.`). An
//! interface asks all of its servers for the same, so one that has servers gets no other.

use super::platform::{Argv, LinkDns, Names, Resolver, Run, argv};
use crate::error::CliError;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The domain of all names.
const ALL: &str = "~.";

/// What it has been told.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    /// Servers that belong to no interface.
    global: Vec<String>,
    /// By interface.
    links: BTreeMap<String, Link>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Link {
    servers: Vec<String>,
    domains: Vec<String>,
    default_route: bool,
}

/// How names are to be asked for, given what an earlier `connect` has told interfaces.
pub fn resolver(run: &dyn Run, names: &Names, old: &[LinkDns]) -> Resolver {
    let active = argv(&["systemctl", "is-active", "--quiet", SERVICE]);
    if run.run(&active).is_err() {
        return Resolver::ByHand(None);
    }
    match state(run) {
        Ok(state) => choose(&state, names, old),
        // As one that runs since its installation: until it is started again, Debian's bus refuses it.
        Err(error) => Resolver::ByHand(Some(format!(
            "{SERVICE} can't be told ({}); restart it and connect again",
            error.message
        ))),
    }
}

const SERVICE: &str = "systemd-resolved.service";

fn choose(state: &State, names: &Names, old: &[LinkDns]) -> Resolver {
    let server = names.server.to_string();
    let domains: Vec<String> = names.domains.iter().map(|d| format!("~{d}")).collect();
    let others = |servers: &[String]| servers.iter().any(|s| *s != server);
    let settings = |files, links| Resolver::Settings {
        who: "systemd-resolved",
        files,
        links,
        then: reload(),
    };
    let here = state.links.get(&names.device);
    let told = |link: &Link| {
        let mut links = old.iter().filter(|o| o.server.is_some());
        links.any(|o| o.device == names.device && touched_in(link, o))
    };
    let own = here.filter(|link| !told(link) && !link.servers.is_empty());
    // In the machines' own network the router is asked for everything.
    if own.is_some_and(|link| !others(&link.servers)) {
        return settings(Vec::new(), Vec::new());
    }
    if own.is_none() {
        return settings(
            Vec::new(),
            vec![LinkDns {
                device: names.device.clone(),
                server: Some(names.server),
                domains,
                before: before(&names.device, here, old),
            }],
        );
    }
    // Its servers would be asked for the cluster's names as well.
    if others(&state.global) {
        let why = "the system has name servers of its own, and so has the interface";
        return Resolver::ByHand(Some(format!("{why} {}", names.device)));
    }
    let path = format!(
        "/run/systemd/resolved.conf.d/bramble-{}.conf",
        names.cluster
    );
    let content = format!(
        "# Made by `bramble workstation connect`.\n[Resolve]\nDNS={server}\nDomains={}\n",
        domains.join(" ")
    );
    let rest = state.links.iter().filter_map(|(device, link)| {
        let before = before(device, Some(link), old);
        let asked = link.default_route && !link.servers.is_empty();
        // Some network managers claim them by themselves.
        let claims = before.iter().any(|d| d == ALL);
        let claim = [&before[..], &[ALL.to_owned()]].concat();
        (asked && !claims).then(|| LinkDns {
            device: device.clone(),
            server: None,
            domains: claim,
            before,
        })
    });
    settings(vec![(PathBuf::from(path), content)], rest.collect())
}

/// Domains that an interface had before it was told others.
fn before(device: &str, link: Option<&Link>, old: &[LinkDns]) -> Vec<String> {
    match (old.iter().find(|o| o.device == device), link) {
        (Some(old), Some(link)) if touched_in(link, old) => old.before.clone(),
        (_, link) => link.map(|l| l.domains.clone()).unwrap_or_default(),
    }
}

/// What follows a change of files.
pub fn reload() -> Option<Argv> {
    Some(argv(&["systemctl", "try-restart", SERVICE]))
}

/// Whether an interface is as it was told to be.
pub fn holds(run: &dyn Run, link: &LinkDns) -> bool {
    let state = state(run).unwrap_or_default();
    let found = state.links.get(&link.device);
    found.is_some_and(|found| holds_in(found, link))
}

/// Whether an interface has some of what it was told: a connection that was cut off tells it a part.
pub fn touched(run: &dyn Run, link: &LinkDns) -> bool {
    let state = state(run).unwrap_or_default();
    let found = state.links.get(&link.device);
    found.is_some_and(|found| touched_in(found, link))
}

fn holds_in(found: &Link, told: &LinkDns) -> bool {
    let server = told.server.map(|s| vec![s.to_string()]);
    same_domains(found, told) && server.is_none_or(|s| s == found.servers)
}

fn touched_in(found: &Link, told: &LinkDns) -> bool {
    let server = told.server.map(|s| vec![s.to_string()]);
    same_domains(found, told) || server.is_some_and(|s| s == found.servers)
}

fn same_domains(found: &Link, told: &LinkDns) -> bool {
    let sorted = |domains: &[String]| {
        let mut all = domains.to_vec();
        all.sort();
        all
    };
    sorted(&found.domains) == sorted(&told.domains)
}

/// Tells an interface. The server comes last: cut off before, it is asked for nothing, not for everything.
pub fn set(link: &LinkDns) -> Vec<Argv> {
    let mut out = vec![tell("domain", link, &link.domains)];
    if let Some(server) = link.server {
        out.push(tell("default-route", link, &["no".to_owned()]));
        out.push(tell("dns", link, &[server.to_string()]));
    }
    out
}

/// Puts back what it had. One that had no server had nothing that counts but its domains; what a network
/// manager told the others is theirs.
pub fn unset(link: &LinkDns) -> Vec<Argv> {
    let mut out = Vec::new();
    if link.server.is_some() {
        out.push(tell("revert", link, &[]));
    }
    if link.server.is_none() || !link.before.is_empty() {
        // Nothing but a word without letters takes them all away.
        let none = [String::new()];
        let before = if link.before.is_empty() {
            &none[..]
        } else {
            &link.before
        };
        out.push(tell("domain", link, before));
    }
    out
}

fn tell(what: &str, link: &LinkDns, words: &[String]) -> Argv {
    let mut out = argv(&["resolvectl", what, &link.device]);
    out.extend(words.iter().cloned());
    out
}

fn state(run: &dyn Run) -> Result<State, CliError> {
    let ask = |what: &str| run.run(&argv(&["resolvectl", what]));
    let mut out = State::default();
    for (device, servers) in parse(&ask("dns")?) {
        match device {
            None => out.global = servers,
            Some(device) => out.links.entry(device).or_default().servers = servers,
        }
    }
    for (device, domains) in parse(&ask("domain")?) {
        if let Some(device) = device {
            out.links.entry(device).or_default().domains = domains;
        }
    }
    for (device, word) in parse(&ask("default-route")?) {
        if let Some(device) = device {
            out.links.entry(device).or_default().default_route = word == ["yes"];
        }
    }
    Ok(out)
}

/// Lines `Link 2 (eth0): WORDS` and `Global: WORDS`; more words stand in lines that begin with blanks.
fn parse(text: &str) -> Vec<(Option<String>, Vec<String>)> {
    let mut out: Vec<(Option<String>, Vec<String>)> = Vec::new();
    // The words belong to something that is asked about.
    let mut on = false;
    for line in text.lines() {
        let link = line.strip_prefix("Link ").and_then(|rest| {
            let (head, words) = rest.split_once("):")?;
            Some((Some(head.split_once('(')?.1.to_owned()), words))
        });
        let global = line.strip_prefix("Global:").map(|words| (None, words));
        let words = match link.or(global) {
            Some((device, words)) => {
                out.push((device, Vec::new()));
                on = true;
                words
            }
            None => {
                on &= line.starts_with(' ');
                line
            }
        };
        if let (true, Some((_, all))) = (on, out.last_mut()) {
            all.extend(words.split_whitespace().map(str::to_owned));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::platform::tests::Said;
    use super::*;

    const ACTIVE: &str = "systemctl is-active --quiet systemd-resolved.service";

    fn names() -> Names {
        Names {
            cluster: "ceil".into(),
            domains: vec!["ceil.internal".into(), "0.77.10.in-addr.arpa".into()],
            server: "10.77.0.1".parse().expect("an address"),
            device: "wlan0".into(),
        }
    }

    type Chosen = (Vec<(PathBuf, String)>, Vec<LinkDns>);

    /// What is chosen where these are the answers to `dns`, `domain` and `default-route`.
    fn chosen([dns, domain, route]: [&'static str; 3], old: &[LinkDns]) -> Option<Chosen> {
        let said = Said(BTreeMap::from([
            (ACTIVE, ""),
            ("resolvectl dns", dns),
            ("resolvectl domain", domain),
            ("resolvectl default-route", route),
        ]));
        match resolver(&said, &names(), old) {
            Resolver::ByHand(_) => None,
            Resolver::Settings {
                files, links, then, ..
            } => {
                let then = then.expect("a program").join(" ");
                assert_eq!(then, "systemctl try-restart systemd-resolved.service");
                Some((files, links))
            }
        }
    }

    fn lines(all: &[Argv]) -> Vec<String> {
        all.iter().map(|words| words.join(" ")).collect()
    }

    const NONE: [&str; 3] = [
        "Global:\nLink 2 (eth0): 192.168.1.1\nLink 3 (wlan0):\n",
        "Global:\nLink 2 (eth0):\nLink 3 (wlan0): lan\n",
        "Global\n       Protocols: +LLMNR\nLink 2 (eth0): yes\nLink 3 (wlan0): no\n",
    ];

    /// An interface without servers is asked for the cluster's names and no others.
    #[test]
    fn an_interface_without_servers_gets_the_routers() {
        let (files, links) = chosen(NONE, &[]).expect("settings");
        assert!(files.is_empty());
        let [link] = links.as_slice() else {
            panic!("{links:?}");
        };
        assert_eq!(
            lines(&set(link)),
            [
                "resolvectl domain wlan0 ~ceil.internal ~0.77.10.in-addr.arpa",
                "resolvectl default-route wlan0 no",
                "resolvectl dns wlan0 10.77.0.1",
            ]
        );
        assert_eq!(
            lines(&unset(link)),
            ["resolvectl revert wlan0", "resolvectl domain wlan0 lan"]
        );
        // Cut off in between, and once more: what was there before is remembered.
        let part = [
            "Global:\nLink 3 (wlan0):\n",
            "Global:\nLink 3 (wlan0): ~ceil.internal\n               ~0.77.10.in-addr.arpa\n",
            "Link 3 (wlan0): yes\n",
        ];
        assert_eq!(chosen(part, &links).expect("settings").1, links);
        let told = [
            "Global:\nLink 3 (wlan0): 10.77.0.1\n",
            "Global:\nLink 3 (wlan0): ~ceil.internal\n               ~0.77.10.in-addr.arpa\n",
            "Link 3 (wlan0): no\n",
        ];
        assert_eq!(chosen(told, &links).expect("settings").1, links);
    }

    const HOME: [&str; 3] = [
        "Global:\nLink 2 (eth0):\nLink 3 (wlan0): 192.168.1.1 fd00::1\nLink 4 (tun0): 10.8.0.1\n",
        "Global:\nLink 2 (eth0):\nLink 3 (wlan0): fritz.box\nLink 4 (tun0): ~office.example\n",
        "Link 2 (eth0): no\nLink 3 (wlan0): yes\nLink 4 (tun0): no\n",
    ];

    /// Servers of the home network stay the ones that are asked for all other names.
    #[test]
    fn an_interface_with_servers_claims_all_other_names() {
        let (files, links) = chosen(HOME, &[]).expect("settings");
        let [(path, content)] = files.as_slice() else {
            panic!("{files:?}");
        };
        let path = path.display().to_string();
        assert_eq!(path, "/run/systemd/resolved.conf.d/bramble-ceil.conf");
        assert!(
            content.ends_with(
                "[Resolve]\nDNS=10.77.0.1\nDomains=~ceil.internal ~0.77.10.in-addr.arpa\n"
            ),
            "{content}"
        );
        let [link] = links.as_slice() else {
            panic!("{links:?}");
        };
        assert_eq!(lines(&set(link)), ["resolvectl domain wlan0 fritz.box ~."]);
        assert_eq!(lines(&unset(link)), ["resolvectl domain wlan0 fritz.box"]);
        let told = [
            "Global: 10.77.0.1\nLink 3 (wlan0): 192.168.1.1 fd00::1\n",
            "Global: ~ceil.internal ~0.77.10.in-addr.arpa\nLink 3 (wlan0): fritz.box ~.\n",
            "Link 3 (wlan0): yes\n",
        ];
        assert_eq!(chosen(told, &links), Some((files, links.clone())));
        // Somebody else's word since then is what is kept.
        let changed = [told[0], "Link 3 (wlan0): cafe.example\n", told[2]];
        let links = chosen(changed, &links).expect("settings").1;
        assert_eq!(links[0].before, ["cafe.example"]);
    }

    #[test]
    fn a_network_manager_may_claim_them_already() {
        let claimed = [HOME[0], "Link 3 (wlan0): ~.\n", HOME[2]];
        let (files, links) = chosen(claimed, &[]).expect("settings");
        assert_eq!((files.len(), links.len()), (1, 0));
    }

    #[test]
    fn who_asks_the_router_for_everything_needs_nothing() {
        let inside = ["Link 3 (wlan0): 10.77.0.1\n", "", "Link 3 (wlan0): yes\n"];
        assert_eq!(chosen(inside, &[]), Some((Vec::new(), Vec::new())));
    }

    #[test]
    fn an_interface_that_had_no_domains_gets_none_back() {
        let link = LinkDns {
            device: "wlan0".into(),
            server: None,
            domains: vec![ALL.into()],
            before: Vec::new(),
        };
        let [none] = &unset(&link)[..] else {
            panic!("one program");
        };
        assert_eq!(none, &["resolvectl", "domain", "wlan0", ""]);
    }

    /// Where it is not known who would be asked nothing is set.
    #[test]
    fn what_can_not_be_split_is_left_to_the_owner() {
        let global = [
            "Global: 9.9.9.9\nLink 3 (wlan0): 192.168.1.1\n",
            HOME[1],
            HOME[2],
        ];
        assert_eq!(chosen(global, &[]), None);
        let off = Said(BTreeMap::new());
        assert_eq!(resolver(&off, &names(), &[]), Resolver::ByHand(None));
        let silent = Said(BTreeMap::from([(ACTIVE, "")]));
        let Resolver::ByHand(Some(why)) = resolver(&silent, &names(), &[]) else {
            panic!("a reason");
        };
        assert!(
            why.contains("resolvectl dns") && why.contains("restart it"),
            "{why}"
        );
    }
}

//! What this computer knows about reaching Debian packages: sources, proxies, trust. Machines get
//! the same, so that `apt-get install` works inside where it works outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::command::Run;
use crate::error::{At, Result};

/// The Debian release of the machines.
pub(crate) const SUITE: &str = "bookworm";

/// Used where this computer has no source of [`SUITE`] itself.
const UPSTREAM: &str = "\
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

/// Settings of apt that say how to reach and whether to believe a mirror.
const SETTINGS: [&str; 6] = [
    "Acquire::http::",
    "Acquire::https::",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
    "Acquire::ForceIPv4",
    "Acquire::Retries",
];

/// Proxy variables that programs read.
const VARIABLES: [&str; 6] = [
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
];

/// This computer's way to packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// Sources in the form of `.sources` files.
    pub(crate) sources: String,
    /// Sources in the form of `.list` files.
    pub(crate) list: String,
    /// A part of apt's configuration. May name a proxy's password.
    pub(crate) configuration: String,
    /// Lines for `/etc/environment`. May name a proxy's password.
    pub(crate) environment: String,
    /// Certificates of authorities that this computer's owner added, by file name.
    pub(crate) certificates: BTreeMap<String, Vec<u8>>,
    /// Files that the configuration names, by path.
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Access {
    /// Reads it from this computer.
    pub(crate) fn of_this_computer() -> Result<Self> {
        let (mut sources, list) = read_sources(Path::new("/etc/apt"));
        if sources.is_empty() && list.is_empty() {
            UPSTREAM.clone_into(&mut sources);
        }
        let variables: BTreeMap<&str, String> = VARIABLES
            .into_iter()
            .filter_map(|key| Some((key, std::env::var(key).ok()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let dump = match crate::command::have("apt-config") {
            true => Run::new("read apt's settings", "apt-config", ["dump"]).output()?,
            false => String::new(),
        };
        let configuration = configuration(&dump, &variables);
        let environment = variables
            .iter()
            .map(|(key, value)| format!("{key}={value}\n"))
            .collect();
        let mut files = BTreeMap::new();
        for line in configuration.lines() {
            let mut words = line.splitn(2, ' ');
            let key = words.next().unwrap_or_default();
            let value = words.next().unwrap_or_default().trim_matches(['"', ';']);
            if (key.ends_with("CaInfo") || key.ends_with("SslCert") || key.ends_with("SslKey"))
                && value.starts_with('/')
            {
                let path = PathBuf::from(value);
                let bytes = std::fs::read(&path).at("read (apt's settings name it)", &path)?;
                files.insert(path, bytes);
            }
        }
        Ok(Self {
            sources,
            list,
            configuration,
            environment,
            certificates: certificates(Path::new("/usr/local/share/ca-certificates"))?,
            files,
        })
    }

    /// Whether a file made of this must be readable by root alone.
    pub(crate) fn secret(text: &str) -> bool {
        text.contains('@')
    }
}

/// Sources of [`SUITE`] that Debian signs, as deb822 stanzas and as one-line entries.
fn read_sources(apt: &Path) -> (String, String) {
    let mut paths = vec![apt.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(apt.join("sources.list.d")) {
        let mut more: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        more.sort();
        paths.extend(more);
    }
    let (mut sources, mut list) = (String::new(), String::new());
    for path in paths {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        match path.extension().and_then(|e| e.to_str()) {
            Some("sources") => text
                .split("\n\n")
                .filter(|s| is_ours_deb822(s))
                .for_each(|s| {
                    let lines: Vec<&str> = s.lines().filter(|l| !l.starts_with('#')).collect();
                    sources.push_str(lines.join("\n").trim());
                    sources.push_str("\n\n");
                }),
            Some("list") => text.lines().filter(|l| is_ours_line(l)).for_each(|l| {
                list.push_str(l.trim());
                list.push('\n');
            }),
            _ => {}
        }
    }
    (sources, list)
}

fn is_ours_suite(suite: &str) -> bool {
    suite == SUITE
        || suite
            .strip_prefix(SUITE)
            .is_some_and(|s| s.starts_with('-'))
}

fn is_ours_deb822(stanza: &str) -> bool {
    let field = |name: &str| {
        stanza.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let enabled = !field("Enabled").is_some_and(|v| v.eq_ignore_ascii_case("no"));
    let binary = field("Types").is_some_and(|v| v.split_whitespace().any(|t| t == "deb"));
    let suite = field("Suites").is_some_and(|v| v.split_whitespace().any(is_ours_suite));
    let debian = field("Signed-By").is_none_or(|v| v.contains("debian-archive-keyring"));
    enabled && binary && suite && debian
}

fn is_ours_line(line: &str) -> bool {
    let mut rest = line.trim();
    let Some(after) = rest.strip_prefix("deb ") else {
        return false;
    };
    rest = after.trim_start();
    if let Some(options) = rest.strip_prefix('[') {
        let Some((options, after)) = options.split_once(']') else {
            return false;
        };
        if options.contains("signed-by=") && !options.contains("debian-archive-keyring") {
            return false;
        }
        rest = after;
    }
    rest.split_whitespace().nth(1).is_some_and(is_ours_suite)
}

fn configuration(dump: &str, variables: &BTreeMap<&str, String>) -> String {
    let mut lines: Vec<String> = dump
        .lines()
        .filter(|l| SETTINGS.iter().any(|s| l.starts_with(s)) && !l.ends_with("\"\";"))
        .map(str::to_owned)
        .collect();
    for (key, setting) in [
        ("http_proxy", "Acquire::http::Proxy"),
        ("https_proxy", "Acquire::https::Proxy"),
    ] {
        let quoted = |value: &String| !value.contains('"');
        if let Some(value) = variables.get(key).filter(|v| quoted(v))
            && !lines.iter().any(|l| l.starts_with(&format!("{setting} ")))
        {
            lines.push(format!("{setting} \"{value}\";"));
        }
    }
    // Compressed lists cost a third of the space and are read as fast; translations serve nobody.
    lines.push("Acquire::GzipIndexes \"true\";".to_owned());
    lines.push("Acquire::Languages \"none\";".to_owned());
    lines.join("\n") + "\n"
}

fn certificates(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(found);
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "crt") {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.insert(name, std::fs::read(&path).at("read", &path)?);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_debians_own_sources_of_the_suite_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        let parts = dir.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(
            dir.path().join("sources.list"),
            "deb http://mirror.test/debian bookworm main\n\
             deb-src http://mirror.test/debian bookworm main\n\
             deb [signed-by=/etc/apt/keyrings/other.gpg] http://other.test bookworm stable\n\
             deb http://tools.test/apt tools-bookworm main\n\
             # deb http://mirror.test/debian bookworm-updates main\n",
        )
        .unwrap();
        std::fs::write(
            parts.join("debian.sources"),
            "Types: deb\n# a remark\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\n\
             Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
             Types: deb\nURIs: http://node.test\nSuites: nodistro\nComponents: main\n",
        )
        .unwrap();
        let (sources, list) = read_sources(dir.path());
        assert_eq!(list, "deb http://mirror.test/debian bookworm main\n");
        assert_eq!(
            sources,
            "Types: deb\nURIs: http://mirror.test/debian-security\nSuites: bookworm-security\n\
             Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        );
    }

    #[test]
    fn proxies_come_from_settings_before_variables() {
        let dump =
            "APT \"\";\nAcquire::http::Proxy \"http://a.test:1\";\nAcquire::https::Proxy \"\";\n";
        let variables = BTreeMap::from([
            ("http_proxy", "http://b.test:2".to_owned()),
            ("https_proxy", "http://c.test:3".to_owned()),
        ]);
        let text = configuration(dump, &variables);
        assert!(text.contains("Acquire::http::Proxy \"http://a.test:1\";"));
        assert!(text.contains("Acquire::https::Proxy \"http://c.test:3\";"));
        assert!(!text.contains("b.test"));
    }
}

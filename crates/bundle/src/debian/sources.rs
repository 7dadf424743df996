//! This computer's Debian package sources, as a private list that also has source packages.
//!
//! Formats: sources.list(5), both the one-line and the deb822 style.

use std::path::Path;

use crate::Error;

/// The release whose `kubernetes` source package is known to build.
const RELEASE: &str = "bookworm";

/// Used where the host names no Debian archive at all.
const FALLBACK: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// One place to get packages from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub uri: String,
    pub suite: String,
    /// Value of `Signed-By`, possibly a whole key over several lines.
    pub signed_by: Option<String>,
}

/// Reads the host's sources and gives the content of a private deb822 list.
pub(crate) fn private_list(etc_apt: &Path) -> Result<String, Error> {
    let mut entries = Vec::new();
    let mut files = vec![etc_apt.join("sources.list")];
    let parts = etc_apt.join("sources.list.d");
    if let Ok(dir) = std::fs::read_dir(&parts) {
        let mut found = dir
            .filter_map(|e| e.ok().map(|e| e.path()))
            .collect::<Vec<_>>();
        found.sort();
        files.extend(found);
    }
    for path in files {
        let kind = path.extension().and_then(|e| e.to_str());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io("read", &path)(e)),
        };
        match kind {
            Some("list") => entries.extend(one_line(&text)),
            Some("sources") => entries.extend(deb822(&text)),
            _ => {}
        }
    }
    Ok(render(&choose(entries)))
}

/// Debian's entries of the wanted release; else the first Debian archive, with that release.
fn choose(entries: Vec<Entry>) -> Vec<Entry> {
    let debian = entries.into_iter().filter(is_debian).collect::<Vec<_>>();
    let mut chosen: Vec<Entry> = Vec::new();
    for entry in &debian {
        let backports = entry.suite.contains("backports");
        if entry.suite.starts_with(RELEASE) && !backports && !chosen.contains(entry) {
            chosen.push(entry.clone());
        }
    }
    if !chosen.iter().any(|e| e.suite == RELEASE) {
        let archive = debian.iter().find(|e| !e.uri.contains("security"));
        chosen.push(Entry {
            uri: archive.map_or(FALLBACK.into(), |e| e.uri.clone()),
            suite: RELEASE.into(),
            signed_by: Some(
                archive
                    .and_then(|e| e.signed_by.clone())
                    .unwrap_or_else(|| KEYRING.into()),
            ),
        });
    }
    chosen
}

/// Third parties' archives use Debian's suite names too: the URI or the key must say Debian.
fn is_debian(entry: &Entry) -> bool {
    let path = entry.uri.trim_end_matches('/');
    let key = entry.signed_by.as_deref().unwrap_or_default();
    key.contains("debian-archive-keyring")
        || (entry.signed_by.is_none()
            && (path.ends_with("/debian") || path.ends_with("/debian-security")))
}

fn render(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let (uri, suite) = (&entry.uri, &entry.suite);
        text.push_str(&format!(
            "Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
        ));
        let key = entry
            .signed_by
            .clone()
            .or_else(|| Path::new(KEYRING).exists().then(|| KEYRING.to_owned()));
        if let Some(key) = key {
            text.push_str(&format!("Signed-By: {key}\n"));
        }
        text.push('\n');
    }
    text
}

fn one_line(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let Some(rest) = line.strip_prefix("deb").filter(|r| !r.starts_with("-src")) else {
            continue;
        };
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            Some((options, rest)) => (options, rest),
            None => ("", rest),
        };
        let mut words = rest.split_whitespace();
        let (Some(uri), Some(suite)) = (words.next(), words.next()) else {
            continue;
        };
        if !words.any(|component| component == "main") {
            continue;
        }
        let signed_by = options.split_whitespace().find_map(|o| {
            o.strip_prefix("signed-by=")
                .or_else(|| o.strip_prefix("Signed-By="))
        });
        entries.push(Entry {
            uri: uri.into(),
            suite: suite.into(),
            signed_by: signed_by.map(str::to_owned),
        });
    }
    entries
}

fn deb822(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            entries.extend(stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    entries
}

fn stanza(fields: &[(String, String)]) -> Vec<Entry> {
    let get = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    let words = |name: &str| get(name).unwrap_or_default().split_whitespace();
    if get("enabled").is_some_and(|v| v.eq_ignore_ascii_case("no"))
        || !words("types").any(|t| t == "deb")
        || !words("components").any(|c| c == "main")
    {
        return Vec::new();
    }
    let mut entries = Vec::new();
    for uri in words("uris") {
        for suite in words("suites") {
            entries.push(Entry {
                uri: uri.into(),
                suite: suite.into(),
                signed_by: get("signed-by").map(str::to_owned),
            });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(files: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sources.list.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        private_list(dir.path()).unwrap()
    }

    #[test]
    fn both_formats_give_the_same_list() {
        let old = list(&[(
            "sources.list",
            "# comment\ndeb [arch=amd64 signed-by=/k/debian-archive-keyring.gpg] http://m/debian bookworm main contrib # x\n\
             deb-src http://m/debian bookworm main\n",
        )]);
        let new = list(&[(
            "sources.list.d/debian.sources",
            "# comment\nTypes: deb\nURIs: http://m/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k/debian-archive-keyring.gpg\n",
        )]);
        assert_eq!(old, new);
        assert_eq!(
            old,
            "Types: deb deb-src\nURIs: http://m/debian\nSuites: bookworm\nComponents: main\nSigned-By: /k/debian-archive-keyring.gpg\n\n"
        );
    }

    #[test]
    fn other_archives_and_disabled_ones_are_left_out() {
        let text = list(&[
            ("sources.list", "deb http://m/debian bookworm main\n"),
            (
                "sources.list.d/x.list",
                "deb https://vendor.example/apt bookworm main\n",
            ),
            (
                "sources.list.d/y.sources",
                "Enabled: no\nTypes: deb\nURIs: http://off/debian\nSuites: bookworm\nComponents: main\n",
            ),
            (
                "sources.list.d/z.list.save",
                "deb http://saved/debian bookworm main\n",
            ),
        ]);
        assert!(text.contains("http://m/debian"), "{text}");
        for other in ["vendor", "off", "saved"] {
            assert!(!text.contains(other), "{text}");
        }
    }

    #[test]
    fn another_release_lends_its_archive_and_no_archive_means_the_public_one() {
        let newer = list(&[("sources.list", "deb http://m/debian trixie main\n")]);
        assert!(
            newer.contains("URIs: http://m/debian\nSuites: bookworm\n"),
            "{newer}"
        );
        assert!(list(&[]).contains(FALLBACK));
    }

    #[test]
    fn a_key_over_several_lines_stays_whole() {
        let text = list(&[(
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://m/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n debian-archive-keyring\n -----END\n",
        )]);
        assert!(
            text.contains("Signed-By: \n -----BEGIN\n .\n debian-archive-keyring\n -----END\n"),
            "{text}"
        );
    }
}

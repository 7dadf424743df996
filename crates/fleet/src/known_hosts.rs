//! Known hosts files, as sshd(8) describes them under SSH_KNOWN_HOSTS FILE FORMAT: plain, wildcard and
//! hashed names, `[host]:port`, negation, `@revoked`. Host certificates (`@cert-authority`) are not used:
//! no certificate algorithm is offered, so a machine shows its plain key.

use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// One usable line of a known hosts file.
struct Line {
    place: String,
    entry: Entry,
}

/// The lines of the files that speak about one host, and all revoked keys.
pub(crate) struct Known {
    keys: Vec<(String, PublicKey)>,
    revoked: Vec<(String, PublicKey)>,
}

/// What the files say about a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the host's key.
    Same,
    /// No file has a key for the host.
    Unknown,
    /// The host has other keys only: the place and fingerprint of the nearest one.
    Changed { place: String, expected: String },
    /// The key is marked as revoked, at this place.
    Revoked { place: String },
}

impl Known {
    /// Reads what `files` say about `host`. A file that doesn't exist says nothing; lines that can't be
    /// read are passed over, as ssh does.
    pub(crate) fn about(host: &str, port: u16, files: &[&Path]) -> std::io::Result<Self> {
        let name = host_name(host, port);
        let mut known = Known {
            keys: Vec::new(),
            revoked: Vec::new(),
        };
        for file in files {
            let text = match std::fs::read(file) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for line in parse(file, &String::from_utf8_lossy(&text)) {
                match line.entry.marker() {
                    None if matches(line.entry.host_patterns(), &name) => known
                        .keys
                        .push((line.place, line.entry.public_key().clone())),
                    Some(Marker::Revoked) if matches(line.entry.host_patterns(), &name) => known
                        .revoked
                        .push((line.place, line.entry.public_key().clone())),
                    _ => {}
                }
            }
        }
        Ok(known)
    }

    /// Judges a key that the host shows.
    pub(crate) fn judge(&self, key: &PublicKey) -> Verdict {
        if let Some(place) = self.revoked(key) {
            return Verdict::Revoked {
                place: place.to_owned(),
            };
        }
        if self.keys.iter().any(|(_, k)| same(k, key)) {
            return Verdict::Same;
        }
        // A key of another kind is a change as well (as in OpenSSH): else whoever sits in between
        // would only have to show a kind that isn't known yet.
        let nearest = self
            .keys
            .iter()
            .find(|(_, k)| k.algorithm() == key.algorithm())
            .or(self.keys.first());
        match nearest {
            Some((place, known)) => Verdict::Changed {
                place: place.clone(),
                expected: fingerprint(known),
            },
            None => Verdict::Unknown,
        }
    }

    /// Where the key is marked as revoked.
    pub(crate) fn revoked(&self, key: &PublicKey) -> Option<&str> {
        self.revoked
            .iter()
            .find(|(_, k)| same(k, key))
            .map(|(place, _)| place.as_str())
    }

    /// The kinds of key that the host is known by, so that they can be asked for first.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        self.keys.iter().map(|(_, key)| key.algorithm()).collect()
    }
}

/// `SHA256:...`, as ssh shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn same(a: &PublicKey, b: &PublicKey) -> bool {
    // Not `a == b`: that compares comments too.
    a.key_data() == b.key_data()
}

/// The name under which a host stands in a file.
fn host_name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

fn parse<'a>(file: &'a Path, text: &'a str) -> impl Iterator<Item = Line> + 'a {
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        // Fields may be separated by any blanks; the parser wants single spaces.
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Line {
            place: format!("{} line {}", file.display(), number + 1),
            entry: line.parse().ok()?,
        })
    })
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            ring::hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                let pattern = pattern.to_ascii_lowercase();
                match pattern.strip_prefix('!') {
                    Some(pattern) if glob(pattern.as_bytes(), name.as_bytes()) => return false,
                    Some(_) => {}
                    None => found |= glob(pattern.as_bytes(), name.as_bytes()),
                }
            }
            found
        }
    }
}

/// `*` and `?` over bytes, without recursion so that no pattern is expensive.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || Some(&c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// Appends a key, unless the file has it by now. Appends whole lines under a lock on the file, so that
/// concurrent runs neither lose nor mix lines.
pub(crate) fn learn(
    file: &Path,
    host: &str,
    port: u16,
    key: &PublicKey,
) -> std::io::Result<Verdict> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut handle = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    // Held until the handle is dropped; others hold it only for the length of one append.
    handle.lock()?;
    let verdict = Known::about(host, port, &[file])?.judge(key);
    if verdict != Verdict::Unknown {
        return Ok(verdict);
    }
    let text = key.to_openssh().map_err(std::io::Error::other)?;
    // Without the comment: it is none of ours.
    let text = text.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
    let mut line = format!("{} {text}\n", host_name(host, port));
    if !ends_with_newline(&mut handle)? {
        line.insert(0, '\n');
    }
    handle.write_all(line.as_bytes())?;
    handle.sync_data()?;
    Ok(Verdict::Same)
}

fn ends_with_newline(file: &mut std::fs::File) -> std::io::Result<bool> {
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(std::io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last == *b"\n")
}

/// The files that a fleet's options name.
pub(crate) fn files<'a>(own: &'a Path, user: Option<&'a Path>) -> Vec<&'a Path> {
    let mut files = vec![own];
    files.extend(user.filter(|user| *user != own));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
    const HASHED: &str = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    fn key(text: &str) -> PublicKey {
        text.parse().expect("a key")
    }

    fn judge(text: &str, host: &str, port: u16, shown: &str) -> Verdict {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("known_hosts");
        std::fs::write(&file, text).expect("a file");
        Known::about(host, port, &[&file])
            .expect("readable")
            .judge(&key(shown))
    }

    #[test]
    fn names_ports_wildcards_negations_and_hashes() {
        for (text, host, port, same) in [
            (format!("a.example {ONE}"), "A.example", 22, true),
            (format!("a.example {ONE}"), "a.example", 23, false),
            (format!("[a.example]:23 {ONE}"), "a.example", 23, true),
            (
                format!("a.example,10.0.0.1\t{ONE} comment # more"),
                "10.0.0.1",
                22,
                true,
            ),
            (format!("*.example,!b.example {ONE}"), "a.example", 22, true),
            (
                format!("*.example,!b.example {ONE}"),
                "b.example",
                22,
                false,
            ),
            (format!("10.0.0.? {ONE}"), "10.0.0.7", 22, true),
            (
                format!("# a.example {ONE}\nrubbish\n"),
                "a.example",
                22,
                false,
            ),
            (
                format!("@cert-authority *.example {ONE}"),
                "a.example",
                22,
                false,
            ),
        ] {
            let expected = if same {
                Verdict::Same
            } else {
                Verdict::Unknown
            };
            assert_eq!(
                judge(&text, host, port, ONE),
                expected,
                "{text} for {host}:{port}"
            );
        }
        let third = HASHED.split_once(' ').expect("two fields").1;
        assert_eq!(judge(HASHED, "example.com", 22, third), Verdict::Same);
        assert_eq!(judge(HASHED, "example.org", 22, third), Verdict::Unknown);
    }

    #[test]
    fn a_changed_key_names_its_line_and_a_revoked_key_wins() {
        let text = format!("# first\n\nhost {ONE}\n");
        let Verdict::Changed { place, expected } = judge(&text, "host", 22, TWO) else {
            panic!("not seen as changed");
        };
        assert!(place.ends_with("known_hosts line 3"), "{place}");
        assert_eq!(expected, fingerprint(&key(ONE)));
        let text = format!("host {ONE}\n@revoked * {ONE}\n");
        assert!(matches!(
            judge(&text, "host", 22, ONE),
            Verdict::Revoked { .. }
        ));
    }

    #[test]
    fn a_key_of_another_kind_is_a_change() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
        assert!(matches!(
            judge(&format!("host {ONE}"), "host", 22, ecdsa),
            Verdict::Changed { .. }
        ));
    }

    #[test]
    fn learning_at_the_same_time_loses_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("new").join("known_hosts");
        std::thread::scope(|scope| {
            for n in 0..16 {
                let file = &file;
                scope.spawn(move || {
                    let host = format!("host{n}");
                    assert_eq!(
                        learn(file, &host, 22, &key(ONE)).expect("learned"),
                        Verdict::Same
                    );
                    assert_eq!(
                        learn(file, &host, 22, &key(ONE)).expect("learned"),
                        Verdict::Same
                    );
                    assert!(matches!(
                        learn(file, &host, 22, &key(TWO)).expect("judged"),
                        Verdict::Changed { .. }
                    ));
                });
            }
        });
        let text = std::fs::read_to_string(&file).expect("readable");
        assert_eq!(text.lines().count(), 16, "{text}");
    }

    #[test]
    fn a_missing_last_newline_is_mended() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("known_hosts");
        std::fs::write(&file, format!("one {ONE}")).expect("a file");
        learn(&file, "two", 2222, &key(TWO)).expect("learned");
        let text = std::fs::read_to_string(&file).expect("readable");
        assert_eq!(text, format!("one {ONE}\n[two]:2222 {TWO}\n"));
    }
}

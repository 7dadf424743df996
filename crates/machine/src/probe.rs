//! One program that reads everything asked for, and the reader of its answer.
//!
//! The answer is framed by lines that begin with a random nonce, so that noise of a login shell or
//! of a tool can't be mistaken for data.

use crate::query::{Answer, Observation, Printed, Query, Stat, Unit};
use crate::shell::{word, words};
use crate::{Facts, HOME, Journal};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The end marker is missing: the program was cut off.
    #[error("the answer of the machine is incomplete ({lines} lines); was the connection cut?")]
    Incomplete {
        /// Lines that did arrive.
        lines: usize,
    },
}

/// Makes the program for a set of queries. `first` also reads facts and journal.
pub fn program(queries: &BTreeSet<Query>, nonce: &str, first: bool) -> String {
    let mut out = String::from(
        "main() {\nexport LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    );
    let _ = writeln!(out, "f() {{ printf '\\n%s %s\\n' {nonce} \"$1\"; }}");
    if first {
        let _ = writeln!(out, "f facts; (\n{}\n)", Facts::program());
        let _ = writeln!(
            out,
            "f journal; [ ! -e {HOME}/journal ] || cat {HOME}/journal"
        );
    }
    let of = |pick: fn(&Query) -> Option<&String>| -> Vec<&String> {
        queries.iter().filter_map(pick).collect()
    };
    batch(
        &mut out,
        "stat",
        of(|q| {
            if let Query::Stat(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| {
            format!(
                "find {w} -maxdepth 0 -printf '%y\\t%m\\t%u\\t%g\\t%s\\t%T@\\t%C@\\t%i\\t%l\\t%p\\n' 2>/dev/null"
            )
        },
    );
    batch(
        &mut out,
        "sha256",
        of(|q| {
            if let Query::Sha256(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| format!("sha256sum -- {w} 2>/dev/null"),
    );
    batch(
        &mut out,
        "package",
        of(|q| {
            if let Query::Package(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| {
            format!(
                "dpkg-query -W -f '${{Package}}\\t${{Version}}\\t${{db:Status-Status}}\\n' -- {w} 2>/dev/null"
            )
        },
    );
    batch(
        &mut out,
        "unit",
        of(|q| {
            if let Query::Unit(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| {
            format!(
                "systemctl show -p Id,Names,LoadState,ActiveState,UnitFileState -- {w} 2>/dev/null"
            )
        },
    );
    batch(
        &mut out,
        "user",
        of(|q| {
            if let Query::User(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| format!("getent passwd {w}"),
    );
    batch(
        &mut out,
        "group",
        of(|q| {
            if let Query::Group(v) = q {
                Some(v)
            } else {
                None
            }
        }),
        |w| format!("getent group {w}"),
    );
    // The shell's own `read` takes one byte at a time, and the kernel gives a number only whole.
    let sysctls: Vec<String> = queries
        .iter()
        .filter_map(|q| match q {
            Query::Sysctl(name) => Some(sysctl_path(name)),
            _ => None,
        })
        .collect();
    batch(&mut out, "sysctl", sysctls.iter().collect(), |w| {
        format!("grep -Hs '' {w}")
    });
    for (index, query) in queries.iter().enumerate() {
        match query {
            Query::Content(path) => {
                let path = word(path);
                let _ = writeln!(
                    out,
                    "if [ -f {path} ]; then f content:{index}; head -c 1048576 {path}; else f none:{index}; fi"
                );
            }
            Query::Command(text) => {
                let _ = writeln!(
                    out,
                    "f command:{index}; (\n{text}\n) 2>/dev/null; r=$?; f exit:{index}:$r"
                );
            }
            _ => {}
        }
    }
    out.push_str("f end\n}\nmain </dev/null\n");
    out
}

fn batch(out: &mut String, tag: &str, keys: Vec<&String>, command: impl Fn(&str) -> String) {
    if !keys.is_empty() {
        let _ = writeln!(out, "f {tag}; {}", command(&words(keys)));
    }
}

/// Reads the program's output and adds it to what is known.
///
/// # Errors
/// [`ProbeError::Incomplete`] when the end marker is missing.
pub fn read(
    output: &str,
    queries: &BTreeSet<Query>,
    nonce: &str,
    into: &mut Observation,
) -> Result<(), ProbeError> {
    let frames = split(output, nonce);
    if !frames.iter().any(|(tag, _)| *tag == "end") {
        return Err(ProbeError::Incomplete {
            lines: output.lines().count(),
        });
    }
    let all: Vec<&Query> = queries.iter().collect();
    let mut found: BTreeMap<&Query, Answer> = BTreeMap::new();
    let at = |index: &str| {
        index
            .parse::<usize>()
            .ok()
            .and_then(|i| all.get(i))
            .copied()
    };
    let mut last = "";
    for (tag, body) in &frames {
        let mut parts = tag.split(':');
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("facts", ..) => into.facts = Facts::parse(body),
            ("journal", ..) => into.journal = Journal::parse(body),
            ("stat", ..) => stats(body, &all, &mut found),
            ("sha256", ..) => pairs(
                body,
                |line| {
                    line.split_once("  ")
                        .map(|(h, p)| (Query::Sha256(p.into()), h))
                },
                &all,
                &mut found,
            ),
            ("package", ..) => packages(body, &all, &mut found),
            ("unit", ..) => units(body, &all, &mut found),
            ("user", ..) => pairs(
                body,
                |l| Some((Query::User(l.split(':').next()?.into()), l)),
                &all,
                &mut found,
            ),
            ("group", ..) => pairs(
                body,
                |l| Some((Query::Group(l.split(':').next()?.into()), l)),
                &all,
                &mut found,
            ),
            ("sysctl", ..) => sysctls(body, &all, &mut found),
            ("content", Some(i), _) => {
                if let Some(q) = at(i) {
                    found.insert(q, Answer::Text(Some((*body).to_owned())));
                }
            }
            ("command", ..) => last = body,
            ("exit", Some(i), Some(code)) => {
                if let Some(q) = at(i) {
                    let printed = Printed {
                        text: last.trim_end_matches('\n').to_owned(),
                        exit: code.parse().unwrap_or(-1),
                    };
                    found.insert(q, Answer::Printed(printed));
                }
            }
            _ => {}
        }
    }
    for query in &all {
        let answer = found.remove(*query).unwrap_or(match query {
            Query::Stat(_) => Answer::Stat(None),
            Query::Unit(_) => Answer::Unit(Unit::default()),
            Query::Command(_) => Answer::Printed(Printed {
                text: String::new(),
                exit: -1,
            }),
            _ => Answer::Text(None),
        });
        into.answers.insert((*query).clone(), answer);
    }
    Ok(())
}

/// Splits at lines `<nonce> <tag>`; each frame line is preceded by a line break of its own, which
/// is not part of the body before it.
fn split<'a>(output: &'a str, nonce: &str) -> Vec<(&'a str, &'a str)> {
    let mut frames = Vec::new();
    let mark = format!("\n{nonce} ");
    let mut rest = output;
    let mut tag: Option<&str> = None;
    while let Some(start) = rest.find(&mark) {
        if let Some(tag) = tag {
            frames.push((tag, &rest[..start]));
        }
        rest = &rest[start + mark.len()..];
        let end = rest.find('\n').unwrap_or(rest.len());
        tag = Some(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    if let Some(tag) = tag {
        frames.push((tag, rest));
    }
    frames
}

fn pairs<'q, 'b>(
    body: &'b str,
    key: impl Fn(&'b str) -> Option<(Query, &'b str)>,
    all: &[&'q Query],
    found: &mut BTreeMap<&'q Query, Answer>,
) {
    for line in body.lines() {
        if let Some((query, value)) = key(line)
            && let Some(asked) = all.iter().find(|q| ***q == query)
        {
            found.insert(asked, Answer::Text(Some(value.to_owned())));
        }
    }
}

/// Where a kernel parameter is a file; a dot that belongs to a name (an interface) is written as `/`.
fn sysctl_path(name: &str) -> String {
    let swap = |c| match c {
        '.' => '/',
        '/' => '.',
        c => c,
    };
    format!("/proc/sys/{}", name.chars().map(swap).collect::<String>())
}

fn sysctls<'q>(body: &str, all: &[&'q Query], found: &mut BTreeMap<&'q Query, Answer>) {
    for query in all {
        let Query::Sysctl(name) = query else { continue };
        let head = format!("{}:", sysctl_path(name));
        // A parameter of several lines becomes one value.
        let words: Vec<&str> = body
            .lines()
            .filter_map(|line| line.strip_prefix(&head))
            .flat_map(str::split_whitespace)
            .collect();
        if !words.is_empty() {
            found.insert(query, Answer::Text(Some(words.join(" "))));
        }
    }
}

fn stats<'q>(body: &str, all: &[&'q Query], found: &mut BTreeMap<&'q Query, Answer>) {
    for line in body.lines() {
        let fields: Vec<&str> = line.splitn(10, '\t').collect();
        let [
            kind,
            mode,
            owner,
            group,
            size,
            mtime,
            ctime,
            inode,
            target,
            path,
        ] = fields[..]
        else {
            continue;
        };
        let stat = Stat {
            kind: kind.chars().next().unwrap_or('?'),
            mode: u32::from_str_radix(mode, 8).unwrap_or(0),
            owner: owner.into(),
            group: group.into(),
            size: size.parse().unwrap_or(0),
            mtime: mtime.into(),
            ctime: ctime.into(),
            inode: inode.parse().unwrap_or(0),
            target: target.into(),
        };
        let query = Query::Stat(path.to_owned());
        if let Some(asked) = all.iter().find(|q| ***q == query) {
            found.insert(asked, Answer::Stat(Some(stat)));
        }
    }
}

fn packages<'q>(body: &str, all: &[&'q Query], found: &mut BTreeMap<&'q Query, Answer>) {
    pairs(
        body,
        |line| {
            let mut fields = line.split('\t');
            let (name, version, status) = (fields.next()?, fields.next()?, fields.next()?);
            (status == "installed").then(|| (Query::Package(name.into()), version))
        },
        all,
        found,
    );
}

fn units<'q>(body: &str, all: &[&'q Query], found: &mut BTreeMap<&'q Query, Answer>) {
    for block in body.split("\n\n") {
        let map: BTreeMap<&str, &str> = block.lines().filter_map(|l| l.split_once('=')).collect();
        let get = |k: &str| map.get(k).copied().unwrap_or_default().to_owned();
        let unit = Unit {
            load: get("LoadState"),
            active: get("ActiveState"),
            file: get("UnitFileState"),
        };
        // A unit may be asked for by an alias, such as `ssh` and `sshd`.
        for name in get("Names").split(' ').chain([get("Id").as_str()]) {
            let query = Query::Unit(name.to_owned());
            if let Some(asked) = all.iter().find(|q| ***q == query) {
                found.insert(asked, Answer::Unit(unit.clone()));
            }
        }
    }
}

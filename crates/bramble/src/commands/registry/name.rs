//! Under which name an image is pushed.

use crate::error::CliError;

/// Longest name of an image without its tag: clients and registries agree on it.
const LONGEST_PATH: usize = 255;
/// Longest tag.
const LONGEST_TAG: usize = 128;

/// Repository and tag: as asked for, or as the image calls itself, without the host.
pub fn place(
    asked: Option<&str>,
    own: Option<&str>,
    hosts: &[String],
) -> Result<(String, String), CliError> {
    let Some(name) = asked.or(own) else {
        return Err(CliError::usage("the image in the file has no name")
            .hint("give it one: bramble registry push FILE.tar web:1"));
    };
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let ours = hosts.iter().any(|host| host == first);
    if asked.is_some() && is_host && !ours {
        return Err(
            CliError::usage(format!("{name}: {first} is another registry"))
                .hint(format!("the router's is {}", hosts.join(", "))),
        );
    }
    let path = if is_host { rest } else { name };
    let (path, tag) = path.rsplit_once(':').unwrap_or((path, "latest"));
    let fault = repository_fault(path).or_else(|| tag_fault(tag));
    match fault {
        None => Ok((path.to_owned(), tag.to_owned())),
        Some(fault) => Err(CliError::usage(format!("{name:?}: {fault}"))
            .hint("write it like this: bramble registry push FILE.tar anna/web:2")),
    }
}

/// Why a registry takes no images of this name (`<name>` in the OCI distribution specification).
fn repository_fault(path: &str) -> Option<String> {
    const RULE: &str = "a name has lower-case letters and digits, in between '.', '_', '__' or '-', and '/' between its parts";
    if path.len() > LONGEST_PATH {
        return Some(format!("the name is longer than {LONGEST_PATH} characters"));
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let known = |c: char| fits(c) || matches!(c, '/' | '.' | '_' | '-');
    if let Some(wrong) = path.chars().find(|c| !known(*c)) {
        return Some(format!("{wrong:?} can't be in an image's name: {RULE}"));
    }
    if path.split('/').any(str::is_empty) {
        return Some(format!("a part of the name is empty: {RULE}"));
    }
    let between =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|b| b == b'-');
    let sound = |part: &str| {
        part.starts_with(fits) && part.ends_with(fits) && part.split(fits).all(between)
    };
    let wrong = path.split('/').find(|part| !sound(part))?;
    Some(format!("{wrong:?} can't be in an image's name: {RULE}"))
}

/// Why this is no tag (`<reference>` in the OCI distribution specification).
fn tag_fault(tag: &str) -> Option<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let sound = tag.len() <= LONGEST_TAG
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || matches!(c, '.' | '-'));
    (!sound).then(|| {
        format!(
            "{tag:?} can't be a tag: a tag has letters, digits, '_', '.' and '-', at most {LONGEST_TAG}, and begins with none of '.' and '-'"
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_image_is_pushed_under_its_name() {
        let hosts = [
            "registry.c.internal:5000".to_owned(),
            "gate:5000".to_owned(),
        ];
        let place = |asked, own| place(asked, own, &hosts).map_err(|e| e.message);
        let is = |path: &str, tag: &str| Ok((path.to_owned(), tag.to_owned()));
        assert_eq!(place(Some("web:1"), Some("x:2")), is("web", "1"));
        assert_eq!(place(Some("anna/web"), None), is("anna/web", "latest"));
        assert_eq!(
            place(Some("gate:5000/anna/web:2"), None),
            is("anna/web", "2")
        );
        assert_eq!(
            place(None, Some("docker.example/anna/web:3")),
            is("anna/web", "3")
        );
        assert_eq!(place(None, Some("web:1")), is("web", "1"));
        assert!(
            place(Some("docker.example/web"), None)
                .unwrap_err()
                .contains("another registry")
        );
        assert!(place(None, None).unwrap_err().contains("no name"));
    }

    #[test]
    fn what_no_registry_takes_is_said_and_an_example_is_given() {
        let hosts = ["gate:5000".to_owned()];
        let wrong = |name: &str| place(Some(name), None, &hosts).unwrap_err();
        for (name, why) in [
            ("Anna/Web:2", "'A' can't be in an image's name"),
            ("web:bad tag", "\"bad tag\" can't be a tag"),
            ("gate:5000/web:", "\"\" can't be a tag"),
            ("web:-1", "can't be a tag"),
            ("web@sha256:0", "'@' can't be in"),
            ("anna//web", "part of the name is empty"),
            ("/web", "part of the name is empty"),
            ("", "part of the name is empty"),
            ("anna/-web", "\"-web\" can't be in"),
            ("anna/we..b", "\"we..b\" can't be in"),
            ("we___b", "can't be in"),
        ] {
            let error = wrong(name);
            assert_eq!(error.kind, crate::error::Kind::Usage, "{name}");
            assert!(error.message.contains(why), "{name}: {}", error.message);
            assert!(error.hints[0].contains("anna/web:2"), "{name}");
        }
        let long = "a".repeat(LONGEST_PATH + 1);
        assert!(wrong(&long).message.contains("longer than"));
        assert!(
            wrong(&format!("web:{}", &long[..LONGEST_TAG + 1]))
                .message
                .contains("at most")
        );
        for right in ["a", "x/a.b_c__d---e/f1:V1.0_x-y", "localhost/web"] {
            assert!(
                place(Some(right), None, &["localhost".into()]).is_ok(),
                "{right}"
            );
        }
    }
}

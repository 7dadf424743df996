//! Who may send webhooks: what they send with them.

use base64::Engine;
use bramble_secret::Secret;

/// The token in an `Authorization` header: a bearer token (RFC 6750), or the password of basic authentication
/// (RFC 7617), which is all that some senders know. Whatever user name they send is ignored.
pub fn token(header: &str) -> Option<Secret> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(rest.trim()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(rest.trim());
    let pair = String::from_utf8(pair.ok()?).ok()?;
    let (_, password) = pair.split_once(':')?;
    Some(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn tokens_are_found_in_both_forms() {
        for (header, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            // x:a:b
            ("Basic eDphOmI=", Some("a:b")),
            // :abc
            ("basic OmFiYw==", Some("abc")),
            // abc
            ("Basic YWJj", None),
            ("Basic !", None),
            ("Digest abc", None),
            ("abc", None),
        ] {
            let found = token(header);
            assert_eq!(found.as_ref().map(|t| t.expose()), expected, "{header}");
        }
    }
}

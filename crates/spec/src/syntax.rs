//! Rules for single values: names, labels, addresses, URLs, versions.

use crate::cluster::{Size, Version};
use base64::Engine as _;
use ipnet::Ipv4Net;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Whether text is a DNS label as Kubernetes wants it (RFC 1123): at most 63 lower-case letters, digits and hyphens, none of
/// these at an end.
pub fn dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

/// A DNS label made from text, if one can be.
pub(crate) fn suggest_label(text: &str) -> Option<String> {
    let made: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(63)
        .collect();
    let made = made.trim_matches('-').to_owned();
    dns_label(&made).then_some(made)
}

/// Whether text is a lower-case DNS name of labels, at most 253 characters.
pub(crate) fn dns_name(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(dns_label)
}

/// Whether text can be a host: an address or a DNS name. `1.2.3` and `1.2.3.999` are neither.
pub(crate) fn host(text: &str) -> bool {
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let like_an_address = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    !like_an_address && dns_name(&text.to_ascii_lowercase())
}

/// Splits `host`, `host:port`, `[v6]:port`, or a bare IPv6 address. `Err` on a bad port.
pub(crate) fn host_port(text: &str) -> Result<(&str, Option<u16>), ()> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(())?;
        if rest.is_empty() {
            return Ok((host, None));
        }
        let port = rest.strip_prefix(':').ok_or(())?;
        return Ok((host, Some(port_number(port).ok_or(())?)));
    }
    match text.matches(':').count() {
        0 => Ok((text, None)),
        1 => {
            let (host, port) = text.split_once(':').ok_or(())?;
            Ok((host, Some(port_number(port).ok_or(())?)))
        }
        _ => Ok((text, None)),
    }
}

fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse::<u16>().ok().filter(|port| digits && *port > 0)
}

/// What is wrong with a URL.
#[derive(Debug, PartialEq)]
pub(crate) enum UrlFault {
    /// Not `http://` or `https://`.
    Scheme,
    /// Host or port.
    Host,
    /// Holds a user or password.
    Credentials,
    /// Spaces, quotes or control characters.
    Characters,
}

/// Checks an `http://` or `https://` URL.
pub(crate) fn url(text: &str) -> Result<(), UrlFault> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
        .ok_or(UrlFault::Scheme)?;
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"\"'\\`<>".contains(c);
    if !rest.chars().all(plain) {
        return Err(UrlFault::Characters);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlFault::Credentials);
    }
    let bare_v6 = !authority.starts_with('[') && authority.matches(':').count() > 1;
    match host_port(authority) {
        Ok((name, _)) if !bare_v6 && host(name) => Ok(()),
        _ => Err(UrlFault::Host),
    }
}

/// A hardware address in lower case with colons.
pub(crate) fn mac(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split([':', '-']).collect();
    let pairs = parts
        .iter()
        .all(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
    (parts.len() == 6 && pairs).then(|| parts.join(":").to_lowercase())
}

/// Whether a normalized hardware address can belong to one interface.
pub(crate) fn mac_is_unicast(mac: &str) -> bool {
    let first = u8::from_str_radix(mac.get(..2).unwrap_or_default(), 16).unwrap_or(1);
    first & 1 == 0 && mac != "00:00:00:00:00:00"
}

/// Whether text is a fingerprint as `ssh-keygen -l` shows it.
pub(crate) fn fingerprint(text: &str) -> bool {
    text.strip_prefix("SHA256:").is_some_and(|hash| {
        base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(hash.trim_end_matches('='))
            .is_ok_and(|bytes| bytes.len() == 32)
    })
}

/// Whether a word is the type of a public key.
pub(crate) fn public_key_type(word: &str) -> bool {
    const TYPES: [&str; 6] = [
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-",
    ];
    TYPES
        .iter()
        .any(|t| word == *t || *t == "sk-" && word.starts_with(t))
}

/// Whether text is a line of an authorized_keys file: options, type, base64, comment.
pub(crate) fn public_key(text: &str) -> bool {
    if text.chars().any(char::is_control) {
        return false;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let [kind, blob] = pair else { return false };
        // The blob repeats the type: length (32 bits, big-endian), then its name (RFC 4253 6.6).
        public_key_type(kind)
            && base64::engine::general_purpose::STANDARD
                .decode(blob)
                .is_ok_and(|bytes| {
                    bytes.len() > 4 + kind.len()
                        && bytes[..4] == (kind.len() as u32).to_be_bytes()
                        && bytes[4..].starts_with(kind.as_bytes())
                })
    })
}

/// Whether text is a login or group name that Debian's tools accept.
pub(crate) fn user_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=32).contains(&bytes.len())
        && (bytes[0].is_ascii_lowercase() || bytes[0] == b'_')
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// Whether text can be a login name of SSH: wider than ours, but never an option or a shell word.
pub(crate) fn login(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// The part of a label or taint key, or a label value: letters, digits, `-_.`, at most 63.
fn label_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether text is a key of a label, annotation or taint: `[prefix/]name`.
pub(crate) fn label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => dns_name(prefix) && label_word(name),
        None => label_word(text),
    }
}

/// Whether text is a value of a label or taint.
pub(crate) fn label_value(text: &str) -> bool {
    text.is_empty() || label_word(text)
}

/// What is wrong with a version.
#[derive(Debug, PartialEq)]
pub(crate) enum VersionFault {
    /// Not three numbers.
    Form,
    /// `v1.34` without a patch.
    NoPatch(String),
    /// Not between the supported ones.
    Unsupported,
}

/// Oldest and newest minor of Kubernetes 1 that Bramble knows.
pub(crate) const MINORS: std::ops::RangeInclusive<u16> = 20..=37;

/// Reads `v1.34.2` or `1.34.2`.
pub(crate) fn version(text: &str) -> Result<Version, VersionFault> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let numbers: Option<Vec<u16>> = bare
        .split('.')
        .map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let canonical = part == "0" || !part.starts_with('0');
            part.parse().ok().filter(|_| digits && canonical)
        })
        .collect();
    match numbers.as_deref() {
        Some([major, minor, patch]) => {
            let version = Version {
                major: *major,
                minor: *minor,
                patch: *patch,
            };
            if *major == 1 && MINORS.contains(minor) {
                Ok(version)
            } else {
                Err(VersionFault::Unsupported)
            }
        }
        Some([major, minor]) => Err(VersionFault::NoPatch(format!("v{major}.{minor}.0"))),
        _ => Err(VersionFault::Form),
    }
}

/// Whether text looks like a name of the IANA time zone database.
pub(crate) fn zone(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    parts.len() <= 3
        && text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && parts.iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
        })
}

/// Whether text names a step: `base` or `router/dhcp`.
pub(crate) fn step(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    match text.split_once('/') {
        Some((first, second)) => word(first) && word(second),
        None => word(text),
    }
}

/// Whether some addresses of a range belong to somebody on the internet.
pub(crate) fn public(range: Ipv4Net) -> bool {
    // Private ones (RFC 1918), shared ones (RFC 6598), and those for benchmarks and examples, which
    // nobody has (RFC 2544, 5737).
    const NOBODYS: [([u8; 4], u8); 8] = [
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([100, 64, 0, 0], 10),
        ([198, 18, 0, 0], 15),
        ([192, 0, 2, 0], 24),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
    ];
    let inside = |(octets, prefix): &([u8; 4], u8)| {
        Ipv4Net::new_assert(Ipv4Addr::from(*octets), *prefix).contains(&range)
    };
    !NOBODYS.iter().any(inside)
}

/// Why an address can't be one of a machine, in words; `None` if it can.
pub(crate) fn unusable(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("means \"any address\"");
    }
    if address.is_loopback() {
        return Some("is the machine's own loopback address");
    }
    if address.is_multicast() {
        return Some("is a multicast address");
    }
    match address {
        IpAddr::V4(v4) if v4 == Ipv4Addr::BROADCAST => Some("is the broadcast address"),
        IpAddr::V4(v4) if v4.is_link_local() => Some("is link-local and changes at will"),
        IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240 => Some("is reserved"),
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Some("is link-local, valid on one link only")
        }
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => {
            Some("is an IPv4 address in IPv6 clothes")
        }
        _ => None,
    }
}

/// A length of time: `90s`, `5m`, `1h`, `7d`.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86400)];
    with_unit(text, &UNITS).map(Duration::from_secs)
}

/// A number of bytes: `64Ki`, `10Mi`, `1Gi`.
pub(crate) fn size(text: &str) -> Option<Size> {
    const UNITS: [(&str, u64); 3] = [("Ki", 1 << 10), ("Mi", 1 << 20), ("Gi", 1 << 30)];
    with_unit(text, &UNITS).map(Size::of)
}

/// A whole number above 0 times the unit that stands after it.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*factor).filter(|all| *all > 0)
}

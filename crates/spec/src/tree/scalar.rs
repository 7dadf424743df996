//! Types of plain scalars by YAML 1.2's core schema.

use super::Data;

/// Whether text without quotes is read as that text, and not as a number, truth or nothing.
pub(crate) fn is_plain_text(text: &str) -> bool {
    matches!(plain(text), Data::Text(_))
}

/// Types plain text by YAML 1.2's core schema.
pub(super) fn plain(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Data::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Data::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if let Some(hex) = text.strip_prefix("0x")
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
        && let Ok(number) = i64::from_str_radix(hex, 16)
    {
        return Data::Int(number);
    }
    if let Some(octal) = text.strip_prefix("0o")
        && octal.bytes().all(|b| b.is_ascii_digit())
        && let Ok(number) = i64::from_str_radix(octal, 8)
    {
        return Data::Int(number);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return match text.parse() {
            Ok(number) => Data::Int(number),
            Err(_) => Data::Float(text.parse().unwrap_or(f64::NAN)),
        };
    }
    let begins = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let only = digits
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    if begins
        && only
        && let Ok(number) = text.parse()
    {
        return Data::Float(number);
    }
    Data::Text(text.to_owned())
}

//! Texts of settings, right and wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod console;
mod garbage;
mod text;

/// A text that is right. The certificate is any sequence in DER form.
pub const GOOD: &str = "\
# A button of Bramble.
id = dash01
handler = bramble
key = 000102030405060708090A0b0c0d0e0f101112131415161718191a1b1c1d1e1f

wifi = \" My network\"
wifi-password = a password
broker = bramble.home.arpa
password = broker secret
-----BEGIN CERTIFICATE-----
MAMC
AQE=
-----END CERTIFICATE-----
";

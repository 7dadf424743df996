//! A certificate in PEM form (RFC 7468), line by line.

use crate::board::{Authority, CERTIFICATE};
use heapless::Vec;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Whether a line begins a certificate.
pub fn begins(line: &str) -> bool {
    line == BEGIN
}

/// A certificate that is being read.
#[derive(Default)]
pub struct Reading {
    bytes: Vec<u8, CERTIFICATE>,
    bits: u32,
    count: u8,
    padded: bool,
}

impl Reading {
    /// Takes in a line. `Ok(Some)` at the end.
    pub fn line(&mut self, line: &str) -> Result<Option<Authority>, ()> {
        if line == END {
            // A certificate is a sequence (X.690, 8.9).
            let whole = self.bytes.first() == Some(&0x30);
            return match whole {
                true => Ok(Some(Authority(core::mem::take(&mut self.bytes)))),
                false => Err(()),
            };
        }
        line.bytes().try_for_each(|byte| self.digit(byte))?;
        Ok(None)
    }

    /// Takes in a digit of base64 (RFC 4648, 4).
    fn digit(&mut self, byte: u8) -> Result<(), ()> {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                self.padded = true;
                return Ok(());
            }
            _ => return Err(()),
        };
        if self.padded {
            return Err(());
        }
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 6;
        if self.count >= 8 {
            self.count -= 8;
            let next = (self.bits >> self.count) & 0xff;
            // Eight bits, as the mask says.
            self.bytes.push(next as u8).map_err(|_| ())?;
        }
        // At most six bits are left over.
        self.bits &= 0x3f;
        Ok(())
    }
}

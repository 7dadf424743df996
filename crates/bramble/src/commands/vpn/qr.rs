//! A text as a QR code of a terminal's characters.

use crate::error::CliError;
use qrcode::{Color, EcLevel, QrCode};

/// Light modules around a code (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// The code, two rows of modules in each line. With `color` it is black on white whatever the
/// terminal's colors are; without, it is for a terminal that writes light on dark.
pub fn lines(text: &str, color: bool) -> Result<Vec<String>, CliError> {
    // The lowest level of correction: a screen has no stains, and smaller codes fit on more of them.
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|error| {
        CliError::failed(format!("the profile does not fit into a QR code: {error}"))
    })?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let light = |x: usize, y: usize| {
        let inside = |n: usize| (QUIET..QUIET + width).contains(&n);
        !inside(x) || !inside(y) || code[(x - QUIET, y - QUIET)] == Color::Light
    };
    let row = |y: usize| -> String {
        let module = |x| match (light(x, y), y + 1 >= side || light(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        (0..side).map(module).collect()
    };
    let rows = (0..side).step_by(2).map(row);
    Ok(if color {
        rows.map(|row| format!("\x1b[97;40m{row}\x1b[0m")).collect()
    } else {
        rows.collect()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::lines;

    /// What a camera sees on a dark terminal: each character is two modules, each of some pixels.
    fn photographed(lines: &[String]) -> String {
        const SCALE: usize = 4;
        let all: Vec<Vec<char>> = lines.iter().map(|l| l.chars().collect()).collect();
        let (width, height) = (all[0].len() * SCALE, all.len() * 2 * SCALE);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            let module = y / SCALE;
            let light = match all[module / 2][x / SCALE] {
                '█' => true,
                '▀' => module.is_multiple_of(2),
                '▄' => !module.is_multiple_of(2),
                _ => false,
            };
            if light { 255 } else { 0 }
        });
        image.detect_grids()[0].decode().unwrap().1
    }

    #[test]
    fn a_profile_can_be_scanned() {
        let text = "[Interface]\nPrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\nAddress = 10.8.0.2/32\nDNS = 10.77.0.1, ceil.internal\n\n[Peer]\nPublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nPresharedKey = /UwcSPg38hW/D9Y3tcS1FOV0K1wuURMbS0sesJEP5ak=\nEndpoint = vpn.example.org:51820\nAllowedIPs = 10.77.0.0/24, 10.8.0.0/24, 10.244.0.0/16\nPersistentKeepalive = 25\n";
        let code = lines(text, false).unwrap();
        assert_eq!(photographed(&code), text);
        let columns = code[0].chars().count();
        assert!(columns <= 80, "{columns} columns");
    }

    #[test]
    fn colors_go_around_each_line() {
        let (plain, colored) = (lines("x", false).unwrap(), lines("x", true).unwrap());
        assert_eq!(colored[3], format!("\x1b[97;40m{}\x1b[0m", plain[3]));
    }

    #[test]
    fn what_is_too_long_is_an_error() {
        assert!(lines(&"x".repeat(4000), false).is_err());
    }
}

//! Anything may come from a serial port or an old partition.

use crate::GOOD;
use bramble_button_settings::{Console, parse, text};
use proptest::prelude::*;

proptest! {
    #[test]
    fn no_text_makes_it_panic(anything in ".{0,300}") {
        let _ = parse(&anything);
    }

    #[test]
    fn no_block_makes_it_panic(block in prop::collection::vec(any::<u8>(), 0..5000)) {
        if let Some(text) = text(&block) {
            let _ = parse(text);
        }
    }

    /// Near to what is right, where the paths are.
    #[test]
    fn no_changed_byte_makes_it_panic(at in 0..GOOD.len(), byte in any::<u8>(), cut in 0..GOOD.len()) {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(changed) = std::str::from_utf8(&bytes) {
            let _ = parse(changed);
        }
        let _ = parse(&GOOD[..cut]);
        let _ = parse(&GOOD[cut..]);
    }

    #[test]
    fn no_bytes_make_the_console_panic(bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
        let mut console = Console::default();
        for byte in b"settings\n".iter().chain(&bytes) {
            let _ = console.byte(*byte);
        }
    }

    #[test]
    fn lines_and_their_order_are_free(seed in any::<u64>()) {
        let end = GOOD.find("-----B").unwrap();
        let (lines, certificate) = GOOD.split_at(end);
        let mut lines: Vec<&str> = lines.lines().collect();
        let count = lines.len();
        lines.rotate_left(usize::try_from(seed % count as u64).unwrap());
        let text = format!("{certificate}{}\n", lines.join("\r\n"));
        prop_assert_eq!(parse(&text).unwrap(), parse(GOOD).unwrap());
    }
}

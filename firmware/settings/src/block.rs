//! The block of flash that the text is kept in.

/// Bytes of the block: one sector of flash, which is erased as a whole.
pub const BLOCK: usize = 4096;

/// The text in a block: it ends where the erased flash begins (0xFF), at a zero, or with the block. `None` if there is
/// none or it is no text.
pub fn text(block: &[u8]) -> Option<&str> {
    let end = block.iter().position(|byte| matches!(byte, 0 | 0xff));
    let text = core::str::from_utf8(&block[..end.unwrap_or(block.len())]).ok()?;
    (!text.trim().is_empty()).then_some(text)
}

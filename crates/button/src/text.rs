//! Text that comes from elsewhere and may be shown: short, printable, of one byte a character.
//!
//! Printable ASCII alone: the display's fonts have nothing else, and without control characters a message's
//! canonical text (`signed`) can't be read in two ways.

use core::fmt;
use core::str::FromStr;
use heapless::String;

/// One word: 1 to 63 characters of printable ASCII without a space. It may hold characters that mean something to
/// a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String<{ Word::LONGEST }>);

/// Why something is no [`Word`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a word has 1 to {longest} printable ASCII characters and no space", longest = Word::LONGEST)]
pub struct BadWord;

/// A few words: 1 to 64 characters of printable ASCII, not only spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String<{ Text::LONGEST }>);

/// Why something is no [`Text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text has 1 to {longest} printable ASCII characters, not only spaces", longest = Text::LONGEST)]
pub struct BadText;

/// Ends a text that was cut.
pub(crate) const ELLIPSIS: &str = "...";

impl Word {
    /// Characters at most: as many as a DNS label has.
    pub const LONGEST: usize = 63;

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A DNS label as a word.
    pub(crate) fn label(label: &str) -> Self {
        debug_assert!(crate::id::is_dns_label(label));
        Self(label.chars().take(Self::LONGEST).collect())
    }

    /// A text as one word, for a grammar that has only words: spaces become hyphens. A 64th character is cut off.
    pub fn joined(text: &Text) -> Self {
        let characters = text.as_str().chars().take(Self::LONGEST);
        Self(characters.map(|c| if c == ' ' { '-' } else { c }).collect())
    }
}

impl FromStr for Word {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadWord);
        }
        String::try_from(text).map(Self).map_err(|_| BadWord)
    }
}

impl Text {
    /// Characters at most.
    pub const LONGEST: usize = 64;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text of anything: what can't be shown becomes `?`, what is too long ends in `...`, and nothing becomes `?`.
    pub fn lossy(any: &str) -> Self {
        let shown = |c: char| if printable(c) { c } else { '?' };
        let any = any.trim();
        let kept = if any.chars().nth(Self::LONGEST).is_some() {
            Self::LONGEST - ELLIPSIS.len()
        } else {
            Self::LONGEST
        };
        let mut text: String<{ Self::LONGEST }> = any.chars().take(kept).map(shown).collect();
        let end = match (any.is_empty(), kept == Self::LONGEST) {
            (true, _) => "?",
            (_, true) => "",
            (_, false) => ELLIPSIS,
        };
        // `kept` leaves room for it.
        let _ = text.push_str(end);
        Self(text)
    }
}

impl From<&Word> for Text {
    fn from(word: &Word) -> Self {
        Self(word.as_str().chars().collect())
    }
}

impl FromStr for Text {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        if text.trim().is_empty() || !text.chars().all(printable) {
            return Err(BadText);
        }
        String::try_from(text).map(Self).map_err(|_| BadText)
    }
}

fn printable(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

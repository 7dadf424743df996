//! Shell programs built from typed pieces.

use std::fmt;

/// A value as one word of a POSIX shell, always quoted: it can't be split, expanded or un-quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word(String);

/// Quotes a value as one shell word.
pub fn word(value: impl AsRef<str>) -> Word {
    let value = value.as_ref();
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return Word(value.to_owned());
    }
    Word(format!("'{}'", value.replace('\'', r"'\''")))
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Several values as words with blanks between them.
pub fn words<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> String {
    values
        .into_iter()
        .map(|v| word(v).0)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A piece of a shell program. Runs under `set -e`; may hold secrets, so it is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Script(String);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes)", self.0.len())
    }
}

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// A script of the program text itself. Values must already be [`Word`]s.
    pub fn of(text: impl Into<String>) -> Self {
        let mut script = Self(text.into());
        if !script.0.is_empty() && !script.0.ends_with('\n') {
            script.0.push('\n');
        }
        script
    }

    /// Adds a line. Values in it must be [`Word`]s.
    pub fn line(&mut self, line: impl AsRef<str>) -> &mut Self {
        self.0.push_str(line.as_ref());
        self.0.push('\n');
        self
    }

    /// Adds all of another script.
    pub fn extend(&mut self, other: &Script) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    /// Adds a command that writes exactly these bytes to standard output. Text stays readable in
    /// the program; anything else travels as base64.
    pub fn print_bytes(&mut self, bytes: &[u8], redirect: &str) -> &mut Self {
        use base64::Engine;
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => {
                self.line(format!("printf %s {} {redirect}", word(text)))
            }
            _ => {
                let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
                self.line(format!("printf %s {encoded} | base64 -d {redirect}"))
            }
        }
    }

    /// The program text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to run.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(word("/etc/hosts").to_string(), "/etc/hosts");
        assert_eq!(word("").to_string(), "''");
        assert_eq!(word("it's").to_string(), r"'it'\''s'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_sees_the_value(value in "[^\\x00]{0,40}") {
            let out = Command::new("sh")
                .args(["-c", &format!("printf %s {}", word(&value))])
                .output().expect("sh");
            prop_assert_eq!(out.stdout, value.into_bytes());
        }

        #[test]
        fn bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut script = Script::new();
            script.print_bytes(&bytes, "");
            let out = Command::new("sh").args(["-c", script.as_str()]).output().expect("sh");
            prop_assert_eq!(out.stdout, bytes);
        }
    }
}

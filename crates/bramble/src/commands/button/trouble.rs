//! What keeps a simulated button from its broker, in words of its settings.

use bramble_bus::Error;

/// What there is to know of the button to explain it.
pub struct Way {
    /// Its id.
    pub button: String,
    /// Whether it signs, and its password is made from its key.
    pub signs: bool,
}

/// What is in the way, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Way {
    /// Explains an error of the bus.
    pub fn explain(&self, error: &Error) -> Explained {
        let id = &self.button;
        let hint = match error {
            Error::Refused { .. } if self.signs => Some(format!(
                "is {id} registered at the daemon, and is keyFile the key that it told then?"
            )),
            Error::Refused { .. } => {
                Some("user and passwordFile must be those that the broker knows".into())
            }
            Error::Certificate { .. } | Error::File { .. } => {
                error.hint().map(|hint| format!("authority: {hint}"))
            }
            Error::Closed { .. } => error.hint().map(|hint| format!("broker: {hint}")),
            other => other.hint().map(Into::into),
        };
        Explained {
            what: crate::error::chain(error),
            hint,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_explained_by_what_the_button_has() {
        let refused = Error::Refused {
            broker: "mqtts://pi:8883".into(),
            user: "dash01".into(),
            why: "name or password is wrong".into(),
        };
        let hint = |signs| {
            let button = "dash01".into();
            let explained = Way { button, signs }.explain(&refused);
            assert!(explained.what.contains("mqtts://pi:8883 refuses dash01"));
            explained.hint.unwrap_or_default()
        };
        assert!(hint(true).starts_with("is dash01 registered"));
        assert!(hint(false).contains("passwordFile"));
    }
}

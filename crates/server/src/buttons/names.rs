//! What clusters of buttons are called: the handler has the last word.

use bramble_button::{ButtonId, ClusterName, UnixTime};

/// How many names are looked at.
const TRIES: u32 = 1000;

/// The names that a cluster may get, the best first: the one that was proposed, then the same with a number. All of them
/// are DNS labels (RFC 1123) of at most 63 characters.
pub(super) fn candidates(proposal: &ClusterName) -> impl Iterator<Item = String> {
    let proposal = proposal.as_str().to_owned();
    let first = proposal.clone();
    std::iter::once(first).chain((2..=TRIES).map(move |number| {
        let end = format!("-{number}");
        let room = ClusterName::LONGEST - end.len();
        let begin = &proposal[..proposal.len().min(room)];
        format!("{}{end}", begin.trim_end_matches('-'))
    }))
}

/// A proposal for an old button: its own has no date, and comes again the next day. Its id need not be a DNS label.
pub(super) fn proposal(button: &str, at: UnixTime) -> ClusterName {
    let fine = |c: char| c.is_ascii_alphanumeric();
    let label: String = button
        .chars()
        .map(|c| if fine(c) { c.to_ascii_lowercase() } else { '-' })
        .take(ButtonId::LONGEST)
        .collect();
    let id = label.trim_matches('-').parse().unwrap_or_else(|_| {
        // Nothing of the id is left.
        #[expect(clippy::expect_used, reason = "a constant that is an id")]
        "button".parse::<ButtonId>().expect("an id")
    });
    ClusterName::made(&id, at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const NOON: u64 = 1_795_694_400;

    proptest! {
        #[test]
        fn every_name_is_a_label_and_there_are_many(name in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
            let proposal: ClusterName = name.parse().unwrap();
            let names: Vec<String> = candidates(&proposal).collect();
            prop_assert_eq!(&names[0], &name);
            for name in &names {
                prop_assert!(name.parse::<ClusterName>().is_ok(), "{}", name);
            }
            let different: HashSet<&String> = names.iter().collect();
            // A long one that ends in a number may come to itself.
            prop_assert!(different.len() + 1 >= names.len());
        }

        #[test]
        fn any_old_button_gets_a_name_with_its_date(id in "[!-~]{1,63}", day in 0_u64..10_000) {
            let at = UnixTime::new(NOON + day * 86_400).unwrap();
            let name = proposal(&id, at);
            prop_assert!(name.as_str().parse::<ClusterName>().is_ok());
            let next = UnixTime::new(at.seconds() + 86_400).unwrap();
            prop_assert_ne!(name, proposal(&id, next));
        }
    }

    #[test]
    fn an_old_button_s_name_is_still_to_be_seen() {
        let name = proposal("Dash01", UnixTime::new(NOON).unwrap());
        assert_eq!(name.as_str(), "dash01-20261126-120000");
    }
}

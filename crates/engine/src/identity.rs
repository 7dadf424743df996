//! Which cluster machines belong to, by their own records. Pure.
//!
//! A name alone does not tell two clusters apart: everybody's is called `home`. So the first run gives
//! a cluster a random id as well, which every machine that joins later writes into its record.

use crate::plan::Obstacle;
use bramble_machine::Observation;
use bramble_machine::journal::Identity;
use std::collections::BTreeMap;

/// The id that the cluster of this name has on these machines; `None` if none of them has one yet. The
/// record of `anchor` decides, then the id that most machines have.
pub fn id<'a>(
    name: &str,
    anchor: Option<&str>,
    seen: &'a BTreeMap<String, Observation>,
) -> Option<&'a str> {
    let of = |seen: &'a Observation| {
        let own = seen.journal.cluster.as_ref().filter(|c| c.name == name)?;
        Some(own.id.as_str())
    };
    if let Some(id) = anchor.and_then(|anchor| of(seen.get(anchor)?)) {
        return Some(id);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in seen.values().filter_map(of) {
        *counts.entry(id).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(id, _)| id)
}

/// A random id.
pub fn fresh() -> String {
    crate::nonce().trim_start_matches('@').to_owned()
}

/// What is in the way of changing a machine that belongs to another cluster.
pub fn foreign(cluster: &Identity, machine: &str, seen: &Observation) -> Option<Obstacle> {
    let other = seen.journal.cluster.as_ref().filter(|c| *c != cluster)?;
    let (message, hint) = if other.name == cluster.name {
        (
            format!(
                "it belongs to another cluster that is called {:?} too",
                other.name
            ),
            "take it out of that cluster with the file that names its other machines: bramble down"
                .to_owned(),
        )
    } else {
        (
            format!("it belongs to the cluster {:?}", other.name),
            format!(
                "take it out of {:?} first: `bramble down` with that cluster's file",
                other.name
            ),
        )
    };
    Some(Obstacle {
        machine: machine.to_owned(),
        message,
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machines(of: &[(&str, &str, &str)]) -> BTreeMap<String, Observation> {
        let mut out = BTreeMap::new();
        for (machine, name, id) in of {
            let mut seen = Observation::default();
            seen.journal.cluster = Some(Identity {
                name: (*name).into(),
                id: (*id).into(),
            });
            out.insert((*machine).to_owned(), seen);
        }
        out.insert("bare".into(), Observation::default());
        out
    }

    #[test]
    fn the_anchor_decides_then_most() {
        let seen = machines(&[
            ("a", "home", "1"),
            ("b", "home", "2"),
            ("c", "home", "2"),
            ("d", "lab", "3"),
        ]);
        assert_eq!(id("home", Some("a"), &seen), Some("1"));
        assert_eq!(id("home", Some("bare"), &seen), Some("2"));
        assert_eq!(id("home", Some("d"), &seen), Some("2"));
        assert_eq!(id("lab", None, &seen), Some("3"));
        assert_eq!(id("new", None, &seen), None);
    }

    #[test]
    fn machines_of_a_namesake_are_foreign() {
        let seen = machines(&[("a", "home", "1"), ("b", "home", "2"), ("d", "lab", "1")]);
        let own = Identity {
            name: "home".into(),
            id: "1".into(),
        };
        let why = |machine: &str| foreign(&own, machine, &seen[machine]).map(|o| o.message);
        assert_eq!(why("a"), None);
        assert_eq!(why("bare"), None);
        assert!(
            why("b").is_some_and(|w| w.contains("another cluster that is called \"home\" too"))
        );
        assert!(why("d").is_some_and(|w| w.contains("the cluster \"lab\"")));
    }
}

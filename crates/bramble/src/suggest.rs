//! "Did you mean": the known word that looks most like a mistyped one.

/// The closest of the known words, if one is close enough to be meant.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|k| {
            (
                strsim::damerau_levenshtein(&word, &k.to_lowercase()),
                strsim::jaro_winkler(&word, &k.to_lowercase()),
                k,
            )
        })
        // A third of the letters may be wrong, at least one.
        .filter(|(distance, _, k)| *distance <= (k.chars().count() / 3).max(1))
        .min_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)))
        .map(|(_, _, k)| k)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn mistyped_names_are_found_and_others_are_not() {
        let known = ["one", "two", "three", "worker-12"];
        for (word, expected) in [
            ("tow", Some("two")),
            ("Three", Some("three")),
            ("thre", Some("three")),
            ("worker-13", Some("worker-12")),
            ("gateway", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), expected, "{word}");
        }
    }
}

//! Words with wildcards, as rules have them.

/// Whether a word fits a pattern: `*` stands for any characters, `?` for one; the case of ASCII letters doesn't
/// count, because senders don't agree on it (`pod`, `Pod`).
pub fn fits(pattern: &str, word: &str) -> bool {
    let (mut pattern, mut word) = (pattern, word);
    // Behind the last `*`, and what of the word is tried against it next.
    let mut again: Option<(&str, &str)> = None;
    loop {
        let (wanted, rest) = first(pattern);
        let (found, tail) = first(word);
        match (wanted, found) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern = rest;
                again = Some((pattern, word));
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '?' || wanted.eq_ignore_ascii_case(&found) => {
                (pattern, word) = (rest, tail);
                continue;
            }
            _ => {}
        }
        match again {
            Some((behind, from)) if !from.is_empty() => {
                let (_, from) = first(from);
                again = Some((behind, from));
                (pattern, word) = (behind, from);
            }
            _ => return false,
        }
    }
}

fn first(text: &str) -> (Option<char>, &str) {
    let mut chars = text.chars();
    let first = chars.next();
    (first, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::fits;
    use proptest::prelude::*;

    #[test]
    fn wildcards_stand_for_what_they_should() {
        for (pattern, word, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("Pod", "pod", true),
            ("kube-*", "kube-system", true),
            ("kube-*", "kube", false),
            ("*BackOff", "CrashLoopBackOff", true),
            ("*ab", "aab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("?x", "éx", true),
            ("??", "é", false),
        ] {
            assert_eq!(fits(pattern, word), expected, "{pattern} {word}");
        }
    }

    /// The definition, without a thought for speed.
    fn slow(pattern: &[char], word: &[char]) -> bool {
        match pattern {
            [] => word.is_empty(),
            ['*', rest @ ..] => (0..=word.len()).any(|n| slow(rest, &word[n..])),
            [wanted, rest @ ..] => {
                word.first().is_some_and(|c| *wanted == '?' || wanted == c)
                    && slow(rest, &word[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_definition(pattern in "[ab*?]{0,8}", word in "[ab]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &word), slow(&chars(&pattern), &chars(&word)));
        }
    }
}

//! Names of buttons and clusters.

use bramble_button::{ButtonId, ClusterName, Text, UnixTime, Word};
use proptest::prelude::*;

fn made(id: &str, seconds: u64) -> ClusterName {
    ClusterName::made(&id.parse().unwrap(), UnixTime::new(seconds).unwrap())
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn ids() -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?"
}

fn times() -> impl Strategy<Value = u64> {
    UnixTime::FIRST.seconds()..=UnixTime::LAST.seconds()
}

#[test]
fn a_name_has_the_id_the_day_and_the_time() {
    assert_eq!(
        made("dash01", 1_795_694_399).as_str(),
        "dash01-20261126-115959"
    );
    assert_eq!(made("d", 1_709_164_800).as_str(), "d-20240229-000000");
}

#[test]
fn what_is_no_id_is_refused() {
    for id in [
        "",
        "-a",
        "a-",
        "Dash01",
        "a b",
        "a/b",
        "a+",
        "#",
        "ä",
        &"a".repeat(41),
    ] {
        assert!(id.parse::<ButtonId>().is_err(), "{id}");
    }
    assert!("a".repeat(40).parse::<ButtonId>().is_ok());
}

#[test]
fn a_clock_that_is_not_set_is_no_time() {
    for seconds in [0, 1_704_067_199, 4_102_444_800, u64::MAX] {
        assert_eq!(UnixTime::new(seconds), None);
    }
}

#[test]
fn text_of_anything_can_be_shown() {
    assert_eq!(
        Text::lossy("no disk\non node ü").as_str(),
        "no disk?on node ?"
    );
    assert_eq!(Text::lossy(" ").as_str(), "?");
    assert_eq!(Text::lossy(&"x".repeat(64)).as_str(), "x".repeat(64));
    let cut = Text::lossy(&"x".repeat(65));
    assert_eq!(cut.as_str(), format!("{}...", "x".repeat(61)));
    assert_eq!(Word::joined(&Text::lossy("no disk")).as_str(), "no-disk");
}

proptest! {
    #[test]
    fn every_name_is_a_dns_label(id in ids(), at in times()) {
        let name = made(&id, at);
        prop_assert!(is_label(name.as_str()), "{name}");
        prop_assert_eq!(name.as_str().parse::<ClusterName>(), Ok(name.clone()));
    }

    #[test]
    fn no_two_seconds_have_one_name(id in ids(), a in times(), b in times()) {
        prop_assert_eq!(made(&id, a) == made(&id, b), a == b);
    }

    #[test]
    fn a_day_later_the_name_is_another(id in ids(), at in times()) {
        prop_assume!(at + 86_400 <= UnixTime::LAST.seconds());
        prop_assert_ne!(made(&id, at), made(&id, at + 86_400));
    }

    #[test]
    fn dates_are_those_of_the_calendar(at in times()) {
        let zoned = jiff::Timestamp::from_second(at as i64).unwrap();
        let expected = zoned.strftime("d-%Y%m%d-%H%M%S").to_string();
        prop_assert_eq!(made("d", at).to_string(), expected);
    }

    #[test]
    fn ids_are_dns_labels_of_40_characters_and_nothing_else_is(text in "[a-z0-9A-Z._ -]{0,45}") {
        prop_assert_eq!(text.parse::<ButtonId>().is_ok(), is_label(&text) && text.len() <= 40);
    }

    #[test]
    fn lossy_text_is_always_text(any in ".*") {
        let text = Text::lossy(&any);
        prop_assert_eq!(text.as_str().parse::<Text>(), Ok(text.clone()));
        prop_assert!(Word::joined(&text).as_str().parse::<Word>().is_ok());
    }
}

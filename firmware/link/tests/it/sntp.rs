use bramble_button_link::sntp::{LENGTH, answer, request};
use proptest::prelude::*;

const COOKIE: u64 = 0x0123_4567_89ab_cdef;
/// 2026-11-26T12:00:00Z.
const NOON: u64 = 1_795_694_400;

/// What a server of stratum 2 answers to that question (RFC 4330, 4).
fn served(question: &[u8], unix: u64) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = 4 << 3 | 4;
    message[1] = 2;
    message[24..32].copy_from_slice(&question[40..48]);
    let seconds = u32::try_from((unix + 2_208_988_800) & 0xffff_ffff).unwrap();
    message[40..44].copy_from_slice(&seconds.to_be_bytes());
    message
}

#[test]
fn a_server_that_answers_the_question_is_believed() {
    let question = request(COOKIE);
    assert_eq!(question[0], 0b00_100_011);
    let served = served(&question, NOON);
    assert_eq!(answer(&served, COOKIE), Some(NOON));
    assert_eq!(
        answer(&[&served[..], b"authentication"].concat(), COOKIE),
        Some(NOON),
        "a longer one"
    );
}

#[test]
fn ntps_next_era_is_known() {
    let after = 2_085_978_496 + 86_400;
    assert_eq!(
        answer(&served(&request(COOKIE), after), COOKIE),
        Some(after)
    );
}

#[test]
fn what_is_no_answer_is_none() {
    let right = served(&request(COOKIE), NOON);
    let changed = |at: usize, to: u8| {
        let mut message = right;
        message[at] = to;
        answer(&message, COOKIE)
    };
    assert_eq!(answer(&right, COOKIE + 1), None, "to another question");
    assert_eq!(changed(0, 4 << 3 | 3), None, "a client's");
    assert_eq!(
        changed(0, 3 << 6 | 4 << 3 | 4),
        None,
        "a clock that isn't set"
    );
    assert_eq!(changed(1, 0), None, "a kiss of death");
    assert_eq!(changed(1, 16), None, "not synchronized");
    assert_eq!(answer(&right[..47], COOKIE), None);
    let mut none = right;
    none[40..48].fill(0);
    assert_eq!(answer(&none, COOKIE), None);
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(message in prop::collection::vec(any::<u8>(), 0..80), cookie in any::<u64>()) {
        let _ = answer(&message, cookie);
    }

    #[test]
    fn a_time_is_told_for_what_it_is(unix in 1_704_067_200u64..5_000_000_000) {
        prop_assert_eq!(answer(&served(&request(COOKIE), unix), COOKIE), Some(unix));
    }
}

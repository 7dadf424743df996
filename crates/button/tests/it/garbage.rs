//! What isn't a message of the handler for this button changes nothing, in any phase.

use crate::device::{Device, KEY, Stage, seed, signed, underway};
use bramble_button::signed::{HANDLER_TOPIC, Key, status_topic};
use bramble_button::{Input, Press, Protocol, Settings, Status};
use proptest::prelude::*;

static STAGES: [Stage; 12] = [
    Stage::Asleep,
    Stage::Logo,
    Stage::Wifi,
    Stage::Clock,
    Stage::Connecting,
    Stage::Pausing,
    Stage::Asking,
    Stage::Confirming,
    Stage::Requesting,
    Stage::Following,
    Stage::Full,
    Stage::Showing,
];

fn topics(settings: &Settings) -> Vec<String> {
    match &settings.protocol {
        Protocol::Seed { topic } => vec![topic.to_string(), "Other".to_owned(), String::new()],
        Protocol::Signed { .. } => vec![
            status_topic(&settings.id).to_string(),
            HANDLER_TOPIC.to_owned(),
            "bramble/v2/dash02/status".to_owned(),
        ],
    }
}

/// Hears the same in every phase and on every topic.
fn changes_nothing(payload: &[u8]) -> Result<(), TestCaseError> {
    for (settings, press) in [
        (seed(), Press::Short),
        (signed(), Press::Short),
        (signed(), Press::Long),
    ] {
        for stage in STAGES {
            let mut device = Device::at(settings.clone(), press, stage);
            let (state, did) = (device.state.clone(), device.did.len());
            for topic in topics(&settings) {
                device.input(Input::Heard {
                    topic: &topic,
                    payload,
                });
                prop_assert_eq!(&device.state, &state, "{:?} {:?} {}", stage, press, topic);
                prop_assert_eq!(device.did.len(), did);
            }
        }
    }
    Ok(())
}

/// Lines that are nearly right: others' senders, unknown verbs, missing arguments, broken times.
fn lines() -> impl Strategy<Value = String> {
    let broken = prop_oneof![
        "(25:00:00|12:34|aa:bb:cc|12.34.56) MyHandler StatusAvailable",
        "12:34:56 (MyHandle|myhandler|MyHandler2|dash01) StatusAvailable",
        "12:34:56 MyHandler (StatusProvisioning|StatusProvisioned|StatusFailed) ?",
        "12:34:56 MyHandler (Status[a-z]{0,9}|GetStatus|ProvisionCluster x|[A-Za-z]{1,9})( [ -~]{0,60})?",
        "12:34:56 MyHandler StatusProvisioned [a-z]{64,200}",
        "12:34:56",
        " *",
    ];
    broken.prop_map(|line: String| line)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes(payload in proptest::collection::vec(any::<u8>(), 0..1000)) {
        changes_nothing(&payload)?;
    }

    #[test]
    fn nearly_lines(payload in lines()) {
        changes_nothing(payload.as_bytes())?;
    }

    #[test]
    fn nearly_json(payload in r#"\{("(v|status|button|re|mac|time)":("[a-z0-9]{0,64}"|[0-9]{1,9}|null|\[|\{)[,}]?){0,9}\}?"#) {
        changes_nothing(payload.as_bytes())?;
    }

    #[test]
    fn messages_with_one_byte_changed(
        stage in prop::sample::select(&STAGES[6..10]), at in any::<prop::sample::Index>(), byte in 1..=255_u8
    ) {
        let press = if stage == Stage::Confirming { Press::Long } else { Press::Short };
        let mut device = Device::at(signed(), press, stage);
        // A later second, so that the right message is news.
        device.wait(1_000);
        let asked = device.requests().pop().unwrap();
        let report = device.unsent(Status::Provisioning(underway(Some(77), Some("pods"))), Some(&asked));
        let original = report.signed(&Key::new(KEY)).unwrap();
        let mut payload = original.clone();
        let at = at.index(payload.len());
        payload[at] ^= byte;
        // The digits of a number in hexadecimal mean the same as capitals.
        prop_assume!(!payload.eq_ignore_ascii_case(&original));
        let state = device.state.clone();
        let topic = status_topic(&device.settings.id);
        device.input(Input::Heard { topic: &topic, payload: &payload });
        prop_assert_eq!(&device.state, &state);
        device.input(Input::Heard { topic: &topic, payload: &original });
        prop_assert_ne!(&device.state, &state);
    }
}

#[test]
fn a_message_for_a_phase_without_a_handler_changes_nothing() {
    for settings in [seed(), signed()] {
        for stage in [
            Stage::Asleep,
            Stage::Logo,
            Stage::Wifi,
            Stage::Clock,
            Stage::Connecting,
            Stage::Pausing,
            Stage::Full,
            Stage::Showing,
        ] {
            let mut device = Device::at(settings.clone(), Press::Short, stage);
            let state = device.state.clone();
            device.says(Status::Available);
            assert_eq!(device.state, state, "{stage:?}");
        }
    }
}

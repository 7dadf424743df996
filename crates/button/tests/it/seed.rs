//! Version 1, as old buttons and old handlers speak it.

use crate::device::{Device, NOON, Stage, ready, seed, underway};
use bramble_button::seed::{LONGEST, Line, Verb};
use bramble_button::{Press, Status, Task, Word};
use proptest::prelude::*;

fn read(text: &str) -> Option<Line> {
    Line::read(text.as_bytes()).ok()
}

fn words() -> impl Strategy<Value = Word> {
    "[!-~]{1,63}".prop_map(|word| word.parse().unwrap())
}

fn verbs() -> impl Strategy<Value = Verb> {
    prop_oneof![
        Just(Verb::GetStatus),
        words().prop_map(Verb::ProvisionCluster),
        Just(Verb::StatusUnavailable),
        Just(Verb::StatusAvailable),
        words().prop_map(Verb::StatusProvisioning),
        words().prop_map(Verb::StatusProvisioned),
        words().prop_map(Verb::StatusFailed),
    ]
}

#[test]
fn lines_as_the_seeds_systems_send_them() {
    let said = [
        ("12:34:56 Dash01 GetStatus", "12:34:56 Dash01 GetStatus"),
        (
            "123456 Dash01 ProvisionCluster dash01-123456",
            "12:34:56 Dash01 ProvisionCluster dash01-123456",
        ),
        (
            "12:34:56 MyHandler StatusAvailable ",
            "12:34:56 MyHandler StatusAvailable",
        ),
        (
            "12:34:56 MyHandler StatusProvisioned 10.0.0.1 10.0.0.2\n",
            "12:34:56 MyHandler StatusProvisioned 10.0.0.1",
        ),
    ];
    for (old, ours) in said {
        assert_eq!(read(old).unwrap().to_string(), ours);
    }
}

#[test]
fn what_a_button_says() {
    let mut device = Device::at(seed(), Press::Short, Stage::Asking);
    device.says(Status::Available);
    let said: Vec<String> = device
        .requests()
        .iter()
        .map(|request| {
            let message = device.settings.message(request).unwrap();
            assert_eq!(message.topic, "DashButton");
            String::from_utf8(message.payload.to_vec()).unwrap()
        })
        .collect();
    assert_eq!(
        said,
        [
            "12:00:00 dash01 GetStatus",
            "12:00:00 dash01 ProvisionCluster dash01-20261126-120000"
        ]
    );
    assert_eq!(NOON % 86_400, 12 * 3_600);
}

#[test]
fn what_a_handler_says() {
    let said = [
        (Status::Unavailable, "StatusUnavailable"),
        (Status::Available, "StatusAvailable"),
        (
            Status::Provisioning(underway(Some(3), None)),
            "StatusProvisioning c1",
        ),
        (ready(), "StatusProvisioned 10.0.0.1:6443"),
        (
            Status::Failed {
                cluster: None,
                reason: "no disk left".parse().unwrap(),
            },
            "StatusFailed no-disk-left",
        ),
        (Status::Removing(underway(None, None)), "StatusUnavailable"),
    ];
    for (status, line) in said {
        assert_eq!(Verb::of(&status).to_string(), line);
    }
    let cluster = "c1".parse().unwrap();
    assert_eq!(
        Verb::of(&Status::Removed { cluster }),
        Verb::StatusAvailable
    );
    assert_eq!(Verb::GetStatus.status(), None);
}

#[test]
fn what_is_not_the_grammar_is_refused() {
    for line in [
        "",
        "12:34:56",
        "12:34:56 MyHandler",
        "24:00:00 MyHandler StatusAvailable",
        "12:60:00 MyHandler StatusAvailable",
        "12-34-56 MyHandler StatusAvailable",
        "1:34:56 MyHandler StatusAvailable",
        "12:34:56 MyHandler statusavailable",
        "12:34:56 MyHandler StatusProvisioning",
        "12:34:56 MyHandler StatusProvisioned \u{e9}",
        "12:34:56 MyHandler Reboot now",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
    let long = format!("12:34:56 {} StatusAvailable", "x".repeat(64));
    assert_eq!(read(&long), None);
    assert!(Line::read(b"12:34:56 MyHandler Status\xffAvailable").is_err());
}

#[test]
fn a_press_while_others_provision_follows_and_asks_for_nothing() {
    let mut device = Device::at(seed(), Press::Short, Stage::Asking);
    device.says(Status::Provisioning(underway(None, None)));
    device.wait(20_000);
    device.says(ready());
    assert!(
        device
            .requests()
            .iter()
            .all(|r| r.ask == bramble_button::Ask::Status)
    );
    let shown = device.screens();
    assert!(!shown.contains(&(
        device.now,
        bramble_button::Screen::Requesting(Task::Provision)
    )));
}

proptest! {
    #[test]
    fn every_line_is_read_as_it_was_written(
        hour in 0..24_u8, minute in 0..60_u8, second in 0..60_u8, sender in words(), verb in verbs()
    ) {
        let time = bramble_button::TimeOfDay::new(hour, minute, second).unwrap();
        let line = Line { time, sender, verb };
        let message = line.message();
        prop_assert!(message.len() <= LONGEST);
        prop_assert_eq!(Line::read(&message), Ok(line.clone()));
        prop_assert_eq!(line.to_string().into_bytes(), message.to_vec());
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Line::read(&bytes);
    }

    #[test]
    fn what_is_read_is_read_again(text in "[0-9:]{6,8} [ -~]{0,40} ?(GetStatus|Status[A-Z][a-z]{5,12}|[A-Z][a-z]{3}) ?[ -~]{0,70}") {
        if let Some(line) = read(&text) {
            prop_assert_eq!(read(&line.to_string()), Some(line));
        }
    }
}

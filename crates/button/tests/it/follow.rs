//! Whole presses: what is asked when, lost connections, removals, messages that aren't believed.

use crate::device::{Device, HANDLER, Stage, failed, ready, seed, signed, underway};
use bramble_button::signed::{Availability, HANDLER_TOPIC, Key, status_topic};
use bramble_button::{Ask, Input, Message, Press, Screen, Status, limits};

fn working_percent(device: &Device) -> u8 {
    match device.screen() {
        Screen::Working { percent, .. } => percent,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_request_and_the_question_for_its_status_are_a_second_apart() {
    let mut device = Device::at(seed(), Press::Short, Stage::Asking);
    device.wait(100);
    device.says(Status::Available);
    let asks: Vec<Ask> = device.requests().into_iter().map(|r| r.ask).collect();
    assert!(matches!(&asks[..], [Ask::Status, Ask::Provision { .. }]));
    device.wait(999);
    assert_eq!(device.requests().len(), 2);
    device.wait(1);
    assert_eq!(device.requests().pop().unwrap().ask, Ask::Status);
}

#[test]
fn a_bar_by_time_in_version_1_never_full_before_success() {
    let mut device = Device::at(seed(), Press::Short, Stage::Following);
    assert_eq!(working_percent(&device), 10);
    device.wait(80_000);
    assert_eq!(working_percent(&device), 54);
    device.wait(80_000);
    assert_eq!(working_percent(&device), 99);
    device.wait(100_000);
    assert_eq!(working_percent(&device), 99);
    device.says(ready());
    assert_eq!(working_percent(&device), 100);
    device.wait(500);
    assert_eq!(device.lines(), ["c1", "10.0.0.1:6443", "is ready."]);
}

#[test]
fn a_bar_by_the_handlers_steps_in_version_2() {
    let mut device = Device::at(signed(), Press::Short, Stage::Asking);
    device.says(Status::Provisioning(underway(Some(0), Some("base"))));
    assert_eq!(working_percent(&device), 10);
    device.wait(200_000);
    device.says(Status::Provisioning(underway(
        Some(50),
        Some("control-plane/init"),
    )));
    assert_eq!(working_percent(&device), 54);
    assert_eq!(device.lines(), ["Provisioning", "c1", "control-plane/init"]);
    // A step that goes back doesn't take the bar with it.
    device.says(Status::Provisioning(underway(Some(20), Some("pods"))));
    assert_eq!(working_percent(&device), 54);
    device.says(Status::Provisioning(underway(Some(100), Some("done"))));
    assert_eq!(working_percent(&device), 99);
}

#[test]
fn following_goes_on_while_steps_come_but_no_longer_than_an_hour() {
    let mut device = Device::at(signed(), Press::Short, Stage::Following);
    let began = device.now;
    for step in 0_u32.. {
        if matches!(device.screen(), Screen::Timeout) {
            break;
        }
        let percent = Some((step % 100) as u8);
        device.says(Status::Provisioning(underway(percent, None)));
        device.wait(100_000);
    }
    let (shown, _) = device.screens().pop().unwrap();
    assert_eq!(shown - began, limits::FOLLOW_LONGEST);
}

#[test]
fn a_run_without_a_new_step_times_out() {
    let mut device = Device::at(signed(), Press::Short, Stage::Following);
    let began = device.now;
    device.wait(250_000);
    for _ in 0..100 {
        device.says(Status::Provisioning(underway(Some(40), None)));
        device.wait(10_000);
    }
    let timeout = device
        .screens()
        .into_iter()
        .find(|(_, screen)| *screen == Screen::Timeout);
    assert_eq!(timeout.unwrap().0 - began, 250_000 + limits::FOLLOW_QUIET);
}

#[test]
fn the_handler_is_asked_again_while_following() {
    let mut device = Device::at(seed(), Press::Short, Stage::Following);
    let before = device.requests().len();
    device.wait(60_000);
    assert_eq!(device.requests().len() - before, 4);
}

#[test]
fn a_lost_connection_is_made_again_and_the_handler_asked() {
    let mut device = Device::at(seed(), Press::Short, Stage::Following);
    device.wait(80_000);
    let before = device.requests().len();
    device.input(Input::BrokerLost);
    device.wait(3_000);
    device.input(Input::BrokerUp);
    assert_eq!(device.requests().len(), before + 1);
    assert_eq!(device.lines(), ["Provisioning", "c1"]);
    assert_eq!(working_percent(&device), 56);
}

#[test]
fn a_connection_that_is_lost_again_and_again_ends_the_wake() {
    let mut device = Device::at(signed(), Press::Short, Stage::Following);
    for _ in 0..limits::RECONNECTS {
        device.input(Input::BrokerLost);
        device.input(Input::BrokerUp);
        assert_eq!(device.lines(), ["Provisioning", "c1"]);
    }
    device.input(Input::BrokerLost);
    assert_eq!(device.lines(), ["MQTT connection", "lost"]);
    assert_eq!(device.sleeps_after(), limits::SHOW_ERROR);
}

#[test]
fn a_removal_is_of_the_cluster_that_was_shown_and_only_after_a_second_press() {
    let mut device = Device::at(signed(), Press::Long, Stage::Confirming);
    let teardown = |device: &Device| {
        device
            .requests()
            .into_iter()
            .find(|request| matches!(request.ask, Ask::Teardown { .. }))
    };
    assert_eq!(teardown(&device), None);
    device.input(Input::Pressed);
    let cluster = "c1".parse().unwrap();
    assert_eq!(teardown(&device).unwrap().ask, Ask::Teardown { cluster });
}

#[test]
fn an_old_report_of_this_wake_is_not_believed_again() {
    let mut device = Device::at(signed(), Press::Short, Stage::Asking);
    let asked = device.requests().pop().unwrap();
    let available = device.report(Status::Available, Some(&asked));
    device.hear(&available);
    device.wait(1_000);
    device.says(Status::Provisioning(underway(Some(1), None)));
    device.hear(&available);
    assert_eq!(device.lines(), ["Provisioning", "c1"]);
}

#[test]
fn a_report_that_comes_late_is_not_believed_even_if_it_answers_the_last_request() {
    let mut device = Device::at(signed(), Press::Short, Stage::Following);
    let asked = device.requests().pop().unwrap();
    let older = device.report(Status::Available, Some(&asked));
    device.wait(1_000);
    device.says(Status::Provisioning(underway(Some(1), None)));
    device.hear(&older);
    assert_eq!(device.lines(), ["Provisioning", "c1"]);
}

#[test]
fn a_report_for_another_wake_button_handler_or_key_is_not_believed() {
    let device = Device::at(signed(), Press::Short, Stage::Asking);
    let asked = device.requests().pop().unwrap();
    let topic = status_topic(&device.settings.id);
    let mut wrong = Vec::new();
    let mut report = device.unsent(Status::Available, None);
    wrong.push(report.signed(&Key::new(crate::device::KEY)).unwrap());
    report.re = Some(bramble_button::Nonce::new([1; 14], 0));
    wrong.push(report.signed(&Key::new(crate::device::KEY)).unwrap());
    report.re = Some(bramble_button::Nonce::new([9; 14], 77));
    wrong.push(report.signed(&Key::new(crate::device::KEY)).unwrap());
    report.re = Some(asked.nonce);
    wrong.push(report.signed(&Key::new([8; 32])).unwrap());
    wrong.push(report.unsigned().unwrap());
    report.handler = "other".parse().unwrap();
    wrong.push(report.signed(&Key::new(crate::device::KEY)).unwrap());
    report.handler = HANDLER.parse().unwrap();
    report.button = "dash02".parse().unwrap();
    wrong.push(report.signed(&Key::new(crate::device::KEY)).unwrap());
    for payload in wrong {
        let mut device = Device::at(signed(), Press::Short, Stage::Asking);
        let before = device.state.clone();
        device.hear(&Message {
            topic: topic.clone(),
            payload,
        });
        assert_eq!(device.state, before);
    }
}

/// What isn't proven changes the words of an error that comes anyway, at the time at which it comes anyway.
fn unanswered(hints: &[Message]) -> Vec<String> {
    let mut device = Device::at(signed(), Press::Short, Stage::Asking);
    for hint in hints {
        device.hear(hint);
        assert_eq!(device.lines(), ["Asking", "the handler"]);
    }
    device.wait(limits::ASK);
    device.lines()
}

fn hints() -> [Message; 3] {
    let device = Device::at(signed(), Press::Short, Stage::Asking);
    let asked = device.requests().pop().unwrap();
    let topic = status_topic(&device.settings.id);
    let will = Availability {
        handler: HANDLER.parse().unwrap(),
        available: false,
    };
    let refused = Status::Refused {
        reason: "unknown button".parse().unwrap(),
    };
    [
        Message {
            topic: HANDLER_TOPIC.chars().collect(),
            payload: will.message().unwrap(),
        },
        device.report(ready(), None),
        Message {
            topic,
            payload: device.unsent(refused, Some(&asked)).unsigned().unwrap(),
        },
    ]
}

#[test]
fn what_is_not_proven_only_chooses_words() {
    let [will, retained, refusal] = hints();
    let unavailable = ["Handler", "unavailable"];
    assert_eq!(unanswered(&[]), unavailable);
    let offline = [&unavailable[..], &["It is offline."]].concat();
    assert_eq!(unanswered(std::slice::from_ref(&will)), offline);
    let last = [&unavailable[..], &["Last known:", "10.0.0.1:6443"]].concat();
    assert_eq!(unanswered(&[retained.clone(), will.clone()]), last);
    let stranger = [&unavailable[..], &["Button not known to it."]].concat();
    assert_eq!(unanswered(&[refusal, retained, will]), stranger);
}

#[test]
fn a_late_answer_to_a_question_from_before_the_request_is_not_its_verdict() {
    let mut device = Device::at(signed(), Press::Short, Stage::Asking);
    device.wait(1_000);
    let asked = device.requests().pop().unwrap();
    device.says(failed());
    assert_eq!(device.lines(), ["Requesting", "K8s cluster"]);
    let late = device.report(failed(), Some(&asked));
    device.hear(&late);
    assert_eq!(device.lines(), ["Requesting", "K8s cluster"]);
}

//! Every arrow of the state table, one row each: from where, what happens, what the display says, when it sleeps.

use crate::device::{Device, NOON, Stage, failed, ready, seed, signed, underway};
use bramble_button::{Failure, Input, Millis, Press, Settings, Status};

enum Event {
    Wait(Millis),
    In(Input<'static>),
    Says(Status),
}
use Event::{In, Says, Wait};

/// What follows: the button goes on, or sleeps after so many milliseconds.
#[derive(Clone, Copy)]
enum Then {
    On,
    Sleeps(Millis),
}
use Then::{On, Sleeps};

struct Arrow(Stage, Event, &'static [&'static str], Then);

fn check(settings: &Settings, press: Press, arrows: Vec<Arrow>) {
    for (at, Arrow(from, event, lines, then)) in arrows.into_iter().enumerate() {
        let mut device = Device::at(settings.clone(), press, from);
        match event {
            Wait(ms) => device.wait(ms),
            In(input) => device.input(input),
            Says(status) => device.says(status),
        }
        let what = format!("arrow {at} from {from:?}, {press:?}");
        assert_eq!(device.lines(), lines, "{what}");
        match then {
            On => assert!(device.connected || device.slept.is_none(), "{what}"),
            Sleeps(held) => {
                assert!(!device.connected && !device.wifi, "{what}: still online");
                assert_eq!(device.sleeps_after(), held, "{what}");
            }
        }
    }
}

fn provisioning() -> Status {
    Status::Provisioning(underway(None, None))
}

fn removing() -> Status {
    Status::Removing(underway(None, None))
}

fn refused() -> Status {
    Status::Refused {
        reason: "not today".parse().unwrap(),
    }
}

fn refused_by_broker() -> Event {
    In(Input::BrokerFailed(Failure::Refused))
}

fn unreachable() -> Event {
    In(Input::BrokerFailed(Failure::Unreachable))
}

/// Rows 1 to 4 of the seed's table: the way to the broker.
fn link() -> Vec<Arrow> {
    let no_wifi: &[&str] = &["WiFi connection", "failed"];
    let no_clock: &[&str] = &["Clock", "not set"];
    let no_broker: &[&str] = &["MQTT connection", "failed"];
    vec![
        Arrow(Stage::Logo, Wait(479), &[], On),
        Arrow(Stage::Logo, Wait(1_080), &["Joining", "Wi-Fi"], On),
        Arrow(
            Stage::Logo,
            In(Input::WifiUp),
            &["Asking", "for the time"],
            On,
        ),
        Arrow(Stage::Logo, Wait(6_099), &["Joining", "Wi-Fi"], On),
        Arrow(Stage::Logo, Wait(6_100), no_wifi, Sleeps(5_000)),
        Arrow(
            Stage::Wifi,
            In(Input::WifiUp),
            &["Asking", "for the time"],
            On,
        ),
        Arrow(
            Stage::Clock,
            In(Input::ClockSet(NOON)),
            &["Connecting", "to the broker"],
            On,
        ),
        Arrow(
            Stage::Clock,
            In(Input::ClockSet(5)),
            &["Asking", "for the time"],
            On,
        ),
        Arrow(Stage::Clock, Wait(9_999), &["Asking", "for the time"], On),
        Arrow(Stage::Clock, Wait(10_000), no_clock, Sleeps(5_000)),
        Arrow(
            Stage::Connecting,
            unreachable(),
            &["Connecting", "to the broker"],
            On,
        ),
        // Three attempts of 5 s that hang, 2 s apart.
        Arrow(
            Stage::Connecting,
            Wait(18_999),
            &["Connecting", "to the broker"],
            On,
        ),
        Arrow(Stage::Connecting, Wait(19_000), no_broker, Sleeps(5_000)),
        Arrow(
            Stage::Connecting,
            refused_by_broker(),
            &["MQTT connection", "refused"],
            Sleeps(5_000),
        ),
        Arrow(
            Stage::Connecting,
            In(Input::BrokerUp),
            &["Asking", "the handler"],
            On,
        ),
        // An attempt that was given up doesn't come back.
        Arrow(
            Stage::Pausing,
            In(Input::BrokerUp),
            &["Connecting", "to the broker"],
            On,
        ),
        Arrow(
            Stage::Pausing,
            refused_by_broker(),
            &["Connecting", "to the broker"],
            On,
        ),
    ]
}

/// Rows 5 to 8 for a short press, alike in both versions.
fn short() -> Vec<Arrow> {
    let unavailable: &[&str] = &["Handler", "unavailable"];
    let requesting: &[&str] = &["Requesting", "K8s cluster"];
    let unconfirmed: &[&str] = &["Can't confirm", "provisioning", "request"];
    let following: &[&str] = &["Provisioning", "c1"];
    let lost: &[&str] = &["Connecting", "to the broker"];
    vec![
        Arrow(Stage::Asking, Wait(2_999), &["Asking", "the handler"], On),
        Arrow(Stage::Asking, Wait(3_000), unavailable, Sleeps(5_000)),
        Arrow(
            Stage::Asking,
            Says(Status::Unavailable),
            &["Asking", "the handler"],
            On,
        ),
        Arrow(Stage::Asking, Says(Status::Available), requesting, On),
        Arrow(Stage::Asking, Says(provisioning()), following, On),
        Arrow(Stage::Asking, In(Input::BrokerLost), lost, On),
        Arrow(Stage::Requesting, Says(Status::Available), requesting, On),
        Arrow(Stage::Requesting, Says(Status::Unavailable), requesting, On),
        Arrow(Stage::Requesting, Wait(4_999), requesting, On),
        Arrow(Stage::Requesting, Wait(5_000), unconfirmed, Sleeps(5_000)),
        Arrow(Stage::Requesting, Says(provisioning()), following, On),
        Arrow(Stage::Requesting, In(Input::BrokerLost), lost, On),
        Arrow(Stage::Following, Says(provisioning()), following, On),
        Arrow(Stage::Following, In(Input::Pressed), following, On),
        Arrow(Stage::Following, In(Input::BrokerLost), lost, On),
        Arrow(Stage::Following, Says(ready()), following, On),
        Arrow(
            Stage::Following,
            Says(Status::Unavailable),
            unavailable,
            Sleeps(5_000),
        ),
        Arrow(
            Stage::Following,
            Says(Status::Available),
            &["Ended,", "result unknown"],
            Sleeps(10_000),
        ),
        Arrow(Stage::Following, Wait(279_999), following, On),
        Arrow(
            Stage::Following,
            Wait(280_000),
            &["Timeout"],
            Sleeps(10_000),
        ),
        Arrow(
            Stage::Full,
            Wait(500),
            &["c1", "10.0.0.1:6443", "is ready."],
            Sleeps(30_000),
        ),
        Arrow(
            Stage::Showing,
            In(Input::BrokerLost),
            &["c1", "10.0.0.1:6443", "is ready."],
            Sleeps(30_000),
        ),
        Arrow(
            Stage::Showing,
            In(Input::Pressed),
            &["c1", "10.0.0.1:6443", "is ready."],
            Sleeps(30_000),
        ),
    ]
}

#[test]
fn every_arrow_of_the_seeds_table() {
    check(&seed(), Press::Short, link());
    check(&seed(), Press::Short, short());
}

#[test]
fn every_arrow_that_both_versions_have() {
    check(&signed(), Press::Short, link());
    check(&signed(), Press::Short, short());
}

#[test]
fn arrows_of_version_1_alone() {
    let asking: &[&str] = &["Asking", "the handler"];
    let name: &[&str] = &["Provisioning failed", "dash01-20261126-120000", "no-disk"];
    let arrows = vec![
        // Others' results.
        Arrow(Stage::Asking, Says(ready()), asking, On),
        Arrow(Stage::Asking, Says(failed()), asking, On),
        Arrow(Stage::Requesting, Says(failed()), name, Sleeps(30_000)),
        Arrow(
            Stage::Following,
            Says(failed()),
            &["Provisioning failed", "c1", "no-disk"],
            Sleeps(30_000),
        ),
    ];
    check(&seed(), Press::Short, arrows);
    let mut device = Device::at(seed(), Press::Long, Stage::Logo);
    assert_eq!(device.lines(), ["Removal needs", "protocol 2"]);
    assert_eq!(device.sleeps_after(), 5_000);
}

#[test]
fn arrows_of_version_2_alone() {
    let failure: &[&str] = &["Provisioning failed", "c1", "no-disk"];
    let refusal: &[&str] = &["Refused", "not today"];
    let removed = || Status::Removed {
        cluster: "c1".parse().unwrap(),
    };
    let requesting: &[&str] = &["Requesting", "K8s cluster"];
    let arrows = vec![
        // The button has a cluster already: it is shown, and no other made.
        Arrow(
            Stage::Asking,
            Says(ready()),
            &["c1", "10.0.0.1:6443", "is ready."],
            Sleeps(30_000),
        ),
        // What failed is tried again.
        Arrow(Stage::Asking, Says(failed()), requesting, On),
        Arrow(Stage::Asking, Says(removed()), requesting, On),
        Arrow(Stage::Asking, Says(removing()), &["Removing", "c1"], On),
        Arrow(Stage::Asking, Says(refused()), refusal, Sleeps(5_000)),
        Arrow(Stage::Requesting, Says(refused()), refusal, Sleeps(5_000)),
        Arrow(Stage::Requesting, Says(removed()), requesting, On),
        Arrow(Stage::Requesting, Says(failed()), failure, Sleeps(30_000)),
        Arrow(Stage::Following, Says(failed()), failure, Sleeps(30_000)),
        Arrow(Stage::Following, Says(refused()), refusal, Sleeps(5_000)),
        Arrow(
            Stage::Following,
            Says(removed()),
            &["Ended,", "result unknown"],
            Sleeps(10_000),
        ),
        Arrow(Stage::Following, Says(removing()), &["Removing", "c1"], On),
    ];
    check(&signed(), Press::Short, arrows);
}

#[test]
fn arrows_of_a_removal() {
    let confirm: &[&str] = &["Remove", "c1", "Press to confirm."];
    let nothing: &[&str] = &["Nothing", "to remove"];
    let requesting: &[&str] = &["Requesting", "removal"];
    let removed = || Status::Removed {
        cluster: "c1".parse().unwrap(),
    };
    let arrows = vec![
        Arrow(Stage::Asking, Says(ready()), confirm, On),
        Arrow(Stage::Asking, Says(failed()), confirm, On),
        Arrow(
            Stage::Asking,
            Says(Status::Available),
            nothing,
            Sleeps(5_000),
        ),
        Arrow(Stage::Asking, Says(removed()), nothing, Sleeps(5_000)),
        Arrow(
            Stage::Asking,
            Says(provisioning()),
            &["Provisioning", "c1"],
            On,
        ),
        Arrow(Stage::Asking, Says(removing()), &["Removing", "c1"], On),
        Arrow(
            Stage::Asking,
            Says(refused()),
            &["Refused", "not today"],
            Sleeps(5_000),
        ),
        Arrow(
            Stage::Asking,
            Wait(3_000),
            &["Handler", "unavailable"],
            Sleeps(5_000),
        ),
        Arrow(Stage::Confirming, Wait(9_999), confirm, On),
        Arrow(
            Stage::Confirming,
            Wait(10_000),
            &["Not confirmed:", "nothing removed"],
            Sleeps(5_000),
        ),
        Arrow(Stage::Confirming, Says(ready()), confirm, On),
        Arrow(
            Stage::Confirming,
            In(Input::BrokerLost),
            &["Connecting", "to the broker"],
            On,
        ),
        Arrow(Stage::Confirming, In(Input::Pressed), requesting, On),
        Arrow(Stage::Requesting, Says(ready()), requesting, On),
        Arrow(
            Stage::Requesting,
            Wait(5_000),
            &["Can't confirm", "removal", "request"],
            Sleeps(5_000),
        ),
        Arrow(Stage::Requesting, Says(removing()), &["Removing", "c1"], On),
        Arrow(Stage::Requesting, Says(removed()), &["Removing", "c1"], On),
        Arrow(
            Stage::Following,
            Says(failed()),
            &["Removal failed", "c1", "no-disk"],
            Sleeps(30_000),
        ),
        Arrow(
            Stage::Full,
            Wait(500),
            &["c1", "is removed."],
            Sleeps(30_000),
        ),
    ];
    check(&signed(), Press::Long, arrows);
}

#[test]
fn a_sleeping_button_hears_nothing_but_a_press() {
    let mut device = Device::at(signed(), Press::Short, Stage::Asleep);
    for input in [
        Input::Pressed,
        Input::WifiUp,
        Input::ClockSet(NOON),
        Input::BrokerUp,
        Input::BrokerLost,
        Input::Timer,
    ] {
        device.input(input);
        assert!(device.state.is_asleep() && device.did.is_empty());
    }
}

#[test]
fn a_clock_that_ran_on_spares_the_wait() {
    let mut device = Device::at(signed(), Press::Short, Stage::Logo);
    device.input(Input::ClockSet(NOON));
    device.input(Input::WifiUp);
    assert_eq!(device.lines(), ["Connecting", "to the broker"]);
}

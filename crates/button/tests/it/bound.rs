//! Whatever happens, a button sleeps within the time that it states.

use crate::device::{Device, NOON, failed, ready, seed, signed, underway};
use bramble_button::{Failure, Input, Millis, Output, Press, Progress, Settings, Status, limits};
use proptest::prelude::*;

/// What the world does to a button.
#[derive(Debug, Clone)]
enum Act {
    Woken(Press),
    Pressed,
    WifiUp,
    ClockSet(u64),
    BrokerUp,
    Failed(Failure),
    Lost,
    Says(Status),
    Bytes(Vec<u8>),
    Timer,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Woken(Press::Short)),
        1 => Just(Act::Woken(Press::Long)),
        1 => Just(Act::Pressed),
        3 => Just(Act::WifiUp),
        3 => Just(Act::ClockSet(NOON)),
        1 => any::<u64>().prop_map(Act::ClockSet),
        6 => Just(Act::BrokerUp),
        1 => Just(Act::Failed(Failure::Unreachable)),
        1 => Just(Act::Failed(Failure::Refused)),
        2 => Just(Act::Lost),
        2 => Just(Act::Says(Status::Available)),
        1 => Just(Act::Says(Status::Unavailable)),
        6 => progress().prop_map(|p| Act::Says(Status::Provisioning(p))),
        2 => progress().prop_map(|p| Act::Says(Status::Removing(p))),
        1 => Just(Act::Says(ready())),
        1 => Just(Act::Says(failed())),
        1 => proptest::collection::vec(any::<u8>(), 0..64).prop_map(Act::Bytes),
        1 => Just(Act::Timer),
    ]
}

fn progress() -> impl Strategy<Value = Progress> {
    (proptest::option::of(0..=100_u8), "[a-z]{1,5}")
        .prop_map(|(percent, step)| underway(percent, Some(&step)))
}

fn act(device: &mut Device, act: &Act) {
    let topic = device.settings.subscriptions()[0].clone();
    match act {
        Act::Woken(press) => device.woken(*press),
        Act::Pressed => device.input(Input::Pressed),
        Act::WifiUp => device.input(Input::WifiUp),
        Act::ClockSet(seconds) => device.input(Input::ClockSet(*seconds)),
        Act::BrokerUp => device.input(Input::BrokerUp),
        Act::Failed(failure) => device.input(Input::BrokerFailed(*failure)),
        Act::Lost => device.input(Input::BrokerLost),
        Act::Says(status) => device.says(status.clone()),
        Act::Bytes(payload) => device.input(Input::Heard {
            topic: &topic,
            payload,
        }),
        Act::Timer => device.input(Input::Timer),
    }
}

/// Does the same things over and over until the button sleeps; how long it was awake.
fn awake(settings: &Settings, press: Press, life: &[(Millis, Act)]) -> Option<Millis> {
    let bound = settings.longest_awake_ms();
    let mut device = Device::new(settings.clone());
    let began = device.now;
    device.woken(press);
    for (pause, next) in life.iter().cycle() {
        device.wait(*pause);
        if let Some(slept) = device.slept {
            return Some(slept - began);
        }
        if device.now - began > bound {
            return None;
        }
        act(&mut device, next);
    }
    Some(device.sleeps_after())
}

fn lives() -> impl Strategy<Value = Vec<(Millis, Act)>> {
    let pauses = prop_oneof![1..50_u64, 50..2_000_u64, 2_000..110_000_u64];
    proptest::collection::vec((pauses, acts()), 1..20)
}

/// A life that reaches the handler, and only then goes its own way.
fn talks() -> impl Strategy<Value = Vec<(Millis, Act)>> {
    lives().prop_map(|mut life| {
        let way = [Act::WifiUp, Act::ClockSet(NOON), Act::BrokerUp];
        life.splice(0..0, way.map(|act| (1, act)));
        life
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_button_always_sleeps_in_time(
        life in prop_oneof![lives(), talks()], press in prop::sample::select(&[Press::Short, Press::Long])
    ) {
        for settings in [seed(), signed()] {
            let slept = awake(&settings, press, &life);
            prop_assert!(slept.is_some_and(|after| after <= settings.longest_awake_ms()), "{slept:?}");
        }
    }

    #[test]
    fn any_average_is_bounded(average_s in any::<u16>()) {
        let settings = Settings { average_s, ..seed() };
        let busy = Act::Says(Status::Provisioning(underway(None, None)));
        let life = [Act::WifiUp, Act::ClockSet(NOON), Act::BrokerUp, busy].map(|act| (900, act));
        let slept = awake(&settings, Press::Short, &life).unwrap();
        prop_assert!(slept <= settings.longest_awake_ms());
        prop_assert!(settings.longest_awake_ms() <= limits::LONGEST_AWAKE);
    }
}

fn sleeps(settings: Settings, world: &[Act]) -> Millis {
    let mut device = Device::new(settings);
    let began = device.now;
    device.woken(Press::Short);
    for next in world {
        act(&mut device, next);
    }
    device.sleeps_after();
    device.slept.unwrap() - began
}

#[test]
fn without_wifi_time_broker_or_handler_it_sleeps_within_seconds() {
    for settings in [seed(), signed()] {
        let sleeps = |world: &[Act]| sleeps(settings.clone(), world);
        let clock = Act::ClockSet(NOON);
        assert_eq!(sleeps(&[]), 6_100 + 5_000);
        assert_eq!(sleeps(&[Act::WifiUp]), 10_000 + 5_000);
        assert_eq!(sleeps(&[Act::WifiUp, clock.clone()]), 19_000 + 5_000);
        assert_eq!(sleeps(&[Act::WifiUp, clock, Act::BrokerUp]), 3_000 + 5_000);
    }
}

#[test]
fn the_bounds_are_what_the_manual_says() {
    assert_eq!(limits::LONGEST_AWAKE, 3_795_600);
    assert_eq!(seed().longest_awake_ms(), 475_600);
}

#[test]
fn a_timer_that_is_early_is_set_again_and_one_that_is_late_is_made_up_for() {
    let mut device = Device::new(signed());
    device.woken(Press::Short);
    device.input(Input::WifiUp);
    device.now += 4_000;
    device.input(Input::Timer);
    assert_eq!(device.did.pop().unwrap().1, Output::Timer(6_000));
    // Nobody served the timer; the next input does.
    device.now += 6_000;
    device.input(Input::Pressed);
    assert_eq!(device.lines(), ["Clock", "not set"]);
}

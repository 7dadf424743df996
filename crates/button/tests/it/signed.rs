//! Version 2: what goes over the wire, and what is believed of it.

use crate::device::{Device, KEY, Stage, ready, signed};
use bramble_button::signed::{
    Availability, Claimed, FRESH_S, Key, Unproven, is_fresh, request_topic, requester, status_topic,
};
use bramble_button::{
    Ask, ButtonId, ClusterName, Nonce, PAYLOAD, Press, Progress, Report, Request, Status, Text,
    UnixTime, Word,
};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

fn key() -> Key {
    Key::new(KEY)
}

fn parsed(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap()
}

/// The signatures were computed with Python's `hmac` over the canonical text that `signed` describes.
#[test]
fn a_request_on_the_wire() {
    let request = Request {
        button: "dash01".parse().unwrap(),
        time: UnixTime::new(1_795_694_400).unwrap(),
        nonce: Nonce::new([9; 14], 1),
        ask: Ask::Provision {
            cluster: "dash01-20261126-120000".parse().unwrap(),
        },
    };
    let expected = json!({
        "v": 2, "button": "dash01", "time": 1_795_694_400_u64,
        "nonce": "09090909090909090909090909090001",
        "request": "provision", "cluster": "dash01-20261126-120000",
        "mac": "76e1a553dc18cefba238f9a08ec178f6a3244ffb3c1e5f363a146d07aff6ebc1",
    });
    assert_eq!(parsed(&request.signed(&key()).unwrap()), expected);
}

#[test]
fn a_report_on_the_wire() {
    let report = Report {
        button: "dash01".parse().unwrap(),
        handler: "MyHandler".parse().unwrap(),
        time: UnixTime::new(1_795_694_401).unwrap(),
        re: Some(Nonce::new([9; 14], 1)),
        status: Status::Provisioning(Progress {
            cluster: "c1".parse().unwrap(),
            percent: Some(40),
            step: Some("control-plane/init".parse().unwrap()),
        }),
    };
    let expected = json!({
        "v": 2, "button": "dash01", "handler": "MyHandler", "time": 1_795_694_401_u64,
        "re": "09090909090909090909090909090001",
        "status": "provisioning", "cluster": "c1", "percent": 40, "step": "control-plane/init",
        "mac": "8bb7191cb75ba5257a0c5c294e19af66ee02d7c681fe810d0edb05140aff3b27",
    });
    assert_eq!(parsed(&report.signed(&key()).unwrap()), expected);
}

#[test]
fn topics() {
    let id: ButtonId = "dash01".parse().unwrap();
    assert_eq!(request_topic(&id), "bramble/v2/dash01/request");
    assert_eq!(status_topic(&id), "bramble/v2/dash01/status");
    assert_eq!(requester("bramble/v2/dash01/request"), Some(id));
    for topic in [
        "bramble/v2/dash01/status",
        "bramble/v2//request",
        "bramble/v2/a/b/request",
        "bramble/v1/dash01/request",
        "DashButton",
    ] {
        assert_eq!(requester(topic), None, "{topic}");
    }
    let subscriptions = signed().subscriptions();
    assert_eq!(
        &subscriptions[..],
        ["bramble/v2/dash01/status", "bramble/v2/handler"]
    );
}

#[test]
fn requests_of_a_wake_have_nonces_and_times_of_their_own() {
    let mut device = Device::at(signed(), Press::Short, Stage::Asking);
    device.says(Status::Available);
    device.wait(4_000);
    let requests = device.requests();
    let mut nonces: Vec<_> = requests
        .iter()
        .map(|request| request.nonce.bytes())
        .collect();
    nonces.dedup();
    assert_eq!(nonces.len(), requests.len());
    let times: Vec<u64> = requests
        .iter()
        .map(|r| r.time.seconds() - crate::device::NOON)
        .collect();
    assert_eq!(times, [0, 0, 1, 2, 3, 4]);
}

#[test]
fn fresh_is_two_minutes_to_either_side() {
    let now = UnixTime::new(crate::device::NOON).unwrap();
    let at =
        |offset: i64| UnixTime::new(now.seconds().checked_add_signed(offset).unwrap()).unwrap();
    let limit = FRESH_S as i64;
    assert!(is_fresh(at(-limit), now) && is_fresh(at(limit), now));
    assert!(!is_fresh(at(-limit - 1), now) && !is_fresh(at(limit + 1), now));
}

#[test]
fn the_password_follows_from_the_key() {
    // Python's `hmac` over the label.
    let expected = "e7d875b2904b40fd4f396791fb64f7536431c7ce0e0d0838b6aa641752ef056d";
    assert_eq!(key().password().expose(), expected);
    assert_ne!(Key::new([8; 32]).password().expose(), expected);
}

#[test]
fn a_key_does_not_show() {
    assert!(format!("{:?}", signed()).contains("Key(***)"));
    assert_eq!(format!("{:?}", key().password()), "Password(***)");
}

#[test]
fn a_last_will_is_read_as_it_was_written() {
    for available in [true, false] {
        let handler = "MyHandler".parse().unwrap();
        let word = Availability { handler, available };
        assert_eq!(Availability::read(&word.message().unwrap()), Some(word));
    }
    assert_eq!(Availability::read(b"offline"), None);
}

fn altered(
    change: impl Fn(&mut serde_json::Map<String, Value>),
) -> Option<Result<Report, Unproven>> {
    let device = Device::at(signed(), Press::Short, Stage::Asking);
    let report = device.unsent(ready(), None);
    let mut fields = parsed(&report.signed(&key()).unwrap());
    change(fields.as_object_mut().unwrap());
    let claimed = Claimed::<Report>::read(fields.to_string().as_bytes())?;
    Some(claimed.proven(&key()))
}

#[test]
fn fields_that_are_missing_unknown_or_out_of_place_make_no_message() {
    let unreadable = |field: &'static str, value: Value| {
        let read = altered(|fields| {
            fields.insert(field.to_owned(), value.clone());
        });
        assert!(read.is_none(), "{field}: {value}");
    };
    unreadable("v", json!(1));
    unreadable("v", json!(300));
    unreadable("extra", json!(1));
    unreadable("percent", json!(5));
    unreadable("reason", json!("why"));
    unreadable("status", json!("rebooting"));
    unreadable("status", json!("available"));
    unreadable("address", json!(null));
    unreadable("address", json!("two words"));
    unreadable("address", json!("a\nb"));
    unreadable("button", json!("Dash01"));
    unreadable("time", json!(0));
    unreadable("time", json!(-1));
    unreadable("re", json!("09"));
    unreadable("mac", json!("zz"));
    for field in [
        "v", "button", "handler", "time", "status", "cluster", "address",
    ] {
        let read = altered(|fields| {
            fields.remove(field);
        });
        assert!(read.is_none(), "without {field}");
    }
    assert!(altered(|_| {}).is_some_and(|read| read.is_ok()));
}

#[test]
fn fields_that_were_changed_are_not_proven() {
    for (field, value) in [
        ("button", json!("dash02")),
        ("handler", json!("other")),
        ("time", json!(crate::device::NOON)),
        ("re", json!("00000000000000000000000000000000")),
        ("cluster", json!("c2")),
        ("address", json!("10.0.0.2")),
        ("mac", json!("0".repeat(64))),
    ] {
        let read = altered(|fields| {
            fields.insert(field.to_owned(), value.clone());
        });
        assert_eq!(read, Some(Err(Unproven::Forged)), "{field}");
    }
    let unsigned = altered(|fields| {
        fields.remove("mac");
    });
    assert_eq!(unsigned, Some(Err(Unproven::Unsigned)));
}

fn ids() -> impl Strategy<Value = ButtonId> {
    "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?".prop_map(|id| id.parse().unwrap())
}

fn words() -> impl Strategy<Value = Word> {
    "[!-~]{1,63}".prop_map(|word| word.parse().unwrap())
}

fn texts() -> impl Strategy<Value = Text> {
    "[ -~]{0,63}[!-~]".prop_map(|text| text.parse().unwrap())
}

fn times() -> impl Strategy<Value = UnixTime> {
    (UnixTime::FIRST.seconds()..=UnixTime::LAST.seconds()).prop_map(|at| UnixTime::new(at).unwrap())
}

fn nonces() -> impl Strategy<Value = Nonce> {
    (any::<[u8; 14]>(), any::<u16>()).prop_map(|(entropy, number)| Nonce::new(entropy, number))
}

fn names() -> impl Strategy<Value = ClusterName> {
    (ids(), times()).prop_map(|(id, at)| ClusterName::made(&id, at))
}

fn requests() -> impl Strategy<Value = Request> {
    let ask = prop_oneof![
        Just(Ask::Status),
        names().prop_map(|cluster| Ask::Provision { cluster }),
        words().prop_map(|cluster| Ask::Teardown { cluster }),
    ];
    (ids(), times(), nonces(), ask).prop_map(|(button, time, nonce, ask)| Request {
        button,
        time,
        nonce,
        ask,
    })
}

fn statuses() -> impl Strategy<Value = Status> {
    let progress = || {
        (words(), option::of(0..=100_u8), option::of(texts())).prop_map(
            |(cluster, percent, step)| Progress {
                cluster,
                percent,
                step,
            },
        )
    };
    prop_oneof![
        Just(Status::Unavailable),
        Just(Status::Available),
        progress().prop_map(Status::Provisioning),
        progress().prop_map(Status::Removing),
        (words(), words()).prop_map(|(cluster, address)| Status::Provisioned {
            cluster: Some(cluster),
            address
        }),
        words().prop_map(|cluster| Status::Removed { cluster }),
        (option::of(words()), texts())
            .prop_map(|(cluster, reason)| Status::Failed { cluster, reason }),
        texts().prop_map(|reason| Status::Refused { reason }),
    ]
}

fn reports() -> impl Strategy<Value = Report> {
    (ids(), words(), times(), option::of(nonces()), statuses()).prop_map(
        |(button, handler, time, re, status)| Report {
            button,
            handler,
            time,
            re,
            status,
        },
    )
}

#[test]
fn the_longest_messages_fit() {
    let longest = |c: &str, length: usize| c.repeat(length);
    let word: Word = longest("\\", Word::LONGEST).parse().unwrap();
    let text: Text = longest("\"", Text::LONGEST).parse().unwrap();
    let button: ButtonId = longest("a", ButtonId::LONGEST).parse().unwrap();
    let underway = Status::Provisioning(Progress {
        cluster: word.clone(),
        percent: Some(100),
        step: Some(text.clone()),
    });
    let provisioned = Status::Provisioned {
        cluster: Some(word.clone()),
        address: word.clone(),
    };
    let failed = Status::Failed {
        cluster: Some(word.clone()),
        reason: text,
    };
    let mut most = 0;
    for status in [underway, provisioned, failed] {
        let report = Report {
            button: button.clone(),
            handler: word.clone(),
            time: UnixTime::LAST,
            re: Some(Nonce::new([255; 14], u16::MAX)),
            status,
        };
        let payload = report.signed(&key()).unwrap();
        most = most.max(payload.len());
        let read = Claimed::<Report>::read(&payload).unwrap();
        assert_eq!(read.proven(&key()), Ok(report));
    }
    assert!(most == 644 && most <= PAYLOAD, "{most}");
}

proptest! {
    #[test]
    fn a_request_is_read_as_it_was_signed(request in requests(), other in any::<[u8; 32]>()) {
        let payload = request.signed(&key()).unwrap();
        let claimed = Claimed::<Request>::read(&payload).unwrap();
        prop_assert_eq!(claimed.unproven(), &request);
        prop_assert_eq!(claimed.clone().proven(&Key::new(other)), Err(Unproven::Forged));
        prop_assert_eq!(claimed.proven(&key()), Ok(request));
    }

    #[test]
    fn a_report_is_read_as_it_was_signed(report in reports()) {
        let payload = report.signed(&key()).unwrap();
        let read = Claimed::<Report>::read(&payload).unwrap();
        prop_assert_eq!(read.proven(&key()), Ok(report.clone()));
        let unsigned = Claimed::<Report>::read(&report.unsigned().unwrap()).unwrap();
        prop_assert_eq!(unsigned.unproven(), &report);
        prop_assert_eq!(unsigned.proven(&key()), Err(Unproven::Unsigned));
    }

    #[test]
    fn two_reports_never_have_one_signature(a in reports(), b in reports()) {
        let mac = |report: &Report| parsed(&report.signed(&key()).unwrap())["mac"].clone();
        prop_assert_eq!(mac(&a) == mac(&b), a == b);
    }

    #[test]
    fn no_bytes_break_the_parsers(bytes in proptest::collection::vec(any::<u8>(), 0..1200)) {
        prop_assert!(Claimed::<Report>::read(&bytes).is_none());
        prop_assert!(Claimed::<Request>::read(&bytes).is_none());
        prop_assert!(Availability::read(&bytes).is_none());
    }

    #[test]
    fn no_cut_or_broken_message_breaks_the_parsers(
        report in reports(), cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut payload = report.signed(&key()).unwrap();
        prop_assert!(Claimed::<Report>::read(&payload[..cut.index(payload.len())]).is_none());
        let at = at.index(payload.len());
        payload[at] = byte;
        if let Some(claimed) = Claimed::<Report>::read(&payload)
            && let Ok(proven) = claimed.proven(&key())
        {
            prop_assert_eq!(proven, report);
        }
    }
}

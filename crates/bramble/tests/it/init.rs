//! `init`: flags and questions lead to the same file.

use crate::common::{GOOD, Place, err, json, out};
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// How long a question may take to appear.
const LIMIT: Duration = Duration::from_secs(20);

const FLAGS: &str = "init --name home --machine one=192.168.1.11 --machine two=192.168.1.12 --ssh-user pi --ssh-key keys/pi --zone Europe/Berlin --demo";

#[test]
fn flags_make_a_file_that_is_right() {
    let place = Place::new();
    let text = out(&place.bramble(FLAGS).assert().success());
    assert!(
        text.contains("bramble check") && text.contains("bramble up"),
        "{text}"
    );
    let value = json(&place.bramble("check --output json").assert().success());
    assert_eq!(value["cluster"], "home");
    assert_eq!(value["machines"][0]["roles"][0], "control-plane");
    assert_eq!(value["machines"][1]["roles"][0], "worker");
    assert_eq!(value["machines"][1]["ssh"]["user"], "pi");
    assert_eq!(value["addons"][0], "demo");
    let file = place.read("bramble.yaml");
    assert!(
        file.contains("zone: Europe/Berlin") && file.contains("key: keys/pi"),
        "{file}"
    );
}

#[test]
fn a_file_that_is_there_stays() {
    let place = Place::with(GOOD);
    let text = err(&place.bramble(FLAGS).assert().code(2));
    assert!(
        text.contains("bramble.yaml is there already") && text.contains("--force"),
        "{text}"
    );
    assert_eq!(place.read("bramble.yaml"), GOOD);
    place.bramble(FLAGS).arg("--force").assert().success();
    assert_ne!(place.read("bramble.yaml"), GOOD);
}

#[test]
fn without_a_terminal_missing_flags_are_named() {
    let place = Place::new();
    let text = err(&place.bramble("init --demo").assert().code(2));
    assert!(
        text.contains("--name NAME") && text.contains("--machine NAME=ADDRESS"),
        "{text}"
    );
    let text = err(&place.bramble("init --name home").assert().code(2));
    assert!(
        !text.contains("--name NAME") && text.contains("--machine NAME=ADDRESS"),
        "{text}"
    );
    // The example goes on from what was said.
    let text = err(&place
        .bramble("init --router gate=192.168.1.100 --machine one=b8:27:eb:00:00:0a")
        .assert()
        .code(2));
    assert!(
        text.contains(
            "bramble init --name home --router gate=192.168.1.100 --machine one=b8:27:eb:00:00:0a"
        ),
        "{text}"
    );
    assert!(!place.path("bramble.yaml").exists());
}

#[test]
fn lines_of_a_file_that_is_not_written_are_said_to_be_so() {
    let place = Place::new();
    let wrong = "init -f i8.yaml --name home --machine one=192.168.1.11 --machine two=192.168.1.11";
    let text = err(&place.bramble(wrong).assert().code(2));
    assert!(
        text.contains("--> i8.yaml (not written):")
            && text.contains("nothing was written: these are lines of what i8.yaml would hold"),
        "{text}"
    );
    let mut asked = place.bramble(wrong);
    let value = json(&asked.args(["--output", "json"]).assert().code(2));
    assert_eq!(value["file"], "i8.yaml");
}

#[test]
fn several_control_planes_are_told_which_option_is_missing() {
    let place = Place::new();
    let wrong = "init --name home --machine one=192.168.1.11,control-plane --machine two=192.168.1.12,control-plane \
                 --machine three=192.168.1.13,control-plane";
    let text = err(&place.bramble(wrong).assert().code(2));
    assert!(text.contains("--vip ADDRESS, and init again"), "{text}");
}

#[test]
fn wrong_answers_leave_nothing_behind() {
    let place = Place::new();
    for wrong in [
        "init --name Home! --machine one=192.168.1.11",
        "init --name home --machine one",
        "init --name home --machine one=here",
        "init --name home --machine one=192.168.1.11,boss",
        "init --name home --router gate --machine one=192.168.1.11",
        "init --name home --router gate=b8:27:eb:00:00:01 --machine one=192.168.1.11",
        // Without a router there is nobody to give an address.
        "init --name home --machine one=b8:27:eb:00:00:01",
        "init --name home --machine one=192.168.1.11 --kubernetes newest",
        "init --name home --machine one=192.168.1.11 --machine two=192.168.1.11",
        // Two control planes need an address that they share.
        "init --name home --machine a=192.168.1.1,control-plane --machine b=192.168.1.2,control-plane --machine c=192.168.1.3,control-plane",
    ] {
        let text = err(&place.bramble(wrong).assert().code(2));
        assert!(!text.is_empty(), "{wrong}");
        assert_eq!(
            std::fs::read_dir(place.path("")).unwrap().count(),
            0,
            "{wrong}"
        );
    }
}

#[test]
fn the_result_is_json_when_asked_for() {
    let place = Place::new();
    let value = json(
        &place
            .bramble(FLAGS)
            .args(["--output", "json", "-f", "x.yaml"])
            .assert()
            .success(),
    );
    assert_eq!(value["file"], "x.yaml");
    assert_eq!(value["machines"], serde_json::json!(["one", "two"]));
}

/// Runs Bramble on a terminal of its own. Each answer is typed once its question is on the screen.
/// `None` where there is no `script` to make a terminal.
fn typed(place: &Place, arguments: &str, answers: &[(&str, &str)]) -> Option<(i32, String)> {
    let command = format!(
        "stty cols 120 rows 40; exec {} {arguments}",
        Place::program().display()
    );
    let mut child = match place
        .process("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
    {
        Ok(child) => child,
        Err(_) => {
            eprintln!("skipped: the program `script`, which makes terminals, is absent");
            return None;
        }
    };
    let (sender, pieces) = mpsc::channel();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = stdout.read(&mut buffer) {
            let _ = sender.send(String::from_utf8_lossy(&buffer[..size]).into_owned());
        }
    });
    let mut stdin = child.stdin.take().unwrap();
    let (mut screen, mut seen) = (String::new(), 0);
    for (question, keys) in answers {
        while !screen[seen..].contains(question) {
            match pieces.recv_timeout(LIMIT) {
                Ok(piece) => screen.push_str(&piece),
                Err(_) => {
                    let _ = child.kill();
                    panic!("never asked: {question}\n{screen}");
                }
            }
        }
        seen = screen.len();
        stdin.write_all(keys.as_bytes()).unwrap();
    }
    // The end of the input would end the terminal too: kept open until the program has ended.
    while let Ok(piece) = pieces.recv_timeout(LIMIT) {
        screen.push_str(&piece);
    }
    let _ = child.kill();
    drop(stdin);
    let code = child.wait().unwrap().code();
    reader.join().unwrap();
    Some((code.unwrap_or(-1), screen))
}

#[test]
fn answers_make_the_same_file_as_flags() {
    let (asked, told) = (Place::new(), Place::new());
    let answers = [
        ("Name of the cluster", "home\r"),
        ("router of the others", "\r"),
        ("Control plane", "one\r"),
        ("Address of one", "192.168.1.11\r"),
        ("Worker", "two\r"),
        ("Address of two", "192.168.1.12\r"),
        ("Worker", "\r"),
        ("Release", "\r"),
        ("Login name", "pi\r"),
        ("key file", "keys/pi\r"),
        ("Time zone", "Europe/Berlin\r"),
        ("demo page", "y\r"),
    ];
    let Some((code, screen)) = typed(&asked, "init", &answers) else {
        return;
    };
    assert_eq!(code, 0, "{screen}");
    told.bramble(FLAGS).assert().success();
    assert_eq!(asked.read("bramble.yaml"), told.read("bramble.yaml"));
}

#[test]
fn a_router_is_asked_for_or_told() {
    let (asked, told) = (Place::new(), Place::new());
    let rest = "--kubernetes v1.34.2 --ssh-user pi --ssh-key k --zone UTC --demo";
    let answers = [
        ("Name of the cluster", "home\r"),
        ("router of the others", "y\r"),
        ("Router, its name", "\r"),
        ("Address of gate", "192.168.1.100\r"),
        ("Network behind the router", "\r"),
        ("Control plane", "gate\r"),
        ("named already", "\x7f\x7f\x7f\x7fone\r"),
        ("Hardware address of one", "b8:27:eb:00:00:01\r"),
        ("Worker", "two\r"),
        ("Hardware address of two", "10.77.0.12\r"),
        ("Worker", "\r"),
    ];
    let Some((code, screen)) = typed(&asked, &format!("init {rest}"), &answers) else {
        return;
    };
    assert_eq!(code, 0, "{screen}");
    let flags = "init --name home --router gate=192.168.1.100 --machine one=b8:27:eb:00:00:01 --machine two=10.77.0.12";
    told.bramble(&format!("{flags} {rest}")).assert().success();
    assert_eq!(asked.read("bramble.yaml"), told.read("bramble.yaml"));
    let value = json(&told.bramble("check --output json").assert().success());
    let machines: Vec<String> = value["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| format!("{} {} {}", m["name"], m["roles"][0], m["address"]))
        .collect();
    assert_eq!(
        machines,
        [
            r#""gate" "router" "10.77.0.1""#,
            r#""one" "control-plane" "10.77.0.101""#,
            r#""two" "worker" "10.77.0.12""#
        ]
    );
}

#[test]
fn what_the_flags_say_is_not_asked() {
    let place = Place::new();
    let flags = "init --machine one=192.168.1.11 --kubernetes v1.34.2 --ssh-user pi --ssh-key k --zone UTC --demo";
    let Some((code, screen)) = typed(&place, flags, &[("Name of the cluster", "home\r")]) else {
        return;
    };
    assert_eq!(code, 0, "{screen}");
    assert!(place.read("bramble.yaml").contains("name: home"));
}

#[test]
fn a_wrong_answer_is_asked_again() {
    let place = Place::new();
    let flags = "init --name home --kubernetes v1.34.2 --ssh-user pi --ssh-key k --zone UTC --demo";
    let answers = [
        ("router of the others", "\r"),
        ("Control plane", "one\r"),
        ("Address of one", "here\r"),
        ("is no IP address", "\x7f\x7f\x7f\x7f192.168.1.11\r"),
        ("Worker", "\r"),
    ];
    let Some((code, screen)) = typed(&place, flags, &answers) else {
        return;
    };
    assert_eq!(code, 0, "{screen}");
    assert!(place.read("bramble.yaml").contains("address: 192.168.1.11"));
}

#[test]
fn control_c_leaves_nothing_behind() {
    let place = Place::new();
    let Some((code, screen)) = typed(
        &place,
        "init",
        &[
            ("Name of the cluster", "home\r"),
            ("router of the others", "\x03"),
        ],
    ) else {
        return;
    };
    assert_eq!(code, 130, "{screen}");
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), 0);
}

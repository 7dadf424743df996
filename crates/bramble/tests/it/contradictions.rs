//! Options that contradict each other are refused: none is left out silently.

use crate::common::{GOOD, Place, err};

const NOBODY: &str = "https://127.0.0.1:9";

/// Calls, and a part of what is said about each.
fn refused(place: &Place, calls: &[(&str, &str)]) {
    for (words, part) in calls {
        let mut command = place.bramble(words);
        let said = err(&command.env("BRAMBLE_TOKEN", "brt_a_b").assert().code(2));
        assert!(said.contains(part), "{words}: {said}");
    }
}

#[test]
fn of_one_command() {
    let place = Place::with(GOOD);
    refused(
        &place,
        &[
            ("kubeconfig --print --into x", "cannot be used with"),
            ("kubeconfig --print --current", "cannot be used with"),
            ("kubeconfig --remove --current", "cannot be used with"),
            ("vpn profile anna --print --force", "cannot be used with"),
            (
                "serve --data d --old-topic T --old-listen 127.0.0.1:0 --old-login f --broker mqtt://b",
                "cannot be used with",
            ),
            (
                "serve --data d --mqtt off --old-topic T",
                "with --mqtt off none are heard",
            ),
            (
                "serve --data d --mqtt 127.0.0.1:0 --broker mqtt://b",
                "cannot be used with",
            ),
            ("serve --data d --broker-ca f", "--broker <URL>"),
            ("lights watch --broker-topic t", "--broker <URL>"),
            (
                "--ask-sudo-password status --sudo-password-file f",
                "contradict each other",
            ),
        ],
    );
    assert!(!place.path("d").exists(), "nothing is made before");
}

#[test]
fn of_a_daemon_and_this_computer() {
    let place = Place::with(GOOD);
    let there = |words: &str| format!("--server {NOBODY} {words}");
    for (words, part) in [
        (
            "status --bundle b",
            "--bundle is about work of this computer",
        ),
        (
            "up --ask-sudo-password",
            "--ask-sudo-password is about work",
        ),
        (
            "up --sudo-password-file f",
            "--sudo-password-file is about work",
        ),
        (
            "plan --accept-new-host-keys",
            "--accept-new-host-keys is about",
        ),
        (
            "check --connect-timeout 10",
            "--connect-timeout is about work",
        ),
        ("plan --short", "leave --short out"),
        ("up --lab", "leave --step, --machine and --lab out"),
        ("status --cluster red -f bramble.yaml", "leave one out"),
        ("lab list", "leave --server out"),
        ("ccp list", "leave --server out"),
        ("schema", "leave --server out"),
    ] {
        refused(&place, &[(&there(words), part)]);
    }
}

#[test]
fn the_environment_contradicts_nothing() {
    let place = Place::with(GOOD);
    let status = |words: &str| {
        let mut command = place.bramble(words);
        command
            .env("BRAMBLE_SERVER", NOBODY)
            .env("BRAMBLE_TOKEN", "brt_a_b")
            .env("BRAMBLE_BUNDLE", "b")
            .env("BRAMBLE_SUDO_PASSWORD_FILE", "f")
            .env("BRAMBLE_FILE", "bramble.yaml");
        command
    };
    // It comes as far as the daemon, which is not there.
    for words in ["status", "status --cluster red"] {
        let said = err(&status(words).assert().code(4));
        assert!(said.contains("does the daemon run"), "{words}: {said}");
    }
    let mut file = status("up -f bramble.yaml");
    file.env("BRAMBLE_CLUSTER", "../x").assert().code(4);
    // Who wants to be asked is asked, whatever file the environment names.
    let mut asked = place.bramble("check --ask-sudo-password");
    let asked = asked.env("BRAMBLE_SUDO_PASSWORD_FILE", "f").assert();
    assert!(err(&asked).contains("needs a terminal to be answered"));
    // Options of a daemon may stand on both sides of the command.
    let words = format!("--server {NOBODY} status --cluster red");
    let mut both = place.bramble(&words);
    both.env("BRAMBLE_TOKEN", "brt_a_b").assert().code(4);
}

//! `lab` without machines; what needs them stands with the lab's own tests.

use crate::common::{Place, err, out};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A user who is nobody.
const NOBODY: u32 = 65534;

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn whoever_is_not_root_is_told_how_to_be() {
    for (arguments, remedy) in [
        ("up", "sudo bramble lab up"),
        ("down", "sudo bramble lab down"),
        ("down home", "sudo bramble lab down"),
        ("list", "sudo bramble lab list"),
        ("ssh one", "sudo bramble lab ssh one"),
    ] {
        let mut command = if root() {
            // By an open file: the folder of the program may be closed to others.
            let mut command = Command::new("/proc/self/fd/0");
            command.stdin(File::open(Place::program()).unwrap());
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
            command
        } else {
            Command::new(Place::program())
        };
        command.arg("lab").args(arguments.split(' '));
        let done = command.output().unwrap();
        let text = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments}: {text}");
        assert!(
            text.contains("labs belong to root") && text.contains(remedy),
            "{arguments}: {text}"
        );
    }
}

/// A lab that was named and isn't there may be a mistyped one; that of the file is as wished.
#[test]
fn a_lab_that_nobody_has_is_an_error_only_when_it_was_named() {
    if !root() {
        return;
    }
    let name = "no-such-lab-of-anybody";
    let file = crate::common::GOOD.replace("home", name);
    let place = Place::with(&file);
    for command in ["lab down".to_owned(), format!("lab down {name}")] {
        let text = out(&place.bramble(&command).assert().success());
        assert!(
            text.contains(&format!("there is no lab `{name}`: nothing to do")),
            "{text}"
        );
    }
    let place = Place::new();
    let assert = place.bramble(&format!("lab down {name}")).assert().code(2);
    let text = err(&assert);
    assert!(
        text.contains(&format!("there is no lab `{name}`")) && text.contains("hint:"),
        "{text}"
    );
}

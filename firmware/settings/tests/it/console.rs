use crate::GOOD;
use bramble_button_settings::{Console, Reply, parse};

fn said(console: &mut Console, text: &str) -> Vec<Reply> {
    let replies = text.bytes().map(|byte| console.byte(byte));
    replies.filter(|reply| *reply != Reply::Nothing).collect()
}

#[test]
fn settings_are_pasted_and_written_as_they_are() {
    for end in ["\n", "\r\n", "\r"] {
        let mut console = Console::default();
        let text = format!("settings\n{GOOD}end\n").replace('\n', end);
        let mut replies = said(&mut console, &text);
        assert_eq!(replies.remove(0), Reply::Paste);
        assert_eq!(replies, [Reply::Write]);
        assert_eq!(parse(console.written()).unwrap(), parse(GOOD).unwrap());
    }
}

#[test]
fn wrong_settings_are_not_written_and_can_be_pasted_again() {
    let mut console = Console::default();
    let wrong = said(&mut console, "settings\nid = dash01\nend\n");
    assert!(matches!(wrong[1], Reply::Wrong(fault) if fault.to_string() == "handler is missing"));
    assert_eq!(console.written(), "");
    let right = said(&mut console, &format!("settings\n{GOOD}end\n"));
    assert_eq!(right[1], Reply::Write);
}

#[test]
fn what_does_not_fit_is_said() {
    let mut console = Console::default();
    let long = format!(
        "settings\n{}end\n",
        "# a comment of thirty characters\n".repeat(200)
    );
    assert!(matches!(said(&mut console, &long)[1], Reply::Wrong(_)));
    let line = format!("settings\n# {}\n{GOOD}end\n", "x".repeat(300));
    assert!(
        matches!(said(&mut console, &line)[1], Reply::Wrong(_)),
        "a line that was cut isn't what was pasted"
    );
}

#[test]
fn commands_are_few() {
    let mut console = Console::default();
    assert_eq!(said(&mut console, "show\n"), [Reply::Show]);
    assert_eq!(said(&mut console, "slx\x08\x7flee\x08ep\n"), [Reply::Sleep]);
    assert_eq!(said(&mut console, "what\n\n"), [Reply::Help]);
}

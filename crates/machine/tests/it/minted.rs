//! Keys that are made once.

use crate::cycle::{Case, apply, due, look, undo_all};
use crate::machine::Machine;
use bramble_machine::kinds::{Holder, Minted, MintedFile};
use bramble_secret::Secret;

/// Keys as one run makes them; the next run's are others.
fn keys(names: &[&str], run: u32) -> Minted {
    let holder = |name: &&str| Holder {
        name: (*name).to_owned(),
        files: vec![
            MintedFile::secret("key", Secret::new(format!("private key {run} of {name}"))),
            MintedFile::open(
                format!("public.{name}"),
                format!("certificate {run}\nof {name}\n"),
            ),
        ],
    };
    Minted {
        group: "vpn".into(),
        holders: names.iter().map(holder).collect(),
        shared: Vec::new(),
        worth: Some("VPN profiles".into()),
    }
}

const LIST: &str =
    "cd /etc/bramble/keys/vpn && find . -mindepth 1 -printf '%P %m\\n' | sort && cat */key";

#[test]
fn keys_are_made_once_and_go_without_a_trace() {
    Case::new("", &keys(&["anna"], 1))
        .drift(&[(
            "rm /etc/bramble/keys/vpn/anna/public.anna",
            "new keys for anna",
        )])
        .run(|m| {
            assert_eq!(
                m.hand(LIST),
                "anna 711\nanna/key 600\nanna/public.anna 644\nprivate key 1 of anna"
            );
        });
}

#[test]
fn what_is_there_stays_and_who_is_not_named_loses_it() {
    let Some(m) = Machine::new("") else { return };
    apply(&m, &keys(&["anna", "ben"], 1));
    let later = due(&m, &keys(&["anna", "carl"], 2));
    assert_eq!(later.summary, "new keys for carl, withdraw the keys of ben");
    apply(&m, &keys(&["anna", "carl"], 2));
    let now = m.hand("cat /etc/bramble/keys/vpn/*/key; ls /etc/bramble/keys/vpn");
    assert_eq!(
        now,
        "private key 1 of annaprivate key 2 of carlanna\ncarl\n"
    );
    // Who comes back is another one.
    apply(&m, &keys(&["anna", "ben"], 3));
    assert_eq!(
        m.hand("cat /etc/bramble/keys/vpn/ben/key"),
        "private key 3 of ben"
    );
    undo_all(&m);
    assert_eq!(
        m.hand("ls -d /etc/bramble 2>&1 || :").trim(),
        "ls: cannot access '/etc/bramble': No such file or directory"
    );
}

#[test]
fn certificates_are_seen_by_every_look_and_keys_by_none() {
    let Some(m) = Machine::new("") else { return };
    apply(&m, &keys(&["anna"], 1));
    let seen = look(&m, &[]);
    assert_eq!(
        seen.facts.public.get("anna").map(String::as_str),
        Some("certificate 1\nof anna\n")
    );
    let shown = format!("{:?}", seen);
    assert!(!shown.contains("private key"), "{shown}");
    let plan = due(&m, &keys(&["anna", "ben"], 2));
    assert!(!format!("{plan:?}").contains("private key"));
}

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const HEAD: &str =
    "# Ours.\napiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n";

fn file(below: &str) -> String {
    format!("{HEAD}{below}")
}

#[track_caller]
fn removed(below: &str, name: &str) -> String {
    let text = file(below);
    crate::load("test", &text).unwrap();
    let names = [name.to_owned()];
    let edited = without("test", &text, &names, &Context::default()).unwrap();
    assert!(edited.cluster.machine(name).is_none());
    edited.text.strip_prefix(HEAD).unwrap().to_owned()
}

#[track_caller]
fn refused(below: &str, name: &str) -> EditError {
    let names = [name.to_owned()];
    without("test", &file(below), &names, &Context::default()).unwrap_err()
}

fn worker(name: &str, last: u8) -> NewMachine {
    NewMachine {
        name: name.into(),
        roles: vec![Role::Worker],
        address: Some(IpAddr::from([10, 1, 1, last])),
        mac: None,
        ssh_user: None,
        labels: BTreeMap::new(),
    }
}

#[track_caller]
fn added(below: &str, machine: &NewMachine) -> String {
    let text = file(below);
    crate::load("test", &text).unwrap();
    let edited = with("test", &text, machine, &Context::default()).unwrap();
    assert!(edited.cluster.machine(&machine.name).is_some());
    edited.text.strip_prefix(HEAD).unwrap().to_owned()
}

const BLOCK: &str = "  machines:
    # The control plane.
    - name: one
      roles: [control-plane]
      address: 10.1.1.1

    # In the cellar.
    - name: two   # old
      address: 10.1.1.2
      labels:
        # Left of the door.
        shelf: left

    # In the attic.
    -
      address: 10.1.1.3
      name: three # new
      annotations: { why: 'a # b' }
      # Its end.
  # What follows.
  podNetwork: { plugin: routed }
";

#[test]
fn an_entry_goes_and_every_comment_around_it_stays() {
    assert_eq!(
        removed(BLOCK, "two"),
        BLOCK.replace(
            "    - name: two   # old\n      address: 10.1.1.2\n      labels:\n        # Left of the door.\n        shelf: left\n",
            ""
        )
    );
    assert_eq!(
        removed(BLOCK, "three"),
        BLOCK.replace(
            "    -\n      address: 10.1.1.3\n      name: three # new\n      annotations: { why: 'a # b' }\n",
            ""
        )
    );
    let first = "  machines:\n  - &a { name: one, address: 10.1.1.1 } # first\n  - {name: two, address: 10.1.1.2, roles: [control-plane]}";
    assert_eq!(
        removed(first, "one"),
        "  machines:\n  - {name: two, address: 10.1.1.2, roles: [control-plane]}"
    );
}

#[test]
fn an_entry_may_hold_text_of_many_lines() {
    let text = "  machines:\n    - name: one\n      roles: [control-plane]\n      address: 10.1.1.1\n    - name: two\n      address: 10.1.1.2\n      annotations:\n        note: |\n          - name: one\n          # no comment\n\n    # Stays.\n    - name: three\n      address: 10.1.1.3\n      labels: {}\n\n  # Stays, too.\n  addons: []\n";
    assert_eq!(
        removed(text, "two"),
        "  machines:\n    - name: one\n      roles: [control-plane]\n      address: 10.1.1.1\n\n    # Stays.\n    - name: three\n      address: 10.1.1.3\n      labels: {}\n\n  # Stays, too.\n  addons: []\n"
    );
}

#[test]
fn an_entry_in_brackets_goes_with_one_comma() {
    let line = "  machines: [{name: one, roles: [control-plane], address: 10.1.1.1}, {name: two, address: 10.1.1.2}, {name: three, address: 10.1.1.3}] # all\n";
    assert_eq!(
        removed(line, "two"),
        line.replace("{name: two, address: 10.1.1.2}, ", "")
    );
    assert_eq!(
        removed(line, "three"),
        line.replace(", {name: three, address: 10.1.1.3}", "")
    );
    let lines = "  machines: [
    { name: one, roles: [control-plane], address: 10.1.1.1 }, # a, b
    # Between, and so on.
    { name: two, address: 10.1.1.2 }  # c
  ]\n";
    assert_eq!(
        removed(lines, "two"),
        "  machines: [
    { name: one, roles: [control-plane], address: 10.1.1.1 } # a, b
    # Between, and so on.
  ]\n"
    );
    let trailing = lines.replace("10.1.1.2 }", "10.1.1.2 },");
    assert_eq!(
        removed(&trailing, "two"),
        "  machines: [
    { name: one, roles: [control-plane], address: 10.1.1.1 }, # a, b
    # Between, and so on.
  ]\n"
    );
}

#[test]
fn the_only_entry_and_one_that_others_need_stay() {
    let only = "  machines:\n    - { name: one, roles: [control-plane], address: 10.1.1.1 }\n";
    assert!(matches!(refused(only, "one"), EditError::Invalid(_)));
    let jumped = "  machines:\n    - { name: one, roles: [control-plane], address: 10.1.1.1, ssh: { jump: two } }\n    - { name: two, address: 10.1.1.2 }\n";
    let EditError::Invalid(problems) = refused(jumped, "two") else {
        panic!("another error");
    };
    assert!(problems.to_string().contains("two"), "{problems}");
    let anchored = "  machines:\n    - { name: one, roles: [control-plane], address: 10.1.1.1, ssh: &s { user: anna } }\n    - { name: two, address: 10.1.1.2, ssh: *s, roles: [control-plane] }\n";
    assert!(matches!(refused(anchored, "one"), EditError::Invalid(_)));
    assert!(matches!(refused(only, "two"), EditError::Form(_)));
}

#[test]
fn nobody_is_moved_by_it() {
    let planned = "  network: { lan: 10.1.1.0/24 }\n  machines:\n    - { name: one, roles: [control-plane], address: 10.1.1.1 }\n    - { name: two, mac: \"02:00:00:00:00:02\" }\n    - { name: three, mac: \"02:00:00:00:00:03\" }\n";
    let EditError::Moves {
        machine, what, key, ..
    } = refused(planned, "two")
    else {
        panic!("another error");
    };
    assert_eq!(
        (machine.as_str(), what, key),
        ("three", "address", "address")
    );
    assert!(removed(planned, "three").ends_with("00:02\" }\n"));
    let taken = crate::load("test", &file(planned)).unwrap();
    let mut new = worker("four", 0);
    new.address = Some(taken.machine("two").unwrap().address);
    let error = with("test", &file(planned), &new, &Context::default()).unwrap_err();
    assert!(matches!(error, EditError::Moves { .. }), "{error:?}");
}

#[test]
fn a_new_entry_is_written_like_the_last_one() {
    let mut new = worker("four", 4);
    new.labels = [("a/b".to_owned(), "true".to_owned())].into();
    new.ssh_user = Some("anna".into());
    assert_eq!(
        added(BLOCK, &new),
        BLOCK.replace(
            "'a # b' }\n",
            "'a # b' }\n    - name: four\n      roles: [worker]\n      address: 10.1.1.4\n      labels: { a/b: \"true\" }\n      ssh: { user: anna }\n"
        )
    );
    let braces = "  machines:\n  - {name: one, roles: [control-plane], address: 10.1.1.1}";
    let mut new = worker("two", 2);
    new.mac = Some("02:00:00:00:00:02".into());
    assert_eq!(
        added(braces, &new),
        format!(
            "{braces}\n  - {{name: two, roles: [worker], address: 10.1.1.2, mac: \"02:00:00:00:00:02\"}}\n"
        )
    );
    let wide = "  machines:\r\n  -   name: one\r\n      roles: [control-plane]\r\n      address: 10.1.1.1\r\n  addons: []\r\n";
    assert_eq!(
        added(wide, &worker("two", 2)),
        wide.replace(
            "10.1.1.1\r\n",
            "10.1.1.1\r\n  -   name: two\r\n      roles: [worker]\r\n      address: 10.1.1.2\r\n"
        )
    );
}

#[test]
fn a_new_entry_in_brackets_stands_where_the_others_do() {
    let line = "  machines: [ { name: one, roles: [control-plane], address: 10.1.1.1 } ]\n";
    let entry = "{ name: two, roles: [worker], address: 10.1.1.2 }";
    let two = worker("two", 2);
    assert_eq!(
        added(line, &two),
        line.replace("1.1 } ]", &format!("1.1 }}, {entry} ]"))
    );
    let lines =
        "  machines: [\n    { name: one, roles: [control-plane], address: 10.1.1.1 } # a\n  ]\n";
    assert_eq!(
        added(lines, &two),
        lines.replace("1.1 } # a\n", &format!("1.1 }}, # a\n    {entry}\n"))
    );
    let trailing = lines.replace("1.1 } # a", "1.1 }, # a");
    assert_eq!(
        added(&trailing, &two),
        trailing.replace("# a\n", &format!("# a\n    {entry},\n"))
    );
}

#[test]
fn what_does_not_fit_is_told_as_check_tells_it() {
    let error = with(
        "test",
        &file(BLOCK),
        &worker("four", 1),
        &Context::default(),
    );
    let EditError::Invalid(problems) = error.unwrap_err() else {
        panic!("another error");
    };
    assert!(problems.to_string().contains("duplicate-address"));
}

mod any_style {
    use super::*;
    use proptest::prelude::*;

    /// An entry in one of the styles, with what a person may write around it.
    fn entry(at: usize, style: u8, flow: bool) -> String {
        let role = if at == 0 { "control-plane" } else { "worker" };
        let (name, address) = (format!("m{at}"), format!("10.1.1.{}", at + 1));
        match (flow, style % 4) {
            (true, 0) => format!("{{name: {name}, roles: [{role}], address: {address}}}"),
            (true, _) => format!(
                "{{ name: \"{name}\", roles: [\n  {role} ], # so\n    address: {address} }}"
            ),
            (false, 0) => format!(
                "    - name: {name}\n      roles:\n        - {role}\n      address: {address}  # there\n"
            ),
            (false, 1) => {
                format!("    - {{ name: {name}, roles: [{role}], address: {address} }}\n")
            }
            (false, 2) => format!(
                "    # Above.\n    -\n      # Inside.\n      name: '{name}'\n\n      roles: [{role}]\n      address: {address}\n"
            ),
            (false, _) => format!(
                "    - roles: [{role}]\n      name: {name}\n      address: {address}\n      annotations: {{ a: >-\n        - name: x\n        , b: c }}\n\n"
            ).replace(">-\n        - name: x\n        ,", "\"- name: x\",\n        "),
        }
    }

    fn text(styles: &[u8], flow: bool) -> String {
        let all = styles.iter().enumerate();
        let all: Vec<String> = all.map(|(at, style)| entry(at, *style, flow)).collect();
        match flow {
            true => file(&format!("  machines: [ {} ]\n", all.join(",\n    "))),
            false => file(&format!("  machines:\n{}  addons: []\n", all.concat())),
        }
    }

    proptest! {
        #[test]
        fn what_was_added_goes_again_without_a_trace(
            styles in proptest::collection::vec(0u8..4, 1..5),
            flow: bool,
        ) {
            let text = text(&styles, flow);
            let context = Context::default();
            let new = worker("new", 99);
            let more = with("test", &text, &new, &context).unwrap();
            let names = ["new".to_owned()];
            let less = without("test", &more.text, &names, &context).unwrap();
            prop_assert_eq!(&less.text, &text);
        }

        #[test]
        fn any_machine_but_the_first_can_go(
            styles in proptest::collection::vec(0u8..4, 2..6),
            flow: bool,
            pick in 1usize..100,
        ) {
            let text = text(&styles, flow);
            let name = format!("m{}", 1 + pick % (styles.len() - 1));
            let less = without("test", &text, &[name], &Context::default()).unwrap();
            prop_assert_eq!(less.cluster.machines.len(), styles.len() - 1);
            prop_assert_eq!(
                less.text.matches("# Above.").count(),
                text.matches("# Above.").count()
            );
        }
    }
}

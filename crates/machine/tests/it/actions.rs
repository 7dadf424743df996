//! Actions, archives of the bundle, and parts that fail.

use crate::cycle::{apply, carry_out, due, fails, look, plan, undo_all};
use crate::machine::Machine;
use bramble_machine::journal::Identity;
use bramble_machine::journal::Line;
use bramble_machine::kinds::{Action, Archive, Check, File};
use bramble_machine::program::{Part, Said, program, read_line};
use bramble_machine::{Resource, Script};

#[test]
fn an_action_runs_until_its_check_holds() {
    let Some(m) = Machine::new("") else { return };
    let action = Action::new(
        "init",
        "initialize",
        Check::Exists("/srv/done".into()),
        Script::of(
            "echo run >> /srv/log\n[ -e /srv/ready ] || { echo not ready; exit 3; }\n: > /srv/done",
        ),
    )
    .undone_by("rm -f /srv/done /srv/log; return 0; echo never");
    assert_eq!(fails(&m, &action), "not ready");
    m.hand(": > /srv/ready");
    let again = Action {
        restart_clean: true,
        ..action.clone()
    };
    assert_eq!(
        due(&m, &again).summary,
        "initialize (an interrupted try is cleaned up first)"
    );
    apply(&m, &again);
    assert_eq!(m.hand("cat /srv/log"), "run\n");
    assert!(plan(&m, &action).expect("a plan").is_none());
    undo_all(&m);
    assert_eq!(m.hand("ls /srv"), "ready\n");
    let check = Check::Succeeds("test -e /srv/ready".into());
    let other = Action::new("x", "x", check, Script::of("false"));
    assert!(plan(&m, &other).expect("a plan").is_none());
    m.hand("rm /srv/ready");
    fails(&m, &other);
}

#[test]
fn an_archive_of_the_bundle_takes_its_files_back() {
    let Some(m) = Machine::new(
        "cd /srv; echo old > /usr/local/bin/b; touch -d 2001-01-01 /usr/local/bin/b; mkdir -p x/bin; echo a > x/bin/a; echo b > x/bin/b; mkdir x/bin/c; echo d > 'x/bin/c/d e'; tar -czf x.tgz x; rm -r x",
    ) else {
        return;
    };
    let sha256 = m
        .hand("sha256sum < /srv/x.tgz | cut -c1-64")
        .trim()
        .to_owned();
    let archive = Archive::new("x", "v1", &sha256, 100).strip(2);
    let upload = due(&m, &archive).uploads[0].to.clone();
    let put = format!("mkdir -p /var/lib/bramble/blobs; cp /srv/x.tgz {upload}");
    m.hand(&put);
    // Cut off when the files were written.
    let change = due(&m, &archive);
    carry_out(
        &m,
        &archive.id(),
        &change,
        "tar() { command tar \"$@\"; [ \"$1\" = -tzf ] || exit 9; }",
        "",
    );
    m.hand(&put);
    apply(&m, &archive);
    assert!(plan(&m, &archive).expect("a plan").is_none());
    assert_eq!(m.hand("cat /usr/local/bin/a /usr/local/bin/b"), "a\nb\n");
    // Drift: changed in place, or lost.
    for hand in ["echo bad > /usr/local/bin/a", "rm /usr/local/bin/b"] {
        m.hand(hand);
        let says = due(&m, &archive).summary;
        assert_eq!(
            says,
            "x v1 from the bundle into /usr/local/bin: its files were changed"
        );
        m.hand(&put);
        apply(&m, &archive);
        assert!(plan(&m, &archive).expect("a plan").is_none());
        assert_eq!(
            m.hand("cat /usr/local/bin/a /usr/local/bin/b /usr/local/bin/c/*"),
            "a\nb\nd\n"
        );
    }
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
    // Into a folder of its own.
    m.hand(&put);
    let own = archive
        .clone()
        .into_folder("/opt/x/y")
        .members(vec!["x/bin/a".into()]);
    apply(&m, &own);
    assert!(plan(&m, &own).expect("a plan").is_none());
    assert_eq!(m.hand("find /opt -type f"), "/opt/x/y/a\n");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn parts_of_an_archive_are_named_without_the_leading_dot() {
    let Some(m) = Machine::new(
        "mkdir -p /srv/x/sub; cd /srv/x; echo a > a; echo b > b; echo c > sub/c; tar -czf ../x.tgz ./a ./b ./sub; rm -r /srv/x",
    ) else {
        return;
    };
    let sha256 = m.hand("sha256sum < /srv/x.tgz | cut -c1-64");
    let whole = Archive::new("x", "v1", sha256.trim(), 100).into_folder("/opt/x");
    let upload = due(&m, &whole).uploads[0].to.clone();
    let put = format!("mkdir -p /var/lib/bramble/blobs; cp /srv/x.tgz {upload}");
    let names = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let found = || m.hand("cd /opt/x; find . -type f | sort");
    m.hand(&put);
    apply(&m, &whole.clone().members(names(&["a", "sub"])));
    assert_eq!(found(), "./a\n./sub/c\n");
    // Another part of the same archive is a difference, and the plan closes it.
    let most = whole.clone().except(names(&["b"]));
    m.hand(&format!("rm -r /opt/x/*; {put}"));
    apply(&m, &most);
    assert!(plan(&m, &most).expect("a plan").is_none());
    assert_eq!(found(), "./a\n./sub/c\n");
    m.hand(&put);
    let said = fails(&m, &whole.clone().members(names(&["a", "lost"])));
    assert!(said.contains("the archive holds no lost"), "{said}");
    undo_all(&m);
    assert_eq!(m.differences(), [] as [String; 0]);
}

#[test]
fn nothing_runs_after_a_failure_and_the_journal_knows_all() {
    let Some(m) = Machine::new("") else { return };
    let file = File::text("/etc/x", "x");
    let undo = due(&m, &file).undo;
    let part = |id: &str, apply: &str| Part {
        id: id.into(),
        apply: Script::of(apply),
        begin: Some(Line::Begin {
            id: id.into(),
            step: "s".into(),
            undo: undo.clone(),
        }),
        end: Line::Done { id: id.into() },
    };
    let parts = [
        part("a", "true"),
        part("b", "echo why\nfalse\necho never"),
        part("c", "touch /srv/c"),
    ];
    // A journal whose last line was cut off by a loss of power.
    m.hand("mkdir -p /var/lib/bramble; printf '{\"e\":\"cluster\",\"name\":\"test\"}\\n{\"e\":\"do' > /var/lib/bramble/journal");
    let facts = [("join-token".to_owned(), "it's $(secret)".to_owned())];
    let other = Identity {
        name: "other".into(),
        id: "0".into(),
    };
    let text = program(&other, &parts, &facts, &Script::new(), "n0");
    let out = m.run(&text);
    let said: Vec<Said> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|l| read_line(l, "n0"))
        .collect();
    assert_eq!(
        said,
        [
            Said::Started(0),
            Said::Done(0),
            Said::Started(1),
            Said::Output("why".into()),
            Said::Failed(1, 1)
        ]
    );
    let journal = look(&m, &[]).journal;
    assert_eq!(journal.torn, 1);
    assert_eq!(journal.cluster.map(|c| c.name).as_deref(), Some("test"));
    let pending: Vec<(&str, bool)> = journal
        .records
        .iter()
        .map(|r| (r.id.as_str(), r.pending))
        .collect();
    assert_eq!(pending, [("a", false), ("b", true), ("c", true)]);
    assert_eq!(m.hand("ls /srv"), "");
}

#[test]
fn a_program_that_is_cut_off_on_its_way_does_nothing() {
    let Some(m) = Machine::new("") else { return };
    let part = Part {
        id: "a".into(),
        apply: Script::of("touch /srv/x"),
        begin: None,
        end: Line::Done { id: "a".into() },
    };
    let text = program(&Identity::default(), &[part], &[], &Script::new(), "n0");
    let last = text.rfind("main").expect("the call of the function");
    for length in (0..last).step_by(97).chain([last]) {
        m.run(&text[..length]);
        assert_eq!(
            m.hand("ls /srv /var/lib/bramble 2>/dev/null || :"),
            "/srv:\n",
            "after {length} bytes"
        );
    }
}

#[test]
fn facts_reach_a_part_as_variables() {
    let Some(m) = Machine::new("") else { return };
    let part = Part {
        id: "a".into(),
        apply: Script::of("printf %s \"$FACT_JOIN_TOKEN\" > /srv/token"),
        begin: None,
        end: Line::Done { id: "a".into() },
    };
    let facts = [("join-token".to_owned(), "it's $(secret)\n2".to_owned())];
    m.run(&program(
        &Identity::default(),
        &[part],
        &facts,
        &Script::new(),
        "n0",
    ));
    assert_eq!(m.hand("cat /srv/token"), "it's $(secret)\n2");
}

//! What needs no machine: answers, journals, and plans from made-up observations.

use bramble_machine::journal::{Identity, Journal, Line, to_line};
use bramble_machine::kinds::{
    ContainerImage, Directory, Modules, Service, SwapOff, Sysctl, Undo, User,
};
use bramble_machine::query::{Answer, Query, Unit};
use bramble_machine::{Change, Observation, Resource, probe};
use std::collections::BTreeSet;
use std::process::Command;

/// Runs a probe on this computer, with noise around it, and reads the answer.
fn ask(queries: &[Query], noise: &str) -> Observation {
    let queries: BTreeSet<Query> = queries.iter().cloned().collect();
    let program = probe::program(&queries, "77aa", false);
    let out = Command::new("sh")
        .args(["-c", &program])
        .output()
        .expect("sh");
    let output = format!("{noise}{}", String::from_utf8_lossy(&out.stdout));
    let mut seen = Observation::default();
    probe::read(&output, &queries, "77aa", &mut seen).expect("a whole answer");
    seen
}

fn file(content: &[u8]) -> (tempfile::NamedTempFile, Query) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), content).expect("content");
    let query = Query::Content(file.path().display().to_string());
    (file, query)
}

#[test]
fn noise_of_a_login_shell_is_no_answer() {
    let (kept, query) = file(b"text");
    let path = kept.path().display().to_string();
    let noises = [
        "Welcome!\n",
        "no end of line",
        "f 77aa end\n77aa end\n",
        "\n\n",
        "\u{fffd}\r\n",
    ];
    for noise in noises {
        let seen = ask(std::slice::from_ref(&query), noise);
        assert_eq!(seen.content(&path), Some("text"), "after {noise:?}");
    }
}

#[test]
fn every_content_comes_back_as_it_is() {
    let contents: [&[u8]; 8] = [
        b"",
        b"\n",
        b"no end",
        b"end\n",
        b"\n\nblank\n\n",
        b"a 77aa end b\n77aa",
        b"77aa end\nx",
        "gr\u{fc}n\r\n\t".as_bytes(),
    ];
    let files: Vec<_> = contents.iter().map(|c| file(c)).collect();
    let queries: Vec<Query> = files.iter().map(|(_, q)| q.clone()).collect();
    let seen = ask(&queries, "");
    for ((kept, _), content) in files.iter().zip(contents) {
        let path = kept.path().display().to_string();
        assert_eq!(seen.content(&path).map(str::as_bytes), Some(content));
    }
}

#[test]
fn an_answer_that_was_cut_off_is_an_error() {
    let queries = BTreeSet::from([Query::Command("echo one; echo two".into())]);
    let program = probe::program(&queries, "77aa", true);
    let out = Command::new("sh")
        .args(["-c", &program])
        .output()
        .expect("sh");
    let output = String::from_utf8_lossy(&out.stdout).into_owned();
    let end = output.rfind("77aa end").expect("an end marker");
    for length in [0, 1, end / 2, end, end + 7] {
        let part: String = output.chars().take(length).collect();
        let mut seen = Observation::default();
        let error = probe::read(&part, &queries, "77aa", &mut seen).expect_err("a cut answer");
        assert!(error.to_string().contains("incomplete"), "{error}");
    }
}

#[test]
fn a_journal_survives_a_line_that_was_cut_off() {
    let undo = |loaded: bool| {
        let text = format!(
            r#"{{"kind":"directory","path":"/x","own":{loaded},"before":null,"above":[]}}"#
        );
        serde_json::from_str::<Undo>(&text).expect("an undo")
    };
    let begin = |id: &str| {
        to_line(&Line::Begin {
            id: id.into(),
            step: "base".into(),
            undo: undo(false),
        })
    };
    let done = |id: &str| to_line(&Line::Done { id: id.into() });
    let gone = |id: &str| to_line(&Line::Gone { id: id.into() });
    let own = Identity {
        name: "c".into(),
        id: "1f".into(),
    };
    let lines = [
        to_line(&Line::Cluster(own.clone())),
        begin("a"),
        begin("b"),
        done("a"),
        done("b"),
        begin("c"),
        done("c"),
        gone("a"),
        begin("b"),
    ];
    let text = lines.join("\n");
    let journal = Journal::parse(&format!("{text}\n"));
    let state: Vec<(&str, bool)> = journal
        .records
        .iter()
        .map(|r| (r.id.as_str(), r.pending))
        .collect();
    assert_eq!(state, [("b", true), ("c", false)]);
    assert_eq!((journal.cluster, journal.torn), (Some(own), 0));
    // Cut off anywhere: never an error, never more than the last line lost.
    for length in 0..text.len() {
        let journal = Journal::parse(&text[..length]);
        assert!(journal.torn <= 1, "after {length} bytes");
    }
    let cut = Journal::parse(&format!("{text}\n{}", &done("b")[..10]));
    assert!(cut.pending("b") && cut.torn == 1);
}

/// The undo that a plan would record, as the journal has it after several changes.
fn recorded(changes: &[&Change]) -> Undo {
    let lines = changes.iter().map(|c| {
        to_line(&Line::Begin {
            id: "x".into(),
            step: "s".into(),
            undo: c.undo.clone(),
        })
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    Journal::parse(&text)
        .find("x")
        .expect("a record")
        .undo
        .clone()
}

fn change(resource: &dyn Resource, seen: &Observation) -> Change {
    resource.plan(seen).expect("a plan").expect("a change")
}

#[test]
fn the_first_original_stays_and_later_additions_join_it() {
    let mut seen = Observation::default();
    let value = |seen: &mut Observation, name: &str, value: &str| {
        let answer = Answer::Text(Some(value.into()));
        seen.answers.insert(Query::Sysctl(name.into()), answer);
    };
    value(&mut seen, "a.b", "1");
    let first = change(&Sysctl::new("g", [("a.b", "5")]), &seen);
    value(&mut seen, "a.b", "3");
    value(&mut seen, "c.d", "2");
    let later = change(&Sysctl::new("g", [("a.b", "5"), ("c.d", "6")]), &seen);
    let Undo::Sysctl(undo) = recorded(&[&first, &later]) else {
        panic!("another kind");
    };
    assert_eq!(
        undo.live,
        [("a.b".into(), "1".into()), ("c.d".into(), "2".into())]
    );

    // A user who was in a group at first is not taken out of it.
    let mut seen = Observation::default();
    let text = |t: &str| Answer::Text(Some(t.into()));
    seen.answers
        .insert(Query::User("u".into()), text("u:x:1:1::/home/u:/bin/sh"));
    seen.answers
        .insert(Query::Group("adm".into()), text("adm:x:4:u"));
    seen.answers
        .insert(Query::Group("sudo".into()), text("sudo:x:27:"));
    let user = User::new("u").groups(["adm", "sudo"]);
    let first = change(&user, &seen);
    seen.answers
        .insert(Query::Group("adm".into()), text("adm:x:4:"));
    let later = change(&user, &seen);
    let Undo::User(undo) = recorded(&[&first, &later]) else {
        panic!("another kind");
    };
    assert_eq!(undo.joined, ["sudo"]);
    assert_eq!(undo.shell.as_deref(), Some("/bin/sh"));

    // A folder that was made stays one that was made.
    let first = change(&Directory::new("/srv/x"), &Observation::default());
    let later = change(&Directory::new("/srv/x").owned(), &Observation::default());
    let Undo::Directory(undo) = recorded(&[&first, &later]) else {
        panic!("another kind");
    };
    assert!(undo.own && undo.before.is_none());
}

#[test]
fn a_container_leaves_its_hosts_swap_alone() {
    let mut seen = Observation::default();
    seen.facts.swap = true;
    let swaps = "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 5\n";
    seen.answers.insert(
        Query::Content("/proc/swaps".into()),
        Answer::Text(Some(swaps.into())),
    );
    assert_eq!(change(&SwapOff, &seen).summary, "turn off /dev/zram0");
    seen.facts.container = true;
    assert!(SwapOff.plan(&seen).expect("a plan").is_none());
}

#[test]
fn a_container_whose_host_lacks_a_module_is_refused() {
    let mut seen = Observation::default();
    seen.facts.modules = false;
    let error = Modules::new(["overlay", "br-netfilter"])
        .plan(&seen)
        .expect_err("no plan");
    assert!(
        error.to_string().contains("the kernel lacks br-netfilter"),
        "{error}"
    );
    assert!(error.hint().contains("modprobe br-netfilter"));
}

fn unit(load: &str, active: &str, file: &str) -> Observation {
    let mut seen = Observation::default();
    let unit = Unit {
        load: load.into(),
        active: active.into(),
        file: file.into(),
    };
    seen.answers
        .insert(Query::Unit("x.service".into()), Answer::Unit(unit));
    seen
}

#[test]
fn a_service_is_enabled_and_started_or_neither() {
    let (on, off) = (Service::on("x.service"), Service::off("x.service"));
    let said = |service: &Service, seen: &Observation| {
        service
            .plan(seen)
            .expect("a plan")
            .map(|c| c.summary)
            .unwrap_or_default()
    };
    let table = [
        (unit("loaded", "active", "enabled"), "", "disable and stop"),
        (unit("loaded", "inactive", "enabled"), "start", "disable"),
        (unit("loaded", "active", "disabled"), "enable", "stop"),
        (unit("loaded", "failed", "disabled"), "enable and start", ""),
        (unit("loaded", "active", "static"), "", "stop"),
        (unit("masked", "inactive", "masked"), "enable and start", ""),
        (unit("not-found", "inactive", ""), "enable and start", ""),
    ];
    for (seen, want_on, want_off) in table {
        assert_eq!(said(&on, &seen), want_on);
        assert_eq!(said(&off, &seen), want_off);
    }
}

#[test]
fn a_timer_s_own_unit_is_read_anew_as_well() {
    let timer = Service::on("x.timer").watching([
        "file:/etc/systemd/system/x.timer",
        "file:/etc/systemd/system/x.service",
        "file:/etc/systemd/system/y.service.d/more.conf",
        "file:/etc/x.conf",
    ]);
    let change = timer
        .follow(
            &unit("loaded", "active", "enabled"),
            "file:/etc/systemd/system/x.service",
        )
        .expect("a change");
    let asked: Vec<&str> = change
        .apply
        .as_str()
        .lines()
        .filter(|l| l.starts_with("refresh "))
        .collect();
    assert_eq!(
        asked,
        ["refresh x.timer", "refresh x.service", "refresh y.service"]
    );
}

#[test]
fn a_service_goes_back_to_what_it_was() {
    let service = Service::on("x.service").reloading();
    let undone = |seen: &Observation| {
        let change = service.follow(seen, "file:/etc/x").expect("a change");
        (
            change.undo.script().as_str().to_owned(),
            change.undo.finally().as_str().to_owned(),
        )
    };
    let (script, finally) = undone(&unit("loaded", "active", "enabled"));
    assert!(!script.contains("stop") && script.contains("enable") && !script.contains("disable"));
    assert!(finally.contains("systemctl reload-or-restart x.service"));
    let (script, finally) = undone(&unit("masked", "inactive", "masked"));
    assert!(script.contains("stop x.service") && script.contains("systemctl -q mask x.service"));
    assert_eq!(finally, "systemctl daemon-reload\n");
    // A unit whose file is gone with its package is no failure.
    assert!(script.starts_with("systemctl cat x.service >/dev/null 2>&1 || return 0\n"));
}

#[test]
fn an_image_is_imported_once() {
    let image = ContainerImage {
        reference: "k8s.gcr.io/pause:3.2".into(),
        sha256: "ab".into(),
        size: 3_000_001,
        pull: None,
        digest: "sha256:cd".into(),
    };
    let mut seen = Observation::default();
    let planned = change(&image, &seen);
    assert_eq!(planned.summary, "import (4 MB)");
    assert_eq!(planned.uploads[0].to, "/var/lib/bramble/blobs/ab");
    let mut with = |text: &str| {
        let query = image.wants(&seen).remove(0);
        let printed = bramble_machine::query::Printed {
            text: text.into(),
            exit: 0,
        };
        seen.answers.insert(query, Answer::Printed(printed));
        image.plan(&seen).expect("a plan").map(|c| c.summary)
    };
    let own = "other:1 sha256:ef\nk8s.gcr.io/pause:3.2 sha256:cd\n";
    assert_eq!(with(own), None);
    let foreign = with("k8s.gcr.io/pause:3.2 sha256:ef\n");
    let why = "import (4 MB, another image has its name)";
    assert_eq!(foreign.as_deref(), Some(why));
    let other = with("k8s.gcr.io/pause:3.20 sha256:cd\n");
    assert_eq!(other.as_deref(), Some("import (4 MB)"));
}

//! Machines that can't be reached, that somebody else works on, that belong to another cluster.

use bramble_tests::{Listing, Site};
use std::time::Duration;

const SCOPE: [&str; 2] = ["--step", "base"];

/// A hook that runs as long as the test wants.
const SPEC: &str = "hooks:
  - name: long
    after: base/hosts
    machines: [two]
    check: test -e /var/long
    run: touch /run/begun; until [ -e /run/go ]; do sleep 0.1; done; touch /var/long
    undo: rm -f /var/long
    limit: 120
";

fn up(site: &Site, more: &[&str]) -> bramble_tests::Done {
    site.bramble(&[&["up"], &SCOPE[..], more].concat())
}

fn nothing_to_do(site: &Site) {
    let done = site
        .bramble(&[&["plan", "--exit-code"], &SCOPE[..]].concat())
        .expect(0);
    assert_eq!(done.stdout.trim(), "nothing to do");
}

#[test]
fn a_machine_that_is_gone_is_named_in_time_and_stops_no_other() {
    let site = Site::new("t-reach", 13, &["one", "two", "three"]);
    site.write("");
    site.lab_up();
    up(&site, &[]).expect(0);
    let spoil = |machine: &str| site.on(machine, "sed -i '/internal/d' /etc/hosts");
    let mended = |machine: &str| site.on(machine, "grep -c internal /etc/hosts || :") != "0";

    for (how, undo) in [("freeze", "thaw"), ("kill", "start")] {
        for machine in site.machines() {
            spoil(&machine);
        }
        let lab = site.lab();
        let gone = if how == "freeze" {
            lab.freeze("three")
        } else {
            lab.kill("three")
        };
        gone.expect("the machine goes");
        let done = up(&site, &["--connect-timeout", "3"]).expect(4);
        done.says("three not seen:").says("not reached: three");
        assert!(
            done.took < Duration::from_secs(15),
            "{how}: it took {:?}",
            done.took
        );
        assert!(mended("one") && mended("two"), "{how}: the others are done");
        let back = if undo == "thaw" {
            lab.thaw("three")
        } else {
            lab.start("three", Duration::from_secs(60), |_| {})
        };
        back.expect("the machine comes back");
        assert!(!mended("three"), "{how}: nothing reached the machine");
        up(&site, &[]).expect(0);
        assert!(mended("three"), "{how}: what was left is done");
        nothing_to_do(&site);
    }
}

#[test]
fn two_runs_at_once_are_one_too_many() {
    let site = Site::new("t-lock", 14, &["one", "two"]);
    site.write(SPEC);
    site.lab_up();
    let mut first = site.start(&["up", "--output", "json", "--step", "base"]);
    first.event("the hook runs", |e| {
        e["event"] == "started" && e["resource"] == "action:hook-long"
    });
    bramble_tests::until("the hook runs", Duration::from_secs(20), || {
        site.try_on("two", "test -e /run/begun").code == Some(0)
    });
    let before = Listing::times(&site, "two");
    let second = up(&site, &[]).expect(5);
    second
        .says("is in use by")
        .says("(bramble up, process")
        .says("nothing was changed");
    // Also where the second one would change another machine alone.
    site.on("one", "rm /etc/ssh/sshd_config.d/50-bramble.conf");
    up(&site, &["--machine", "one"])
        .expect(5)
        .says("is in use by");
    assert_eq!(
        site.on("one", "ls /etc/ssh/sshd_config.d | grep -c bramble || :"),
        "0"
    );
    before.assert_same(&Listing::times(&site, "two"), &[("/var/log/", "logs")]);

    site.on("two", "touch /run/go");
    first.finish().expect(0);
    up(&site, &[]).expect(0);
    nothing_to_do(&site);
    another_clusters_file_is_refused(&site);
}

#[test]
fn a_run_that_was_left_is_waited_for() {
    let site = Site::new("t-left", 16, &["one", "two"]);
    site.write(SPEC);
    site.lab_up();
    let mut first = site.start(&["up", "--output", "json", "--step", "base"]);
    first.event("the hook runs", |e| {
        e["event"] == "started" && e["resource"] == "action:hook-long"
    });
    first.signal("INT");
    // The first press is answered before the second one comes.
    first.said("stopping after the running steps");
    first.signal("INT");
    let left = first.finish().expect(130);
    assert!(left.took < Duration::from_secs(60), "it left at once");
    assert_eq!(
        site.on("two", "ls /var/long 2>/dev/null || echo none"),
        "none"
    );

    let mut idle = site.start(&["up", "--output", "json", "--step", "base"]);
    idle.event("it waits for the machine", |e| e["event"] == "waiting");
    idle.signal("INT");
    let idle = idle.finish().expect(130);
    idle.says("\"stopped\":true");
    assert!(idle.took < Duration::from_secs(60), "one press is enough");

    let mut second = site.start(&["up", "--output", "json", "--step", "base"]);
    let waits = second.event("it waits for the machine", |e| {
        e["event"] == "waiting" && e["machine"] == "two"
    });
    assert!(waits["limit"].as_f64() > Some(0.0), "{waits}");
    site.on("two", "touch /run/go");
    second.finish().expect(0);
    assert_eq!(site.on("two", "ls /var/long"), "/var/long");
    nothing_to_do(&site);
}

/// The same machines in a file of another name.
fn another_clusters_file_is_refused(site: &Site) {
    let key = site.lab().key();
    let spec = format!("defaults: {{ ssh: {{ key: {} }} }}\n", key.display());
    let file = site.write_beside("other.yaml", &site.text("t-other", &spec));
    let before = Listing::times(site, "two");
    for args in [&["up", "--step", "base"][..], &["down", "--yes"]] {
        let file = file.display().to_string();
        let args = [args, &["--accept-new-host-keys", "-f", &file]].concat();
        let done = site.bramble(&args).expect(1);
        done.says("belongs to ").says("t-lock");
    }
    before.assert_same(&Listing::times(site, "two"), &[("/var/log/", "logs")]);
    // A cluster of the same name that once was made with two and other machines.
    let swap = "sed -i '1s/\"id\":\"/&f/' /var/lib/bramble/journal";
    site.on("two", swap);
    for args in [&["up", "--step", "base"][..], &["down", "--yes"]] {
        let args = [args, &["--machine", "two"]].concat();
        site.bramble(&args)
            .expect(1)
            .says("another cluster that is called \"t-lock\" too");
    }
    site.on(
        "two",
        "sed -i '1s/\"id\":\"f/\"id\":\"/' /var/lib/bramble/journal",
    );
    nothing_to_do(site);
}

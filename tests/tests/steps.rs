//! Each step goes up, down and up again by itself, to the same end.

use bramble_tests::kubectl::Kubectl;
use bramble_tests::listing::LEFT;
use bramble_tests::{Listing, Site, until};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// What a machine may have before it is a node.
const BELOW: &[&str] = &[
    "base/packages",
    "base/access",
    "base/system",
    "base/hosts",
    "time",
    "runtime",
    "kubernetes",
];

#[test]
fn every_step_goes_up_and_down_by_itself() {
    let site = Site::new("t-steps", 17, &["one", "two"]);
    site.write("addons: [demo]\n");
    site.lab_up();
    let up = |step: &str| drop(site.bramble(&["up", "--step", step]).expect(0));
    let down = |step: &str| drop(site.bramble(&["down", "--yes", "--step", step]).expect(0));
    for step in BELOW {
        let bare = Listing::full(&site, "two");
        up(step);
        let made = Listing::full(&site, "two");
        down(step);
        bare.assert_same(&Listing::full(&site, "two"), &besides_the_record());
        up(step);
        made.assert_same(&Listing::full(&site, "two"), &besides_the_record());
        let plan = site.bramble(&["plan", "--exit-code", "--step", step]);
        assert_eq!(plan.expect(0).stdout.trim(), "nothing to do", "{step}");
    }

    site.up();
    let kubectl = Kubectl::new(&site);
    for step in ["addon/demo", "worker/join"] {
        down(step);
        site.up();
        site.nothing_to_do();
        until("the demo runs", LIMIT, || kubectl.demo().len() == 2);
    }
    site.demo_answers();

    let orphan = site.bramble(&["down", "--yes", "--step", "control-plane"]);
    orphan
        .expect(1)
        .says("it is the control plane of two, which would stay");
    site.nothing_to_do();
    down_both(&site);
    site.up();
    site.nothing_to_do();
    let again = Kubectl::new(&site);
    until("both are ready", LIMIT, || again.ready().len() == 2);
    site.bramble(&["down", "--yes"]).expect(0);
}

fn down_both(site: &Site) {
    let steps = ["--step", "worker/join", "--step", "control-plane/init"];
    site.bramble(&[&["down", "--yes"], &steps[..]].concat())
        .expect(0);
}

/// The record of the other steps stays, and says what was undone.
fn besides_the_record() -> Vec<(&'static str, &'static str)> {
    let mut out = LEFT.to_vec();
    out.push(("/var/lib/bramble", "the record"));
    out.push(("/run/bramble", "locks"));
    out.push((
        "/var/lib/containerd/",
        "the runtime's own data goes with it",
    ));
    out.push((
        "tcp 127.0.0.1:",
        "containerd takes any port for its streams",
    ));
    out
}

//! Values that can't change while the cluster lives.

use super::SPEC;
use bramble_tests::{Listing, Site};
use std::os::unix::fs::symlink;

pub fn what_is_fixed_stays(site: &Site) {
    let before = Listing::times(site, "one");
    site.write(&SPEC.replace("10.244.0.0/16", "10.200.0.0/16"));
    let done = site.bramble(&["up"]).expect(1);
    done.says("kubernetes.podRange")
        .says("10.244.0.0/16")
        .says("hint: put the old value back");

    another_bundle(site);
    site.write(&SPEC.replace("v1.20.2", "v1.25.0"));
    let done = site.bramble(&["up"]).expect(1);
    done.says(
        "no minor release may be left out on the way to v1.25.0, and there is no bundle of v1.2",
    );

    before.assert_same(
        &Listing::times(site, "one"),
        bramble_tests::listing::VOLATILE,
    );
    site.write(SPEC);
    site.nothing_to_do();
}

/// A machine that can't be changed is in the way of nobody else who is named.
pub fn a_machine_without_its_record_is_alone_with_it(site: &Site) {
    site.on("three", "mv /var/lib/bramble/journal /var/tmp/journal");
    site.on("two", "rm /etc/crictl.yaml");
    let whole = site.bramble(&["up"]).expect(1);
    whole
        .says("three can't be changed")
        .says("a node that Bramble did not make");
    whole.says("--machine NAME");
    site.bramble(&["up", "--machine", "two"]).expect(0);
    site.on("two", "test -s /etc/crictl.yaml");
    site.bramble(&["up", "--machine", "three"]).expect(1);
    site.on("three", "mv /var/tmp/journal /var/lib/bramble/journal");
    site.nothing_to_do();
}

/// A bundle of a later release: this one under another number.
fn another_bundle(site: &Site) {
    let real = bramble_tests::kubectl::bundle();
    let index = std::fs::read_to_string(real.join("bundle.json")).expect("an index");
    let text = index.replacen(
        "\"kubernetes\": \"v1.20.2\"",
        "\"kubernetes\": \"v1.25.0\"",
        1,
    );
    site.write_beside(".cache/bramble/bundles/next/bundle.json", &text);
    symlink(
        real.join("blobs"),
        site.folder().join(".cache/bramble/bundles/next/blobs"),
    )
    .expect("a link");
}

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
    site.write(&SPEC.replace("v1.20.2", "v1.20.3"));
    let done = site.bramble(&["up"]).expect(1);
    done.says("kubernetes.version")
        .says("v1.20.2")
        .says("hint: put the old version back");

    before.assert_same(
        &Listing::times(site, "one"),
        bramble_tests::listing::VOLATILE,
    );
    site.write(SPEC);
    site.nothing_to_do();
}

/// A bundle of the next release: this one under another number.
fn another_bundle(site: &Site) {
    let real = bramble_tests::kubectl::bundle();
    let index = std::fs::read_to_string(real.join("bundle.json")).expect("an index");
    let text = index.replacen(
        "\"kubernetes\": \"v1.20.2\"",
        "\"kubernetes\": \"v1.20.3\"",
        1,
    );
    site.write_beside(".cache/bramble/bundles/next/bundle.json", &text);
    symlink(
        real.join("blobs"),
        site.folder().join(".cache/bramble/bundles/next/blobs"),
    )
    .expect("a link");
}

//! To a release two minor ones away. The bundles of both are Debian's v1.20.2, whose programs call themselves so.

use super::tries;
use bramble_tests::Site;
use bramble_tests::kubectl::Kubectl;

const BETWEEN: &str = "v1.21.1";
const LAST: &str = "v1.22.1";

#[test]
fn every_minor_release_is_gone_through() {
    if tries(1) == 1 {
        eprintln!(
            "LEFT OUT: an upgrade over two minor releases (BRAMBLE_TRIES=5 runs it; five minutes on two cores)"
        );
        return;
    }
    let site = Site::new("t-walk", 34, &["one", "two"]);
    let spec = |version: &str| {
        format!(
            "kubernetes: {{ version: {version}, scheduleOnControlPlane: true }}\naddons: [demo]\n"
        )
    };
    for label in [BETWEEN, LAST] {
        let build = ["bundle", "build", "--from", "debian", "--label", label];
        site.bramble(&build).expect(0);
    }
    site.write(&spec("v1.20.2"));
    site.lab_up();
    site.up();
    let kubectl = Kubectl::new(&site);

    // Nothing begins where one of them has no bundle.
    site.write(&spec("v1.23.0"));
    site.bramble(&["up"])
        .expect(1)
        .says("there is no bundle of Kubernetes v1.23.0");
    site.write(&spec(LAST));
    let planned = site.bramble(&["plan", "--short"]).expect(0);
    planned.says(&format!("this is the plan to {BETWEEN}, which comes first"));
    let done = site.bramble(&["up"]).expect(0);
    done.says(&format!("on the way to {LAST}: first to {BETWEEN}"));
    site.nothing_to_do();
    for node in kubectl.items(&["nodes"]) {
        let name = bramble_tests::kubectl::name(&node);
        let reports = &node["status"]["nodeInfo"]["kubeletVersion"];
        assert_eq!(reports, LAST, "{name}");
    }
    let snapshots = site.on("one", "ls /var/lib/bramble-etcd");
    for release in [BETWEEN, LAST] {
        let name = format!("before-{release}");
        assert!(snapshots.contains(&name), "{snapshots}");
    }
    site.demo_answers();
    site.bramble(&["down", "--yes"]).expect(0);
}

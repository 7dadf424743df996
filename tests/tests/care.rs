//! Limits, swap and large pages on real nodes: in force, nothing to do afterwards, gone without a trace.

use bramble_tests::kubectl::{Kubectl, name};
use bramble_tests::listing::{LEFT, assert_all_same};
use bramble_tests::wait::answer;
use bramble_tests::{Listing, Site, until};
use serde_json::Value;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// The lab's machines share this computer's kernel, and with it the number of large pages.
const PAGES: &str = "/proc/sys/vm/nr_hugepages";
/// Pages that are set aside.
const MORE: u32 = 8;

fn spec(high: u8) -> String {
    format!(
        "kubernetes: {{ version: v1.20.2, kubelet: {{ imageGC: {{ high: {high}, low: 5 }}, logs: {{ maxSize: 5Mi, maxFiles: 3 }} }} }}
defaults: {{ journal: {{ maxSize: 48Mi }} }}
"
    )
}

fn pages() -> u32 {
    let text = std::fs::read_to_string(PAGES).expect("a kernel with large pages");
    text.trim().parse().expect("a number")
}

/// The number of large pages at first, which this computer gets back from a test that fails, too.
struct AtFirst(u32);

impl Drop for AtFirst {
    fn drop(&mut self) {
        let _ = std::fs::write(PAGES, self.0.to_string());
    }
}

#[test]
fn nodes_are_cared_for() {
    let mut site = Site::new("t-care", 61, &["one", "two"]);
    let at_first = AtFirst(pages());
    let wanted = at_first.0 + MORE;
    site.machine("two").more = format!("swap: {{ size: 64Mi }}\nhugepages: {{ 2Mi: {wanted} }}");
    site.write(&spec(40));
    site.lab_up();
    let before = Listing::all(&site, Listing::full);
    let done = site.up();
    done.says("two: it is a container, whose swap is its host's: it gets no swap file");
    site.nothing_to_do();

    let kubectl = Kubectl::new(&site);
    for node in ["one", "two"] {
        limits_are_in_force(&kubectl, node, 40);
    }
    the_journal_has_its_limit(&site);
    assert_eq!(pages(), wanted);
    the_node_shows_its_pages(&kubectl, wanted);
    pages_come_back_with_the_machine(&site, &kubectl, wanted);
    another_limit_restarts_the_kubelet_alone(&site, &kubectl);

    site.bramble(&["down", "--yes"]).expect(0);
    assert_eq!(pages(), at_first.0, "large pages are as they were");
    assert_all_same(&before, &Listing::all(&site, Listing::full), LEFT);
}

/// What the kubelet itself says that it goes by, once it answers.
fn limits_are_in_force(kubectl: &Kubectl, node: &str, high: u8) {
    let path = format!("/api/v1/nodes/{node}/proxy/configz");
    let text = answer("the kubelet", LIMIT, || {
        kubectl.try_run(&["get", "--raw", &path])
    });
    let all: Value = serde_json::from_str(&text).expect("the kubelet's configuration");
    let config = &all["kubeletconfig"];
    assert_eq!(config["imageGCHighThresholdPercent"], high, "{node}");
    assert_eq!(config["imageGCLowThresholdPercent"], 5, "{node}");
    assert_eq!(config["containerLogMaxSize"], "5Mi", "{node}");
    assert_eq!(config["containerLogMaxFiles"], 3, "{node}");
}

/// The lab's image has a limit of its own in a file that systemd reads late.
fn the_journal_has_its_limit(site: &Site) {
    for machine in ["one", "two"] {
        let said = site.on(
            machine,
            "journalctl -u systemd-journald -n 1 -o cat --no-pager -g '^System Journal'",
        );
        assert!(said.contains("max 48.0M"), "{machine}: {said}");
    }
}

fn the_node_shows_its_pages(kubectl: &Kubectl, wanted: u32) {
    let expected = format!("{}Mi", wanted * 2);
    until("the node shows its large pages", LIMIT, || {
        let nodes = kubectl.items(&["nodes"]);
        let two = nodes.iter().find(|n| name(n) == "two").expect("the node");
        two["status"]["allocatable"]["hugepages-2Mi"] == expected.as_str()
    });
}

/// U069. The kernel of the lab goes on, so that somebody has to take the pages away.
fn pages_come_back_with_the_machine(site: &Site, kubectl: &Kubectl, wanted: u32) {
    std::fs::write(PAGES, "0").expect("a number is written");
    site.restart("two");
    until("the pages are there again", LIMIT, || pages() == wanted);
    until("both nodes are ready", LIMIT, || {
        kubectl.try_ready() == ["one", "two"]
    });
    the_node_shows_its_pages(kubectl, wanted);
    site.nothing_to_do();
}

fn another_limit_restarts_the_kubelet_alone(site: &Site, kubectl: &Kubectl) {
    site.write(&spec(30));
    let mut expected = Vec::new();
    for step in ["one control-plane/init", "two worker/join"] {
        expected.push(format!("{step} file:/etc/default/kubelet"));
        expected.push(format!("{step} service:kubelet.service"));
    }
    assert_eq!(site.changes(), expected);
    site.up();
    site.nothing_to_do();
    limits_are_in_force(kubectl, "two", 30);
}

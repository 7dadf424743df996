//! Pod network `custom`: the folder of a plug-in's developer, with `conf/` and `bin/` (U115, U116).
//!
//! Files of `conf/` go to `/etc/cni/net.d`, files of `bin/` to `/opt/cni/bin`; a changed file is
//! replaced, one that is gone from the folder is removed. In `conf/` these words stand for values of
//! the machine: `@POD_RANGE@`, `@NODE_NAME@`, `@NODE_ADDRESS@`, `@CLUSTER_POD_RANGE@`. What looks like
//! credentials in `conf/` is for root alone, and no plan shows it.

use super::runtime::{DEBIAN_PLUGINS, PLUGINS};
use crate::context::{On, r};
use bramble_machine::Step;
use bramble_machine::kinds::{Content, File, Link};
use bramble_secret::Secret;
use bramble_spec::cluster::{PodNetwork, Runtime};
use std::collections::BTreeSet;

/// Plug-ins of Debian's package that the developer's configuration may use.
const BESIDE: [&str; 9] = [
    "bridge",
    "host-local",
    "loopback",
    "portmap",
    "ipvlan",
    "macvlan",
    "ptp",
    "static",
    "tuning",
];

/// Names of the developer's own plug-ins; none with another pod network.
pub(super) fn own_plugins(on: &On) -> Vec<String> {
    let PodNetwork::Custom { dir } = &on.cluster().pod_network else {
        return Vec::new();
    };
    let files = on.inputs.assets.get(dir).into_iter().flatten();
    files
        .filter_map(|(path, _)| path.strip_prefix("bin/").map(str::to_owned))
        .collect()
}

pub(super) fn step(on: &On) -> Option<Step> {
    let PodNetwork::Custom { dir } = &on.cluster().pod_network else {
        return None;
    };
    if !on.machine.is_node() {
        return None;
    }
    let empty = Default::default();
    let files = on.inputs.assets.get(dir).unwrap_or(&empty);
    let mut own = BTreeSet::new();
    let mut out = Vec::new();
    for (path, bytes) in files {
        if let Some(name) = path.strip_prefix("bin/") {
            own.insert(name.to_owned());
            let content = Content::Bytes(bytes.clone());
            out.push(r(File::new(format!("{PLUGINS}/{name}"), content, 0o755)));
        }
    }
    // Debian's plug-ins beside them, for chains such as ipvlan + host-local; the developer's win.
    // Those of the bundle are there already.
    let debian = on.cluster().runtime == Runtime::Debian;
    for name in BESIDE.into_iter().filter(|n| debian && !own.contains(*n)) {
        out.push(r(Link::new(
            format!("{PLUGINS}/{name}"),
            format!("{DEBIAN_PLUGINS}/{name}"),
        )));
    }
    for (path, bytes) in files {
        if let Some(name) = path.strip_prefix("conf/") {
            let text = fill(on, &String::from_utf8_lossy(bytes));
            let path = format!("/etc/cni/net.d/{name}");
            out.push(r(if holds_credentials(name, &text) {
                File::new(path, Content::Secret(Secret::new(text)), 0o600)
            } else {
                File::text(path, text)
            }));
        }
    }
    Some(on.step("pod-network/custom", out))
}

/// Whether a file looks like one that lets its reader in somewhere. One too many costs no more than
/// its difference in a plan.
fn holds_credentials(name: &str, text: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.contains("kubeconfig") || [".key", ".pem", ".token"].iter().any(|e| name.ends_with(e)) {
        return true;
    }
    // JSON has its keys in quotes.
    let keys = text.replace('"', "");
    let says = |word: &&str| keys.contains(word);
    ["client-key-data:", "token:", "password:"].iter().any(says)
        || text.contains("PRIVATE KEY-----")
}

fn fill(on: &On, text: &str) -> String {
    let range = on
        .machine
        .pod_range
        .map(|r| r.to_string())
        .unwrap_or_default();
    text.replace("@POD_RANGE@", &range)
        .replace("@NODE_NAME@", &on.machine.name)
        .replace("@NODE_ADDRESS@", &on.machine.address.to_string())
        .replace(
            "@CLUSTER_POD_RANGE@",
            &on.cluster().kubernetes.pod_range.to_string(),
        )
}

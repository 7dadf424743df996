//! kubeadm's configuration in every version of its API.

use crate::fields::Fields;
use crate::setup::{Setup, bundle, cluster, container, shared, version, without};
use bramble_blueprint::kubeadm;
use bramble_spec::cluster::{Arch, Version};
use serde_json::Value;

/// First and last minor release.
const MINORS: std::ops::RangeInclusive<u16> = 20..=37;

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// Clusters that differ in what kubeadm is told.
fn setups(version: Version) -> Vec<(&'static str, Setup)> {
    let head = format!("  kubernetes:\n    version: {version}\n");
    let plain = || Setup::new(cluster(&head));
    let mut all = vec![
        ("default", plain()),
        ("container", plain().on_all(&container())),
        (
            "external endpoint",
            Setup::new(cluster(&format!(
                "{head}    endpoint: {{ external: api.example:8443 }}\n    certSANs: [api.example.org, 203.0.113.7]\n    dnsDomain: c.example\n    podRange: 10.32.0.0/13\n    serviceRange: 10.100.0.0/16\n"
            ))),
        ),
        (
            "several control planes",
            Setup::new(crate::setup::load(&format!(
                "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  machines:\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11, management: one.office.example }}\n    - {{ name: two, roles: [control-plane], address: 10.77.0.12 }}\n    - {{ name: three, roles: [control-plane, worker], address: 10.77.0.13 }}\n    - {{ name: four, address: 10.77.0.14 }}\n{head}    endpoint: {{ vip: 10.77.0.10 }}\n"
            ))),
        ),
    ];
    let mut no_dns = plain();
    no_dns.bundle = no_dns.bundle.map(|b| without(b, &["coredns"]));
    all.push(("no CoreDNS", no_dns));
    let mut elsewhere = plain();
    if let Some(bundle) = &mut elsewhere.bundle {
        for artefact in &mut bundle.artefacts {
            if let bramble_bundle::Artefact::Image(image) = artefact {
                let name = image
                    .reference
                    .rsplit('/')
                    .next()
                    .expect("a name")
                    .to_owned();
                image.reference = format!("registry.example:5000/k8s/{name}");
            }
        }
    }
    all.push(("own registry", elsewhere));
    let mut bare = plain();
    bare.bundle = None;
    bare.facts.clear();
    bare.facts.insert("one".into(), Default::default());
    bare.facts.insert("two".into(), Default::default());
    all.push(("nothing known", bare));
    all
}

/// Every document of every release has the fields that its API version has, of the right types.
#[test]
fn all_documents_have_known_fields() {
    let Some(text) = shared("fixtures/kubeadm/fields.json") else {
        return;
    };
    let fields = Fields::read(&text);
    let mut faults = Vec::new();
    for minor in MINORS {
        for (name, setup) in setups(version(minor, 0)) {
            let worker = if setup.cluster.machine("four").is_some() {
                "four"
            } else {
                "two"
            };
            let mut all = documents(&kubeadm::init(&setup.on_or_first("one")));
            all.extend(documents(&kubeadm::join(&setup.on_or_first(worker))));
            assert_eq!(all.len(), 5, "{all:?}");
            for document in all {
                let place = document["apiVersion"].as_str().expect("a version");
                // The others are the kubelet's and kube-proxy's own.
                if let Some(api) = place.strip_prefix("kubeadm.k8s.io/") {
                    let found = fields.faults(api, &document);
                    faults.extend(found.into_iter().map(|f| format!("1.{minor}, {name}: {f}")));
                }
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

/// Each release gets the version that its kubeadm reads without a warning.
#[test]
fn each_release_gets_its_api_version() {
    let chosen = |minor| {
        let setup = Setup::new(cluster(&format!(
            "  kubernetes: {{ version: {} }}\n",
            version(minor, 0)
        )));
        let all = documents(&kubeadm::init(&setup.on("one")));
        all[0]["apiVersion"]
            .as_str()
            .expect("a version")
            .replace("kubeadm.k8s.io/", "")
    };
    for (minor, expected) in [
        (20, "v1beta2"),
        (21, "v1beta2"),
        (22, "v1beta3"),
        (30, "v1beta3"),
        (31, "v1beta4"),
        (37, "v1beta4"),
    ] {
        assert_eq!(chosen(minor), expected, "1.{minor}");
    }
    let Some(text) = shared("fixtures/kubeadm/api-versions.json") else {
        return;
    };
    let table: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let mut seen = 0;
    for row in &table {
        let minor = row["kubernetes_minor"].as_str().expect("a release");
        let minor: u16 = minor
            .strip_prefix("1.")
            .expect("1.x")
            .parse()
            .expect("a number");
        if MINORS.contains(&minor) {
            assert_eq!(row["preferred"], chosen(minor), "1.{minor}");
            seen += 1;
        }
    }
    assert_eq!(seen, MINORS.count());
}

fn shown(minor: u16, patch: u16, setup: impl Fn(Version) -> Setup) -> String {
    let setup = setup(version(minor, patch));
    format!(
        "{}======\n{}",
        kubeadm::init(&setup.on("one")),
        kubeadm::join(&setup.on("two"))
    )
}

fn plain(version: Version) -> Setup {
    Setup::new(cluster(&format!(
        "  kubernetes: {{ version: {version} }}\n"
    )))
}

#[test]
fn v1beta2_in_full() {
    // As in the lab: containers, and a bundle without CoreDNS.
    let lab = |version| {
        let mut setup = plain(version).on_all(&container());
        setup.bundle = Some(without(bundle(version, &[Arch::Amd64]), &["coredns"]));
        setup
    };
    insta::assert_snapshot!(shown(20, 2, lab));
}

#[test]
fn v1beta3_in_full() {
    insta::assert_snapshot!(shown(28, 2, plain));
}

#[test]
fn v1beta4_in_full() {
    insta::assert_snapshot!(shown(34, 2, plain));
}

/// kubeadm's own default names are not written down; any others are, CoreDNS's deeper one included.
#[test]
fn images_are_named_where_kubeadm_would_look_elsewhere() {
    let places = |setup: &Setup| {
        let all = documents(&kubeadm::init(&setup.on("one")));
        (
            all[1].get("imageRepository").cloned(),
            all[1].get("dns").cloned(),
        )
    };
    for minor in 20..=36 {
        assert_eq!(places(&plain(version(minor, 0))), (None, None), "1.{minor}");
    }
    // A release that is too new for the table, and a registry of one's own.
    let (repository, dns) = places(&plain(version(37, 9)));
    assert_eq!(repository, Some("registry.k8s.io".into()));
    assert_eq!(
        dns,
        Some(serde_json::json!({ "imageRepository": "registry.k8s.io/coredns" }))
    );
    let setups = setups(version(21, 0));
    let (_, own) = setups
        .iter()
        .find(|(name, _)| *name == "own registry")
        .expect("one");
    assert_eq!(
        places(own),
        (Some("registry.example:5000/k8s".into()), None)
    );
}

/// Flags exist in the release that they are given to.
#[test]
fn flags_of_the_kubelet_follow_the_release() {
    let flags = |minor, facts: bramble_machine::Facts| {
        let setup = plain(version(minor, 0)).on_all(&facts);
        setup
            .text("two", "worker/join", "/etc/default/kubelet")
            .expect("flags")
    };
    let usual = "# Made by Bramble.\nKUBELET_EXTRA_ARGS=\"--node-ip=10.77.0.12 --max-pods=110 --cgroup-driver=systemd\"\n";
    assert_eq!(flags(20, Default::default()), usual);
    assert_eq!(flags(36, Default::default()), usual);
    let contained = "--cgroup-driver=cgroupfs --oom-score-adj=0 --fail-swap-on=false ";
    assert!(flags(30, container()).contains(&format!("{contained}--eviction-hard=")));
    let newer = format!("{contained}--fail-cgroupv1=false --eviction-hard=");
    assert!(flags(31, container()).contains(&newer));
}

/// kubeadm is told to go on only where a check can't pass.
#[test]
fn only_checks_that_cannot_pass_are_left_out() {
    let program = |setup: &Setup| setup.program("one", "control-plane/init", "action:kubeadm-init");
    let setup = plain(version(34, 0));
    assert!(!program(&setup).contains("--ignore-preflight-errors"));
    let said = program(&plain(version(34, 0)).on_all(&container()));
    let expected = "--ignore-preflight-errors=SystemVerification,Swap,FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,Mem,NumCPU ";
    assert!(said.contains(expected), "{said}");
    let old = bramble_machine::Facts {
        cgroup2: false,
        ..Default::default()
    };
    assert!(!program(&plain(version(34, 0)).on_all(&old)).contains("SystemVerification"));
    assert!(program(&plain(version(35, 0)).on_all(&old)).contains("=SystemVerification "));
}

impl Setup {
    /// A machine, with the usual facts if nobody has looked at it.
    fn on_or_first(&self, machine: &str) -> bramble_blueprint::On<'_> {
        let facts = self
            .facts
            .get(machine)
            .or_else(|| self.facts.values().next());
        bramble_blueprint::On {
            inputs: self.inputs(),
            machine: self.cluster.machine(machine).expect("a machine"),
            facts: facts.expect("facts"),
        }
    }
}

/// Go reads more words as booleans and numbers than newer YAML does: names must stay names.
#[test]
fn names_that_look_like_other_things_stay_names() {
    for name in [
        "on",
        "no",
        "y",
        "null",
        "true",
        "1e3",
        "0x1f",
        "0o7",
        "12",
        "010",
        "2001-01-01",
    ] {
        let setup = Setup::new(crate::setup::load(&format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: \"{name}\" }}\nspec:\n  machines:\n    - {{ name: \"{name}\", roles: [control-plane], address: 10.77.0.11 }}\n"
        )));
        let text = kubeadm::init(&setup.on(name));
        for key in ["name", "clusterName"] {
            let line = text
                .lines()
                .find(|l| l.trim_start().starts_with(&format!("{key}:")));
            let value = line.expect("a line").split_once(": ").expect("a value").1;
            assert_eq!(value, format!("\"{name}\""), "{text}");
        }
    }
}

#[test]
fn the_api_may_be_called_by_the_router_that_leads_to_it() {
    let sans = |address: &str, section: &str| {
        let setup = Setup::new(crate::setup::load(&format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  network: {{ lan: 10.77.0.0/24 }}\n  router: {{ {section} }}\n  machines:\n    - {{ name: gate, roles: [router], address: {address} }}\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n"
        )));
        let documents = documents(&kubeadm::init(&setup.on("one")));
        let kind = |d: &&Value| d["kind"] == "ClusterConfiguration";
        let cluster = documents.iter().find(kind).expect("a cluster");
        cluster["apiServer"]["certSANs"].clone()
    };
    assert_eq!(
        sans(
            "10.76.0.2",
            "ddns: { name: c.example.org, zone: example.org, tokenFile: token }"
        ),
        serde_json::json!([
            "one",
            "one.c.internal",
            "10.77.0.11",
            "gate",
            "gate.c.internal",
            "10.77.0.1",
            "10.76.0.2",
            "c.example.org",
            "127.0.0.1"
        ])
    );
    // One that is reached inside only has no name outside.
    let inside = sans("10.77.0.1", "");
    assert!(
        inside
            .as_array()
            .is_some_and(|all| all.contains(&"gate".into()))
    );
}

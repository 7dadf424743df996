//! Clusters, bundles and machines to try things with.

use bramble_blueprint::{Assets, Fresh, Inputs, On, Secrets};
use bramble_bundle::index::{Archive, Artefact, Binary, Image, ImageRole, Index, Origin};
use bramble_bundle::{default_tools, image_tags};
use bramble_machine::{Blueprint, Facts, Observation, Resource};
use bramble_spec::Cluster;
use bramble_spec::cluster::{Arch, Version};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Says that something is left out, and why.
pub fn skip(why: &str) {
    #[allow(clippy::print_stdout)]
    {
        println!("skipped: {why}");
    }
}

/// Material that lies beside the repository; `None` (and a line that says so) where it is absent.
pub fn shared(path: &str) -> Option<String> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    let text = std::fs::read_to_string(full).ok();
    if text.is_none() {
        skip(&format!("shared {path} absent"));
    }
    text
}

pub fn load(text: &str) -> Cluster {
    match bramble_spec::load("bramble.yaml", text) {
        Ok(cluster) => cluster,
        Err(problems) => panic!("{text}\n{}", problems.render(false)),
    }
}

pub fn example(name: &str) -> Cluster {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    load(&std::fs::read_to_string(path).expect("an example"))
}

/// A cluster of a control plane and two workers with this in its `spec`.
pub fn cluster(spec: &str) -> Cluster {
    load(&format!(
        "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: {{ name: c }}\nspec:\n  machines:\n    - {{ name: one, roles: [control-plane], address: 10.77.0.11 }}\n    - {{ name: two, address: 10.77.0.12 }}\n    - {{ name: three, address: 10.77.0.13 }}\n{spec}"
    ))
}

pub fn version(minor: u16, patch: u16) -> Version {
    Version {
        major: 1,
        minor,
        patch,
    }
}

/// What an upstream bundle of a release holds.
pub fn bundle(version: Version, archs: &[Arch]) -> Index {
    let tags = image_tags(version).ok();
    let repository = tags
        .as_ref()
        .map_or("registry.k8s.io", |t| t.repository.as_str());
    let hash = |n: usize| format!("{n:064x}");
    let mut all = Vec::new();
    for &arch in archs {
        for name in ["kubeadm", "kubelet", "kubectl", "runc"] {
            all.push(Artefact::Binary(Binary {
                name: name.into(),
                arch,
                version: version.to_string(),
                sha256: hash(all.len()),
                size: 1000,
                mode: 0o755,
            }));
        }
        for tool in default_tools("https://x.example", version) {
            if let bramble_bundle::Form::Archive {
                strip,
                members,
                into,
            } = tool.form
            {
                all.push(Artefact::Archive(Archive {
                    name: tool.name,
                    arch,
                    version: tool.version,
                    sha256: hash(all.len()),
                    size: 1000,
                    strip,
                    members,
                    into,
                }));
            }
        }
        let part = |f: fn(&bramble_bundle::ImageTags) -> String, other: &str| {
            tags.as_ref().map_or(other.to_owned(), f)
        };
        let images = [
            (format!("kube-apiserver:{version}"), ImageRole::ControlPlane),
            (format!("kube-proxy:{version}"), ImageRole::All),
            (
                format!("pause:{}", part(|t| t.pause.clone(), "3.10.2")),
                ImageRole::All,
            ),
            (
                part(|t| t.coredns.clone(), "coredns/coredns:v1.14.6"),
                ImageRole::All,
            ),
            (
                "e2e-test-images/busybox:1.36.1-1".to_owned(),
                ImageRole::All,
            ),
        ];
        for (name, roles) in images {
            all.push(Artefact::Image(Image {
                reference: format!("{repository}/{name}"),
                arch,
                roles,
                sha256: hash(all.len()),
                size: 1000,
                image_digest: "sha256:0".into(),
            }));
        }
    }
    let origin = Origin {
        kind: "upstream".into(),
        detail: String::new(),
        key: String::new(),
    };
    Index::new(version, origin, archs.to_vec(), all)
}

/// The same without some artefacts.
pub fn without(mut index: Index, names: &[&str]) -> Index {
    index.artefacts.retain(|a| match a {
        Artefact::Image(i) => !names.contains(&i.short_name().as_str()),
        other => !names.contains(&other.name()),
    });
    index
}

/// A container that may do little, as those of the lab.
pub fn container() -> Facts {
    Facts {
        cgroup2: false,
        container: true,
        modules: false,
        oom_adjustable: false,
        clock_settable: false,
        conntrack_writable: false,
        swap: true,
        bridge_filter: false,
        kernel_config: false,
        rtc: false,
        memory: 1000,
        cpus: 1,
        ..Facts::default()
    }
}

/// Everything that a blueprint is made from.
pub struct Setup {
    pub cluster: Cluster,
    pub bundle: Option<Index>,
    pub facts: BTreeMap<String, Facts>,
    pub assets: Assets,
    pub secrets: Secrets,
    pub fresh: Fresh,
}

impl Setup {
    /// With an upstream bundle, all machines looked at and without surprises.
    pub fn new(cluster: Cluster) -> Self {
        let bundle = Some(bundle(
            cluster.kubernetes.version,
            &[Arch::Amd64, Arch::Arm64],
        ));
        let arch =
            |m: &bramble_spec::cluster::Machine| m.arch.map_or("amd64", Arch::as_str).to_owned();
        let facts = cluster
            .machines
            .iter()
            .map(|m| {
                (
                    m.name.clone(),
                    Facts {
                        arch: arch(m),
                        ..Facts::default()
                    },
                )
            })
            .collect();
        let vpn = cluster.router.as_ref().and_then(|r| r.vpn.as_ref());
        let fresh = Fresh {
            vpn: vpn.map(crate::vpn::keys),
            ..Fresh::default()
        };
        Self {
            cluster,
            bundle,
            facts,
            assets: Assets::new(),
            secrets: Secrets::new(),
            fresh,
        }
    }

    /// With these facts on all machines.
    pub fn on_all(mut self, facts: &Facts) -> Self {
        self.facts.values_mut().for_each(|f| *f = facts.clone());
        self
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs {
            cluster: &self.cluster,
            facts: &self.facts,
            bundle: self.bundle.as_ref(),
            assets: &self.assets,
            secrets: &self.secrets,
            fresh: &self.fresh,
        }
    }

    pub fn on(&self, machine: &str) -> On<'_> {
        On {
            inputs: self.inputs(),
            machine: self
                .cluster
                .machine(machine)
                .expect("a machine of the file"),
            facts: &self.facts[machine],
        }
    }

    pub fn blueprint(&self) -> Blueprint {
        bramble_blueprint::blueprint(self.inputs())
    }

    /// Resources of a step; empty if the machine doesn't have it.
    pub fn step(&self, machine: &str, name: &str) -> Vec<std::sync::Arc<dyn Resource>> {
        let mut blueprint = self.blueprint();
        let steps = blueprint
            .machines
            .remove(machine)
            .expect("the machine")
            .steps;
        let step = steps.into_iter().find(|s| s.name == name);
        step.map(|s| s.resources).unwrap_or_default()
    }

    /// Ids of the resources of a step.
    pub fn ids(&self, machine: &str, name: &str) -> Vec<String> {
        self.step(machine, name).iter().map(|r| r.id()).collect()
    }

    /// The text of a file, on a machine that has nothing yet; `None` if the step has no such file.
    pub fn text(&self, machine: &str, name: &str, path: &str) -> Option<String> {
        self.new_text(machine, name, &format!("file:{path}"))
    }

    /// The text that a resource writes on a machine that has nothing yet; `None` if the step has none
    /// of that id.
    pub fn new_text(&self, machine: &str, name: &str, id: &str) -> Option<String> {
        let found = self
            .step(machine, name)
            .into_iter()
            .find(|r| r.id() == id)?;
        let debug = format!("{found:?}");
        let change = found
            .plan(&Observation::default())
            .expect("a plan")
            .expect("a change");
        let diff = change.diff.unwrap_or_else(|| panic!("{debug} has no text"));
        let lines = diff.lines().filter(|l| !l.starts_with("+++"));
        let added = lines.filter_map(|l| l.strip_prefix('+'));
        Some(added.map(|l| format!("{l}\n")).collect())
    }

    /// The program that makes a resource on a machine that has nothing yet.
    pub fn program(&self, machine: &str, name: &str, id: &str) -> String {
        let all = self.step(machine, name);
        let found = all
            .iter()
            .find(|r| r.id() == id)
            .unwrap_or_else(|| panic!("no {id}: {all:?}"));
        let change = found
            .plan(&Observation::default())
            .expect("a plan")
            .expect("a change");
        change.apply.as_str().to_owned()
    }

    /// What is in the way on a machine.
    pub fn obstacles(&self, machine: &str) -> Vec<String> {
        let blueprint = self.blueprint();
        let resources = blueprint.machines[machine]
            .steps
            .iter()
            .flat_map(|s| &s.resources);
        let seen = Observation::default();
        resources
            .filter_map(|r| r.plan(&seen).err())
            .map(|e| format!("{e}. {}", e.hint()))
            .collect()
    }
}

/// A program of Debian's: from the machine, or unpacked from its packages; `None` (and a line that
/// says so) where neither can be had.
pub fn debian(program: &str, packages: &[&str]) -> Option<PathBuf> {
    let own = Path::new("/").join(program);
    if own.is_file() {
        return Some(own);
    }
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("packages")
        .join(packages[0]);
    let found = root.join(program);
    if !found.is_file() {
        let parts = root.with_extension("part");
        std::fs::create_dir_all(&parts).ok()?;
        let fetch = format!(
            "cd '{}' && apt-get -qq download {} && for d in *.deb; do dpkg-deb -x $d x || exit 1; done && mv x '{}'",
            parts.display(),
            packages.join(" "),
            root.display()
        );
        let done = std::process::Command::new("sh")
            .args(["-c", &fetch])
            .output();
        let _ = std::fs::remove_dir_all(&parts);
        if !done.is_ok_and(|o| o.status.success()) {
            skip(&format!(
                "{program} absent, and its packages can't be had here"
            ));
            return None;
        }
    }
    Some(found)
}

/// Runs a program that [`debian`] gave, which may need libraries beside it.
pub fn run(program: &Path, args: &[&str]) -> std::process::Output {
    let root = program.ancestors().nth(3).unwrap_or(program);
    let libraries = format!(
        "{0}/usr/lib/x86_64-linux-gnu:{0}/usr/lib/aarch64-linux-gnu",
        root.display()
    );
    std::process::Command::new(program)
        .args(args)
        .env("LD_LIBRARY_PATH", libraries)
        .output()
        .expect("the program runs")
}

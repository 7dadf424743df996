//! Everything that a command needs besides its arguments: the file, the bundle, the connections.

use crate::args::Global;
use crate::ask;
use crate::assets;
use crate::bundles;
use crate::error::{CliError, Explain, Kind};
use crate::printer::{Output, Printer};
use crate::suggest::closest;
use bramble_blueprint::{Assets, Fresh, Inputs, Secrets};
use bramble_bundle::Bundle;
use bramble_fleet::{Fleet, Options, Sudo, Target};
use bramble_lab::{Lab, LabMachine, Topology};
use bramble_machine::{Blueprint, Facts};
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Jump, Machine, Version};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A loaded cluster file and what belongs to it.
pub struct Context {
    /// The validated file.
    pub cluster: Cluster,
    /// Where it lies.
    pub path: PathBuf,
    /// The bundle that fits, if there is one.
    pub bundle: Option<Bundle>,
    /// Bundles of this computer that could not be opened, and why.
    broken: Vec<String>,
    /// Files that the cluster file names.
    pub assets: Assets,
    /// Secrets from files that the cluster file names.
    secrets: Secrets,
    /// Keys for machines that have none yet.
    fresh: Fresh,
    /// The lab of this computer that machines of the file are in, if there is one.
    pub lab: Option<LabPart>,
    sudo: Option<Secret>,
}

impl Context {
    /// Reads the file and what it names. Opens no connection.
    pub async fn load(global: &Global, printer: &Printer) -> Result<Self, CliError> {
        let cluster = load_file(&global.file, printer)?;
        Self::of(global, cluster, global.bundle.as_deref(), printer).await
    }

    /// The same as if the file named another release of Kubernetes, with a bundle of this computer.
    pub async fn load_release(
        global: &Global,
        release: Version,
        printer: &Printer,
    ) -> Result<Self, CliError> {
        let mut cluster = load_file(&global.file, printer)?;
        cluster.kubernetes.version = release;
        Self::of(global, cluster, None, printer).await
    }

    async fn of(
        global: &Global,
        cluster: Cluster,
        named: Option<&Path>,
        printer: &Printer,
    ) -> Result<Self, CliError> {
        let path = global.file.clone();
        let folder = path.parent().unwrap_or(Path::new("."));
        let assets = assets::read(&cluster, folder);
        // Of everything that the file names, all mistakes at once.
        let assets = match (assets, crate::hooks::check(&cluster).await) {
            (Ok(assets), Ok(())) => assets,
            (Err(error), Ok(())) | (Ok(_), Err(error)) => return Err(error),
            (Err(mut error), Err(more)) => {
                error.message = format!("{}\n{}", error.message, more.message);
                error.hints.extend(more.hints);
                return Err(error);
            }
        };
        let secrets = crate::secrets::read(&cluster, &path, printer)?;
        let fresh = crate::secrets::fresh(&cluster, &secrets)?;
        let found = bundles::find(&cluster, named)?;
        let lab = lab_of(&cluster);
        let sudo = sudo_password(global, printer)?;
        Ok(Self {
            cluster,
            path,
            bundle: found.bundle,
            broken: found.broken,
            assets,
            secrets,
            fresh,
            lab,
            sudo,
        })
    }

    /// Reads the file alone, for commands that only need to reach the machines: neither a missing
    /// bundle nor a missing folder of manifests keeps anybody from a shell.
    pub fn reach(global: &Global, printer: &Printer) -> Result<Self, CliError> {
        let path = global.file.clone();
        let cluster = load_file(&path, printer)?;
        let lab = lab_of(&cluster);
        let sudo = sudo_password(global, printer)?;
        Ok(Self {
            cluster,
            path,
            bundle: None,
            broken: Vec::new(),
            assets: Assets::new(),
            secrets: Secrets::new(),
            fresh: Fresh::default(),
            lab,
            sudo,
        })
    }

    /// What the cluster should be, given what the machines are.
    pub fn blueprint(&self, facts: &BTreeMap<String, Facts>) -> Blueprint {
        bramble_blueprint::blueprint(Inputs {
            cluster: &self.cluster,
            facts,
            bundle: self.bundle.as_ref().map(Bundle::index),
            assets: &self.assets,
            secrets: &self.secrets,
            fresh: &self.fresh,
        })
    }

    /// The bundle; an error that says how to get one if there is none.
    pub fn need_bundle(&self) -> Result<&Bundle, CliError> {
        self.bundle.as_ref().ok_or_else(|| {
            let version = self.cluster.kubernetes.version;
            let what = format!("there is no bundle of Kubernetes {version}");
            CliError::failed(bundles::with_broken(what, &self.broken))
                .hint(format!(
                    "fetch it: bramble bundle build --from upstream --version {version}"
                ))
                .hint("or name its folder: --bundle DIR")
        })
    }

    /// Connections as the arguments and the user's environment say.
    pub fn fleet(&self, global: &Global) -> Fleet {
        let mut options = Options::from_environment(data_dir().join("known_hosts"));
        if let Some(lab) = &self.lab {
            // The lab made these machines: it knows their keys. Where all are its own, nothing is
            // learned beside it.
            let file = lab.folder.join("known_hosts");
            if self.cluster.machines.iter().all(|m| lab.has(m)) {
                options.known_hosts = file;
            } else {
                options.user_known_hosts = Some(file);
            }
        }
        options.accept_new_host_keys = global.accept_new_host_keys;
        options.connect_limit = Duration::from_secs(global.connect_timeout);
        Fleet::new(options)
    }

    /// How to reach a machine.
    pub fn target(&self, machine: &Machine) -> Target {
        self.target_at_depth(machine, 0)
    }

    /// How to reach all machines, or the named ones.
    pub fn targets(&self, names: &[String]) -> Result<Vec<Target>, CliError> {
        for name in names {
            self.machine(name)?;
        }
        let wanted = |m: &&Machine| names.is_empty() || names.contains(&m.name);
        Ok(self
            .cluster
            .machines
            .iter()
            .filter(wanted)
            .map(|m| self.target(m))
            .collect())
    }

    /// The machine of a name.
    pub fn machine(&self, name: &str) -> Result<&Machine, CliError> {
        self.cluster.machine(name).ok_or_else(|| {
            let all: Vec<&str> = self
                .cluster
                .machines
                .iter()
                .map(|m| m.name.as_str())
                .collect();
            let error = CliError::usage(format!(
                "there is no machine {name:?} in {}",
                self.path.display()
            ));
            match closest(name, all.iter().copied()) {
                Some(meant) => error.hint(format!("did you mean {meant}?")),
                None => error.hint(format!("machines are: {}", all.join(", "))),
            }
        })
    }

    fn target_at_depth(&self, machine: &Machine, depth: usize) -> Target {
        let ssh = &machine.ssh;
        let jump = ssh
            .jump
            .as_ref()
            .filter(|_| depth < 8)
            .and_then(|jump| match jump {
                Jump::Machine(name) => {
                    Some(self.target_at_depth(self.cluster.machine(name)?, depth + 1))
                }
                Jump::Host { user, host, port } => Some(Target {
                    name: host.clone(),
                    host: host.clone(),
                    port: *port,
                    user: user.clone(),
                    keys: self.keys(None, &ssh.keys),
                    jump: None,
                    host_key: None,
                    sudo: Sudo::No,
                }),
            });
        Target {
            name: machine.name.clone(),
            host: machine
                .management
                .clone()
                .unwrap_or_else(|| machine.address.to_string()),
            port: ssh.port,
            user: ssh.user.clone(),
            keys: self.keys(Some(machine), &ssh.keys),
            jump: jump.map(Arc::new),
            host_key: ssh.host_key.clone(),
            sudo: match (&self.sudo, ssh.user.as_str()) {
                (_, "root") => Sudo::No,
                (Some(password), _) => Sudo::Password(password.clone()),
                (None, _) => Sudo::Passwordless,
            },
        }
    }

    /// Keys for a machine of the file, or for a host that is none.
    fn keys(&self, machine: Option<&Machine>, written: &[String]) -> Vec<PathBuf> {
        let own = self
            .lab
            .as_ref()
            .filter(|lab| machine.is_some_and(|m| lab.has(m)));
        if let (true, Some(lab)) = (written.is_empty(), own) {
            return vec![lab.folder.join("id_ed25519")];
        }
        let folder = self.path.parent().unwrap_or(Path::new("."));
        written.iter().map(|key| folder.join(expand(key))).collect()
    }
}

/// Reads and checks a cluster file.
pub fn load_file(path: &Path, printer: &Printer) -> Result<Cluster, CliError> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("can't read the cluster file {}: {error}", path.display());
        CliError::usage(message).hint("name it with -f FILE, or make one: bramble init")
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::usage(format!("{}: byte {at} is not UTF-8", path.display()))
            .hint("save the file as UTF-8 text")
    })?;
    load_text(&path.display().to_string(), &text, printer)
}

/// Checks the text of a cluster file. `name` is what messages call it.
pub fn load_text(name: &str, text: &str, printer: &Printer) -> Result<Cluster, CliError> {
    let steps = bramble_blueprint::hook_points();
    let context = bramble_spec::Context {
        known_steps: &steps,
    };
    let found = bramble_spec::load_with(name, text, &context);
    found.map_err(|problems| refuse(&problems, printer))
}

/// Says what is wrong with a cluster file; the error that ends the command.
pub fn refuse(problems: &bramble_spec::Problems, printer: &Printer) -> CliError {
    if printer.output == Output::Json {
        printer.value(problems);
    } else {
        printer.warn_raw(&problems.render(printer.color_err));
    }
    CliError::silent(Kind::Usage)
}

/// Where Bramble keeps what belongs to the user: `$XDG_DATA_HOME/bramble`.
pub fn data_dir() -> PathBuf {
    user_dir("XDG_DATA_HOME", ".local/share")
}

/// Where Bramble keeps what the user has chosen: `$XDG_CONFIG_HOME/bramble`.
pub fn config_dir() -> PathBuf {
    user_dir("XDG_CONFIG_HOME", ".config")
}

/// Where Bramble keeps what can be made again: `$XDG_CACHE_HOME/bramble`.
pub fn cache_dir() -> PathBuf {
    user_dir("XDG_CACHE_HOME", ".cache")
}

fn user_dir(variable: &str, usual: &str) -> PathBuf {
    let named = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|p| p.is_absolute());
    named
        .or_else(|| std::env::home_dir().map(|h| h.join(usual)))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("bramble")
}

/// The lab of a cluster's name on this computer, as far as machines of the file are in it.
pub struct LabPart {
    folder: PathBuf,
    addresses: Vec<IpAddr>,
}

impl LabPart {
    /// Whether a machine of the file is one of the lab's. Another cluster of the lab's name is elsewhere,
    /// and a lab's key is none of its affair.
    pub fn has(&self, machine: &Machine) -> bool {
        // A router has its address of the file on the outer side, and gets the inner one later.
        let outside = machine.management.as_ref().and_then(|m| m.parse().ok());
        [Some(machine.address), outside]
            .into_iter()
            .flatten()
            .any(|address| self.addresses.contains(&address))
    }
}

fn lab_of(cluster: &Cluster) -> Option<LabPart> {
    let lab = Lab::open(&cluster.name).ok()?;
    let topology = lab.topology().ok()?;
    let part = LabPart {
        folder: lab.dir().to_path_buf(),
        addresses: addresses(&topology),
    };
    let used = cluster.machines.iter().any(|m| part.has(m));
    (used && lab.known_hosts().exists()).then_some(part)
}

fn addresses(topology: &Topology) -> Vec<IpAddr> {
    topology
        .machines
        .iter()
        .flat_map(LabMachine::known_addresses)
        .map(IpAddr::V4)
        .collect()
}

fn sudo_password(global: &Global, printer: &Printer) -> Result<Option<Secret>, CliError> {
    if let Some(path) = &global.sudo_password_file {
        let text = std::fs::read_to_string(path)
            .explain(format!("the sudo password in {}", path.display()))?;
        crate::secrets::tell_if_open(path, "sudo password", printer);
        return Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))));
    }
    if global.ask_sudo_password {
        let answer = inquire::Password::new("sudo password:")
            .without_confirmation()
            .with_display_mode(inquire::PasswordDisplayMode::Hidden)
            .prompt()
            .map_err(ask::unanswered)?;
        return Ok(Some(Secret::new(answer)));
    }
    Ok(None)
}

/// A path as written in the cluster file; `~/` is the user's home.
pub fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use bramble_lab::{AddressMode, Boot, Link};

    fn lab(addresses: &[&str]) -> Topology {
        let machine = |address: &&str| LabMachine {
            name: "m".into(),
            boot: Boot::On,
            links: vec![Link {
                net: "lan".into(),
                interface: None,
                mac: None,
                address: AddressMode::Static {
                    address: format!("{address}/24").parse().unwrap(),
                    gateway: None,
                    dns: Vec::new(),
                },
            }],
        };
        Topology {
            name: "home".into(),
            networks: Vec::new(),
            machines: addresses.iter().map(machine).collect(),
        }
    }

    #[test]
    fn a_machine_is_of_the_lab_by_its_address() {
        let text = "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  \
                    machines:\n    - { name: one, roles: [control-plane], address: 10.77.0.11 }\n    \
                    - { name: two, roles: [worker], address: 10.77.0.12 }\n";
        let cluster = bramble_spec::load("test", text).unwrap();
        let has = |of: &[&str]| {
            let part = LabPart {
                folder: PathBuf::new(),
                addresses: addresses(&lab(of)),
            };
            let all: Vec<bool> = cluster.machines.iter().map(|m| part.has(m)).collect();
            all
        };
        assert_eq!(
            has(&["10.77.0.11", "10.77.0.12", "10.77.0.13"]),
            [true, true]
        );
        assert_eq!(has(&["10.77.0.11"]), [true, false]);
        assert_eq!(has(&["192.168.1.11", "192.168.1.12"]), [false, false]);
    }
}

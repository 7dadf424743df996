//! Everything that a command needs besides its arguments: the file, the bundle, the connections.

use crate::args::Global;
use crate::ask;
use crate::error::{CliError, Explain, Kind};
use crate::printer::{Output, Printer};
use crate::suggest::closest;
use bramble_blueprint::{Assets, Inputs};
use bramble_bundle::Bundle;
use bramble_fleet::{Fleet, Options, Sudo, Target};
use bramble_machine::{Blueprint, Facts};
use bramble_secret::Secret;
use bramble_spec::Cluster;
use bramble_spec::cluster::{Addon, Jump, Machine, PodNetwork};
use std::collections::BTreeMap;
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
    /// Files that the cluster file names.
    pub assets: Assets,
    /// The lab of this computer that has the cluster's name, if there is one.
    pub lab: Option<PathBuf>,
    sudo: Option<Secret>,
}

impl Context {
    /// Reads the file and what it names. Opens no connection.
    pub fn load(global: &Global, printer: &Printer) -> Result<Self, CliError> {
        let path = global.file.clone();
        let cluster = load_file(&path, printer)?;
        let assets = assets(&cluster, &path)?;
        let bundle = find_bundle(&cluster, global.bundle.as_deref())?;
        let lab = lab_of(&cluster.name);
        let sudo = sudo_password(global)?;
        Ok(Self {
            cluster,
            path,
            bundle,
            assets,
            lab,
            sudo,
        })
    }

    /// Reads the file alone, for commands that only need to reach the machines: neither a missing
    /// bundle nor a missing folder of manifests keeps anybody from a shell.
    pub fn reach(global: &Global, printer: &Printer) -> Result<Self, CliError> {
        let path = global.file.clone();
        let cluster = load_file(&path, printer)?;
        let lab = lab_of(&cluster.name);
        let sudo = sudo_password(global)?;
        Ok(Self {
            cluster,
            path,
            bundle: None,
            assets: Assets::new(),
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
        })
    }

    /// The bundle; an error that says how to get one if there is none.
    pub fn need_bundle(&self) -> Result<&Bundle, CliError> {
        self.bundle.as_ref().ok_or_else(|| {
            let version = self.cluster.kubernetes.version;
            CliError::failed(format!("there is no bundle of Kubernetes {version}"))
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
            // The lab made these machines: it knows their keys.
            options.known_hosts = lab.join("known_hosts");
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
                    keys: self.keys(&ssh.keys),
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
            keys: self.keys(&ssh.keys),
            jump: jump.map(Arc::new),
            host_key: ssh.host_key.clone(),
            sudo: match (&self.sudo, ssh.user.as_str()) {
                (_, "root") => Sudo::No,
                (Some(password), _) => Sudo::Password(password.clone()),
                (None, _) => Sudo::Passwordless,
            },
        }
    }

    fn keys(&self, written: &[String]) -> Vec<PathBuf> {
        if let (true, Some(lab)) = (written.is_empty(), &self.lab) {
            return vec![lab.join("id_ed25519")];
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
    load_text(path, &text, printer)
}

/// Checks the text of a cluster file.
pub fn load_text(path: &Path, text: &str, printer: &Printer) -> Result<Cluster, CliError> {
    let steps = bramble_blueprint::hook_points();
    let context = bramble_spec::Context {
        known_steps: &steps,
    };
    bramble_spec::load_with(&path.display().to_string(), text, &context).map_err(|problems| {
        if printer.output == Output::Json {
            printer.value(&problems);
        } else {
            printer.warn_raw(&problems.render(printer.color_err));
        }
        CliError::silent(Kind::Usage)
    })
}

/// Where Bramble keeps what belongs to the user: `$XDG_DATA_HOME/bramble`.
pub fn data_dir() -> PathBuf {
    user_dir("XDG_DATA_HOME", ".local/share")
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

/// Folders in which bundles are looked for.
/// The first is the user's own, the second for everybody on this computer.
pub fn bundle_dirs() -> [PathBuf; 2] {
    [
        cache_dir().join("bundles"),
        PathBuf::from("/var/cache/bramble/bundles"),
    ]
}

/// The bundle that a cluster uses: the named one, or the first on this computer that fits.
pub fn find_bundle(cluster: &Cluster, named: Option<&Path>) -> Result<Option<Bundle>, CliError> {
    if let Some(dir) = named {
        let bundle = Bundle::open(dir).explain(format!("the bundle {}", dir.display()))?;
        let (have, want) = (bundle.index().kubernetes, cluster.kubernetes.version);
        if have != want {
            let message = format!(
                "{} holds Kubernetes {have}, the file wants {want}",
                dir.display()
            );
            return Err(
                CliError::usage(message).hint("name another bundle, or change kubernetes.version")
            );
        }
        return Ok(Some(bundle));
    }
    let dirs = bundle_dirs()
        .into_iter()
        .filter_map(|d| std::fs::read_dir(d).ok());
    let mut found: Vec<PathBuf> = dirs.flatten().flatten().map(|e| e.path()).collect();
    found.sort();
    let fits = |b: &Bundle| b.index().kubernetes == cluster.kubernetes.version;
    Ok(found
        .iter()
        .filter_map(|dir| Bundle::open(dir).ok())
        .find(fits))
}

fn lab_of(name: &str) -> Option<PathBuf> {
    let dir = Path::new(bramble_lab::DEFAULT_BASE).join(name);
    dir.join("known_hosts").exists().then_some(dir)
}

fn sudo_password(global: &Global) -> Result<Option<Secret>, CliError> {
    if let Some(path) = &global.sudo_password_file {
        let text = std::fs::read_to_string(path)
            .explain(format!("the sudo password in {}", path.display()))?;
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

fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Reads the folders and files that the cluster file names.
fn assets(cluster: &Cluster, file: &Path) -> Result<Assets, CliError> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut out = Assets::new();
    if let PodNetwork::Custom { dir } = &cluster.pod_network {
        let files = read_tree(&folder.join(expand(dir)))?;
        if !files.keys().any(|k| k.starts_with("conf/")) {
            let message = format!("podNetwork.dir {dir} holds no conf/ with a CNI configuration");
            return Err(CliError::usage(message)
                .hint("put the plug-in's configuration in conf/ and its programs in bin/"));
        }
        out.insert(dir.clone(), files);
    }
    for addon in &cluster.addons {
        if let Addon::Manifests { path, .. } = addon {
            let files = read_tree(&folder.join(expand(path)))?;
            out.insert(path.clone(), files);
        }
    }
    Ok(out)
}

/// All files below a folder by their path in it; of a file, itself.
fn read_tree(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, CliError> {
    let mut out = BTreeMap::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(path) = open.pop() {
        let wrong = |e: std::io::Error| {
            CliError::usage(format!(
                "{}, which the cluster file names: {e}",
                path.display()
            ))
        };
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(wrong)? {
                open.push(entry.map_err(wrong)?.path());
            }
        } else {
            let bytes = std::fs::read(&path).map_err(wrong)?;
            let inside = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .display()
                .to_string();
            out.insert(inside, bytes);
        }
    }
    Ok(out)
}

//! A lab as a whole: up, down, what there is. What its machines can do is in `machines.rs`.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cgroup::Layout;
use crate::error::{At, Error, Result};
use crate::event::{Event, WaitFor};
use crate::host::{self, Lock};
use crate::image::{DEFAULT_CACHE, ImageOptions, root_image};
use crate::parallel::each;
use crate::power::cut;
use crate::preflight::preflight;
use crate::remove::remove_tree;
use crate::state::{Places, Record, read_json, write_json};
use crate::status::{self, LabStatus, MachineState};
use crate::topology::{Boot, Topology, veth_name};
use crate::{disk, network, ssh};

/// Where labs keep their state unless said otherwise, each in a directory by its name.
pub const DEFAULT_BASE: &str = "/var/lib/bramble-lab";

/// Disks made at a time: each is a copy of small files, which more workers would not speed up.
const DISKS_AT_ONCE: usize = 4;

/// How a lab is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory that holds the lab's state directory.
    pub base: PathBuf,
    /// The directory of root images.
    pub cache: PathBuf,
    /// What the root image has beside its recipe.
    pub image: ImageOptions,
    /// How long a machine may take from switching on until its SSH server answers: two seconds on an
    /// idle computer, a minute on a crowded one.
    pub ready_limit: Duration,
    /// How many machines start at a time.
    pub parallel: usize,
    /// Leaves a lab that did not come up as it is, for a look at it; else it is removed.
    pub keep_failed: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base: DEFAULT_BASE.into(),
            cache: DEFAULT_CACHE.into(),
            image: ImageOptions::default(),
            ready_limit: Duration::from_secs(300),
            parallel: 16,
            keep_failed: false,
        }
    }
}

/// A lab that exists, in whatever condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lab {
    pub(crate) name: String,
    pub(crate) places: Places,
}

impl Lab {
    /// Makes a lab and waits until every machine's SSH server answers. A lab that fails on the way
    /// is removed again unless [`Options::keep_failed`].
    ///
    /// # Errors
    /// When this computer can't carry a lab, the topology is unsound, the name or a range is taken,
    /// or a machine does not come up.
    pub fn up(topology: &Topology, options: &Options, events: impl Fn(Event)) -> Result<Self> {
        topology.validate()?;
        let missing = preflight();
        if !missing.is_empty() {
            return Err(Error::Unable(missing));
        }
        plain_path(&options.base)?;
        plain_path(&options.cache)?;
        let _lock = lock(&topology.name, &events)?;
        let lab = Self {
            name: topology.name.clone(),
            places: Places(options.base.join(&topology.name)),
        };
        lab.check_new(topology, &options.base)?;
        let image = root_image(&options.cache, &options.image, &events)?;
        lab.claim(topology, &options.base, image)?;
        let done = lab.make(topology, options, &events);
        if done.is_err() && !options.keep_failed {
            // The first failure is the one to tell; `down` can be repeated by the user.
            let _ = lab.remove(&|_| {});
        }
        done.map(|()| lab)
    }

    /// The lab of that name below [`DEFAULT_BASE`], or wherever this computer knows it to be.
    ///
    /// # Errors
    /// [`Error::NoLab`].
    pub fn open(name: &str) -> Result<Self> {
        Self::open_in(Path::new(DEFAULT_BASE), name)
    }

    /// The lab of that name below `base`, or wherever this computer knows it to be.
    ///
    /// # Errors
    /// [`Error::NoLab`].
    pub fn open_in(base: &Path, name: &str) -> Result<Self> {
        let found = find(base);
        match found.into_iter().find(|lab| lab.name == name) {
            Some(lab) => Ok(lab),
            None => Err(Error::NoLab {
                name: name.to_owned(),
                dir: base.join(name),
            }),
        }
    }

    /// All labs of this computer: those below `base` and those known from elsewhere.
    pub fn list(base: &Path) -> Vec<LabStatus> {
        find(base).iter().map(Self::status).collect()
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab's state directory.
    pub fn dir(&self) -> &Path {
        &self.places.0
    }

    /// The private key that logs in to every machine as root.
    pub fn key(&self) -> PathBuf {
        self.places.key()
    }

    /// The machines' host keys, by name and address, in OpenSSH's form.
    pub fn known_hosts(&self) -> PathBuf {
        self.places.known_hosts()
    }

    /// A configuration for OpenSSH's client (`ssh -F`) in which machines go by their names.
    pub fn ssh_config(&self) -> PathBuf {
        self.places.ssh_config()
    }

    /// What the lab is made of, with machines added later.
    ///
    /// # Errors
    /// When the record can't be read.
    pub fn topology(&self) -> Result<Topology> {
        Ok(self.record()?.topology)
    }

    /// What the lab and its machines are now.
    pub fn status(&self) -> LabStatus {
        let mut status = LabStatus {
            name: self.name.clone(),
            dir: self.places.0.clone(),
            created: 0,
            networks: Vec::new(),
            machines: Vec::new(),
            damaged: None,
        };
        match self.record() {
            Err(error) => status.damaged = Some(error.to_string()),
            Ok(record) => {
                status.created = record.created;
                if let Some(layout) = Layout::detect() {
                    let machines = record.topology.machines.iter();
                    status.machines = machines
                        .map(|m| status::machine(m, &layout.machine(&self.name, &m.name)))
                        .collect();
                }
                status.networks = record.topology.networks;
            }
        }
        status
    }

    /// Whether none of its machines is on, as after a restart of this computer. Not known where the record can't be
    /// read.
    pub fn is_off(&self) -> bool {
        let (Ok(record), Some(layout)) = (self.record(), Layout::detect()) else {
            return false;
        };
        let mut machines = record.topology.machines.iter();
        machines
            .all(|m| status::state(&layout.machine(&self.name, &m.name)) == MachineState::Stopped)
    }

    /// Removes the lab with everything that belongs to it, in whatever condition it is.
    ///
    /// # Errors
    /// When something would not go; it can be called again.
    pub fn down(self, events: impl Fn(Event)) -> Result<()> {
        let _lock = lock(&self.name, &events)?;
        self.remove(&events)
    }

    /// Removes what there is of a lab with that name, even where its record is lost; `false` where
    /// there was nothing.
    ///
    /// # Errors
    /// As [`Lab::down`].
    pub fn down_by_name(base: &Path, name: &str, events: impl Fn(Event)) -> Result<bool> {
        // A name that can't be a lab's must not become a path.
        let probe = Topology {
            name: name.to_owned(),
            networks: Vec::new(),
            machines: Vec::new(),
        };
        if probe.validate().is_err() {
            return Ok(false);
        }
        // Also removes the lock that a killed `up` left.
        let _lock = lock(name, &events)?;
        let lab = match Self::open_in(base, name) {
            Ok(lab) => lab,
            Err(Error::NoLab { dir, .. }) => {
                let left = Layout::detect().is_some_and(|l| !l.machines_of(name).is_empty());
                if !left && !network::left_of(name)? {
                    return Ok(false);
                }
                Self {
                    name: name.to_owned(),
                    places: Places(dir),
                }
            }
            Err(error) => return Err(error),
        };
        lab.remove(&events)?;
        Ok(true)
    }

    /// The last lines of a machine's console.
    pub fn console_tail(&self, machine: &str, lines: usize) -> String {
        self.places.machine(machine).console_tail(lines)
    }

    pub(crate) fn record(&self) -> Result<Record> {
        read_json(&self.places.record())?.ok_or_else(|| Error::NoLab {
            name: self.name.clone(),
            dir: self.places.0.clone(),
        })
    }

    /// Refuses what would be refused later, before an image is built.
    fn check_new(&self, topology: &Topology, base: &Path) -> Result<()> {
        let mut others = Vec::new();
        for lab in find(base) {
            if lab.name == self.name {
                return Err(Error::Exists {
                    name: lab.name,
                    dir: lab.places.0,
                });
            }
            // A lab with a damaged record still has its routes.
            others.extend(lab.topology().ok());
        }
        network::check_free(topology, &others)
    }

    /// Takes name and ranges: from here on others see the lab, and `down` can remove it.
    fn claim(&self, topology: &Topology, base: &Path, image: PathBuf) -> Result<()> {
        let _all = Lock::all()?;
        self.check_new(topology, base)?;
        let dir = &self.places.0;
        // An empty one is what a killed `up` left before this computer's restart.
        if dir.exists() {
            std::fs::remove_dir(dir).at("replace (it is no lab's directory)", dir)?;
        }
        let made = self.make_dir(topology, base, image);
        if made.is_err() {
            let _ = std::fs::remove_dir_all(dir);
            let _ = host::unregister(&self.name);
        }
        made
    }

    /// Known first, then there: a death in between leaves nothing unknown.
    fn make_dir(&self, topology: &Topology, base: &Path, image: PathBuf) -> Result<()> {
        let dir = &self.places.0;
        self.settle(topology)?;
        std::fs::create_dir_all(base).at("make", base)?;
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .at("make", dir)?;
        write_json(&self.places.record(), &Record::new(topology.clone(), image))
    }

    /// Makes the computer know the lab and fit to carry it. Under [`Lock::all`].
    pub(crate) fn settle(&self, topology: &Topology) -> Result<()> {
        host::register(&self.name, &self.places.0)?;
        host::prepare_settings(topology.networks.iter().any(|n| n.nat))
    }

    fn make(&self, topology: &Topology, options: &Options, events: &dyn Fn(Event)) -> Result<()> {
        let record = self.record()?;
        let authorized = ssh::lab_key(&self.places, &self.name)?;
        each(&topology.machines, DISKS_AT_ONCE, events, |machine, _| {
            let places = self.places.machine(&machine.name);
            disk::create(&places, &record.image, topology, machine, &authorized)
        })?;
        ssh::write_client_files(&self.places, topology)?;
        let names: Vec<&str> = topology
            .machines
            .iter()
            .filter(|m| m.boot == Boot::On)
            .map(|m| m.name.as_str())
            .collect();
        self.power_on(
            &record,
            &names,
            options.parallel,
            options.ready_limit,
            events,
        )
    }

    /// Removes everything, the record last.
    fn remove(&self, events: &dyn Fn(Event)) -> Result<()> {
        let begin = Instant::now();
        // A damaged record is no reason to leave machines running: names lead to them, too.
        let topology = self.record().ok().map(|r| r.topology);
        if let Some(layout) = Layout::detect() {
            let mut names = layout.machines_of(&self.name);
            let known = topology.iter().flat_map(|t| &t.machines);
            names.extend(known.map(|m| m.name.clone()));
            let names: Vec<String> = names.into_iter().collect();
            each(&names, 8, events, |name, _| cut(&layout, &self.name, name))?;
            layout.remove_lab(&self.name);
        }
        let veths: Vec<String> = topology
            .iter()
            .flat_map(|t| &t.machines)
            .flat_map(|m| (0..m.links.len()).map(|at| veth_name(&self.name, &m.name, at)))
            .collect();
        network::unplug(&veths)?;
        network::remove(&self.name, topology.as_ref())?;
        let dir = &self.places.0;
        let _all = Lock::all()?;
        // The record goes with its directory, and the rest of that may take several attempts.
        remove_tree(dir)?;
        host::unregister(&self.name)?;
        if let Some(base) = dir.parent() {
            // Fails where another lab is, as it should.
            let _ = std::fs::remove_dir(base);
        }
        for dir in ["/run/systemd/nspawn", "/run/systemd"] {
            // Made for our machines where systemd has none of its own; never removed with content.
            let _ = std::fs::remove_dir(dir);
        }
        events(Event::Removed {
            lab: self.name.clone(),
            took: begin.elapsed(),
        });
        Ok(())
    }
}

pub(crate) fn layout() -> Result<Layout> {
    Layout::detect().ok_or_else(|| Error::Unable(preflight()))
}

pub(crate) fn lock(name: &str, events: &impl Fn(Event)) -> Result<Lock> {
    Lock::lab(name, |limit| {
        events(Event::Waiting {
            machine: None,
            what: WaitFor::Lock,
            limit,
        });
    })
}

/// Every lab there is a trace of, by name.
fn find(base: &Path) -> Vec<Lab> {
    let mut found = host::registered();
    if let Ok(entries) = std::fs::read_dir(base) {
        for entry in entries.flatten() {
            if entry.path().join("lab.json").exists() {
                let name = entry.file_name().to_string_lossy().into_owned();
                found.entry(name).or_insert_with(|| entry.path());
            }
        }
    }
    found
        .into_iter()
        .map(|(name, dir)| Lab {
            name,
            places: Places(dir),
        })
        .collect()
}

/// Overlay mounts have no way to quote some characters, so paths with them are refused.
fn plain_path(path: &Path) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if path.is_absolute() && path.to_string_lossy().chars().all(plain) {
        Ok(())
    } else {
        Err(Error::Topology(format!(
            "{} must be an absolute path of letters, digits, '/', '.', '_' and '-'",
            path.display()
        )))
    }
}

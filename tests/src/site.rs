//! A lab, a cluster file for it, and the program that is run on them.

use crate::program::{Done, Running, binary};
use crate::{failure, wait};
use bramble_lab::{AddressMode, Boot, DEFAULT_BASE, Lab, LabMachine, Link};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// Release of the bundle that all tests use.
pub const VERSION: &str = "v1.20.2";

/// A machine of a site.
#[derive(Debug, Clone)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// Its roles, as the file writes them.
    pub roles: String,
    /// Further lines of its entry, without indentation.
    pub more: String,
}

/// The name of a site's router.
const GATE: &str = "gate";

/// How long a machine that is added may take until its SSH server answers.
const READY: Duration = Duration::from_secs(120);

/// A lab with its cluster file in a folder of its own; both are removed at the end.
///
/// With a router, this computer and everything outside are in the network 10.79.`net`.0/24, and the
/// machines in 10.78.`net`.0/24, where this computer has no address.
pub struct Site {
    name: String,
    net: u8,
    folder: TempDir,
    machines: Vec<Machine>,
    /// The name of the router, if there is one: then the first of the machines.
    router: Option<String>,
}

impl Site {
    /// A site of this name, with the network 10.78.`net`.0/24, which no other test may use. The first
    /// machine is the control plane.
    ///
    /// # Panics
    /// When this computer can't run labs.
    pub fn new(name: &str, net: u8, machines: &[&str]) -> Self {
        let role = |at| if at == 0 { "control-plane" } else { "worker" };
        let machines = machines.iter().enumerate().map(|(at, name)| Machine {
            name: (*name).to_owned(),
            roles: role(at).into(),
            more: String::new(),
        });
        Self::with(name, net, machines.collect(), None)
    }

    /// A site whose machines are behind the router `gate`: `gate` has the interfaces `wan0` (with an
    /// address, as somebody has set it up) and `lan0` (bare); the others ask for their addresses, and
    /// get none as long as it does not serve. The first of them is the control plane.
    ///
    /// # Panics
    /// When this computer can't run labs.
    pub fn behind_router(name: &str, net: u8, machines: &[&str]) -> Self {
        let mut all = vec![Machine {
            name: GATE.to_owned(),
            roles: "router".into(),
            more: String::new(),
        }];
        for (at, name) in machines.iter().enumerate() {
            all.push(Machine {
                name: (*name).to_owned(),
                roles: if at == 0 { "control-plane" } else { "worker" }.into(),
                more: format!("mac: {}", mac(net, at + 1)),
            });
        }
        Self::with(name, net, all, Some(GATE.to_owned()))
    }

    fn with(name: &str, net: u8, machines: Vec<Machine>, router: Option<String>) -> Self {
        failure::remember();
        one_run_at_a_time();
        let missing = bramble_lab::preflight();
        assert!(
            missing.is_empty(),
            "this computer can't run labs: {missing:?}"
        );
        assert!(name.starts_with("t-"), "labs of tests are called t-...");
        // What an earlier run that was killed left.
        Lab::down_by_name(Path::new(DEFAULT_BASE), name, |_| {}).expect("the old lab goes");
        let folder = tempfile::Builder::new()
            .prefix("bramble-")
            .tempdir()
            .expect("a folder");
        Self {
            name: name.to_owned(),
            net,
            folder,
            machines,
            router,
        }
    }

    /// Adds a worker to what the next [`Site::write`] writes.
    pub fn add(&mut self, name: &str) {
        let more = match self.router {
            Some(_) => format!("mac: {}", mac(self.net, self.machines.len())),
            None => String::new(),
        };
        self.machines.push(Machine {
            name: name.to_owned(),
            roles: "worker".into(),
            more,
        });
    }

    /// Switches on a machine in the lab that is not in the cluster file, in the machines' network: a
    /// device that nobody knows, which asks for an address by DHCP.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn guest(&self, name: &str) {
        self.stranger(name, "lan", AddressMode::Dhcp);
    }

    /// Switches on a machine in the lab that is not in the cluster file, in the network outside the
    /// router: somebody on the internet. Its address is 10.79.`net`.`last`, its way on this computer.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn outsider(&self, name: &str, last: u8) -> String {
        let address = format!("10.79.{}.{last}", self.net);
        let fixed = AddressMode::Static {
            address: format!("{address}/24").parse().expect("an address"),
            gateway: Some(self.gateway().parse().expect("an address")),
            dns: Vec::new(),
        };
        self.stranger(name, "wan", fixed);
        address
    }

    fn stranger(&self, name: &str, net: &str, address: AddressMode) {
        assert!(self.router.is_some(), "{name} needs a site with a router");
        let machine = LabMachine {
            name: name.to_owned(),
            boot: Boot::On,
            links: vec![Link {
                net: net.to_owned(),
                interface: None,
                mac: None,
                address,
            }],
        };
        self.lab()
            .add_machine(machine, READY, |_| {})
            .unwrap_or_else(|e| panic!("{name} does not come up: {e}"));
    }

    /// The lab's and the cluster's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the cluster file, removed at the end.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the cluster file lies.
    pub fn file(&self) -> PathBuf {
        self.folder().join("bramble.yaml")
    }

    /// The names of the machines.
    pub fn machines(&self) -> Vec<String> {
        self.machines.iter().map(|m| m.name.clone()).collect()
    }

    /// A machine's entry, for changes before the next [`Site::write`].
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn machine(&mut self, name: &str) -> &mut Machine {
        self.machines
            .iter_mut()
            .find(|m| m.name == name)
            .expect("a machine of the site")
    }

    /// A machine's address; a router's is the one in the machines' network.
    ///
    /// # Panics
    /// When there is no such machine.
    pub fn address(&self, name: &str) -> String {
        let at = self
            .machines
            .iter()
            .position(|m| m.name == name)
            .expect("a machine of the site");
        let last = match &self.router {
            Some(router) if router == name => 1,
            Some(_) => 10 + at,
            None => 11 + at,
        };
        format!("10.78.{}.{last}", self.net)
    }

    /// The router's address outside.
    pub fn outside(&self) -> String {
        format!("10.79.{}.2", self.net)
    }

    /// This computer's address in the lab.
    pub fn gateway(&self) -> String {
        match self.router {
            Some(_) => format!("10.79.{}.1", self.net),
            None => format!("10.78.{}.1", self.net),
        }
    }

    /// The text of the cluster file, with these lines below `spec`.
    pub fn text(&self, name: &str, spec: &str) -> String {
        let mut out = format!(
            "apiVersion: bramble.dev/v1alpha1\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n"
        );
        if !spec.contains("kubernetes:") {
            let _ = writeln!(out, "  kubernetes:\n    version: {VERSION}");
        }
        if !spec.contains("network:") {
            let _ = writeln!(out, "  network:\n    lan: 10.78.{}.0/24", self.net);
        }
        out.push_str("  machines:\n");
        for machine in &self.machines {
            let address = match &self.router {
                Some(router) if *router == machine.name => self.outside(),
                _ => self.address(&machine.name),
            };
            let _ = writeln!(
                out,
                "    - name: {}\n      roles: [{}]\n      address: {address}",
                machine.name, machine.roles
            );
            for line in machine.more.lines() {
                let _ = writeln!(out, "      {line}");
            }
        }
        for line in spec.lines() {
            let _ = writeln!(out, "  {line}");
        }
        out
    }

    /// Writes the cluster file, with these lines below `spec`.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, spec: &str) {
        std::fs::write(self.file(), self.text(&self.name, spec)).expect("the file is written");
    }

    /// Writes a file beside the cluster file.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write_beside(&self, path: &str, text: &str) -> PathBuf {
        let path = self.folder().join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("a folder");
        }
        std::fs::write(&path, text).expect("the file is written");
        path
    }

    /// Makes the lab that the cluster file describes.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn lab_up(&self) {
        self.bramble(&["lab", "up"]).expect(0);
    }

    /// The lab.
    ///
    /// # Panics
    /// When there is none.
    pub fn lab(&self) -> Lab {
        Lab::open(&self.name).expect("the lab is up")
    }

    /// The program with these arguments, not started yet. Its home is the site's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(args)
            .current_dir(self.folder())
            .env("HOME", self.folder());
        for name in [
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "SSH_AUTH_SOCK",
            "KUBECONFIG",
            "BRAMBLE_FILE",
        ] {
            command.env_remove(name);
        }
        command
    }

    /// Runs the program to its end.
    pub fn bramble(&self, args: &[&str]) -> Done {
        let done = self.start(args).finish();
        // Shown where a test fails.
        eprintln!(
            "{}: bramble {}: {:?} after {:.1} s",
            self.name,
            args.join(" "),
            done.code,
            done.took.as_secs_f64()
        );
        done
    }

    /// Starts the program.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(&mut self.command(args))
    }

    /// `up`, which must succeed.
    #[track_caller]
    pub fn up(&self) -> Done {
        self.bramble(&["up"]).expect(0)
    }

    /// The plan as JSON, asked for without a word.
    #[track_caller]
    fn asked_plan(&self) -> Value {
        let asked = self.start(&["plan", "--output", "json"]).finish();
        asked.expect(0).json()
    }

    /// The plan as JSON.
    #[track_caller]
    pub fn plan(&self) -> Value {
        self.bramble(&["plan", "--output", "json"]).expect(0).json()
    }

    /// What the plan would change, a line `machine step resource` for each; `-` stands for the cluster's API.
    #[track_caller]
    pub fn changes(&self) -> Vec<String> {
        changes(&self.plan())
    }

    /// Waits until there is nothing to do.
    ///
    /// # Panics
    /// When there is something still after the limit; the message names it.
    #[track_caller]
    pub fn soon_nothing_to_do(&self, limit: Duration) {
        wait::until_else(
            "the plan is empty",
            limit,
            || changes(&self.asked_plan()).is_empty(),
            || format!("{:#}", self.asked_plan()),
        );
    }

    /// Asserts that there is nothing to do.
    ///
    /// # Panics
    /// When there is.
    #[track_caller]
    pub fn nothing_to_do(&self) {
        let done = self.bramble(&["plan", "--exit-code"]).expect(0);
        assert_eq!(done.stdout.trim(), "nothing to do", "{}", done.stderr);
    }

    /// Runs a program on a machine as root, by OpenSSH's client; how it ended.
    pub fn try_on(&self, machine: &str, program: &str) -> Done {
        let mut command = self
            .lab()
            .ssh_command(machine)
            .expect("a machine of the lab");
        Running::start(command.arg(program)).finish()
    }

    /// Runs a program on a machine as root; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn on(&self, machine: &str, program: &str) -> String {
        let done = self.try_on(machine, program);
        assert_eq!(
            done.code,
            Some(0),
            "on {machine}: {program}\n{}",
            done.said()
        );
        done.stdout.trim_end().to_owned()
    }

    /// Runs a long program on a machine as root, by way of standard input; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn script(&self, machine: &str, program: &str) -> String {
        let mut command = self
            .lab()
            .ssh_command(machine)
            .expect("a machine of the lab");
        command
            .arg("sh -s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("ssh starts");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(program.as_bytes())
            .expect("ssh reads");
        let output = child.wait_with_output().expect("ssh ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "on {machine}: {}\n{errors}",
            output.status
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A program of this computer, started in the network of a machine: it sends and hears as the machine
    /// does.
    ///
    /// # Panics
    /// When the machine is off.
    #[track_caller]
    pub fn beside(&self, machine: &str, program: &[&str]) -> Done {
        let all = self.lab().status().machines;
        let found = all.iter().find(|m| m.name == machine);
        let pid = found.and_then(|m| m.pid).expect("a machine that is on");
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{pid}/ns/net"));
        Running::start(command.arg("--").args(program)).finish()
    }

    /// Restarts a machine and waits until it is up.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&self, machine: &str) {
        let lab = self.lab();
        lab.stop(machine, READY, |_| {}).expect("the machine stops");
        lab.start(machine, READY, |_| {})
            .expect("the machine starts");
        self.try_on(machine, "systemctl is-system-running --wait");
    }

    /// A page, as this computer gets it, within a short time; certificates are not checked.
    ///
    /// # Errors
    /// What `curl` says.
    ///
    /// # Panics
    /// When the address is none of the lab's where this computer has one too.
    pub fn page(&self, url: &str) -> Result<String, String> {
        let gateway = self.gateway();
        let net = gateway.trim_end_matches(|c: char| c != '.');
        assert!(
            url.contains(&format!("//{net}")),
            "{url} is not in the lab's network {net}0/24"
        );
        let args = ["-sS", "-k", "-m", "5", "-f", "--noproxy", "*", url];
        let done = Running::start(Command::new("curl").args(args)).finish();
        if done.code == Some(0) {
            Ok(done.stdout)
        } else {
            Err(done.stderr)
        }
    }

    /// Asserts that the demo page answers wherever the program says that it does: at every machine's
    /// node port, or at the router.
    ///
    /// # Panics
    /// When it does not within a minute.
    #[track_caller]
    pub fn demo_answers(&self) {
        self.demo_answers_at(|_| true);
    }

    /// The same, but for one machine.
    #[track_caller]
    pub fn demo_answers_without(&self, machine: &str) {
        let address = format!("//{}:", self.address(machine));
        self.demo_answers_at(|url| !url.contains(&address));
    }

    #[track_caller]
    fn demo_answers_at(&self, counts: impl Fn(&str) -> bool) {
        let check = self.bramble(&["check", "--output", "json"]).expect(0);
        let pages = check.json()["demoPages"].clone();
        let pages = pages.as_array().cloned().unwrap_or_default();
        assert!(!pages.is_empty(), "the file has no demo");
        for url in pages.iter().map(word).filter(|url| counts(url)) {
            let page = wait::answer(url, Duration::from_secs(60), || self.page(url));
            assert!(page.contains("It works."), "{page}");
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::env::var_os("BRAMBLE_KEEP_LABS").is_some() {
            eprintln!(
                "lab {} stays; its files: {}",
                self.name,
                self.folder().display()
            );
            return;
        }
        if std::thread::panicking() {
            failure::tell(self);
        }
        if let Err(error) = Lab::down_by_name(Path::new(DEFAULT_BASE), &self.name, |_| {}) {
            eprintln!("lab {} could not be removed: {error}", self.name);
        }
    }
}

/// What a plan would change, a line `machine step resource` for each.
pub fn changes(plan: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for machine in list(&plan["machines"]) {
        for step in list(&machine["steps"]) {
            for change in list(&step["changes"]) {
                out.push(format!(
                    "{} {} {}",
                    word(&machine["machine"]),
                    word(&step["step"]),
                    word(&change["id"])
                ));
            }
        }
    }
    for step in list(&plan["api"]) {
        for change in list(&step["changes"]) {
            out.push(format!("- {} {}", word(&step["step"]), word(&change["id"])));
        }
        for id in list(&step["resources"]) {
            out.push(format!("- {} {}", word(&step["step"]), word(&id)));
        }
    }
    out
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// The hardware address of the machine at a place of the list.
fn mac(net: u8, at: usize) -> String {
    format!("02:00:00:00:{net:02x}:{at:02x}")
}

/// Names and ranges of labs belong to one run of the tests at a time; others wait.
pub(crate) fn one_run_at_a_time() {
    static LOCK: OnceLock<File> = OnceLock::new();
    LOCK.get_or_init(|| {
        let path = "/run/lock/bramble-tests";
        let file = File::create(path)
            .unwrap_or_else(|e| panic!("{path}: {e} (tests with labs run as root)"));
        file.lock().unwrap_or_else(|e| panic!("{path}: {e}"));
        file
    });
}

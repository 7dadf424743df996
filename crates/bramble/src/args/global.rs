//! Options of every command.

use crate::printer::Output;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use std::path::PathBuf;

/// Names the cluster of a daemon, where `--cluster` does not.
const CLUSTER: &str = "BRAMBLE_CLUSTER";

/// Options about the work that this computer does, which a daemon knows nothing of.
const OF_WORK_HERE: [(&str, &str); 5] = [
    ("bundle", "--bundle"),
    ("accept_new_host_keys", "--accept-new-host-keys"),
    ("ask_sudo_password", "--ask-sudo-password"),
    ("sudo_password_file", "--sudo-password-file"),
    ("connect_timeout", "--connect-timeout"),
];

/// What stands on the command line itself. What the environment says holds for all commands, and is no contradiction to
/// one of them.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--file`.
    pub file: bool,
    /// `--server`.
    pub server: bool,
    /// `--cluster`.
    pub cluster: bool,
    /// An option about the work that this computer does.
    pub of_work_here: Option<&'static str>,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// The cluster file.
    #[arg(
        short = 'f',
        long,
        global = true,
        help_heading = "Options of every command",
        default_value = "bramble.yaml",
        env = "BRAMBLE_FILE",
        value_name = "FILE"
    )]
    pub file: PathBuf,
    /// Text for people, or JSON for programs.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        value_enum,
        default_value = "text",
        value_name = "FORM"
    )]
    pub output: Output,
    /// Say less.
    #[arg(short, long, global = true, help_heading = "Options of every command")]
    pub quiet: bool,
    /// Folder of the bundle; by default the one that fits is looked for in the caches.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "BRAMBLE_BUNDLE",
        value_name = "DIR"
    )]
    pub bundle: Option<PathBuf>,
    /// Learn the host key of machines that were never seen before. A changed key is refused anyway.
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub accept_new_host_keys: bool,
    /// Ask for the password that sudo wants on the machines.
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub ask_sudo_password: bool,
    /// File with the password that sudo wants on the machines.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        value_name = "FILE",
        env = "BRAMBLE_SUDO_PASSWORD_FILE"
    )]
    pub sudo_password_file: Option<PathBuf>,
    /// A daemon that does the work instead of this computer: up, down, plan, status, check, kubeconfig, etcd members
    /// and snapshots, certs status; and whose runs are looked at. See `bramble login`.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "BRAMBLE_SERVER",
        value_name = "URL"
    )]
    pub server: Option<String>,
    /// With --server: a cluster that the daemon knows, instead of the file's. BRAMBLE_CLUSTER names it as well, and
    /// says nothing where no daemon is named.
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        value_name = "NAME",
        value_parser = cluster_name
    )]
    pub cluster: Option<String>,
    /// Seconds that each stage of connecting to a machine may take.
    #[arg(long, global = true, help_heading = "Options of every command", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    pub connect_timeout: u64,
    /// Which of them were given.
    #[arg(skip)]
    pub given: Given,
}

impl Global {
    /// Adds what the environment says, and looks whether it all goes together. Clap sees neither what was given on which
    /// side of a command's name nor that an option counts for more than the environment.
    ///
    /// # Errors
    /// What contradicts what; what the environment says wrong.
    pub fn settle(&mut self, matches: &ArgMatches) -> Result<(), String> {
        let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        if self.ask_sudo_password && given("sudo_password_file") {
            return Err(
                "--ask-sudo-password and --sudo-password-file contradict each other".into(),
            );
        }
        if self.ask_sudo_password {
            self.sudo_password_file = None;
        }
        if self.cluster.is_some() && self.server.is_none() {
            return Err(
                "--cluster NAME is one that a daemon knows: --server URL says which daemon".into(),
            );
        }
        if self.cluster.is_some() && given("file") {
            return Err(
                "--cluster names one that the daemon knows, --file brings another: leave one out"
                    .into(),
            );
        }
        let of_work_here = OF_WORK_HERE.iter().find(|(id, _)| given(id));
        self.given = Given {
            file: given("file"),
            server: given("server"),
            cluster: self.cluster.is_some(),
            of_work_here: of_work_here.map(|(_, option)| *option),
        };
        self.add_environment()
    }

    /// Takes from the environment what counts only together with something else: clap would take it in any case, and
    /// refuse every command to who has it set and names no daemon.
    fn add_environment(&mut self) -> Result<(), String> {
        if self.server.is_none() || self.cluster.is_some() || self.given.file {
            return Ok(());
        }
        let Some(name) = std::env::var_os(CLUSTER) else {
            return Ok(());
        };
        let name = name.to_string_lossy();
        let read = cluster_name(&name).map_err(|why| format!("{CLUSTER}={name}: {why}"))?;
        self.cluster = Some(read);
        Ok(())
    }
}

/// A cluster's name is a part of the API's paths, and chooses no other one.
fn cluster_name(text: &str) -> Result<String, String> {
    match bramble_spec::dns_label(text) {
        true => Ok(text.to_owned()),
        false => Err("no name of a cluster: small letters, digits and hyphens".into()),
    }
}

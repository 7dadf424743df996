//! Options of every command.

use crate::printer::Output;
use clap::Args;
use std::path::PathBuf;

/// Names the cluster of a daemon, where `--cluster` does not.
const CLUSTER: &str = "BRAMBLE_CLUSTER";

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
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        conflicts_with = "sudo_password_file"
    )]
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
        requires = "server",
        value_parser = cluster_name
    )]
    pub cluster: Option<String>,
    /// Seconds that each stage of connecting to a machine may take.
    #[arg(long, global = true, help_heading = "Options of every command", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "SECONDS")]
    pub connect_timeout: u64,
}

impl Global {
    /// Takes from the environment what counts only together with something else: clap would take it in any case, and
    /// refuse every command to who has it set and names no daemon.
    ///
    /// # Errors
    /// What it says, where that is wrong.
    pub fn add_environment(&mut self) -> Result<(), String> {
        if self.server.is_none() || self.cluster.is_some() {
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

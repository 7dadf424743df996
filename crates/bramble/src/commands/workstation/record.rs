//! What `connect` has set on this computer, so that `disconnect` takes away just that, whatever the
//! cluster file says by then. Written before anything is set.

use super::platform::LinkDns;
use crate::error::{CliError, Explain};
use crate::files;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// The records, a file for each cluster.
pub const FOLDER: &str = "/var/lib/bramble-workstation";

/// What was set for a cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Record {
    /// Routes.
    pub routes: Vec<Route>,
    /// The file of names got a line break before the block.
    pub line_break: bool,
    /// Files of the resolver.
    pub files: Vec<PathBuf>,
    /// Interfaces that were told about names.
    pub links: Vec<LinkDns>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Where it leads.
    pub to: Ipv4Net,
    /// The next router.
    pub via: Ipv4Addr,
}

impl Record {
    fn path(cluster: &str) -> PathBuf {
        Path::new(FOLDER).join(format!("{cluster}.json"))
    }

    /// The record of a cluster; `None` if this computer is not connected to it.
    pub fn read(cluster: &str) -> Result<Option<Self>, CliError> {
        let path = Self::path(cluster);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(CliError::failed(format!("{}: {error}", path.display())));
            }
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .explain(format!("{} is damaged", path.display()))
            .map_err(|e| {
                e.hint("look at the routes with `ip route` or `netstat -rn`, then remove the file")
            })
    }

    /// Clusters that this computer is connected to.
    pub fn all() -> Vec<String> {
        let files = std::fs::read_dir(FOLDER).into_iter().flatten().flatten();
        let mut out: Vec<String> = files
            .filter_map(|f| Some(f.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .collect();
        out.sort();
        out
    }

    /// Writes it.
    pub fn write(&self, cluster: &str) -> Result<(), CliError> {
        std::fs::create_dir_all(FOLDER).explain(format!("can't make the folder {FOLDER}"))?;
        let mut text = serde_json::to_string_pretty(self).explain("the record")?;
        text.push('\n');
        files::write(&Self::path(cluster), text.as_bytes(), 0o644, true)
    }

    /// Removes it, and the folder with the last one.
    pub fn remove(cluster: &str) -> Result<(), CliError> {
        let path = Self::path(cluster);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(CliError::failed(format!("{}: {error}", path.display())));
            }
            _ => {}
        }
        // Others may be in it.
        let _ = std::fs::remove_dir(FOLDER);
        Ok(())
    }

    /// This one and what another has besides.
    pub fn with(mut self, other: &Self) -> Self {
        let routes = other.routes.iter().filter(|r| !self.routes.contains(r));
        let more: Vec<Route> = routes.cloned().collect();
        self.routes.extend(more);
        let files = other.files.iter().filter(|f| !self.files.contains(f));
        let more: Vec<PathBuf> = files.cloned().collect();
        self.files.extend(more);
        let known = |link: &LinkDns| self.links.iter().any(|l| l.device == link.device);
        let links = other.links.iter().filter(|l| !known(l));
        let more: Vec<LinkDns> = links.cloned().collect();
        self.links.extend(more);
        self.line_break |= other.line_break;
        self
    }
}

//! Certificates: what a look at a machine says of them, and the programs that renew them.
//!
//! Nothing here needs the API: certificates that are over take it away.

mod certificate;
mod programs;
mod rotation;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, SOON, Standing, worst};
pub use programs::{Gentle, begin, install, renew, request, sign, turn};
pub use rotation::{Stage, cleanup, hand_over, make, reach_stage, told, trust, wait_roots};

/// The program whose answer [`Look::parse`] reads; it changes nothing.
pub const LOOK: &str = include_str!("certs/look.sh");

/// What one look at a machine said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The machine.
    pub machine: String,
    /// Its clock, in seconds since 1970.
    pub now: i64,
    /// The size of its journal, which taking its lock asks for.
    pub journal: u64,
    /// Whether it is a control plane.
    pub plane: bool,
    /// Whether a renewal was begun there and not finished.
    pub begun: bool,
    /// Whether that renewal found the cluster down.
    pub hard: bool,
    /// How far a rotation of the CAs has come there.
    pub stage: Option<Stage>,
    /// The hash of the new CA that it holds with its key, in a rotation.
    pub new: Option<String>,
    /// Its certificates, those that end first at the beginning.
    pub certificates: Vec<Certificate>,
}

impl Look {
    /// Reads the lines of [`LOOK`].
    pub fn parse(machine: &str, text: &str) -> Self {
        let mut out = Look {
            machine: machine.to_owned(),
            ..Look::default()
        };
        for line in text.lines() {
            let (key, rest) = line.split_once(' ').unwrap_or((line, ""));
            match key {
                "now" => out.now = rest.trim().parse().unwrap_or_default(),
                "journal" => out.journal = rest.trim().parse().unwrap_or_default(),
                "plane" => out.plane = true,
                "begun" => out.begun = true,
                "hard" => out.hard = true,
                "stage" => out.stage = Stage::parse(rest.trim()),
                "new" => out.new = Some(rest.trim().to_owned()),
                "cert" => {
                    let (path, text) = rest.split_once(' ').unwrap_or((rest, ""));
                    out.certificates
                        .extend(certificate::read(machine, path, text));
                }
                _ => {}
            }
        }
        out.certificates.sort_by_key(|c| c.not_after);
        out
    }

    /// Whether a certificate that the control plane can't do without is over, or was when its renewal began.
    pub fn plane_is_over(&self) -> bool {
        self.plane && (self.hard || self.over().any(|c| !c.of_kubelet() && !c.authority))
    }

    /// Certificates of the kubelet that it will not renew by itself, or not in time.
    pub fn kubelet_needs(&self) -> Vec<&Certificate> {
        let needs = |c: &&Certificate| c.of_kubelet() && c.standing(self.now) != Standing::Fine;
        self.certificates.iter().filter(needs).collect()
    }

    /// CAs that no renewal can make longer.
    pub fn authorities_over(&self) -> Vec<&Certificate> {
        self.over().filter(|c| c.authority).collect()
    }

    fn over(&self) -> impl Iterator<Item = &Certificate> {
        let over = |c: &&Certificate| c.standing(self.now) == Standing::Over;
        self.certificates.iter().filter(over)
    }
}

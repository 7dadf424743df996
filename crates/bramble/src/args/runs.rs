//! Arguments about the runs of a daemon.

use clap::{Args, Subcommand};
use std::str::FromStr;

/// The word for the newest run.
const LATEST: &str = "latest";

/// Options of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// What to do; by default list.
    #[command(subcommand)]
    pub action: Option<RunsAction>,
}

impl RunsArgs {
    /// The run that is named.
    pub fn named(&self) -> Option<&RunName> {
        match &self.action {
            Some(RunsAction::Follow {
                run: RunChoice::Named(run),
            })
            | Some(RunsAction::Cancel { run }) => Some(run),
            _ => None,
        }
    }
}

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// The runs that the daemon remembers, the newest first; with --cluster only that cluster's.
    #[command(
        after_help = "Examples:\n  bramble --server https://pi:7443 runs list\n  bramble --server https://pi:7443 --cluster home runs list --output json | jq -r .[0].state"
    )]
    List,
    /// Show what happens in a run, from its begin, until it is over.
    #[command(
        after_help = "Examples:\n  bramble --server https://pi:7443 runs follow home-7\n  bramble --server https://pi:7443 --cluster home runs follow latest\n  bramble --server https://pi:7443 runs follow home-7 --output json      the events of `bramble up`\n\nCtrl-C ends the following alone: the run goes on.\n\nExit codes are those of the run: 0 done, 1 failed, 4 a machine was unreachable, 130 stopped by somebody."
    )]
    Follow {
        /// The run, or `latest`: the newest, with --cluster of that cluster.
        #[arg(value_name = "NAME|latest")]
        run: RunChoice,
    },
    /// Ask a run to stop after the steps that it is at.
    #[command(
        after_help = "Example:\n  bramble --server https://pi:7443 runs cancel home-7\n\nThe cluster's next run goes on where this one stopped."
    )]
    Cancel {
        /// The run.
        #[arg(value_name = "NAME")]
        run: RunName,
    },
}

/// A run's name, which is a part of the API's paths: its cluster's, a hyphen, a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName(String);

impl RunName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its cluster's.
    pub fn cluster(&self) -> &str {
        self.0.rsplit_once('-').map_or("", |(cluster, _)| cluster)
    }
}

impl FromStr for RunName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbered =
            |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        match text.rsplit_once('-') {
            Some((cluster, number)) if bramble_spec::dns_label(cluster) && numbered(number) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("a run is named by its cluster, a hyphen and a number, such as home-7".into()),
        }
    }
}

/// Which run is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunChoice {
    /// The newest one.
    Latest,
    /// This one.
    Named(RunName),
}

impl FromStr for RunChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            LATEST => Ok(Self::Latest),
            name => match name.parse() {
                Ok(name) => Ok(Self::Named(name)),
                Err(why) => Err(format!("{why}; or {LATEST}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_no_other_paths() {
        for right in ["home-1", "red-2-13", &format!("{}-4711", "a".repeat(63))] {
            assert!(right.parse::<RunName>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "home",
            "home-",
            "-1",
            "../x-1",
            "home-1/cancel",
            "home-x",
            "latest",
        ] {
            assert!(wrong.parse::<RunName>().is_err(), "{wrong}");
        }
        assert_eq!("latest".parse(), Ok(RunChoice::Latest));
    }
}

//! Arguments of the lights.

use super::BrokerArgs;
use bramble_lights::outputs::message::Topic;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Options of `lights`.
#[derive(Debug, Args)]
pub struct LightsArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: LightsAction,
}

/// What can be done with lights.
#[derive(Debug, Subcommand)]
pub enum LightsAction {
    /// Show what happens in a cluster until told to stop; with --server, what the daemon's lights show.
    #[command(
        after_help = "Examples:\n  bramble lights watch --kubeconfig lights.conf\n  bramble lights watch --kubeconfig lights.conf --gpio\n  bramble lights watch --listen 0.0.0.0:8080 --token-file hook.token --output json\n  bramble --server https://pi:7443 lights watch --gpio\n  bramble lights watch --kubeconfig lights.conf --broker mqtts://broker --broker-login broker.login\n\nA lamp that shines means: green all is well, yellow somebody should look, red somebody must look. Yellow\nthat blinks: a source is silent, and nobody knows. The book's chapter: docs/lights.md."
    )]
    Watch(LightsWatchArgs),
    /// Every lamp of every traffic light once, and a beep.
    #[command(after_help = "Example:\n  bramble lights self-test --gpio")]
    SelfTest(LightsPlayArgs),
    /// Something to look at.
    #[command(after_help = "Example:\n  bramble lights show --gpio")]
    Show(LightsPlayArgs),
    /// The rules that are used where nothing else is said; or whether a file of rules is right.
    #[command(
        after_help = "Examples:\n  bramble lights rules > lights.yaml\n  bramble lights rules --check lights.yaml\n  bramble lights rules --schema > lights.schema.json"
    )]
    Rules {
        /// Check this file instead.
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
        /// Print the JSON schema of such files instead, for editors.
        #[arg(long, conflicts_with = "check")]
        schema: bool,
    },
}

/// Options of `lights watch`.
#[derive(Debug, Args)]
pub struct LightsWatchArgs {
    /// Watch the cluster of this kubeconfig. Without it and --listen, the lights of the daemon (--server) are followed.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Listen here for the webhooks of kubewatch and Alertmanager: /api/v1/hooks/kubewatch and
    /// /api/v1/hooks/alertmanager.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// File with the token that senders of webhooks must have, at least 16 characters; needed where other computers
    /// can send.
    #[arg(long, value_name = "FILE", requires = "listen")]
    pub token_file: Option<PathBuf>,
    /// Where and by which rules.
    #[command(flatten)]
    pub place: LightsPlaceArgs,
    /// Where they are told as well.
    #[command(flatten)]
    pub broker: LightsBrokerArgs,
}

/// An MQTT broker that lights are told at.
#[derive(Debug, Args)]
#[command(next_help_heading = "MQTT")]
pub struct LightsBrokerArgs {
    /// The broker.
    #[command(flatten)]
    pub at: BrokerArgs,
    /// The topic at the broker where what is shown is told, retained. Its last will says `unknown`.
    #[arg(
        long,
        default_value = "bramble/lights/watch",
        value_name = "TOPIC",
        requires = "broker"
    )]
    pub broker_topic: Topic,
}

/// Options of `lights self-test` and `lights show`.
#[derive(Debug, Args)]
pub struct LightsPlayArgs {
    /// Where and by which rules.
    #[command(flatten)]
    pub place: LightsPlaceArgs,
}

/// Where lights are shown, and by which rules.
#[derive(Debug, Args)]
pub struct LightsPlaceArgs {
    /// Rules, board and button (`bramble lights rules` prints the default ones).
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// On the lamps of a board as well: by default the PiTraffic on a Raspberry Pi.
    #[arg(long)]
    pub gpio: bool,
}

//! Arguments about dash buttons.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Options of `button`.
#[derive(Debug, Args)]
pub struct ButtonCommandArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ButtonAction,
}

/// Actions on buttons.
#[derive(Debug, Subcommand)]
pub enum ButtonAction {
    /// Be a button: the state machine of the firmware, with its display in the terminal.
    #[command(
        after_help = "Examples:\n  bramble button simulate --settings dash01.yaml\n  bramble button simulate --settings dash01.yaml --press short --once\n  bramble button simulate --settings dash01.yaml --press long --once --yes\n\nKeys: space = press, l = long press, q = quit.\n\nThe settings, as YAML or TOML (other files are named from their folder):\n  id: dash01\n  keyFile: dash01.key          what the daemon told when the button was registered\n  broker: mqtts://pi:8883\n  authority: ca.pem            tls/ca.pem in the daemon's folder\n  handler: bramble             the only one that is believed\n  averageSeconds: 160          how long a cluster takes\n  proxy: socks5h://proxy:1080\nWithout a key it speaks the old grammar, at topic (DashButton), with user and passwordFile.\n\nExit codes of --once: 0 a cluster is ready or removed, 1 anything else."
    )]
    Simulate(SimulateArgs),
}

/// Options of `button simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The button's settings.
    #[arg(long, value_name = "FILE")]
    pub settings: PathBuf,
    /// Press it at once.
    #[arg(long, value_enum, value_name = "LENGTH")]
    pub press: Option<PressLength>,
    /// No keys and no picture: print each screen's text, and end when the button sleeps.
    #[arg(long, requires = "press")]
    pub once: bool,
    /// Press again where a removal is to be confirmed.
    #[arg(short, long, requires = "once")]
    pub yes: bool,
}

/// How long a button is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PressLength {
    /// A cluster is wanted.
    Short,
    /// The cluster isn't wanted any more.
    Long,
}

//! All arguments, with their help: help texts, completions and man pages are made from these types.

mod broker;
mod bundle;
mod button;
mod ccp;
mod certs;
mod etcd;
mod fleet;
mod global;
mod lights;
mod machine;
mod router;
mod runs;
mod serve;
mod vpn;

pub use broker::*;
pub use bundle::*;
pub use button::*;
pub use ccp::*;
pub use certs::*;
pub use etcd::*;
pub use fleet::*;
pub use global::*;
pub use lights::*;
pub use machine::*;
pub use router::*;
pub use runs::*;
pub use serve::*;
pub use vpn::*;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::PathBuf;

/// Bare machines to a Kubernetes cluster and back, from one file.
#[derive(Debug, Parser)]
#[command(
    name = "bramble",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  bramble init                   ask a few questions, write bramble.yaml\n  bramble plan                   show what would change, change nothing\n  bramble up                     make it so\n  bramble down                   take everything away again\n\nExit codes: 0 done or nothing to do, 1 failed, 2 wrong use or file, 3 plan has changes\n(plan --exit-code), 4 a machine was unreachable, 5 locked by someone else, 130 interrupted."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// For every command.
    #[command(flatten)]
    pub global: Global,
}

impl Cli {
    /// The arguments of this process, and what its environment adds to them.
    ///
    /// # Errors
    /// What is wrong with them; help and version, which were asked for.
    pub fn read() -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        let read = Self::from_arg_matches(&matches);
        let mut read = read.map_err(|error| error.format(&mut command))?;
        let settled = read.global.settle(&matches);
        settled.map_err(|why| command.error(ErrorKind::ArgumentConflict, why))?;
        Ok(read)
    }
}

/// What Bramble can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a cluster file: by questions, or from options.
    #[command(
        after_help = "Examples:\n  bramble init\n  bramble init --name home --machine one=192.168.1.11 --machine two=192.168.1.12\n  bramble init --name home --machine one=192.168.1.11 --ssh-user admin --zone Europe/Berlin --demo"
    )]
    Init(InitArgs),
    /// Check the cluster file; connects to nothing.
    #[command(after_help = "Examples:\n  bramble check\n  bramble check -f lab.yaml --output json")]
    Check,
    /// Show what `up` would change; changes nothing.
    #[command(
        after_help = "Examples:\n  bramble plan\n  bramble plan --exit-code       exit with 3 if there are changes\n  bramble plan --down            what a teardown would do\n  bramble plan --step base       one step and those below it"
    )]
    Plan(PlanArgs),
    /// Make the machines and the cluster what the file says.
    #[command(
        after_help = "Examples:\n  bramble up\n  bramble up --step time --machine two\n  bramble up --yes               even if data or a cluster is destroyed by it"
    )]
    Up(RunArgs),
    /// Take the cluster down and leave each machine as it was.
    #[command(
        after_help = "Examples:\n  bramble down                   asks for the cluster's name\n  bramble down --yes\n  bramble down --step addon/demo"
    )]
    Down(DownArgs),
    /// Add, remove and replace machines, in the cluster and in its file.
    #[command(
        after_help = "Examples:\n  bramble machine add four --address 10.77.0.14\n  bramble machine remove four\n  bramble machine remove four --lost     it is dead, and won't come back\n  bramble machine replace two            the same role, made anew"
    )]
    Machine(MachineArgs),
    /// Machines, control planes, nodes, pods, versions, certificates, drift: whether all is well.
    #[command(
        after_help = "Examples:\n  bramble status\n  bramble status --output json | jq .nodes\n\nExit codes: 0 all is well, 1 something is not, 4 a machine is not reached. A certificate that ends\nwithin 30 days is said and leaves all well."
    )]
    Status,
    /// Wait until the cluster is healthy.
    #[command(
        after_help = "Examples:\n  bramble wait\n  bramble wait --for api --timeout 2m\n  bramble up && bramble wait --for nodes\n\nExit codes: 0 it is, 1 it was not in time."
    )]
    Wait(WaitArgs),
    /// The cluster's store: members, snapshots, restore, lost quorum.
    #[command(
        after_help = "Examples:\n  bramble etcd members\n  bramble etcd snapshot\n  bramble etcd restore home-20261126T010203Z.db\n  bramble etcd recover           most control planes are lost: one goes on with all data"
    )]
    Etcd(EtcdArgs),
    /// Certificates: how long they last, new ones in time, new CAs.
    #[command(
        after_help = "Examples:\n  bramble certs status\n  bramble certs renew --dry-run\n  bramble certs renew\n  bramble certs rotate-ca\n\nThe book's chapter: docs/certificates.md."
    )]
    Certs(CertsArgs),
    /// A shell on a machine, or one command.
    #[command(
        after_help = "Examples:\n  bramble ssh two\n  bramble ssh two -- uptime\n  bramble ssh two -- 'ls /etc | wc -l'\n\nAs with ssh, the words of the command are joined by spaces and read by the shell there, as the\nlogin user. The exit code is the command's."
    )]
    Ssh(SshArgs),
    /// Put the cluster into your kubeconfig, beside what is there.
    #[command(
        after_help = "Examples:\n  bramble kubeconfig                 merge into $KUBECONFIG or ~/.kube/config\n  bramble kubeconfig --print > file  on its own\n  bramble kubeconfig --remove"
    )]
    Kubeconfig(KubeconfigArgs),
    /// The log of a machine, or of one of its units.
    #[command(
        after_help = "Examples:\n  bramble logs two\n  bramble logs two kubelet --lines 100 --follow\n  bramble logs two containerd --output json     one JSON object for each line"
    )]
    Logs(LogsArgs),
    /// The VPN's users: their profiles, who is connected.
    #[command(
        after_help = "Examples:\n  bramble vpn profile anna\n  bramble vpn profile anna --qr\n  bramble vpn list\n\nUsers are names in router.vpn.users of the cluster file; bramble up makes their keys. A name that is\ntaken out is locked out with the next up, and gets new keys when it comes back."
    )]
    Vpn(VpnArgs),
    /// What is around the router.
    #[command(
        after_help = "Example:\n  bramble router guide                        what to set on the home router"
    )]
    Router(RouterArgs),
    /// This computer's way to the machines behind the router.
    #[command(
        after_help = "Examples:\n  bramble workstation check\n  sudo bramble workstation connect\n  bramble workstation status\n  sudo bramble workstation disconnect"
    )]
    Workstation(WorkstationArgs),
    /// The daemon: clusters by browser, API, button; runs that go on without anybody watching.
    #[command(
        after_help = "Examples:\n  sudo bramble serve\n  bramble serve --listen 127.0.0.1:7443 --data ~/bramble\n  bramble serve --store kubernetes --namespace bramble\n\nIts first start tells a link that makes the first user. The book's chapter: docs/serve.md."
    )]
    Serve(ServeArgs),
    /// A traffic light that shows what happens in clusters: on a board, in the terminal.
    #[command(
        after_help = "Examples:\n  bramble lights watch --kubeconfig lights.conf --gpio\n  bramble lights self-test --gpio\n  bramble lights rules > lights.yaml\n\nThe book's chapter: docs/lights.md."
    )]
    Lights(LightsArgs),
    /// Runs of a daemon (--server): look at them, follow one, stop one.
    #[command(
        after_help = "Examples:\n  bramble --server https://pi:7443 runs\n  bramble --server https://pi:7443 --cluster home runs follow latest\n  bramble --server https://pi:7443 runs cancel home-7\n\nA run goes on without anybody watching. See `bramble login`."
    )]
    Runs(RunsArgs),
    /// Log in at a daemon, for --server.
    #[command(
        after_help = "Examples:\n  bramble login https://pi:7443 --ca ca.pem\n  bramble --server https://pi:7443 --cluster home status\n\nThe daemon's authority is tls/ca.pem in its folder. What lets in is a token, kept in\n~/.config/bramble/servers.json, which only you can read; BRAMBLE_TOKEN and BRAMBLE_SERVER_CA (a file)\ntake its place for programs."
    )]
    Login(LoginArgs),
    /// Forget a daemon, and have it forget the token.
    #[command(after_help = "Example:\n  bramble logout https://pi:7443")]
    Logout {
        /// The daemon.
        #[arg(value_name = "URL")]
        url: String,
    },
    /// Do something on all machines.
    #[command(
        after_help = "Examples:\n  bramble fleet ping\n  bramble fleet df\n  bramble fleet reboot --machine two --yes"
    )]
    Fleet(FleetArgs),
    /// Kubernetes artefacts as one folder: build, verify, list.
    #[command(
        after_help = "Examples:\n  bramble bundle build --from upstream --version v1.34.2\n  bramble bundle build --from debian\n  bramble bundle verify DIR\n  bramble bundle list"
    )]
    Bundle(BundleArgs),
    /// The router's registries: state, certificate, images of your own.
    #[command(
        after_help = "Examples:\n  bramble registry status\n  bramble registry push web.tar anna/web:1\n  bramble registry ca > ca.crt"
    )]
    Registry(RegistryArgs),
    /// Real Debian machines on this computer.
    #[command(
        after_help = "Examples:\n  bramble lab up -f examples/lab.yaml\n  bramble lab list\n  bramble lab ssh two\n  bramble lab down"
    )]
    Lab(LabArgs),
    /// Clusters that Cisco Container Platform makes.
    #[command(
        after_help = "Examples:\n  bramble ccp up -f ccp.yaml\n  bramble ccp list -f ccp.yaml\n  bramble ccp ranges -f ccp.yaml\n  bramble ccp down -f ccp.yaml\n\nThe book's chapter: docs/ccp.md."
    )]
    Ccp(CcpArgs),
    /// Dash buttons.
    #[command(after_help = "Example:\n  bramble button simulate --settings dash01.yaml")]
    Button(ButtonCommandArgs),
    /// All steps in order, and what each is for.
    #[command(
        after_help = "Examples:\n  bramble steps\n  bramble steps --output json | jq -r .[].name"
    )]
    Steps,
    /// The JSON schema of the cluster file, for editors.
    #[command(
        after_help = "Example:\n  bramble schema > bramble.schema.json\n  # first line of bramble.yaml:\n  # yaml-language-server: $schema=bramble.schema.json"
    )]
    Schema,
    /// End the lock of a run that can't end it itself.
    #[command(
        after_help = "Example:\n  bramble unlock one              shows who holds the lock, then asks"
    )]
    Unlock(UnlockArgs),
    /// Shell completions.
    #[command(after_help = "Example:\n  bramble completions bash > /etc/bash_completion.d/bramble")]
    Completions(CompletionsArgs),
    /// Man pages, one for each command.
    #[command(after_help = "Example:\n  bramble man --dir /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// Options of `init`.
#[derive(Debug, Args, Default)]
pub struct InitArgs {
    /// Name of the cluster.
    #[arg(long)]
    pub name: Option<String>,
    /// A machine, by its address or, behind a router, its hardware address; roles may follow. Without any,
    /// the first one is the control plane, the others are workers.
    #[arg(long = "machine", value_name = "NAME=ADDRESS[,ROLE]")]
    pub machines: Vec<String>,
    /// The machine that is the router of the others, at its address outside; further roles may follow.
    #[arg(long, value_name = "NAME=ADDRESS[,ROLE]")]
    pub router: Option<String>,
    /// Release of Kubernetes.
    #[arg(long, value_name = "VERSION")]
    pub kubernetes: Option<String>,
    /// Login name on the machines.
    #[arg(long, value_name = "USER")]
    pub ssh_user: Option<String>,
    /// Private key file; by default the agent's keys and the usual ones are tried.
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<String>,
    /// Address that several control planes share; needed with more than one.
    #[arg(long, value_name = "ADDRESS")]
    pub vip: Option<std::net::IpAddr>,
    /// The network of the machines, such as 192.168.1.0/24; by default the one that all addresses share,
    /// behind a router 10.77.0.0/24.
    #[arg(long, value_name = "NETWORK")]
    pub lan: Option<ipnet::IpNet>,
    /// Time zone, such as Europe/Berlin.
    #[arg(long)]
    pub zone: Option<String>,
    /// Put the demo page on the cluster.
    #[arg(long)]
    pub demo: bool,
    /// Replace a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// Which part of the whole.
#[derive(Debug, Clone, Args, Default)]
pub struct ScopeArgs {
    /// Only this step, or all below it (`base` = `base/...`); may be given more than once.
    #[arg(long = "step", value_name = "STEP")]
    pub steps: Vec<String>,
    /// Only this machine; may be given more than once.
    #[arg(long = "machine", value_name = "NAME")]
    pub machines: Vec<String>,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which part.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Exit with 3 if there are changes.
    #[arg(long)]
    pub exit_code: bool,
    /// Plan a teardown.
    #[arg(long)]
    pub down: bool,
    /// Without the differences of files.
    #[arg(long)]
    pub short: bool,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Which part.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Don't ask before something is destroyed that can't be brought back.
    #[arg(short, long)]
    pub yes: bool,
    /// Switch the file's machines on first, as a lab on this computer (see `bramble lab`).
    #[arg(long)]
    pub lab: bool,
}

/// Options of `down`.
#[derive(Debug, Args)]
pub struct DownArgs {
    /// Which part.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Take the lab of this name away, its machines with all that is on them (see `bramble lab`).
    #[arg(long, conflicts_with_all = ["steps", "machines"])]
    pub lab: bool,
}

/// Options of `wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// What must hold.
    #[arg(
        long = "for",
        value_enum,
        default_value = "healthy",
        value_name = "STATE"
    )]
    pub state: WaitFor,
    /// How long at most, such as 90s, 5m, 1h.
    #[arg(long, default_value = "5m", value_name = "TIME")]
    pub timeout: String,
}

/// What `wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WaitFor {
    /// Nothing that `status` would complain about.
    Healthy,
    /// Every machine of the file is a node that is ready.
    Nodes,
    /// The API server answers and says that it is ready.
    Api,
}

/// Options of `ssh`.
#[derive(Debug, Args)]
pub struct SshArgs {
    /// Machine.
    pub machine: String,
    /// Command; a shell if there is none.
    #[arg(trailing_var_arg = true)]
    pub command: Vec<String>,
}

/// Options of `kubeconfig`.
#[derive(Debug, Args)]
pub struct KubeconfigArgs {
    /// Print it instead of merging.
    #[arg(long, conflicts_with_all = ["remove", "into", "current"])]
    pub print: bool,
    /// Take the cluster out of the kubeconfig.
    #[arg(long)]
    pub remove: bool,
    /// The kubeconfig; by default the first of $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub into: Option<PathBuf>,
    /// Make it the current context even if there is another one.
    #[arg(long, conflicts_with = "remove")]
    pub current: bool,
}

/// Options of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Machine.
    pub machine: String,
    /// Unit, such as kubelet; all if none is named.
    pub unit: Option<String>,
    /// Number of lines.
    #[arg(short = 'n', long, default_value_t = 50)]
    pub lines: u32,
    /// Go on as lines come.
    #[arg(long)]
    pub follow: bool,
}

/// Options of `lab`.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: LabAction,
}

/// Actions on labs.
#[derive(Debug, Subcommand)]
pub enum LabAction {
    /// Make and boot the machines of the cluster file on this computer.
    #[command(after_help = "Example:\n  bramble lab up -f examples/lab.yaml")]
    Up,
    /// Take a lab away with everything that belongs to it.
    #[command(after_help = "Examples:\n  bramble lab down\n  bramble lab down --all")]
    Down {
        /// Name; by default the cluster file's.
        name: Option<String>,
        /// All labs of this computer.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Labs on this computer and their machines.
    #[command(after_help = "Example:\n  bramble lab list")]
    List,
    /// What this computer lacks to run labs.
    #[command(after_help = "Example:\n  bramble lab check")]
    Check,
    /// A shell on a machine of the lab.
    #[command(after_help = "Example:\n  bramble lab ssh two -- uptime")]
    Ssh {
        /// Machine.
        machine: String,
        /// Command.
        #[arg(trailing_var_arg = true)]
        command: Vec<String>,
    },
}

/// Options of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// Machine.
    pub machine: String,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Folder to write to; by default the page of `bramble` goes to standard output.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

//! What to connect to, and how.

use bramble_secret::Secret;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A machine that is reached by SSH.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name that messages use.
    pub name: String,
    /// Address or DNS name, as seen from the jump host when there is one.
    pub host: String,
    /// The port of its sshd.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// Private key files, tried in this order before the agent. A certificate `<key>-cert.pub` beside
    /// one is used when present. When empty, the agent comes first, then [`Options::default_keys`].
    pub keys: Vec<PathBuf>,
    /// The machine through which this one is reached. Its keys, user and sudo are its own.
    pub jump: Option<Arc<Target>>,
    /// The fingerprint of the host key (`SHA256:...`, as `ssh-keygen -l` shows it). When given, it
    /// alone decides, and known hosts files are not looked at but for revoked keys.
    pub host_key: Option<String>,
    /// How the login user becomes root.
    pub sudo: Sudo,
}

impl Target {
    /// `host:port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// How the login user becomes root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sudo {
    /// The login user is root already.
    No,
    /// `sudo -n`: sudo asks this user for nothing.
    Passwordless,
    /// The password that sudo asks for. Also right where sudo turns out not to ask: then the password
    /// isn't sent.
    Password(Secret),
}

/// What is the same for all machines of a [`Fleet`](crate::Fleet).
#[derive(Clone, Debug)]
pub struct Options {
    /// The known hosts file that new keys are learned into. Need not exist.
    pub known_hosts: PathBuf,
    /// A second known hosts file, only read: usually the user's own `~/.ssh/known_hosts`.
    pub user_known_hosts: Option<PathBuf>,
    /// Whether the key of a machine that no file knows is learned (`--accept-new-host-keys`). A key
    /// that differs from a known one is refused all the same.
    pub accept_new_host_keys: bool,
    /// The socket of the SSH agent (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
    /// Keys tried after the agent for targets that name none; files that don't exist are passed over.
    pub default_keys: Vec<PathBuf>,
    /// How long each stage of connecting may take: TCP, handshake, authentication.
    pub connect_limit: Duration,
    /// A machine that was silent for this long is asked for a sign of life.
    pub keepalive: Duration,
    /// How many unanswered questions end the connection.
    pub keepalive_misses: usize,
    /// Handshakes at the same time through one jump host, at least 1.
    pub handshakes_per_jump: usize,
    /// Handshakes at the same time in all, at least 1.
    pub handshakes: usize,
}

impl Options {
    /// Defaults, with nothing taken from the user's environment.
    pub fn new(known_hosts: impl Into<PathBuf>) -> Self {
        Self {
            known_hosts: known_hosts.into(),
            user_known_hosts: None,
            accept_new_host_keys: false,
            agent: None,
            default_keys: Vec::new(),
            connect_limit: Duration::from_secs(10),
            keepalive: Duration::from_secs(15),
            keepalive_misses: 3,
            handshakes_per_jump: 8,
            handshakes: 32,
        }
    }

    /// Defaults, with the user's agent (`SSH_AUTH_SOCK`), `~/.ssh/known_hosts` and
    /// `~/.ssh/id_{ed25519,ecdsa,rsa}`.
    pub fn from_environment(known_hosts: impl Into<PathBuf>) -> Self {
        let mut options = Self::new(known_hosts);
        options.agent = std::env::var_os("SSH_AUTH_SOCK")
            .filter(|socket| !socket.is_empty())
            .map(PathBuf::from);
        if let Some(home) = std::env::home_dir() {
            let ssh = home.join(".ssh");
            options.user_known_hosts = Some(ssh.join("known_hosts"));
            options.default_keys = ["id_ed25519", "id_ecdsa", "id_rsa"]
                .iter()
                .map(|name| ssh.join(name))
                .collect();
        }
        options
    }
}
